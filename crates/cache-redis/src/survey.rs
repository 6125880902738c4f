//! What the servers say about themselves: memory, evictions, expirations, and whether a server may evict what must stay.
//!
//! Owns the reading of `INFO` and its gauges. It looks on and changes nothing; a server that does not answer is left out.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use cache_engine::store::Pool;
use metrics::{counter, gauge};
use tokio::time::{MissedTickBehavior, interval};

use crate::store::RedisStore;

/// How often the servers are asked. Operators look at minutes.
const EVERY: Duration = Duration::from_secs(15);
/// Redis's word for refusing writes where memory runs out, in place of evicting.
const NO_EVICTION: &str = "noeviction";

/// What one server, or all primaries of one cluster together, say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Which process it is; new after a restart. Of a cluster, the first that answered.
    pub run_id: String,
    /// Bytes in use.
    pub memory_bytes: u64,
    /// Bytes it may use; zero without a limit.
    pub memory_limit_bytes: u64,
    /// What it does at the limit.
    pub policy: String,
    /// Keys evicted since it started.
    pub evicted_keys: u64,
    /// Keys expired since it started.
    pub expired_keys: u64,
    /// Keys in all its databases.
    pub keys: u64,
}

/// What the servers of the pools said, a pool each; pools without an answer are missing.
pub type Survey = BTreeMap<Pool, ServerFacts>;

/// A pool whose keys may be evicted although they should stay.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvictionHazard {
    /// The pool.
    pub pool: Pool,
    /// What its server does at its limit of memory.
    pub policy: String,
    /// Pools on the same server whose copies may crowd it out.
    pub shared_with: Vec<Pool>,
}

impl ServerFacts {
    /// Reads an answer of `INFO`: lines of `name:value`; names that are missing count as zero.
    pub fn parse(info: &str) -> Self {
        let field = |name: &str| {
            info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':')).unwrap_or_default()
        };
        let number = |name| field(name).parse().unwrap_or_default();
        // `db0:keys=12,expires=12,avg_ttl=…`
        let keys = info.lines().filter(|line| line.starts_with("db")).filter_map(|line| {
            let keys = line.split_once(":keys=")?.1.split(',').next()?;
            keys.parse::<u64>().ok()
        });
        Self {
            run_id: field("run_id").to_owned(),
            memory_bytes: number("used_memory"),
            memory_limit_bytes: number("maxmemory"),
            policy: field("maxmemory_policy").to_owned(),
            evicted_keys: number("evicted_keys"),
            expired_keys: number("expired_keys"),
            keys: keys.sum(),
        }
    }

    /// Together with what another primary of the cluster says. One that evicts makes the whole evict.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        if !self.evicts() && other.evicts() {
            self.policy = other.policy;
        }
        self.memory_bytes += other.memory_bytes;
        self.memory_limit_bytes += other.memory_limit_bytes;
        self.evicted_keys += other.evicted_keys;
        self.expired_keys += other.expired_keys;
        self.keys += other.keys;
        self
    }

    /// Whether keys may be evicted: an evicting policy that has a limit to act at.
    pub fn evicts(&self) -> bool {
        self.memory_limit_bytes > 0 && !self.policy.is_empty() && self.policy != NO_EVICTION
    }
}

/// Pools whose keys should stay, on servers that evict.
pub fn eviction_hazards(survey: &Survey) -> Vec<EvictionHazard> {
    let at_risk = survey.iter().filter(|(pool, facts)| !pool.tolerates_eviction() && facts.evicts());
    let hazard = |(pool, facts): (&Pool, &ServerFacts)| {
        let same = survey.iter().filter(|(other, there)| *other != pool && there.run_id == facts.run_id);
        EvictionHazard {
            pool: *pool,
            policy: facts.policy.clone(),
            shared_with: same.map(|(other, _)| *other).filter(|other| other.tolerates_eviction()).collect(),
        }
    };
    at_risk.map(hazard).collect()
}

/// Asks the servers now and again for as long as the store lives, shows what they say in the metrics, and warns of hazards: once
/// when they are found, and again only when they change.
pub(crate) fn watch(store: &Arc<RedisStore>) {
    let store = Arc::downgrade(store);
    tokio::spawn(async move {
        let mut again = interval(EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut warned = Vec::new();
        loop {
            again.tick().await;
            let Some(store) = store.upgrade() else { return };
            let survey = store.survey().await;
            let hazards = eviction_hazards(&survey);
            show(&survey, &hazards);
            if hazards != warned {
                for hazard in &hazards {
                    warn(hazard);
                }
                warned = hazards;
            }
        }
    });
}

fn warn(hazard: &EvictionHazard) {
    let shared_with: Vec<_> = hazard.shared_with.iter().copied().map(Pool::as_str).collect();
    tracing::warn!(
        pool = hazard.pool.as_str(),
        policy = hazard.policy,
        shared_with = shared_with.join(", "),
        "Redis may evict what should stay: give this pool a server with maxmemory-policy noeviction"
    );
}

#[expect(clippy::cast_precision_loss, reason = "bytes and keys are far below 2^52")]
fn show(survey: &Survey, hazards: &[EvictionHazard]) {
    for (pool, facts) in survey {
        let word = pool.as_str();
        gauge!("cache_redis_memory_bytes", "pool" => word).set(facts.memory_bytes as f64);
        gauge!("cache_redis_memory_limit_bytes", "pool" => word).set(facts.memory_limit_bytes as f64);
        gauge!("cache_redis_keys", "pool" => word).set(facts.keys as f64);
        counter!("cache_redis_evictions_total", "pool" => word).absolute(facts.evicted_keys);
        counter!("cache_redis_expirations_total", "pool" => word).absolute(facts.expired_keys);
        let hazard = hazards.iter().any(|hazard| hazard.pool == *pool);
        gauge!("cache_redis_eviction_hazard", "pool" => word).set(f64::from(u8::from(hazard)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Redis 7.0 writes it, shortened.
    const INFO: &str = "# Server\r\nredis_version:7.0.15\r\nrun_id:8f3a\r\n# Memory\r\nused_memory:1048576\r\n\
        used_memory_rss:9000000\r\nmaxmemory:268435456\r\nmaxmemory_policy:allkeys-lfu\r\n# Stats\r\n\
        expired_keys:7\r\nevicted_keys:3\r\n# Keyspace\r\ndb0:keys=12,expires=12,avg_ttl=100\r\ndb3:keys=5,expires=0\r\n";

    fn evicting() -> ServerFacts {
        ServerFacts::parse(INFO)
    }

    fn keeping(run_id: &str) -> ServerFacts {
        ServerFacts { run_id: run_id.into(), policy: NO_EVICTION.into(), ..evicting() }
    }

    #[test]
    fn what_a_server_says_is_read() {
        let expected = ServerFacts {
            run_id: "8f3a".into(),
            memory_bytes: 1_048_576,
            memory_limit_bytes: 268_435_456,
            policy: "allkeys-lfu".into(),
            evicted_keys: 3,
            expired_keys: 7,
            keys: 17,
        };
        assert_eq!(evicting(), expected);
        assert_eq!(ServerFacts::parse("nonsense"), ServerFacts::default());
    }

    #[test]
    fn a_critical_pool_on_an_evicting_server_is_a_hazard_and_a_copy_is_none() {
        let one = Survey::from(Pool::ALL.map(|pool| (pool, evicting())));
        let hazards = eviction_hazards(&one);
        let pools: Vec<_> = hazards.iter().map(|hazard| hazard.pool).collect();
        assert_eq!(pools, [Pool::RateLimit, Pool::Coordination, Pool::Session, Pool::Hints]);
        assert!(hazards.iter().all(|hazard| hazard.shared_with == [Pool::Content, Pool::Preview]));

        let split = Survey::from(
            Pool::ALL.map(|pool| (pool, if pool.tolerates_eviction() { evicting() } else { keeping("other") })),
        );
        assert_eq!(eviction_hazards(&split), []);
    }

    #[test]
    fn a_server_without_a_limit_never_evicts() {
        let unlimited = ServerFacts { memory_limit_bytes: 0, ..evicting() };
        assert_eq!(eviction_hazards(&Survey::from([(Pool::Coordination, unlimited)])), []);
    }

    #[test]
    fn one_evicting_primary_makes_a_cluster_evict() {
        let both = keeping("one").and(evicting());
        assert!(both.evicts());
        assert_eq!((both.keys, both.evicted_keys, both.run_id.as_str()), (34, 6, "one"));
    }
}

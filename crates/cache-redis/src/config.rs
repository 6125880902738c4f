//! Where Redis is and how patient we are with it.
//!
//! Owns the defaults. Must never hold a secret in the clear: a URL with a password stays out of `Debug`.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use cache_engine::store::Pool;
use fred::types::config::Config;

use crate::tls;

/// Stands in a URL for the word of the pool that connects with it.
const POOL: &str = "{pool}";

/// See the module.
#[derive(Clone)]
pub struct RedisConfig {
    /// `redis://[user:password@]host:port[/database]`, or `redis-cluster://[user:password@]host:port[?node=host:port…]` for a
    /// cluster, of which any nodes are named; `rediss` in place of `redis` for TLS. For every pool that has none of its own.
    /// `{pool}` in it stands for the pool's word: one line names a user for each pool.
    pub url: String,
    /// Servers of their own for single pools.
    pub pool_urls: BTreeMap<Pool, String>,
    /// The certificates, in PEM, of the authorities whose servers are believed over TLS; the system's own where absent.
    pub ca_file: Option<PathBuf>,
    /// In front of every key: tells deployments, and tests, apart. Without braces, which would put all keys in one slot.
    pub key_prefix: String,
    /// How long one command may take.
    pub timeout: Duration,
    /// Connections of the content pool; the others have one each.
    pub content_connections: usize,
    /// Commands that may wait for a connection's turn; more are refused at once.
    pub command_buffer: usize,
}

impl RedisConfig {
    /// The defaults, for a server at `url`.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    pub(crate) fn url_of(&self, pool: Pool) -> String {
        self.pool_urls.get(&pool).unwrap_or(&self.url).replace(POOL, pool.as_str())
    }
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".into(),
            pool_urls: BTreeMap::new(),
            ca_file: None,
            key_prefix: String::new(),
            timeout: Duration::from_millis(50),
            content_connections: 2,
            command_buffer: 4096,
        }
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = Pool::ALL.iter().map(|pool| without_credentials(&self.url_of(*pool))).collect();
        f.debug_struct("RedisConfig")
            .field("servers", &servers)
            .field("key_prefix", &self.key_prefix)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

/// Why Redis cannot even be looked for. The URL itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRedisConfig {
    /// A URL cannot be understood.
    #[error("the Redis URL of the {pool} pool cannot be understood")]
    Url {
        /// The pool.
        pool: &'static str,
    },
    /// The authorities' certificates cannot be used.
    #[error("{} holds no usable certificates: {reason}", file.display())]
    Authorities {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

pub(crate) fn parse(config: &RedisConfig, pool: Pool) -> Result<Config, InvalidRedisConfig> {
    let parsed = Config::from_url(&config.url_of(pool));
    let mut server = parsed.map_err(|_| InvalidRedisConfig::Url { pool: pool.as_str() })?;
    if let (Some(file), true) = (&config.ca_file, server.tls.is_some()) {
        server.tls = Some(tls::believing(file)?);
    }
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let config = RedisConfig::at("redis://quoin:hunter2@cache.internal:6379/1");
        let text = format!("{config:?}");
        assert!(!text.contains("hunter2") && text.contains("cache.internal"), "{text}");
    }

    #[test]
    fn a_cluster_is_named_by_some_of_its_nodes() {
        let url = "redis-cluster://quoin:secret@one:7000?node=two:7001&node=three:7002";
        let parsed = parse(&RedisConfig::at(url), Pool::Content).expect("a cluster's URL");
        assert!(parsed.server.is_clustered());
        let mut ports: Vec<u16> = parsed.server.hosts().iter().map(|node| node.port).collect();
        ports.sort_unstable();
        assert_eq!((ports, parsed.username.as_deref()), (vec![7000, 7001, 7002], Some("quoin")));
        assert!(!format!("{:?}", RedisConfig::at(url)).contains("secret"));
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_repeating_it() {
        let refused = parse(&RedisConfig::at("hunter2"), Pool::Content);
        assert_eq!(refused.err(), Some(InvalidRedisConfig::Url { pool: "content" }));
    }

    #[test]
    fn one_url_names_a_user_for_each_pool() {
        let config = RedisConfig::at("redis://quoin-quote-{pool}:secret@cache.internal:6379");
        let user = |pool| parse(&config, pool).expect("a URL").username;
        assert_eq!(user(Pool::RateLimit).as_deref(), Some("quoin-quote-rate-limit"));
        assert_eq!(user(Pool::Content).as_deref(), Some("quoin-quote-content"));
    }

    #[test]
    fn authorities_that_cannot_be_read_are_named() {
        let config = RedisConfig { ca_file: Some("nowhere.pem".into()), ..RedisConfig::at("rediss://cache.internal") };
        let refused = parse(&config, Pool::Content).expect_err("no such file").to_string();
        assert!(refused.starts_with("nowhere.pem holds no usable certificates"), "{refused}");
        let plain = RedisConfig { url: "redis://cache.internal".into(), ..config };
        assert!(parse(&plain, Pool::Content).is_ok(), "without TLS nobody reads it");
    }
}

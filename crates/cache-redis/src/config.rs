//! Where Redis is and how patient we are with it.
//!
//! Owns the defaults. Must never hold a secret in the clear: a URL with a password stays out of `Debug`.

use std::{collections::BTreeMap, fmt, time::Duration};

use cache_engine::store::Pool;
use fred::types::config::Config;

/// See the module.
#[derive(Clone)]
pub struct RedisConfig {
    /// `redis://[user:password@]host:port[/database]`, or `redis-cluster://[user:password@]host:port[?node=host:port…]` for a
    /// cluster, of which any nodes are named; `rediss` in place of `redis` for TLS. For every pool that has none of its own.
    pub url: String,
    /// Servers of their own for single pools.
    pub pool_urls: BTreeMap<Pool, String>,
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

    pub(crate) fn url_of(&self, pool: Pool) -> &str {
        self.pool_urls.get(&pool).unwrap_or(&self.url)
    }
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: "redis://127.0.0.1:6379".into(),
            pool_urls: BTreeMap::new(),
            key_prefix: String::new(),
            timeout: Duration::from_millis(50),
            content_connections: 2,
            command_buffer: 4096,
        }
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let servers: Vec<String> = Pool::ALL.iter().map(|pool| without_credentials(self.url_of(*pool))).collect();
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

/// A Redis URL that cannot be understood. The URL itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Redis URL of the {pool} pool cannot be understood")]
pub struct InvalidRedisUrl {
    /// The pool.
    pub pool: &'static str,
}

pub(crate) fn parse(config: &RedisConfig, pool: Pool) -> Result<Config, InvalidRedisUrl> {
    Config::from_url(config.url_of(pool)).map_err(|_| InvalidRedisUrl { pool: pool.as_str() })
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
        assert_eq!(refused.err(), Some(InvalidRedisUrl { pool: "content" }));
    }
}

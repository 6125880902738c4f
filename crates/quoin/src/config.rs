//! What the executable must be told: where servers are, where to listen, whom to trust.
//!
//! Owns the sections of `default.toml`; the runtime's and the services' sections are read by those who own them. Must
//! never hold a decision of a domain.

mod leases;
mod upkeep;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use cache_redis::{Pool, RedisConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use service_runtime::{RuntimeConfig, Settings};

use crate::services::Service;

pub use leases::Leases;
pub use upkeep::{Audit, Reconcile, Sweep};

/// The executable's own defaults.
const DEFAULTS: &str = include_str!("../default.toml");

/// The owner of all schemas.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The owner's URL.
    pub database_url: SecretString,
    /// The service roles' password.
    pub role_password: SecretString,
}

impl Owner {
    /// The owner's URL, or what to do about its absence.
    pub fn url(&self) -> anyhow::Result<&str> {
        match self.database_url.expose_secret() {
            "" => bail!(
                "name the database in QUOIN__OWNER__DATABASE_URL, for example postgres://postgres@localhost/quoin"
            ),
            url => Ok(url),
        }
    }

    /// The URL of a service's role on the owner's database.
    fn url_of(&self, role: &str) -> anyhow::Result<SecretString> {
        let mut url = reqwest::Url::parse(self.url()?).context("QUOIN__OWNER__DATABASE_URL is not a URL")?;
        let put = url.set_username(role).and_then(|()| url.set_password(Some(self.role_password.expose_secret())));
        if put.is_err() {
            bail!("QUOIN__OWNER__DATABASE_URL names no host");
        }
        Ok(String::from(url).into())
    }
}

/// What a process does for a service; each duty has a database role of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// Answers requests.
    Serve,
    /// Relays, consumes, expires, runs tasks.
    Work,
}

/// Where a service and its databases are. Its other settings are its own.
#[derive(Debug, Clone, Deserialize)]
pub struct Place {
    /// Its base URL, for the other services.
    pub url: String,
    /// Its database, to answer from.
    pub database_url: SecretString,
    /// Its database, to work on.
    pub work_database_url: SecretString,
}

impl Place {
    /// Its keys in a service's section; the others belong to the service.
    pub const KEYS: [&'static str; 3] = ["url", "database_url", "work_database_url"];
}

/// Which byte store the caches use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheBackend {
    /// Redis, shared by all processes.
    Redis,
    /// This process's memory.
    Memory,
    /// Nothing: every read goes to the authority.
    None,
}

/// The accelerator.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Which store.
    pub backend: CacheBackend,
    /// Whether a process keeps its own copies in front of it.
    pub l1: bool,
    /// Where Redis is, for every pool that has no URL of its own. `{pool}` stands for the pool's word.
    pub redis_url: SecretString,
    /// Certificates of the authorities that sign for Redis over TLS; empty: the system's.
    pub redis_ca_file: PathBuf,
    /// Servers of their own for single pools, by the pool's word with `_` for `-`.
    pub pools: BTreeMap<String, SecretString>,
    /// Before every key.
    pub key_prefix: String,
}

impl Cache {
    /// How Redis is reached. An unknown pool is an error that names those there are.
    pub fn redis(&self) -> anyhow::Result<RedisConfig> {
        let pool = |(word, url): (&String, &SecretString)| {
            let pool = Pool::ALL.into_iter().find(|pool| pool.as_str().replace('-', "_") == *word);
            let known = || Pool::ALL.map(|pool| pool.as_str().replace('-', "_")).join(", ");
            let pool = pool.with_context(|| format!("cache.pools: there is no pool {word}; there are {}", known()))?;
            anyhow::Ok((pool, url.expose_secret().to_owned()))
        };
        let ca_file = &self.redis_ca_file;
        Ok(RedisConfig {
            url: self.redis_url.expose_secret().to_owned(),
            pool_urls: self.pools.iter().map(pool).collect::<anyhow::Result<_>>()?,
            ca_file: (!ca_file.as_os_str().is_empty()).then(|| ca_file.clone()),
            key_prefix: self.key_prefix.clone(),
            ..RedisConfig::default()
        })
    }
}

/// The log of facts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// `host:port,…`; empty means the in-process bus.
    pub brokers: String,
    /// Before every topic.
    pub topic_prefix: String,
    /// Of each topic that is made.
    pub partitions: i32,
    /// Days the topics that are made keep a record; 0: without end.
    #[serde(default)]
    pub retention_days: u32,
}

/// What only development has.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Development {
    /// Whether the installation's key signs tokens for anybody who asks.
    pub issuer: bool,
}

/// The console.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Its built files; served when the folder exists.
    pub folder: PathBuf,
}

/// Everything a process is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// The owner of the schemas.
    pub owner: Owner,
    /// Redis, or what stands in for it.
    pub cache: Cache,
    /// The auditor of the cache.
    pub audit: Audit,
    /// The sweeper of the cache.
    pub sweep: Sweep,
    /// The comparison of outbox and log.
    pub reconcile: Reconcile,
    /// Kafka, or what stands in for it.
    pub kafka: Kafka,
    /// How workers share their work.
    pub leases: Leases,
    /// Where the services are.
    pub places: BTreeMap<Service, Place>,
    /// What only development has.
    pub development: Development,
    /// The console.
    pub web: Web,
    /// The callbacks of integrators.
    pub webhooks: webhooks::Config,
    /// HTTP, identities, pools, limits, telemetry.
    pub runtime: RuntimeConfig,
    /// All sections, for the services' own.
    pub settings: Settings,
}

impl Config {
    /// Reads defaults, then `file`, then the environment.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let mut defaults: Vec<&str> = vec![DEFAULTS, webhooks::DEFAULTS];
        defaults.extend(Service::ALL.iter().map(|service| service.defaults()));
        let settings = Settings::load(&defaults, file).context("cannot read the configuration")?;
        let mut web: Web = settings.section("web").context("section web")?;
        if let Some(folder) = std::env::var_os("QUOIN_WEB_DIR") {
            web.folder = folder.into();
        }
        let place = |service: Service| {
            let place = settings.section(service.name()).with_context(|| format!("section {service}"))?;
            anyhow::Ok((service, place))
        };
        Ok(Self {
            owner: settings.section("owner").context("section owner")?,
            cache: settings.section("cache").context("section cache")?,
            audit: settings.section("audit").context("section audit")?,
            sweep: settings.section("sweep").context("section sweep")?,
            reconcile: settings.section("reconcile").context("section reconcile")?,
            kafka: settings.section("kafka").context("section kafka")?,
            leases: settings.section("leases").context("section leases")?,
            places: Service::ALL.into_iter().map(place).collect::<anyhow::Result<_>>()?,
            development: settings.section("development").context("section development")?,
            web,
            webhooks: settings.section("webhooks").context("section webhooks")?,
            runtime: settings.runtime().context("the runtime's sections")?,
            settings,
        })
    }

    /// The base URL of a service.
    pub fn url_of(&self, service: Service) -> &str {
        self.places.get(&service).map_or("", |place| &place.url)
    }

    /// All services are behind one address.
    pub fn all_behind(&mut self, url: &str) {
        for place in self.places.values_mut() {
            url.clone_into(&mut place.url);
        }
    }

    /// The URL a service connects with: spelled out, or derived from the owner's.
    pub fn database_url(&self, service: Service, duty: Duty) -> anyhow::Result<SecretString> {
        let spelled_out = self.places.get(&service).map(|place| match duty {
            Duty::Serve => &place.database_url,
            Duty::Work => &place.work_database_url,
        });
        match spelled_out.filter(|url| !url.expose_secret().is_empty()) {
            Some(url) => Ok(url.clone()),
            None => {
                self.owner.url_of(&service.role(duty)).with_context(|| format!("no database is known for {service}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(owner: &str) -> Config {
        let mut config = Config::load(None).unwrap();
        config.owner = Owner { database_url: owner.into(), role_password: "p@ss".into() };
        config
    }

    #[test]
    fn a_roles_url_is_spelled_out_or_derived() {
        let mut config = config("postgres://owner:secret@db:5433/quoin?sslmode=require");
        config.places.get_mut(&Service::Quote).unwrap().database_url = "postgres://elsewhere/q".into();
        let url = |service, duty| config.database_url(service, duty).unwrap().expose_secret().to_owned();
        assert_eq!(url(Service::Quote, Duty::Serve), "postgres://elsewhere/q");
        assert_eq!(url(Service::Quote, Duty::Work), "postgres://quote_work:p%40ss@db:5433/quoin?sslmode=require");
        assert_eq!(url(Service::Order, Duty::Serve), "postgres://order_serve:p%40ss@db:5433/quoin?sslmode=require");
    }

    #[test]
    fn a_pool_may_have_a_server_of_its_own() {
        let mut cache = config("").cache;
        cache.pools = BTreeMap::from([("rate_limit".to_owned(), "redis://counts:6379".into())]);
        assert_eq!(cache.redis().unwrap().pool_urls[&Pool::RateLimit], "redis://counts:6379");
        cache.pools.insert("ratelimit".to_owned(), "redis://counts:6379".into());
        let error = cache.redis().unwrap_err().to_string();
        assert!(error.contains("no pool ratelimit") && error.contains("content, preview, rate_limit"), "{error}");
    }

    #[test]
    fn without_an_address_the_error_says_what_to_set() {
        let error = config("").database_url(Service::Order, Duty::Work).unwrap_err();
        assert!(format!("{error:#}").contains("QUOIN__OWNER__DATABASE_URL"));
    }
}

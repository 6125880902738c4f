//! `quoin doctor`: what is wrong with this installation, and what to do about it.
//!
//! Owns the list of examinations. Each looks at one thing and changes nothing.

use std::{collections::BTreeSet, fmt};

use anyhow::{Context, ensure};
use cache_redis::{Pool, RedisStore, Survey, eviction_hazards};
use secrecy::ExposeSecret;
use serde::Serialize;
use sqlx::{Connection, PgConnection};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    config::{CacheBackend, Config, Duty},
    migrate::pending,
    services::Service,
};

/// How long anything may take to answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// Pause before a server that has not answered is asked again.
const BETWEEN_QUESTIONS: std::time::Duration = std::time::Duration::from_millis(100);

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Gravity {
    /// As it should be.
    Well,
    /// It works, slower or with less.
    Weak,
    /// It does not work.
    Ill,
}

/// One examination.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// How it is.
    pub gravity: Gravity,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<&'static str>,
}

/// All of them.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// In the order they were made.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether everything the product cannot do without is there.
    pub fn is_healthy(&self) -> bool {
        self.findings.iter().all(|finding| finding.gravity != Gravity::Ill)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let mark = match finding.gravity {
                Gravity::Well => "ok  ",
                Gravity::Weak => "weak",
                Gravity::Ill => "ILL ",
            };
            writeln!(f, "{mark} {:<28} {}", finding.what, finding.found)?;
            if let Some(advice) = finding.advice {
                writeln!(f, "     {:<28} → {advice}", "")?;
            }
        }
        Ok(())
    }
}

/// Examines everything the configuration names.
pub async fn examine(config: &Config) -> Report {
    let mut findings = vec![finding(
        "database, as owner",
        Gravity::Ill,
        owner(config).await,
        "set QUOIN__OWNER__DATABASE_URL, start PostgreSQL, then `quoin migrate`",
    )];
    findings.push(finding(
        "migrations",
        Gravity::Ill,
        migrations(config).await,
        "run `quoin migrate` before the new program answers: it expects these",
    ));
    for service in Service::ALL {
        for duty in [Duty::Serve, Duty::Work] {
            let what = format!("database, as {}", service.role(duty));
            let looked = role(config, service, duty).await;
            findings.push(finding(
                &what,
                Gravity::Ill,
                looked,
                "run `quoin migrate`: it makes the schema and gives the role its password",
            ));
        }
    }
    findings.push(finding(
        "Redis",
        Gravity::Weak,
        redis(config).await,
        "see docs/operations.md, Redis: whatever it does every answer is the same, but without its help slower",
    ));
    findings.push(finding(
        "Kafka",
        Gravity::Weak,
        kafka(config).await,
        "set QUOIN__KAFKA__BROKERS and start Kafka: until then events wait in the outbox",
    ));
    findings.push(finding(
        "signing key",
        Gravity::Weak,
        key(config),
        "set QUOIN__AUTH__ISSUER_KEY_FILE to one file all processes share: services could not believe each other",
    ));
    findings.push(finding(
        "console",
        Gravity::Weak,
        console(config),
        "build it (`npm ci && npm run build` in web/) or name its folder in QUOIN_WEB_DIR",
    ));
    Report { findings }
}

fn finding(what: &str, gravity: Gravity, looked: anyhow::Result<String>, advice: &'static str) -> Finding {
    let what = what.to_owned();
    match looked {
        Ok(found) => Finding { what, gravity: Gravity::Well, found, advice: None },
        Err(error) => Finding { what, gravity, found: format!("{error:#}"), advice: Some(advice) },
    }
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    let connecting = timeout(PATIENCE, PgConnection::connect(url)).await.context("no answer")?;
    Ok(connecting?)
}

async fn owner(config: &Config) -> anyhow::Result<String> {
    let mut connection = connect(config.owner.url()?).await?;
    let (version,): (String,) = sqlx::query_as("show server_version").fetch_one(&mut connection).await?;
    Ok(format!("PostgreSQL {version}"))
}

async fn migrations(config: &Config) -> anyhow::Result<String> {
    let mut connection = connect(config.owner.url()?).await?;
    let pending = pending(&mut connection).await?;
    ensure!(pending.is_empty(), "not applied: {}", pending.join(", "));
    Ok("all applied".to_owned())
}

async fn role(config: &Config, service: Service, duty: Duty) -> anyhow::Result<String> {
    let url = config.database_url(service, duty)?;
    let mut connection = connect(url.expose_secret()).await?;
    let (may,): (bool,) = sqlx::query_as("select coalesce(has_schema_privilege(to_regnamespace($1), 'usage'), false)")
        .bind(format!("\"{service}\""))
        .fetch_one(&mut connection)
        .await?;
    ensure!(may, "the schema {service} is missing or not granted");
    Ok("connects, may use its schema".to_owned())
}

async fn redis(config: &Config) -> anyhow::Result<String> {
    ensure!(config.cache.backend == CacheBackend::Redis, "not used: the caches are {:?}", config.cache.backend);
    let store = RedisStore::connect(&config.cache.redis()?)?;
    let survey = timeout(PATIENCE, answered(&store)).await.context("a pool has no connection or no answer")?;
    store.close().await;
    let hazards = eviction_hazards(&survey);
    let at_risk: Vec<_> = hazards.iter().map(|hazard| hazard.pool.as_str()).collect();
    ensure!(
        at_risk.is_empty(),
        "it may evict what should stay ({}): use maxmemory-policy noeviction",
        at_risk.join(", ")
    );
    let servers: BTreeSet<_> = survey.values().map(|facts| &facts.run_id).collect();
    Ok(format!("answers every pool, {} server(s) in all", servers.len()))
}

/// What the servers say once all of them answer.
async fn answered(store: &RedisStore) -> Survey {
    loop {
        let survey = store.survey().await;
        if survey.len() == Pool::ALL.len() {
            return survey;
        }
        tokio::time::sleep(BETWEEN_QUESTIONS).await;
    }
}

async fn kafka(config: &Config) -> anyhow::Result<String> {
    let first = config.kafka.brokers.split(',').next().unwrap_or_default().trim();
    ensure!(!first.is_empty(), "no brokers are named");
    answers(first).await
}

async fn answers(address: &str) -> anyhow::Result<String> {
    timeout(PATIENCE, TcpStream::connect(address)).await.context("no answer")?.with_context(|| address.to_owned())?;
    Ok(format!("answers at {address}"))
}

fn key(config: &Config) -> anyhow::Result<String> {
    let file = &config.runtime.auth.issuer_key_file;
    ensure!(!file.as_os_str().is_empty(), "no key file is named: each process makes a key of its own");
    let length = std::fs::metadata(file).with_context(|| format!("{} is not there yet", file.display()))?.len();
    Ok(format!("{} ({length} bytes)", file.display()))
}

fn console(config: &Config) -> anyhow::Result<String> {
    let page = config.web.folder.join("index.html");
    ensure!(page.is_file(), "{} is missing", page.display());
    Ok(config.web.folder.display().to_string())
}

//! Every consumer of the product and every payload: samples of every version, samples with fields from the future, and what is
//! no payload at all. A consumer reads an event by applying it, on a real database, and what it did is taken back.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use dev_stack::test::{TestDatabase, whole_database};
use events::{Envelope, InProcessBus, ReactionError, UnreadablePayload};
use kernel::{TenantId, Version};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use quoin::{
    app::{Log, Parts},
    config::{CacheBackend, Config, Duty},
    generate::consumers::{self, ReadingService},
    services::Service,
};
use serde_json::Value;
use service_runtime::TenantTx;
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    files::{self, ContractFile},
    mutation::{mutated, with_unknown_fields},
};

/// Mutations of each sample for each consumer that reads it.
const MUTATIONS: usize = 60;
/// Connections of one service.
const CONNECTIONS: u32 = 2;

/// All consumers over a database of their own.
struct Readers {
    all: Vec<ReadingService>,
    pools: BTreeMap<Service, PgPool>,
    _database: TestDatabase,
}

impl Readers {
    async fn start() -> Result<Self> {
        let database = whole_database().await?;
        let mut config = Config::load(None)?;
        config.owner.database_url = database.admin_url().into();
        config.owner.role_password = "quoin".into();
        config.cache.backend = CacheBackend::None;
        config.runtime.database.max_connections = CONNECTIONS;
        let parts = Parts::new(config, Log::InProcess(InProcessBus::new())).await?;
        let pool = |service: Service| anyhow::Ok((service, parts.pool(service, Duty::Work)?));
        let pools = Service::ALL.into_iter().map(pool).collect::<Result<_>>()?;
        Ok(Self { all: consumers::of(&parts)?, pools, _database: database })
    }

    /// Those who read events of a sample's type.
    fn of<'a>(&'a self, sample: &ContractFile) -> impl Iterator<Item = &'a ReadingService> {
        let (service, event_type) = (sample.service, sample.event_type.clone());
        self.all.iter().filter(move |reader| reader.guard(service, &event_type).is_some())
    }

    /// What the consumer says about the event. Nothing of it stays.
    async fn apply(&self, reader: &ReadingService, event: &Envelope) -> Result<Result<(), ReactionError>> {
        let pool = self.pools.get(&reader.service).context("every service has a pool")?;
        let mut tx = TenantTx::begin(pool, &event.tenant).await?;
        let said = reader.reaction.apply(&mut tx, event).await;
        tx.rollback().await?;
        Ok(said)
    }
}

/// The sample as an event of a tenant's aggregate.
fn event(sample: &ContractFile, tenant: &str, data: Vec<u8>) -> Result<Envelope> {
    let payload: Value = serde_json::from_slice(sample.text.as_bytes())?;
    let aggregate = ["quoteId", "id"].into_iter().find_map(|name| payload[name].as_str()?.parse().ok());
    Ok(Envelope {
        id: Uuid::now_v7().into(),
        source: format!("/quoin/{}", sample.service),
        event_type: sample.event_type.clone(),
        schema_version: sample.version,
        tenant: tenant.parse::<TenantId>()?,
        aggregate_type: "sample".to_owned(),
        aggregate_id: aggregate.unwrap_or_else(Uuid::now_v7),
        aggregate_version: Version::new(7),
        occurred_at: "2026-01-31T10:00:00Z".parse()?,
        correlation_id: None,
        causation_id: None,
        traceparent: None,
        data: data.into(),
    })
}

/// Whether the payload could not be read, rather than what it says be done.
fn is_unreadable(said: &Result<(), ReactionError>) -> bool {
    let Err(ReactionError::Poison(cause) | ReactionError::Transient(cause)) = said else { return false };
    cause.downcast_ref::<UnreadablePayload>().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_consumer_reads_every_sample_also_with_fields_it_does_not_know() -> Result<()> {
    let (readers, schemas) = (Readers::start().await?, files::schemas());
    let mut heard = BTreeSet::new();
    for sample in files::samples() {
        let about = |schema: &&ContractFile| schema.is_about(sample.service, &sample.event_type, sample.version);
        let schema = schemas.iter().find(about).context("a sample has a schema")?.json();
        let grown = with_unknown_fields(&sample.json(), &schema).to_string();
        for reader in readers.of(&sample) {
            let consumer = reader.reaction.consumer();
            for data in [sample.text.clone(), grown.clone()] {
                let said = readers.apply(reader, &event(&sample, "acme", data.into_bytes())?).await?;
                assert!(!is_unreadable(&said), "{consumer} cannot read {}: {said:?}", sample.path);
                assert!(!matches!(said, Err(ReactionError::Transient(_))), "{consumer}, {}: {said:?}", sample.path);
                // What an acceptance says can be done at once: the samples are no mere shapes.
                assert!(said.is_ok() || consumer != "order.quotes", "{}: {said:?}", sample.path);
            }
            heard.insert(consumer);
        }
    }
    let all: BTreeSet<&str> = readers.all.iter().map(|reader| reader.reaction.consumer()).collect();
    assert_eq!(heard, all, "every consumer has a sample to read");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_payload_holds_a_consumer_reads_it_or_says_why_not() -> Result<()> {
    let readers = Readers::start().await?;
    let mut chance = TestRunner::deterministic();
    let (mut read, mut unreadable, mut refused) = (0, 0, 0);
    for sample in files::samples() {
        let payloads = mutated(sample.json());
        for reader in readers.of(&sample) {
            for _ in 0..MUTATIONS {
                let data = payloads.new_tree(&mut chance).map_err(anyhow::Error::msg)?.current();
                let event = event(&sample, "other-tenant", data)?;
                let said = readers.apply(reader, &event).await?;
                match &said {
                    Ok(()) => read += 1,
                    Err(ReactionError::Poison(cause)) if is_unreadable(&said) => {
                        unreadable += 1;
                        let why = cause.source().map(ToString::to_string).unwrap_or_default();
                        assert!(
                            why.contains("line") && cause.to_string().contains(&sample.event_type),
                            "{cause}: {why}"
                        );
                    }
                    Err(ReactionError::Poison(cause)) => {
                        refused += 1;
                        assert!(!cause.to_string().is_empty());
                    }
                    // It would be tried for ever, and the partition would stand still.
                    Err(ReactionError::Transient(cause)) => {
                        let text = String::from_utf8_lossy(&event.data).chars().take(2_000).collect::<String>();
                        panic!("{} waits for better times: {cause}: {text}", reader.reaction.consumer());
                    }
                }
            }
        }
    }
    println!("{read} read, {unreadable} unreadable, {refused} refused");
    assert!(read > 0 && unreadable > 0 && refused > 0, "{read} read, {unreadable} unreadable, {refused} refused");
    Ok(())
}

//! Two versions of the program share one store during a deployment: neither misreads nor evicts the other.
//!
//! Each program is a way of reading the same keyspace with a schema and a value type of its own. What an old program wrote is
//! read by a new one that declares it readable; what a new one wrote is a miss to the old one, and stays where it is.

use std::sync::Arc;

use cache_ports::{
    Served, ServedFrom,
    keyspace::{Keyspace, SchemaVersions},
    quote::keyspaces::{QUOTE_SUMMARY, quote_summary_key},
};
use kernel::{QuoteId, TenantId, Version};
use serde::{Deserialize, Serialize};

use super::{Subject, authority::Authority, new_tenant};
use crate::{
    EngineConfig,
    engine::Core,
    frame::{HEADER_BYTES, offset},
    read_through::{Cached, ReadThrough},
    store::Place,
};

/// Steps of the random schedule.
const STEPS: usize = 300;
/// The same dice every time.
const SEED: u64 = 0x726f_6c6c;

/// A value that knows which version it is of, whatever its schema.
trait Edition: Cached {
    const SCHEMA: SchemaVersions;
    fn of(version: Version) -> Self;
    fn is_of(&self, version: Version) -> bool;
}

fn name_of(version: Version) -> String {
    format!("the quote in version {version}")
}

/// Schema 1.
#[derive(Debug, Serialize, Deserialize)]
struct First {
    name: String,
}

/// Schema 2 adds a field with a default, and still reads schema 1.
#[derive(Debug, Serialize, Deserialize)]
struct Second {
    name: String,
    #[serde(default)]
    colour: Option<String>,
}

/// Schema 3 calls the name something else, and reads nothing older.
#[derive(Debug, Serialize, Deserialize)]
struct Third {
    title: String,
}

impl Edition for First {
    const SCHEMA: SchemaVersions = SchemaVersions { current: 1, oldest_readable: 1 };

    fn of(version: Version) -> Self {
        Self { name: name_of(version) }
    }

    fn is_of(&self, version: Version) -> bool {
        self.name == name_of(version)
    }
}

impl Edition for Second {
    const SCHEMA: SchemaVersions = SchemaVersions { current: 2, oldest_readable: 1 };

    fn of(version: Version) -> Self {
        Self { name: name_of(version), colour: Some("red".to_owned()) }
    }

    fn is_of(&self, version: Version) -> bool {
        self.name == name_of(version) && self.colour.as_deref().is_none_or(|colour| colour == "red")
    }
}

impl Edition for Third {
    const SCHEMA: SchemaVersions = SchemaVersions { current: 3, oldest_readable: 3 };

    fn of(version: Version) -> Self {
        Self { title: name_of(version) }
    }

    fn is_of(&self, version: Version) -> bool {
        self.title == name_of(version)
    }
}

/// One program, and the quote everybody looks at.
struct Program<T> {
    way: Arc<ReadThrough<T>>,
    tenant: TenantId,
    quote: QuoteId,
}

impl<T: Edition> Program<T> {
    fn over(subject: &dyn Subject, tenant: &TenantId, quote: QuoteId) -> Self {
        let keyspace: &'static Keyspace = Box::leak(Box::new(Keyspace { schema: T::SCHEMA, ..QUOTE_SUMMARY }));
        let config = EngineConfig { in_memory: false, ..EngineConfig::default() };
        let core = Arc::new(Core::new(subject.guards(), subject.store(), config));
        Self { way: ReadThrough::over(keyspace, &core), tenant: tenant.clone(), quote }
    }

    async fn read(&self, authority: &Authority) -> Served<T> {
        let load = authority.load(T::of);
        let read = self.way.read(quote_summary_key(&self.tenant, self.quote, 1), None, &load);
        let served = read.await.expect("the authority answers").expect("the quote exists");
        assert!(served.value.is_of(served.version), "schema {} misreads", T::SCHEMA.current);
        served
    }

    async fn source(&self, authority: &Authority) -> ServedFrom {
        self.read(authority).await.source
    }

    async fn invalidate(&self, at_least: u64) {
        let key = quote_summary_key(&self.tenant, self.quote, 1);
        self.way.invalidate(key, Version::new(at_least)).await.expect("the store answers");
    }
}

/// What lies there, and in which schema.
async fn lying(subject: &dyn Subject, tenant: &TenantId, quote: QuoteId) -> Option<(u16, Vec<u8>)> {
    let key = quote_summary_key(tenant, quote, 1).text();
    let stored = subject.peek(Place { workload: QUOTE_SUMMARY.workload, key: &key }).await?;
    let header = stored.bytes.first_chunk::<HEADER_BYTES>()?;
    let schema = u16::from_be_bytes([header[offset::SCHEMA], header[offset::SCHEMA + 1]]);
    (schema > 0).then(|| (schema, stored.bytes.to_vec()))
}

/// The new program reads what the old one wrote; the old one leaves alone what the new one wrote.
pub async fn an_old_and_a_new_program_share_a_store(subject: &dyn Subject) {
    let (tenant, quote, authority) = (new_tenant(), QuoteId::generate(), Authority::with(1));
    let old = Program::<First>::over(subject, &tenant, quote);
    let new = Program::<Second>::over(subject, &tenant, quote);
    assert_eq!(old.source(&authority).await, ServedFrom::Authority);
    let found = new.read(&authority).await;
    assert_eq!((found.source, found.value.colour.as_deref()), (ServedFrom::L2, None), "an old value is read");

    authority.commit(2);
    new.invalidate(2).await;
    assert_eq!(new.source(&authority).await, ServedFrom::Authority);
    let written = lying(subject, &tenant, quote).await.expect("the new program has filled it");
    assert_eq!(written.0, 2);
    for asked in 3..6 {
        assert_eq!(old.source(&authority).await, ServedFrom::Authority, "a newer value is a miss");
        assert_eq!(new.source(&authority).await, ServedFrom::L2, "and is still there");
        assert_eq!(authority.asked(), asked, "each miss is the old program's");
    }
    assert_eq!(lying(subject, &tenant, quote).await, Some(written), "not a byte has changed");

    authority.commit(3);
    old.invalidate(3).await;
    assert_eq!(old.read(&authority).await.version, Version::new(3), "an event reaches both, whoever hears of it");
    assert_eq!(new.read(&authority).await.version, Version::new(3));
}

/// One that reads nothing older takes its place, and keeps it.
pub async fn a_program_that_reads_nothing_older_replaces_it(subject: &dyn Subject) {
    let (tenant, quote, authority) = (new_tenant(), QuoteId::generate(), Authority::with(1));
    let old = Program::<Second>::over(subject, &tenant, quote);
    let new = Program::<Third>::over(subject, &tenant, quote);
    old.read(&authority).await;
    assert_eq!(new.source(&authority).await, ServedFrom::Authority, "an unreadable value is a miss");
    assert_eq!(new.source(&authority).await, ServedFrom::L2, "and is replaced");
    assert_eq!(old.source(&authority).await, ServedFrom::Authority);
    assert_eq!(new.source(&authority).await, ServedFrom::L2);
}

/// Three programs read, commit and invalidate as the dice fall.
pub async fn programs_of_three_schemas_never_misread_or_evict_each_other(subject: &dyn Subject) {
    let (tenant, quote, authority) = (new_tenant(), QuoteId::generate(), Authority::with(1));
    let first = Program::<First>::over(subject, &tenant, quote);
    let second = Program::<Second>::over(subject, &tenant, quote);
    let third = Program::<Third>::over(subject, &tenant, quote);
    let (mut dice, mut now) = (fastrand::Rng::with_seed(SEED), 1);
    let (mut hits, mut left_alone) = (0, 0);
    for _ in 0..STEPS {
        let (who, before) = (dice.u16(1..=3), lying(subject, &tenant, quote).await);
        if dice.u8(0..100) < 15 {
            now += 1;
            authority.commit(now);
            match who {
                1 => first.invalidate(now).await,
                2 => second.invalidate(now).await,
                _ => third.invalidate(now).await,
            }
            continue;
        }
        let (version, source) = match who {
            1 => parts(&first.read(&authority).await),
            2 => parts(&second.read(&authority).await),
            _ => parts(&third.read(&authority).await),
        };
        assert_eq!(version, Version::new(now), "schema {who}");
        hits += usize::from(source == ServedFrom::L2);
        if before.as_ref().is_some_and(|(schema, _)| *schema > who) {
            left_alone += 1;
            assert_eq!(lying(subject, &tenant, quote).await, before, "schema {who} changed what a newer one wrote");
        }
    }
    assert!(hits > 30 && left_alone > 30, "{hits} hits and {left_alone} frames left alone prove nothing");
}

fn parts<T>(served: &Served<T>) -> (Version, ServedFrom) {
    (served.version, served.source)
}

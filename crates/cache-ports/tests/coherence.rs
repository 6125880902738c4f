//! Answers that do not fit together are refused. In the registry that happens while compiling; here, while running.

use std::{panic::catch_unwind, time::Duration};

use cache_ports::keyspace::{
    Audit, Authority, Coherence, Dimension, Exposure, Heat, InvalidatingEvent, Keyspace, LoadLimits, OnUnavailable,
    Owner, Revalidation, SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
};

const EVENT: InvalidatingEvent = InvalidatingEvent { event_type: "ThingChanged", versioned_by: "thing" };

const TENANT_FIRST: &[Dimension] = &[TENANT, Dimension::id("thingId")];
const TENANT_SECOND: &[Dimension] = &[Dimension::id("thingId"), TENANT];

/// A keyspace whose answers fit together.
const fn sound() -> Keyspace {
    Keyspace {
        name: "thing",
        template: "thing:{tenant}:{thingId}",
        dimensions: TENANT_FIRST,
        slot: Slot::ByKey,
        owner: Owner::One(Service::Catalog),
        readers: &[],
        workload: Workload::Catalog,
        authority: Authority::Table("catalog.thing"),
        coherence: Coherence::EventInvalidated(&[EVENT]),
        audit: Audit::Compared,
        revalidation: Revalidation::BeforeCommit,
        ttl: Ttl {
            soft: Duration::from_mins(1),
            hard: Duration::from_mins(1),
            negative: Some(Duration::from_secs(5)),
            tombstone: Some(Duration::from_mins(1)),
            jitter_percent: 10,
        },
        loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 1 }),
        schema: SchemaVersions { current: 1, oldest_readable: 1 },
        size: SizeLimit { max_bytes: 10, compress_above_bytes: 5 },
        exposure: Exposure::Public,
        heat: Heat::Hot,
        on_unavailable: OnUnavailable::FallBackToAuthority,
        correctness: "It is never decided upon.",
    }
}

const _: Keyspace = sound().declared();

fn refused(what: &str, spoil: fn(&mut Keyspace)) {
    let outcome = catch_unwind(|| {
        let mut keyspace = sound();
        spoil(&mut keyspace);
        let _ = keyspace.declared();
    });
    assert!(outcome.is_err(), "{what} was accepted");
}

#[test]
fn incoherent_answers_are_refused() {
    refused("a tombstone that a load can outlive", |k| k.ttl.tombstone = Some(Duration::from_secs(5)));
    refused("an invalidation that is forgotten", |k| k.ttl.tombstone = None);
    refused("a tombstone nobody writes", |k| k.coherence = Coherence::TtlOnly);
    refused("no invalidating event", |k| k.coherence = Coherence::EventInvalidated(&[]));
    refused("an event without a version", |k| {
        k.coherence =
            Coherence::EventInvalidated(&[InvalidatingEvent { event_type: "ThingChanged", versioned_by: "" }]);
    });
    refused("a demanded version that nobody tells", |k| {
        k.ttl.tombstone = None;
        k.coherence = Coherence::Hybrid(&[]);
    });
    refused("a tombstone beside a demanded version", |k| k.coherence = Coherence::Hybrid(&[EVENT]));
    refused("an input of commands that is served late", |k| k.ttl.soft = Duration::from_secs(1));
    refused("memory that no event reaches", |k| {
        k.heat = Heat::HotInMemory { max_bytes: 1, max_age: Duration::from_secs(1) };
    });
    let mut allowed = sound();
    allowed.heat = Heat::HintedInMemory { max_bytes: 1, max_age: Duration::from_secs(5) };
    assert!(allowed.declared().is_hinted(), "hints reach what events invalidate");
    refused("a long copy of what may change", |k| {
        k.heat = Heat::HintedInMemory { max_bytes: 1, max_age: Duration::from_millis(5_001) };
    });
    refused("a copy without an end", |k| k.heat = Heat::HintedInMemory { max_bytes: 1, max_age: Duration::ZERO });
    refused("a copy that outlives its value", |k| {
        k.ttl.hard = Duration::from_secs(1);
        k.ttl.soft = Duration::from_secs(1);
        k.heat = Heat::HintedInMemory { max_bytes: 1, max_age: Duration::from_secs(2) };
    });
    refused("a copy that outlives the memory of its change", |k| {
        k.loading = Some(LoadLimits { timeout: Duration::from_secs(1), lease: Duration::from_secs(1), at_once: 1 });
        k.ttl.tombstone = Some(Duration::from_secs(2));
        k.heat = Heat::HintedInMemory { max_bytes: 1, max_age: Duration::from_secs(3) };
    });
    refused("hints of what nobody changes", |k| {
        k.coherence = Coherence::TtlOnly;
        k.ttl.tombstone = None;
        k.heat = Heat::HintedInMemory { max_bytes: 1, max_age: Duration::from_secs(1) };
    });
    refused("a lease shorter than its load", |k| {
        k.loading = Some(LoadLimits { timeout: Duration::from_secs(6), lease: Duration::from_secs(5), at_once: 1 });
    });
    refused("a soft limit behind the hard one", |k| k.ttl.soft = Duration::from_mins(2));
    refused("eternal life", |k| k.ttl.hard = Duration::from_hours(50));
    refused("long absence", |k| k.ttl.negative = Some(Duration::from_mins(2)));
    refused("much jitter", |k| k.ttl.jitter_percent = 11);
    refused("no tenant", |k| k.dimensions = &[]);
    refused("a tenant in second place", |k| k.dimensions = TENANT_SECOND);
    refused("two tenants", |k| k.dimensions = &[TENANT, TENANT]);
    refused("a schema that cannot be read", |k| k.schema = SchemaVersions { current: 1, oldest_readable: 2 });
    refused("unbounded values", |k| k.size.max_bytes = 0);
    refused("an authority that nobody compares with", |k| k.audit = Audit::NothingToJudge);
    refused("no word on why not", |k| k.audit = Audit::EntryAlone(""));
    refused("a comparison with nothing", |k| k.authority = Authority::Ephemeral);
    refused("no word on correctness", |k| k.correctness = "");
}

const COUNTED: &[Dimension] = &[TENANT, Dimension::id("thingId"), Dimension::number("n")];

/// A count whose answers fit together.
const fn sound_count() -> Keyspace {
    Keyspace {
        template: "thing:{tenant}:{thingId}:shard:{n}",
        dimensions: COUNTED,
        workload: Workload::Counter,
        authority: Authority::Metrics,
        coherence: Coherence::TtlOnly,
        audit: Audit::NothingToJudge,
        revalidation: Revalidation::NeverAnInput,
        ttl: Ttl {
            soft: Duration::from_hours(1),
            hard: Duration::from_hours(1),
            negative: None,
            tombstone: None,
            jitter_percent: 0,
        },
        loading: None,
        heat: Heat::Sharded { shards: 4 },
        on_unavailable: OnUnavailable::Skip,
        ..sound()
    }
}

const _: Keyspace = sound_count().declared();

fn refused_count(what: &str, spoil: fn(&mut Keyspace)) {
    let outcome = catch_unwind(|| {
        let mut keyspace = sound_count();
        spoil(&mut keyspace);
        let _ = keyspace.declared();
    });
    assert!(outcome.is_err(), "{what} was accepted");
}

#[test]
fn incoherent_counts_are_refused() {
    refused_count("a count that is compared", |k| k.audit = Audit::Compared);
    refused_count("a value spread like a count", |k| k.workload = Workload::Catalog);
    refused_count("one shard", |k| k.heat = Heat::Sharded { shards: 1 });
    refused_count("shards in one slot", |k| k.slot = Slot::ByTenant);
    refused_count("shards without a number", |k| k.dimensions = TENANT_FIRST);
    refused_count("a count that a table decides", |k| k.authority = Authority::Table("catalog.thing"));
    refused_count("a count that commands rest on", |k| k.revalidation = Revalidation::BeforeCommit);
    refused_count("a count that is waited for", |k| k.on_unavailable = OnUnavailable::FallBackToAuthority);
    refused_count("a count that never changes", |k| k.coherence = Coherence::Versioned);
    refused("a value that only the metrics have", |k| k.authority = Authority::Metrics);
}

/// A stream whose answers fit together.
const fn sound_stream() -> Keyspace {
    Keyspace {
        template: "thing:{tenant}:{thingId}",
        dimensions: TENANT_FIRST,
        workload: Workload::Stream,
        authority: Authority::Ephemeral,
        heat: Heat::Even,
        ..sound_count()
    }
}

const _: Keyspace = sound_stream().declared();

fn refused_stream(what: &str, spoil: fn(&mut Keyspace)) {
    let outcome = catch_unwind(|| {
        let mut keyspace = sound_stream();
        spoil(&mut keyspace);
        let _ = keyspace.declared();
    });
    assert!(outcome.is_err(), "{what} was accepted");
}

#[test]
fn incoherent_streams_are_refused() {
    refused_stream("a stream of every service", |k| k.owner = Owner::EveryService);
    refused_stream("a stream between services", |k| k.readers = &[Service::Order]);
    refused_stream("a stream with a truth elsewhere", |k| k.authority = Authority::Table("catalog.thing"));
    refused_stream("a stream that commands rest on", |k| k.revalidation = Revalidation::BeforeCommit);
    refused_stream("a stream that is waited for", |k| k.on_unavailable = OnUnavailable::FallBackToAuthority);
    refused_stream("a stream that never changes", |k| k.coherence = Coherence::Versioned);
}

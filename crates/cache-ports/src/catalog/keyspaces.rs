//! The keyspaces of the catalog and the builders of their keys.
//!
//! Owns the answers of the design review for each. Must never know how a value is loaded or where it is kept.

use std::time::Duration;

use kernel::{ContentHash, OfferingId, PublicationId, TenantId};

use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, InvalidatingEvent, KIB, Keyspace, LoadLimits, MIB,
        OnUnavailable, Owner, Revalidation, SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// One offering as a publication froze it.
pub static OFFERING: Keyspace = Keyspace {
    name: "catalog offering",
    template: "catalog:{tenant}:publication:{publicationId}:offering:{offeringId}:{locale}",
    dimensions: &[TENANT, Dimension::id("publicationId"), Dimension::id("offeringId"), Dimension::text("locale")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Catalog),
    readers: &[],
    workload: Workload::Catalog,
    authority: Authority::Table("catalog.publication_offering"),
    coherence: Coherence::Versioned,
    audit: Audit::Compared,
    revalidation: Revalidation::BeforeCommit,
    ttl: Ttl {
        soft: Duration::from_hours(1),
        hard: Duration::from_hours(2),
        negative: None,
        tombstone: None,
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 32 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 256 * KIB, compress_above_bytes: 16 * KIB },
    exposure: Exposure::Public,
    heat: Heat::HotInMemory { max_bytes: 16 * MIB, max_age: Duration::from_mins(10) },
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "A publication never changes, so the key names one content for ever. Quotes keep their own copy of what \
                  they sell, checked against the catalog's tables before submit.",
}
.declared();

/// That a publication has no such offering.
pub static MISSING_OFFERING: Keyspace = Keyspace {
    name: "missing catalog item",
    template: "catalog-negative:{tenant}:publication:{publicationId}:offering:{offeringId}",
    dimensions: &[TENANT, Dimension::id("publicationId"), Dimension::id("offeringId")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Catalog),
    readers: &[],
    workload: Workload::Catalog,
    authority: Authority::Table("catalog.publication_offering"),
    coherence: Coherence::Versioned,
    audit: Audit::Compared,
    revalidation: Revalidation::BeforeCommit,
    ttl: Ttl {
        soft: Duration::from_secs(30),
        hard: Duration::from_secs(30),
        negative: Some(Duration::from_secs(30)),
        tombstone: None,
        jitter_percent: 10,
    },
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: KIB, compress_above_bytes: KIB },
    exposure: Exposure::Public,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "A publication never gains an offering. Whoever guesses ids costs the database one look every half minute.",
}
.declared();

/// Which publication buyers see now.
pub static ACTIVE_PUBLICATION: Keyspace = Keyspace {
    name: "active publication pointer",
    template: "catalog-index:{tenant}:active-publication",
    dimensions: &[TENANT],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Catalog),
    readers: &[],
    workload: Workload::Catalog,
    authority: Authority::Table("catalog.active_publication"),
    coherence: Coherence::EventInvalidated(&[InvalidatingEvent {
        event_type: "CatalogPublicationActivated",
        versioned_by: "activePublication",
    }]),
    audit: Audit::Compared,
    revalidation: Revalidation::BeforeCommit,
    ttl: Ttl {
        soft: Duration::from_mins(1),
        hard: Duration::from_mins(1),
        negative: Some(Duration::from_secs(5)),
        tombstone: Some(Duration::from_mins(1)),
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 4 * KIB, compress_above_bytes: 4 * KIB },
    exposure: Exposure::Public,
    heat: Heat::HintedInMemory { max_bytes: MIB, max_age: Duration::from_secs(2) },
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "A quote records the publication it was made from; a late pointer shows the previous publication, which \
                  stays valid for the quotes that name it. Every catalog read asks for this pointer first, so each process keeps \
                  it for two seconds; whoever has activated a publication names its version and is never shown an older one.",
}
.declared();

/// One page of a search.
pub static SEARCH_PAGE: Keyspace = Keyspace {
    name: "catalog search page",
    template: "catalog-search:{tenant}:publication:{publicationId}:q:{queryHash}",
    dimensions: &[TENANT, Dimension::id("publicationId"), Dimension::hash("queryHash")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Catalog),
    readers: &[],
    workload: Workload::Catalog,
    authority: Authority::Computed("full-text search over catalog.publication_offering"),
    coherence: Coherence::Versioned,
    audit: Audit::EntryAlone(
        "The key names the search by its hash alone: nobody can search again from that. It lives five minutes.",
    ),
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_mins(1),
        hard: Duration::from_mins(5),
        negative: None,
        tombstone: None,
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 256 * KIB, compress_above_bytes: 8 * KIB },
    exposure: Exposure::Public,
    heat: Heat::Hot,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "Search finds offerings and decides nothing; the page says when it was made.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&OFFERING, &MISSING_OFFERING, &ACTIVE_PUBLICATION, &SEARCH_PAGE];

/// The key of an offering.
pub fn offering_key<'a>(
    tenant: &'a TenantId,
    publication: PublicationId,
    offering: OfferingId,
    locale: &'a str,
) -> Key<'a> {
    Key::new(&OFFERING, tenant, [Part::Id(publication.uuid()), Part::Id(offering.uuid()), Part::Text(locale)])
}

/// The key under which it is remembered that an offering is missing.
pub fn missing_offering_key(tenant: &TenantId, publication: PublicationId, offering: OfferingId) -> Key<'_> {
    Key::new(&MISSING_OFFERING, tenant, [Part::Id(publication.uuid()), Part::Id(offering.uuid())])
}

/// The key of the active publication.
pub fn active_publication_key(tenant: &TenantId) -> Key<'_> {
    Key::new(&ACTIVE_PUBLICATION, tenant, [])
}

/// The key of a search page.
pub fn search_page_key(tenant: &TenantId, publication: PublicationId, query_hash: ContentHash) -> Key<'_> {
    Key::new(&SEARCH_PAGE, tenant, [Part::Id(publication.uuid()), Part::Hash(query_hash)])
}

//! The keyspaces of pricing and the builders of their keys.
//!
//! Owns the answers of the design review for each. Must never know how a value is loaded or where it is kept.

use std::time::Duration;

use kernel::{ContentHash, PriceBookId, PriceResultId, QuoteId, TenantId, Version};

use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, InvalidatingEvent, KIB, Keyspace, LoadLimits, MIB,
        OnUnavailable, Owner, Revalidation, SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// One version of a price book.
pub static PRICE_BOOK: Keyspace = Keyspace {
    name: "price book",
    template: "price-book:{tenant}:pb:{priceBookId}:v{version}",
    dimensions: &[TENANT, Dimension::id("priceBookId"), Dimension::number("version")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Pricing),
    readers: &[],
    workload: Workload::Catalog,
    authority: Authority::Table("pricing.price_book_version"),
    coherence: Coherence::Versioned,
    audit: Audit::Compared,
    revalidation: Revalidation::BeforeCommit,
    ttl: Ttl {
        soft: Duration::from_hours(1),
        hard: Duration::from_hours(1),
        negative: None,
        tombstone: None,
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 8 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 16 * MIB, compress_above_bytes: 64 * KIB },
    exposure: Exposure::Internal,
    heat: Heat::HotInMemory { max_bytes: 64 * MIB, max_age: Duration::from_mins(10) },
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "A version of a price book never changes. A final price is computed from the tables and sealed with the hash of the book it used.",
}
.declared();

/// Which version of a price book is the newest.
pub static PRICE_BOOK_VERSION: Keyspace = Keyspace {
    name: "price book version pointer",
    template: "price-book-version:{tenant}:pb:{priceBookId}",
    dimensions: &[TENANT, Dimension::id("priceBookId")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Pricing),
    readers: &[],
    workload: Workload::Catalog,
    authority: Authority::Table("pricing.price_book"),
    coherence: Coherence::EventInvalidated(&[InvalidatingEvent { event_type: "PriceBookUpdated", versioned_by: "priceBook" }]),
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
    size: SizeLimit { max_bytes: KIB, compress_above_bytes: KIB },
    exposure: Exposure::Public,
    heat: Heat::HintedInMemory { max_bytes: MIB, max_age: Duration::from_secs(2) },
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "A preview names the version it was made from; a final price takes the newest version from the table inside its own transaction. \
                  Every preview asks for this pointer first, so each process keeps it for two seconds; whoever has changed a price \
                  book names its version and is never shown an older one.",
}
.declared();

/// A computed price that is no evidence.
pub static PRICE_PREVIEW: Keyspace = Keyspace {
    name: "price preview",
    template: "price-preview:{tenant}:pb:{priceBookId}:cfg:{configHash}:ctx:{contextHash}",
    dimensions: &[TENANT, Dimension::id("priceBookId"), Dimension::hash("configHash"), Dimension::hash("contextHash")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Pricing),
    readers: &[],
    workload: Workload::Preview,
    authority: Authority::Computed("pricing.price_book_version and the request"),
    coherence: Coherence::Versioned,
    audit: Audit::EntryAlone("The key names the request by its hash alone: nobody can compute it again from that. It lives two minutes."),
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_mins(2),
        hard: Duration::from_mins(2),
        negative: None,
        tombstone: None,
        jitter_percent: 0,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 8 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 2 * MIB, compress_above_bytes: 8 * KIB },
    exposure: Exposure::Internal,
    heat: Heat::Hot,
    on_unavailable: OnUnavailable::RecomputeGuarded,
    correctness: "A preview says that it is no evidence and when it ends. No command reads one: a final price is computed anew from PostgreSQL.",
}
.declared();

/// A copy of a sealed price, for display.
pub static FINAL_PRICE: Keyspace = Keyspace {
    name: "final price display",
    template: "final-price:{tenant}:quote:{quoteId}:revision:{revisionNo}:result:{priceResultId}",
    dimensions: &[TENANT, Dimension::id("quoteId"), Dimension::number("revisionNo"), Dimension::id("priceResultId")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Pricing),
    readers: &[],
    workload: Workload::Summary,
    authority: Authority::Table("pricing.price_result"),
    coherence: Coherence::Versioned,
    audit: Audit::Compared,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_mins(1),
        hard: Duration::from_mins(1),
        negative: None,
        tombstone: None,
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 8 * MIB, compress_above_bytes: 16 * KIB },
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "The evidence is the row in PostgreSQL, chained by hashes; this copy is only shown.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&PRICE_BOOK, &PRICE_BOOK_VERSION, &PRICE_PREVIEW, &FINAL_PRICE];

/// The key of one version of a price book.
pub fn price_book_key(tenant: &TenantId, price_book: PriceBookId, version: Version) -> Key<'_> {
    Key::new(&PRICE_BOOK, tenant, [Part::Id(price_book.uuid()), Part::Number(version.get())])
}

/// The key of a price book's newest version.
pub fn price_book_version_key(tenant: &TenantId, price_book: PriceBookId) -> Key<'_> {
    Key::new(&PRICE_BOOK_VERSION, tenant, [Part::Id(price_book.uuid())])
}

/// The key of a preview.
pub fn preview_key(
    tenant: &TenantId,
    price_book: PriceBookId,
    config_hash: ContentHash,
    context_hash: ContentHash,
) -> Key<'_> {
    let parts = [Part::Id(price_book.uuid()), Part::Hash(config_hash), Part::Hash(context_hash)];
    Key::new(&PRICE_PREVIEW, tenant, parts)
}

/// The key of the copy of a sealed price.
pub fn final_price_key(tenant: &TenantId, quote: QuoteId, revision_no: u32, result: PriceResultId) -> Key<'_> {
    let parts = [Part::Id(quote.uuid()), Part::Number(revision_no.into()), Part::Id(result.uuid())];
    Key::new(&FINAL_PRICE, tenant, parts)
}

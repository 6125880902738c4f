//! The keyspaces of inventory and the builders of their keys.
//!
//! Owns the answers of the design review for each. Must never know how a value is loaded or where it is kept.

use std::time::Duration;

use kernel::{ProductId, TenantId, Version};

use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, InvalidatingEvent, KIB, Keyspace, LoadLimits,
        OnUnavailable, Owner, Revalidation, SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// The stock of a product in one version.
pub static STOCK_ITEM: Keyspace = Keyspace {
    name: "inventory item",
    template: "inventory:{tenant}:product:{productId}:v{version}",
    dimensions: &[TENANT, Dimension::id("productId"), Dimension::number("version")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Inventory),
    readers: &[],
    workload: Workload::Catalog,
    authority: Authority::Table("inventory.product_stock"),
    coherence: Coherence::Versioned,
    audit: Audit::Compared,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_mins(10),
        hard: Duration::from_mins(10),
        negative: None,
        tombstone: None,
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 64 * KIB, compress_above_bytes: 8 * KIB },
    exposure: Exposure::Public,
    heat: Heat::Hot,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "The counter in the product's row names the state. A reservation is a conditional update of that row and never reads this.",
}
.declared();

/// Which version of a product's stock is the newest.
pub static STOCK_VERSION: Keyspace = Keyspace {
    name: "inventory version pointer",
    template: "inventory-version:{tenant}:product:{productId}",
    dimensions: &[TENANT, Dimension::id("productId")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Inventory),
    readers: &[],
    workload: Workload::Catalog,
    authority: Authority::Table("inventory.product_stock"),
    coherence: Coherence::EventInvalidated(&[InvalidatingEvent { event_type: "StockChanged", versioned_by: "stock" }]),
    audit: Audit::Compared,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_secs(2),
        hard: Duration::from_secs(2),
        negative: Some(Duration::from_secs(2)),
        tombstone: Some(Duration::from_mins(1)),
        jitter_percent: 0,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: KIB, compress_above_bytes: KIB },
    exposure: Exposure::Public,
    heat: Heat::Hot,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "It is only followed by readers who asked for a bounded age; strict readers take the version from the row.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&STOCK_ITEM, &STOCK_VERSION];

/// The key of one version of a product's stock.
pub fn stock_item_key(tenant: &TenantId, product: ProductId, version: Version) -> Key<'_> {
    Key::new(&STOCK_ITEM, tenant, [Part::Id(product.uuid()), Part::Number(version.get())])
}

/// The key of a product's newest stock version.
pub fn stock_version_key(tenant: &TenantId, product: ProductId) -> Key<'_> {
    Key::new(&STOCK_VERSION, tenant, [Part::Id(product.uuid())])
}

//! The keyspaces of orders and the builders of their keys.
//!
//! Owns the answers of the design review for each. Must never know how a value is loaded or where it is kept.

use std::time::Duration;

use kernel::{OrderId, TenantId, Version};

use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, InvalidatingEvent, KIB, Keyspace, LoadLimits, MIB,
        OnUnavailable, Owner, Revalidation, SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// What is shown of one version of an order.
pub static ORDER_SUMMARY: Keyspace = Keyspace {
    name: "order summary",
    template: "order-summary:{tenant}:order:{orderId}:version:{version}",
    dimensions: &[TENANT, Dimension::id("orderId"), Dimension::number("version")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Order),
    readers: &[],
    workload: Workload::Summary,
    authority: Authority::Table("order.product_order"),
    coherence: Coherence::Versioned,
    audit: Audit::Compared,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_secs(30),
        hard: Duration::from_secs(30),
        negative: None,
        tombstone: None,
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 4 * MIB, compress_above_bytes: 16 * KIB },
    exposure: Exposure::Public,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "The version is read from the order's row first, and every transition locks that row.",
}
.declared();

/// How far the plan of an order has come. Tasks also move without a new version of their order, which no event of the order
/// tells: from the soft limit on the picture is drawn anew behind the answer.
pub static WORKFLOW_SUMMARY: Keyspace = Keyspace {
    name: "workflow summary",
    template: "workflow-summary:{tenant}:order:{orderId}",
    dimensions: &[TENANT, Dimension::id("orderId")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Order),
    readers: &[],
    workload: Workload::Summary,
    authority: Authority::Computed("order.product_order and order.task"),
    coherence: Coherence::EventInvalidated(&[
        InvalidatingEvent { event_type: "OrderCreated", versioned_by: "order" },
        InvalidatingEvent { event_type: "OrderStateChanged", versioned_by: "order" },
        InvalidatingEvent { event_type: "OrderCancelled", versioned_by: "order" },
        InvalidatingEvent { event_type: "InvoiceHandoffRequested", versioned_by: "order" },
    ]),
    audit: Audit::VersionOnly("Tasks move without a new version of their order, and the picture says when it was drawn."),
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_secs(5),
        hard: Duration::from_secs(30),
        negative: Some(Duration::from_secs(5)),
        tombstone: Some(Duration::from_mins(1)),
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 64 * KIB, compress_above_bytes: 8 * KIB },
    exposure: Exposure::Public,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "It is a picture of the plan, never the plan: a runner claims tasks in PostgreSQL, under a lease with a fencing token, and every transition locks the order's row.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&ORDER_SUMMARY, &WORKFLOW_SUMMARY];

/// The key of one version of an order's summary.
pub fn order_summary_key(tenant: &TenantId, order: OrderId, version: Version) -> Key<'_> {
    Key::new(&ORDER_SUMMARY, tenant, [Part::Id(order.uuid()), Part::Number(version.get())])
}

/// The key of how far an order's plan has come.
pub fn workflow_summary_key(tenant: &TenantId, order: OrderId) -> Key<'_> {
    Key::new(&WORKFLOW_SUMMARY, tenant, [Part::Id(order.uuid())])
}

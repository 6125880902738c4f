//! The keyspaces of eligibility and the builders of their keys.
//!
//! Owns the answers of the design review for each. Must never know how a value is loaded or where it is kept.

use std::time::Duration;

use kernel::{CustomerId, OfferingId, TenantId};

use super::Asked;
use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, InvalidatingEvent, KIB, Keyspace, LoadLimits,
        OnUnavailable, Owner, Revalidation, SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// The event after which older answers about a customer are refused.
const CUSTOMER_CHANGED: InvalidatingEvent =
    InvalidatingEvent { event_type: "CustomerChanged", versioned_by: "customer" };

const VERDICT_DIMENSIONS: &[Dimension] =
    &[TENANT, Dimension::number("policyVersion"), Dimension::id("customerId"), Dimension::id("offeringId")];

/// Evaluations of one request share one read of the policy and the customer; the limit is of evaluations.
const EVALUATIONS: LoadLimits =
    LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 128 };

/// Why verdicts are not compared.
const VERDICT_AUDIT: &str =
    "a verdict follows from the moment it was given at as well; the two pointers it rests on are compared";

/// What a consent and a refusal have in common. They may be an input, so they are never served late: they live for their
/// whole life or not at all.
const fn verdict(name: &'static str, template: &'static str, life: Duration, correctness: &'static str) -> Keyspace {
    Keyspace {
        name,
        template,
        dimensions: VERDICT_DIMENSIONS,
        slot: Slot::ByKey,
        owner: Owner::One(Service::Quote),
        readers: &[],
        workload: Workload::Summary,
        authority: Authority::Computed("quote.eligibility_policy and quote.customer"),
        coherence: Coherence::Hybrid(&[CUSTOMER_CHANGED]),
        audit: Audit::EntryAlone(VERDICT_AUDIT),
        revalidation: Revalidation::BeforeCommit,
        ttl: Ttl { soft: life, hard: life, negative: None, tombstone: None, jitter_percent: 10 },
        loading: Some(EVALUATIONS),
        schema: SchemaVersions { current: 1, oldest_readable: 1 },
        size: SizeLimit { max_bytes: 64 * KIB, compress_above_bytes: 4 * KIB },
        exposure: Exposure::Public,
        heat: Heat::Even,
        on_unavailable: OnUnavailable::RecomputeGuarded,
        correctness,
    }
}

/// That a customer may have an offering.
pub static ELIGIBLE: Keyspace = verdict(
    "eligibility",
    "eligibility:{tenant}:policy:{policyVersion}:customer:{customerId}:offering:{offeringId}",
    Duration::from_mins(2),
    "Submit and accept evaluate the policy in force from its tables, inside their transaction.",
)
.declared();

/// That a customer may not have an offering, and why.
pub static NOT_ELIGIBLE: Keyspace = verdict(
    "not eligible",
    "eligibility-negative:{tenant}:policy:{policyVersion}:customer:{customerId}:offering:{offeringId}",
    Duration::from_mins(1),
    "A refusal is shorter lived than a consent, and binds nobody: submit and accept evaluate the policy in force from its \
     tables, inside their transaction.",
)
.declared();

/// What a pointer is apart from its name, its row and its event.
pub(crate) const POINTER: Keyspace = Keyspace {
    name: "",
    template: "",
    dimensions: &[TENANT],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Quote),
    readers: &[],
    workload: Workload::Summary,
    authority: Authority::Table(""),
    coherence: Coherence::EventInvalidated(&[]),
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
    heat: Heat::Even,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "",
};

/// Which eligibility policy is in force.
pub static ACTIVE_POLICY: Keyspace = Keyspace {
    name: "active eligibility policy",
    template: "eligibility-index:{tenant}:active-policy",
    authority: Authority::Table("quote.active_eligibility_policy"),
    coherence: Coherence::EventInvalidated(&[InvalidatingEvent {
        event_type: "PolicyChanged",
        versioned_by: "eligibilityPolicy",
    }]),
    heat: Heat::Hot,
    correctness: "An answer names the policy it was given by; commands read the pointer from its row.",
    ..POINTER
}
.declared();

/// How new a customer is.
pub static CUSTOMER_VERSION: Keyspace = Keyspace {
    name: "customer version pointer",
    template: "customer-version:{tenant}:customer:{customerId}",
    dimensions: &[TENANT, Dimension::id("customerId")],
    authority: Authority::Table("quote.customer"),
    coherence: Coherence::EventInvalidated(&[CUSTOMER_CHANGED]),
    correctness: "It only says how new a cached verdict must be; commands read the customer's row.",
    ..POINTER
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&ELIGIBLE, &NOT_ELIGIBLE, &ACTIVE_POLICY, &CUSTOMER_VERSION];

/// The key of a consent.
pub fn eligible_key<'a>(tenant: &'a TenantId, asked: &Asked, offering: OfferingId) -> Key<'a> {
    Key::new(&ELIGIBLE, tenant, verdict_parts(asked, offering))
}

/// The key of a refusal.
pub fn not_eligible_key<'a>(tenant: &'a TenantId, asked: &Asked, offering: OfferingId) -> Key<'a> {
    Key::new(&NOT_ELIGIBLE, tenant, verdict_parts(asked, offering))
}

const fn verdict_parts(asked: &Asked, offering: OfferingId) -> [Part<'static>; 3] {
    [Part::Number(asked.policy.get()), Part::Id(asked.customer.uuid()), Part::Id(offering.uuid())]
}

/// The key of the pointer to the policy in force.
pub fn active_policy_key(tenant: &TenantId) -> Key<'_> {
    Key::new(&ACTIVE_POLICY, tenant, [])
}

/// The key of a customer's newest version.
pub fn customer_version_key(tenant: &TenantId, customer: CustomerId) -> Key<'_> {
    Key::new(&CUSTOMER_VERSION, tenant, [Part::Id(customer.uuid())])
}

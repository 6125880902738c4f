//! The keyspaces of access and the builders of their keys.
//!
//! Owns the answers of the design review for each. Must never know how a value is loaded or where it is kept.

use std::time::Duration;

use kernel::{TenantId, Version};

use crate::{
    UserKey,
    eligibility::keyspaces::POINTER,
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, InvalidatingEvent, KIB, Keyspace, LoadLimits,
        OnUnavailable, Owner, Revalidation, SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// What the tables say about a subject by a policy.
pub static ACCESS_PROFILE: Keyspace = Keyspace {
    name: "access profile",
    template: "access-profile:{tenant}:subject:{subjectHash}:policy:{version}",
    dimensions: &[TENANT, Dimension::hash("subjectHash"), Dimension::number("version")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Quote),
    readers: &[],
    workload: Workload::Session,
    authority: Authority::Computed("quote.access_grant and quote.access_revocation"),
    coherence: Coherence::EventInvalidated(&[
        InvalidatingEvent { event_type: "AccessRevoked", versioned_by: "accessSubject" },
        InvalidatingEvent { event_type: "AccessRestored", versioned_by: "accessSubject" },
    ]),
    audit: Audit::Compared,
    revalidation: Revalidation::BeforeCommit,
    ttl: Ttl {
        soft: Duration::from_mins(5),
        hard: Duration::from_mins(5),
        negative: None,
        tombstone: Some(Duration::from_mins(1)),
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 8 * KIB, compress_above_bytes: 4 * KIB },
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "It holds no roles: those of the caller's token are applied after the read. Approve and reject read grants \
                  and revocations from their tables, inside their transaction, and wait for a revocation under way.",
}
.declared();

/// Which access policy is in force.
pub static ACTIVE_ACCESS_POLICY: Keyspace = Keyspace {
    name: "active access policy",
    template: "access-index:{tenant}:active-policy",
    workload: Workload::Session,
    authority: Authority::Table("quote.active_access_policy"),
    coherence: Coherence::EventInvalidated(&[InvalidatingEvent {
        event_type: "AccessPolicyChanged",
        versioned_by: "accessPolicy",
    }]),
    heat: Heat::Hot,
    correctness: "A profile names the policy it follows from; commands read the pointer from its row.",
    ..POINTER
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&ACCESS_PROFILE, &ACTIVE_ACCESS_POLICY];

/// The key of a subject's profile by a policy.
pub fn access_profile_key<'a>(tenant: &'a TenantId, user: &UserKey, policy: Version) -> Key<'a> {
    Key::new(&ACCESS_PROFILE, tenant, [Part::Hash(user.hash()), Part::Number(policy.get())])
}

/// The key of the pointer to the policy in force.
pub fn active_access_policy_key(tenant: &TenantId) -> Key<'_> {
    Key::new(&ACTIVE_ACCESS_POLICY, tenant, [])
}

//! The registry: every keyspace there is. What is not in it cannot be written.
//!
//! Owns the list, the proof that its entries fit together, and the texts generated from it: the design review
//! (`docs/keyspaces.md`) and the access rules of Redis (`deploy/redis/users.acl`). Must never know a client library.

mod access;
mod review;

use crate::{
    access as access_profiles, catalog, coordination, counters, draft, eligibility, inventory,
    keyspace::{Audit, Keyspace, Owner, Service},
    order, pricing, quote, streams,
};

pub use access::{HINT_CHANNEL, user_name, users_acl};
pub use review::keyspaces_markdown;

/// Every keyspace, in the order of the design review.
pub fn all() -> impl Iterator<Item = &'static Keyspace> {
    [
        catalog::keyspaces::KEYSPACES,
        eligibility::keyspaces::KEYSPACES,
        pricing::keyspaces::KEYSPACES,
        quote::keyspaces::KEYSPACES,
        draft::keyspaces::KEYSPACES,
        access_profiles::keyspaces::KEYSPACES,
        order::keyspaces::KEYSPACES,
        inventory::keyspaces::KEYSPACES,
        coordination::keyspaces::KEYSPACES,
        counters::keyspaces::KEYSPACES,
        streams::keyspaces::KEYSPACES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// What a service may audit: the keyspaces it writes of which there is something to judge.
pub fn audited_by(service: Service) -> impl Iterator<Item = &'static Keyspace> {
    let writes = move |keyspace: &&Keyspace| match keyspace.owner {
        Owner::One(owner) => owner == service,
        Owner::EveryService => true,
    };
    all().filter(|keyspace| keyspace.audit != Audit::NothingToJudge).filter(writes)
}

/// The keyspace a key belongs to.
pub fn keyspace_of(key: &str) -> Option<&'static Keyspace> {
    all().find(|keyspace| crate::key::belongs_to(keyspace, key))
}

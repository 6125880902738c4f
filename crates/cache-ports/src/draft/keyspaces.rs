//! The keyspace of unsaved edits and the builder of its keys.
//!
//! Owns the answers of the design review for it. Must never know how a value is kept.

use std::time::Duration;

use kernel::TenantId;

use super::DraftOwner;
use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, KIB, Keyspace, OnUnavailable, Owner, Revalidation,
        SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// Edits that wait to be saved.
pub static QUOTE_DRAFT: Keyspace = Keyspace {
    name: "quote draft buffer",
    template: "quote-draft:{tenant}:user:{userId}:quote:{quoteId}",
    dimensions: &[TENANT, Dimension::hash("userId"), Dimension::id("quoteId")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Quote),
    readers: &[],
    workload: Workload::Draft,
    authority: Authority::Ephemeral,
    coherence: Coherence::TtlOnly,
    audit: Audit::NothingToJudge,
    revalidation: Revalidation::BeforeCommit,
    ttl: Ttl {
        soft: Duration::from_mins(30),
        hard: Duration::from_mins(30),
        negative: None,
        tombstone: None,
        jitter_percent: 10,
    },
    loading: None,
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 512 * KIB, compress_above_bytes: 8 * KIB },
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::SaveAtOnce,
    correctness: "Unsaved edits are a client's input, and every answer says that they are not saved. Saving checks them like \
                  a request's body and is the same command on the quote's row, bound to the version they were made on.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&QUOTE_DRAFT];

/// The key of somebody's unsaved edits of a quote.
pub fn quote_draft_key<'a>(tenant: &'a TenantId, owner: &DraftOwner) -> Key<'a> {
    Key::new(&QUOTE_DRAFT, tenant, [Part::Hash(owner.user.hash()), Part::Id(owner.quote.uuid())])
}

//! The keyspace of quote summaries and the builder of its keys.
//!
//! Owns the answers of the design review for each. Must never know how a value is loaded or where it is kept.

use std::time::Duration;

use kernel::{QuoteId, TenantId};

use crate::{
    key::{Key, Part},
    keyspace::{
        Audit, Authority, Coherence, Dimension, Exposure, Heat, InvalidatingEvent, KIB, Keyspace, LoadLimits, MIB,
        OnUnavailable, Owner, Revalidation, SchemaVersions, Service, SizeLimit, Slot, TENANT, Ttl, Workload,
    },
};

/// What a list or a header shows of a quote's revision.
pub static QUOTE_SUMMARY: Keyspace = Keyspace {
    name: "quote summary",
    template: "quote-summary:{tenant}:quote:{quoteId}:revision:{revisionNo}",
    dimensions: &[TENANT, Dimension::id("quoteId"), Dimension::number("revisionNo")],
    slot: Slot::ByKey,
    owner: Owner::One(Service::Quote),
    readers: &[],
    workload: Workload::Summary,
    authority: Authority::Table("quote.quote"),
    coherence: Coherence::EventInvalidated(&[InvalidatingEvent { event_type: "QuoteChanged", versioned_by: "quote" }, InvalidatingEvent { event_type: "QuoteSubmitted", versioned_by: "quote" }, InvalidatingEvent { event_type: "QuoteApproved", versioned_by: "quote" }, InvalidatingEvent { event_type: "QuoteRejected", versioned_by: "quote" }, InvalidatingEvent { event_type: "QuotePresented", versioned_by: "quote" }, InvalidatingEvent { event_type: "QuoteAccepted", versioned_by: "quote" }, InvalidatingEvent { event_type: "QuoteExpired", versioned_by: "quote" }]),
    audit: Audit::Compared,
    revalidation: Revalidation::NeverAnInput,
    ttl: Ttl {
        soft: Duration::from_mins(1),
        hard: Duration::from_mins(1),
        negative: Some(Duration::from_secs(5)),
        tombstone: Some(Duration::from_mins(1)),
        jitter_percent: 10,
    },
    loading: Some(LoadLimits { timeout: Duration::from_secs(4), lease: Duration::from_secs(5), at_once: 16 }),
    schema: SchemaVersions { current: 1, oldest_readable: 1 },
    size: SizeLimit { max_bytes: 4 * MIB, compress_above_bytes: 16 * KIB },
    exposure: Exposure::Internal,
    heat: Heat::Even,
    on_unavailable: OnUnavailable::FallBackToAuthority,
    correctness: "Every command locks the quote's row and reads its state there; expiry is decided by the database's clock.",
}
.declared();

/// The keyspaces of this domain.
pub(crate) static KEYSPACES: &[&Keyspace] = &[&QUOTE_SUMMARY];

/// The key of the summary of one revision.
pub fn quote_summary_key(tenant: &TenantId, quote: QuoteId, revision_no: u32) -> Key<'_> {
    Key::new(&QUOTE_SUMMARY, tenant, [Part::Id(quote.uuid()), Part::Number(revision_no.into())])
}

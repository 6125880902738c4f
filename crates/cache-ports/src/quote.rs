//! What the quote service caches: the summary of a quote's revision.
//!
//! Owns the port; the keyspace and its keys are in `keyspaces`, the cached value types in `values`. Must never decide
//! anything: accept, submit and present read PostgreSQL.

pub mod keyspaces;
mod values;

use async_trait::async_trait;
use kernel::{QuoteId, TenantId, Version};

use crate::read::{CacheUnavailable, Load, Read};

pub use values::*;

/// In the place of a revision number: whichever revision is the current one.
pub const CURRENT_REVISION: u32 = 0;

/// The quote service's reads through the cache.
#[async_trait]
pub trait QuoteCache: Send + Sync {
    /// The summary of one revision ([`CURRENT_REVISION`] for the current one). Fields the reader may not see are removed
    /// after the read, on a hit as on a miss.
    fn summary<'a>(
        &'a self,
        tenant: &'a TenantId,
        quote: QuoteId,
        revision_no: u32,
        min_version: Option<Version>,
        load: Load<'a, QuoteSummary>,
    ) -> Read<'a, QuoteSummary>;

    /// The quote changed: no older summary of this revision may be served from now on.
    async fn quote_changed(
        &self,
        tenant: &TenantId,
        quote: QuoteId,
        revision_no: u32,
        version: Version,
    ) -> Result<(), CacheUnavailable>;
}

//! The quote service's port.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    CacheUnavailable, Load, QuoteCache, Read,
    quote::{QuoteSummary, keyspaces},
};
use kernel::{QuoteId, TenantId, Version};

use crate::{engine::Core, read_through::ReadThrough};

pub(super) struct Quotes {
    summaries: Arc<ReadThrough<QuoteSummary>>,
}

impl Quotes {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { summaries: ReadThrough::over(&keyspaces::QUOTE_SUMMARY, core) }
    }
}

#[async_trait]
impl QuoteCache for Quotes {
    fn summary<'a>(
        &'a self,
        tenant: &'a TenantId,
        quote: QuoteId,
        revision_no: u32,
        min_version: Option<Version>,
        load: Load<'a, QuoteSummary>,
    ) -> Read<'a, QuoteSummary> {
        self.summaries.read(keyspaces::quote_summary_key(tenant, quote, revision_no), min_version, load)
    }

    async fn quote_changed(
        &self,
        tenant: &TenantId,
        quote: QuoteId,
        revision_no: u32,
        version: Version,
    ) -> Result<(), CacheUnavailable> {
        self.summaries.invalidate(keyspaces::quote_summary_key(tenant, quote, revision_no), version).await
    }
}

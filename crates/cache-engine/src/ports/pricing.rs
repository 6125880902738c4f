//! Pricing's port.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    CacheUnavailable, Load, PricingCache, Read,
    pricing::{FinalPriceDisplay, PriceBookDocument, PricePreview, keyspaces},
};
use kernel::{ContentHash, PriceBookId, PriceResultId, QuoteId, TenantId, Version};

use crate::{engine::Core, read_through::ReadThrough};

pub(super) struct Pricing {
    books: Arc<ReadThrough<PriceBookDocument>>,
    versions: Arc<ReadThrough<Version>>,
    previews: Arc<ReadThrough<PricePreview>>,
    finals: Arc<ReadThrough<FinalPriceDisplay>>,
}

impl Pricing {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self {
            books: ReadThrough::over(&keyspaces::PRICE_BOOK, core),
            versions: ReadThrough::over(&keyspaces::PRICE_BOOK_VERSION, core),
            previews: ReadThrough::over(&keyspaces::PRICE_PREVIEW, core),
            finals: ReadThrough::over(&keyspaces::FINAL_PRICE, core),
        }
    }
}

#[async_trait]
impl PricingCache for Pricing {
    fn price_book<'a>(
        &'a self,
        tenant: &'a TenantId,
        price_book: PriceBookId,
        version: Version,
        load: Load<'a, PriceBookDocument>,
    ) -> Read<'a, PriceBookDocument> {
        self.books.read(keyspaces::price_book_key(tenant, price_book, version), None, load)
    }

    fn active_price_book_version<'a>(
        &'a self,
        tenant: &'a TenantId,
        price_book: PriceBookId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version> {
        self.versions.read(keyspaces::price_book_version_key(tenant, price_book), min_version, load)
    }

    fn preview<'a>(
        &'a self,
        tenant: &'a TenantId,
        price_book: PriceBookId,
        config_hash: ContentHash,
        context_hash: ContentHash,
        load: Load<'a, PricePreview>,
    ) -> Read<'a, PricePreview> {
        self.previews.read(keyspaces::preview_key(tenant, price_book, config_hash, context_hash), None, load)
    }

    fn final_price<'a>(
        &'a self,
        tenant: &'a TenantId,
        quote: QuoteId,
        revision_no: u32,
        result: PriceResultId,
        load: Load<'a, FinalPriceDisplay>,
    ) -> Read<'a, FinalPriceDisplay> {
        self.finals.read(keyspaces::final_price_key(tenant, quote, revision_no, result), None, load)
    }

    async fn price_book_updated(
        &self,
        tenant: &TenantId,
        price_book: PriceBookId,
        version: Version,
    ) -> Result<(), CacheUnavailable> {
        self.versions.invalidate(keyspaces::price_book_version_key(tenant, price_book), version).await
    }
}

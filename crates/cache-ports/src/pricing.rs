//! What the pricing service caches: price books, previews, and copies of sealed prices.
//!
//! Owns the port; the keyspaces and keys are in `keyspaces`, the cached value types in `values`. Must never know how a
//! price is computed. Nothing here is evidence: final prices live in PostgreSQL and are only displayed from here.

pub mod keyspaces;
mod values;

use async_trait::async_trait;
use kernel::{ContentHash, PriceBookId, PriceResultId, QuoteId, TenantId, Version};

use crate::read::{CacheUnavailable, Load, Read};

pub use values::*;

/// Pricing's reads through the cache.
#[async_trait]
pub trait PricingCache: Send + Sync {
    /// One version of a price book: immutable.
    fn price_book<'a>(
        &'a self,
        tenant: &'a TenantId,
        price_book: PriceBookId,
        version: Version,
        load: Load<'a, PriceBookDocument>,
    ) -> Read<'a, PriceBookDocument>;

    /// The newest version of a price book; the value repeats its own version.
    fn active_price_book_version<'a>(
        &'a self,
        tenant: &'a TenantId,
        price_book: PriceBookId,
        min_version: Option<Version>,
        load: Load<'a, Version>,
    ) -> Read<'a, Version>;

    /// A computed price that is no evidence. `config_hash` covers items and publication; `context_hash` covers price-book
    /// version, currency, customer, term, adjustments and everything else the result depends on.
    fn preview<'a>(
        &'a self,
        tenant: &'a TenantId,
        price_book: PriceBookId,
        config_hash: ContentHash,
        context_hash: ContentHash,
        load: Load<'a, PricePreview>,
    ) -> Read<'a, PricePreview>;

    /// A copy of a sealed price for display. What the reader may not see is removed after the read.
    fn final_price<'a>(
        &'a self,
        tenant: &'a TenantId,
        quote: QuoteId,
        revision_no: u32,
        result: PriceResultId,
        load: Load<'a, FinalPriceDisplay>,
    ) -> Read<'a, FinalPriceDisplay>;

    /// A price book has a new version: no older pointer may be served from now on.
    async fn price_book_updated(
        &self,
        tenant: &TenantId,
        price_book: PriceBookId,
        version: Version,
    ) -> Result<(), CacheUnavailable>;
}

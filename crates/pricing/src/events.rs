//! Facts pricing publishes on `quoin.pricing.v1`, and its one reaction: moving a price book's version pointer in the cache.
//! Payloads are additive: a field once published keeps its name and meaning.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::PricingCache;
use chrono::{DateTime, Utc};
use events::{
    Envelope, EventType, Guard, NewEvent, Outbox, PublishedEvent, Reaction, ReactionError, RetryLater,
    UnwritablePayload,
};
use kernel::{ContentHash, Money, PriceBookId, PriceResultId, QuoteId, TenantId, Version};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

/// The service's outbox.
pub const OUTBOX: Outbox = Outbox::of("pricing");

/// The topic of everything published here.
pub const TOPIC: &str = "quoin.pricing.v1";

/// A price book has a new version, its first included. The event's aggregate version is the book's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceBookUpdated {
    /// The price book.
    pub price_book_id: PriceBookId,
    /// The id in the tenant's own system.
    pub external_id: String,
    /// The version now active.
    pub version: Version,
    /// The hash of its content.
    pub content_hash: ContentHash,
}

/// A final price was sealed for a quote's revision. A sealed price never changes, so its version is always the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinalPriceSealed {
    /// The sealed price.
    pub price_result_id: PriceResultId,
    /// The quote.
    pub quote_id: QuoteId,
    /// Its revision.
    pub revision_no: u32,
    /// The hash of everything the engine answered.
    pub result_hash: ContentHash,
    /// The contract value as charged.
    pub total: Money,
}

const PRICE_BOOK_UPDATED: EventType<PriceBookUpdated> = EventType::new(
    "PriceBookUpdated",
    "priceBook",
    Guard::StateCarrying,
    "A price book has a new version, its first included.",
);
const FINAL_PRICE_SEALED: EventType<FinalPriceSealed> = EventType::new(
    "FinalPriceSealed",
    "priceResult",
    Guard::StateCarrying,
    "A final price was sealed for a quote's revision; it never changes.",
);

/// Everything pricing publishes.
pub fn published_events() -> Vec<PublishedEvent> {
    vec![PRICE_BOOK_UPDATED.published(), FINAL_PRICE_SEALED.published()]
}

/// What every fact of one command has in common.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// Whose fact.
    pub tenant: &'a TenantId,
    /// Who caused it.
    pub actor: &'a str,
    /// The chain of requests it belongs to.
    pub correlation_id: &'a str,
}

impl Occasion<'_> {
    /// A price book has a new version.
    pub fn price_book_updated(
        &self,
        fact: &PriceBookUpdated,
        at: DateTime<Utc>,
    ) -> Result<NewEvent, UnwritablePayload> {
        let event = PRICE_BOOK_UPDATED.fact(self.tenant, fact.price_book_id, fact.version, fact, at)?;
        Ok(event.correlated(self.correlation_id))
    }

    /// A final price was sealed.
    pub fn final_price_sealed(
        &self,
        fact: &FinalPriceSealed,
        at: DateTime<Utc>,
    ) -> Result<NewEvent, UnwritablePayload> {
        let event = FINAL_PRICE_SEALED.fact(self.tenant, fact.price_result_id, Version::FIRST, fact, at)?;
        Ok(event.correlated(self.correlation_id))
    }
}

/// Moves the cached pointer to a price book's active version once a new one is durable.
pub struct PriceBookReaction(pub Arc<dyn PricingCache>);

#[async_trait]
impl Reaction for PriceBookReaction {
    fn consumer(&self) -> &'static str {
        "pricing.price-books"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        match event_type {
            "PriceBookUpdated" => Guard::StateCarrying,
            _ => Guard::Ignore,
        }
    }

    async fn apply(&self, _tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        // PostgreSQL has the version already; reading the payload here sends a broken event to the parking lot.
        event.data::<PriceBookUpdated>()?;
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let price_book = PriceBookId::from(event.aggregate_id);
        let moved = self.0.price_book_updated(&event.tenant, price_book, event.aggregate_version).await;
        moved.map_err(RetryLater::because)
    }
}

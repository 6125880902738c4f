//! Facts the catalog publishes on `quoin.catalog.v1`, and its reaction to them: moving the active-publication pointer in the
//! cache. Payloads are additive: a field once published keeps its name and meaning.

mod warm;

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    CatalogCache,
    catalog::{LifecycleStatus, OfferingKind, OfferingPriceType},
};
use chrono::{DateTime, Utc};
use events::{
    Envelope, EventType, Guard, NewEvent, Outbox, PublishedEvent, Reaction, ReactionError, RetryLater,
    UnwritablePayload,
};
use kernel::{ContentHash, OfferingId, PriceId, PublicationId, SpecificationId, TenantId, Version};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::model::{OfferingDraft, PriceDraft, SpecificationDraft, active_publication_id};

pub use warm::WarmReaction;

/// The catalog's outbox.
pub const OUTBOX: Outbox = Outbox::of("catalog");

/// The topic of everything published here.
pub const TOPIC: &str = "quoin.catalog.v1";

/// A specification is new or changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SpecificationChanged {
    /// The specification.
    specification_id: SpecificationId,
    /// The id in the tenant's own system.
    #[schema(required)]
    external_id: Option<String>,
    /// What it is called.
    name: String,
    /// Where it stands in its life.
    lifecycle_status: LifecycleStatus,
    /// Counts its changes.
    version: Version,
}

/// An offering is new or changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OfferingChanged {
    /// The offering; inventory calls it the product.
    offering_id: OfferingId,
    /// The id in the tenant's own system.
    #[schema(required)]
    external_id: Option<String>,
    /// What it is called.
    name: String,
    /// Where it is filed.
    #[schema(required)]
    category: Option<String>,
    /// Simple or bundle.
    kind: OfferingKind,
    /// Whether inventory counts it.
    stocked: bool,
    /// Where it stands in its life.
    lifecycle_status: LifecycleStatus,
    /// Counts its changes.
    version: Version,
}

/// A price is new or changed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PriceChanged {
    /// The price.
    price_id: PriceId,
    /// What is priced.
    offering_id: OfferingId,
    /// The kind of charge.
    price_type: OfferingPriceType,
    /// Where it stands in its life.
    lifecycle_status: LifecycleStatus,
    /// Counts its changes.
    version: Version,
}

/// The working copy was frozen.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CatalogPublished {
    /// The publication.
    publication_id: PublicationId,
    /// Counts the tenant's publications.
    number: i64,
    /// What it is called.
    name: String,
    /// The hash of its content.
    content_hash: ContentHash,
    /// How many offerings it holds.
    offerings: usize,
}

/// Buyers see another publication from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CatalogPublicationActivated {
    /// The publication in force.
    pub publication_id: PublicationId,
    /// Its name.
    pub name: String,
    /// The hash of its content.
    pub content_hash: ContentHash,
    /// The one that was in force before.
    #[schema(required)]
    pub previous_publication_id: Option<PublicationId>,
}

const SPECIFICATION_CHANGED: EventType<SpecificationChanged> = EventType::new(
    "SpecificationChanged",
    "specification",
    Guard::StateCarrying,
    "A specification of the working copy is new or changed.",
);
const OFFERING_CHANGED: EventType<OfferingChanged> = EventType::new(
    "OfferingChanged",
    "offering",
    Guard::StateCarrying,
    "An offering of the working copy is new or changed; buyers see it once a publication that holds it is in force.",
);
const PRICE_CHANGED: EventType<PriceChanged> = EventType::new(
    "PriceChanged",
    "price",
    Guard::StateCarrying,
    "A price of the working copy is new or changed. What a quote charges is decided by pricing, not by this.",
);
const CATALOG_PUBLISHED: EventType<CatalogPublished> = EventType::new(
    "CatalogPublished",
    "publication",
    Guard::StateCarrying,
    "The working copy was frozen as a publication, which never changes; nobody sees it before it is activated.",
);
const CATALOG_PUBLICATION_ACTIVATED: EventType<CatalogPublicationActivated> = EventType::new(
    "CatalogPublicationActivated",
    "activePublication",
    Guard::StateCarrying,
    "Buyers see another publication from now on.",
);

/// Everything the catalog publishes.
pub fn published_events() -> Vec<PublishedEvent> {
    vec![
        SPECIFICATION_CHANGED.published(),
        OFFERING_CHANGED.published(),
        PRICE_CHANGED.published(),
        CATALOG_PUBLISHED.published(),
        CATALOG_PUBLICATION_ACTIVATED.published(),
    ]
}

/// What every fact of one command has in common.
#[derive(Debug, Clone)]
pub struct Occasion<'a> {
    /// Whose fact.
    pub tenant: &'a TenantId,
    /// Who caused it.
    pub actor: &'a str,
    /// The chain of requests it belongs to.
    pub correlation_id: &'a str,
    /// When.
    pub at: DateTime<Utc>,
}

impl Occasion<'_> {
    fn event<P: Serialize + ToSchema>(
        &self,
        event_type: &EventType<P>,
        id: impl Into<uuid::Uuid>,
        version: Version,
        payload: &P,
    ) -> Result<NewEvent, UnwritablePayload> {
        Ok(event_type.fact(self.tenant, id, version, payload, self.at)?.correlated(self.correlation_id))
    }

    /// A specification is new or changed.
    pub fn specification_changed(
        &self,
        id: SpecificationId,
        version: Version,
        draft: &SpecificationDraft,
    ) -> Result<NewEvent, UnwritablePayload> {
        let payload = SpecificationChanged {
            specification_id: id,
            external_id: draft.external_id.clone(),
            name: draft.name.clone(),
            lifecycle_status: draft.lifecycle_status,
            version,
        };
        self.event(&SPECIFICATION_CHANGED, id, version, &payload)
    }

    /// An offering is new or changed.
    pub fn offering_changed(
        &self,
        id: OfferingId,
        version: Version,
        draft: &OfferingDraft,
    ) -> Result<NewEvent, UnwritablePayload> {
        let payload = OfferingChanged {
            offering_id: id,
            external_id: draft.external_id.clone(),
            name: draft.name.clone(),
            category: draft.category.clone(),
            kind: draft.kind,
            stocked: draft.stocked,
            lifecycle_status: draft.lifecycle_status,
            version,
        };
        self.event(&OFFERING_CHANGED, id, version, &payload)
    }

    /// A price is new or changed.
    pub fn price_changed(
        &self,
        id: PriceId,
        version: Version,
        draft: &PriceDraft,
    ) -> Result<NewEvent, UnwritablePayload> {
        let payload = PriceChanged {
            price_id: id,
            offering_id: draft.offering_id,
            price_type: draft.price_type,
            lifecycle_status: draft.lifecycle_status,
            version,
        };
        self.event(&PRICE_CHANGED, id, version, &payload)
    }

    /// The working copy was frozen.
    pub fn published(
        &self,
        id: PublicationId,
        number: i64,
        name: &str,
        content_hash: ContentHash,
        offerings: usize,
    ) -> Result<NewEvent, UnwritablePayload> {
        let name = name.to_owned();
        let payload = CatalogPublished { publication_id: id, number, name, content_hash, offerings };
        self.event(&CATALOG_PUBLISHED, id, Version::FIRST, &payload)
    }

    /// Buyers see another publication from now on.
    pub fn activated(
        &self,
        version: Version,
        payload: &CatalogPublicationActivated,
    ) -> Result<NewEvent, UnwritablePayload> {
        let id = active_publication_id(self.tenant);
        self.event(&CATALOG_PUBLICATION_ACTIVATED, id, version, payload)
    }
}

/// Moves the cached pointer when an activation has become durable.
pub struct ActivePublicationReaction(pub Arc<dyn CatalogCache>);

#[async_trait]
impl Reaction for ActivePublicationReaction {
    fn consumer(&self) -> &'static str {
        "catalog.active-publication"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        match event_type {
            "CatalogPublicationActivated" => Guard::StateCarrying,
            _ => Guard::Ignore,
        }
    }

    async fn apply(&self, _tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        // PostgreSQL has the pointer already; reading the payload here sends a broken event to the parking lot.
        event.data::<CatalogPublicationActivated>()?;
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        self.0.publication_activated(&event.tenant, event.aggregate_version).await.map_err(RetryLater::because)
    }
}

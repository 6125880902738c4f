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
use events::{Envelope, Guard, NewEvent, Outbox, Reaction, ReactionError, RetryLater, UnwritablePayload};
use kernel::{ContentHash, OfferingId, PriceId, PublicationId, SpecificationId, TenantId, Version};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::model::{OfferingDraft, PriceDraft, SpecificationDraft, active_publication_id};

pub use warm::WarmReaction;

/// The catalog's outbox.
pub const OUTBOX: Outbox = Outbox::of("catalog");

/// The topic of everything published here.
pub const TOPIC: &str = "quoin.catalog.v1";

/// A specification is new or changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SpecificationChanged<'a> {
    specification_id: SpecificationId,
    external_id: Option<&'a str>,
    name: &'a str,
    lifecycle_status: LifecycleStatus,
    version: Version,
}

/// An offering is new or changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OfferingChanged<'a> {
    offering_id: OfferingId,
    external_id: Option<&'a str>,
    name: &'a str,
    category: Option<&'a str>,
    kind: OfferingKind,
    stocked: bool,
    lifecycle_status: LifecycleStatus,
    version: Version,
}

/// A price is new or changed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct PriceChanged {
    price_id: PriceId,
    offering_id: OfferingId,
    price_type: OfferingPriceType,
    lifecycle_status: LifecycleStatus,
    version: Version,
}

/// The working copy was frozen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct CatalogPublished<'a> {
    publication_id: PublicationId,
    number: i64,
    name: &'a str,
    content_hash: ContentHash,
    offerings: usize,
}

/// Buyers see another publication from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatalogPublicationActivated {
    /// The publication in force.
    pub publication_id: PublicationId,
    /// Its name.
    pub name: String,
    /// The hash of its content.
    pub content_hash: ContentHash,
    /// The one that was in force before.
    pub previous_publication_id: Option<PublicationId>,
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
    fn event<P: Serialize>(
        &self,
        aggregate: &'static str,
        id: uuid::Uuid,
        version: Version,
        event_type: &'static str,
        payload: &P,
    ) -> Result<NewEvent, UnwritablePayload> {
        let event = NewEvent::new(self.tenant, aggregate, id, version, event_type, payload, self.at)?;
        Ok(event.correlated(self.correlation_id))
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
            external_id: draft.external_id.as_deref(),
            name: &draft.name,
            lifecycle_status: draft.lifecycle_status,
            version,
        };
        self.event("specification", id.uuid(), version, "SpecificationChanged", &payload)
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
            external_id: draft.external_id.as_deref(),
            name: &draft.name,
            category: draft.category.as_deref(),
            kind: draft.kind,
            stocked: draft.stocked,
            lifecycle_status: draft.lifecycle_status,
            version,
        };
        self.event("offering", id.uuid(), version, "OfferingChanged", &payload)
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
        self.event("price", id.uuid(), version, "PriceChanged", &payload)
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
        let payload = CatalogPublished { publication_id: id, number, name, content_hash, offerings };
        self.event("publication", id.uuid(), Version::FIRST, "CatalogPublished", &payload)
    }

    /// Buyers see another publication from now on.
    pub fn activated(
        &self,
        version: Version,
        payload: &CatalogPublicationActivated,
    ) -> Result<NewEvent, UnwritablePayload> {
        let id = active_publication_id(self.tenant);
        self.event("activePublication", id, version, "CatalogPublicationActivated", payload)
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

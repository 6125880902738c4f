//! Reactions to facts, the service's own and the order service's.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::quote::{CURRENT_REVISION, QuoteCache};
use events::{Envelope, Guard, Reaction, ReactionError, RetryLater};
use kernel::{QuoteId, TenantId, Version};
use serde::Deserialize;
use service_runtime::auth::{Role, Roles};
use sqlx::PgConnection;

use super::{ORDER_TOPIC, TOPIC, published::QUOTE_ACCEPTED};
use crate::{
    commands::{self, Actor, Target},
    error::QuoteError,
};

/// Invalidates the cached summaries of a quote after each of its versions.
pub struct DropSummaries {
    cache: Arc<dyn QuoteCache>,
}

impl DropSummaries {
    /// Over this cache.
    pub fn new(cache: Arc<dyn QuoteCache>) -> Self {
        Self { cache }
    }
}

/// The revisions an event is about; the same in every payload of this service.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Touched {
    revision_no: u32,
    #[serde(default)]
    also_changed: Vec<u32>,
}

#[async_trait]
impl Reaction for DropSummaries {
    fn consumer(&self) -> &'static str {
        "quote.summaries"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        let of_a_quote = event_type == QUOTE_ACCEPTED || event_type.starts_with("Quote");
        if of_a_quote { Guard::StateCarrying } else { Guard::Ignore }
    }

    async fn apply(&self, _: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        event.data::<Touched>()?;
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        // The payload was read in `apply`; one that cannot be read never gets here.
        let Ok(touched) = event.data::<Touched>() else { return Ok(()) };
        let quote = QuoteId::from(event.aggregate_id);
        let mut revisions = touched.also_changed;
        revisions.push(touched.revision_no);
        drop_summaries(self.cache.as_ref(), &event.tenant, quote, &revisions, event.aggregate_version)
            .await
            .map_err(RetryLater::because)
    }
}

/// Invalidates the summaries of these revisions, and that of whichever is the current one.
pub async fn drop_summaries(
    cache: &dyn QuoteCache,
    tenant: &TenantId,
    quote: QuoteId,
    revisions: &[u32],
    version: Version,
) -> Result<(), cache_ports::CacheUnavailable> {
    cache.quote_changed(tenant, quote, CURRENT_REVISION, version).await?;
    for revision_no in revisions {
        cache.quote_changed(tenant, quote, *revision_no, version).await?;
    }
    Ok(())
}

/// Follows the orders made of quotes: ordered when there is one, closed when it has ended.
pub struct FollowOrders;

/// What this service reads of an order's events.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderFact {
    quote_id: QuoteId,
    revision_no: u32,
    state: String,
}

/// States in which nothing more happens to an order (TMF622).
const ENDED: &[&str] = &["completed", "failed", "partial", "rejected", "cancelled"];

#[async_trait]
impl Reaction for FollowOrders {
    fn consumer(&self) -> &'static str {
        "quote.orders"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[ORDER_TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        match event_type {
            "OrderCreated" | "OrderStateChanged" | "OrderCancelled" => Guard::StateCarrying,
            _ => Guard::Ignore,
        }
    }

    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        let fact: OrderFact = event.data()?;
        let actor = Actor {
            tenant: event.tenant.clone(),
            subject: "service:quote".to_owned(),
            roles: Roles::from(Role::System),
            correlation_id: event.correlation_id.clone(),
            causation_id: Some(event.id),
        };
        let target = Target { quote_id: fact.quote_id, revision_no: Some(fact.revision_no), expected: None };
        commands::mark_ordered(tx, &actor, target).await.map_err(reaction_error)?;
        if ENDED.contains(&fact.state.as_str()) {
            commands::close(tx, &actor, target).await.map_err(reaction_error)?;
        }
        Ok(())
    }
}

/// What the database may do better later is tried again; everything else is somebody's mistake.
pub(super) fn reaction_error(error: QuoteError) -> ReactionError {
    match error {
        QuoteError::Database(error) | QuoteError::Outbox(events::OutboxError::Database(error)) => error.into(),
        other => ReactionError::poison(other),
    }
}

//! The reaction to an activation that fills the warm queue.

use async_trait::async_trait;
use events::{Envelope, Guard, Reaction, ReactionError, RetryLater};
use metrics::counter;
use sqlx::PgConnection;

use super::{CatalogPublicationActivated, TOPIC};
use crate::{State, warming};

/// Queues what is worth loading ahead when an activation has become durable. Best effort: no event ever waits for it, which
/// is why it is a consumer of its own.
pub struct WarmReaction(pub State);

#[async_trait]
impl Reaction for WarmReaction {
    fn consumer(&self) -> &'static str {
        "catalog.warming"
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
        event.data::<CatalogPublicationActivated>()?;
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        // The payload was read in `apply`; one that cannot be read never gets here.
        let Ok(activated) = event.data::<CatalogPublicationActivated>() else { return Ok(()) };
        match warming::enqueue(&self.0, &event.tenant, activated.publication_id).await {
            Ok(queued) => counter!("catalog_warming_queued_total").increment(queued as u64),
            Err(error) => tracing::debug!(error = &error as &dyn std::error::Error, "nothing is warmed"),
        }
        Ok(())
    }
}

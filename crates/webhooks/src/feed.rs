//! Writes a tenant's feed: every event of the service, as it comes out of the log, gets the next number.

use std::sync::Arc;

use async_trait::async_trait;
use events::{Envelope, Guard, Reaction, ReactionError, RetryLater};
use sqlx::PgConnection;
use tokio::sync::Notify;

use crate::{Hub, store::feed};

/// Records events for tenants that have subscriptions.
pub struct Feed {
    hub: &'static Hub,
    hint: Arc<Notify>,
}

impl Feed {
    pub(crate) const fn new(hub: &'static Hub, hint: Arc<Notify>) -> Self {
        Self { hub, hint }
    }
}

#[async_trait]
impl Reaction for Feed {
    fn consumer(&self) -> &'static str {
        self.hub.consumer
    }

    fn topics(&self) -> &'static [&'static str] {
        self.hub.topics
    }

    /// Whatever is published is passed on, in each aggregate's order; an older version again is the same event again.
    fn guard(&self, _: &str) -> Guard {
        Guard::StateCarrying
    }

    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        feed::record(tx, self.hub.service, event).await?;
        Ok(())
    }

    async fn committed(&self, _: &Envelope) -> Result<(), RetryLater> {
        self.hint.notify_one();
        Ok(())
    }
}

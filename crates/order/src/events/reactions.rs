//! The reaction to an accepted quote.

use async_trait::async_trait;
use events::{Envelope, Guard, Reaction, ReactionError};
use sqlx::PgConnection;

use super::QUOTE_TOPIC;
use crate::{
    commands::{self, Actor},
    error::OrderError,
    model::Acceptance,
    rules::intake::BadAcceptance,
};

/// Makes the order of an accepted quote. `POST /orders` may have been faster, or may come later: it is the same order.
pub struct OrderAccepted {
    task_retries: u32,
}

impl OrderAccepted {
    /// Plans tasks with this many retries.
    pub fn new(task_retries: u32) -> Self {
        Self { task_retries }
    }
}

#[async_trait]
impl Reaction for OrderAccepted {
    fn consumer(&self) -> &'static str {
        "order.quotes"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[QUOTE_TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        // Once by its id; the unique key of the revision makes it once by its meaning.
        if event_type == "QuoteAccepted" { Guard::EveryOnce } else { Guard::Ignore }
    }

    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        let acceptance: Acceptance = event.data()?;
        if acceptance.quote_id.uuid() != event.aggregate_id {
            return Err(ReactionError::poison(BadAcceptance("it is about another quote than its event")));
        }
        let actor = Actor::reacting_to(event);
        let made = commands::create_order(tx, &actor, acceptance, self.task_retries, event.occurred_at).await;
        made.map(drop).map_err(reaction_error)
    }
}

/// What the database may do better later is tried again; everything else is somebody's mistake.
pub(super) fn reaction_error(error: OrderError) -> ReactionError {
    match error {
        OrderError::Database(error) | OrderError::Outbox(events::OutboxError::Database(error)) => error.into(),
        other => ReactionError::poison(other),
    }
}

//! Telling users what happened to their quotes and orders.
//!
//! Owns which facts are worth a notice, and for whom: whoever created the quote. Best effort after the commit: a notice that
//! cannot be given is left out, and the user's screen polls. What comes later than notices are kept, as after an outage or to a
//! consumer that begins with old facts, is no news. Must never hold up an event.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ports::{
    UserKey,
    streams::{Notice, NoticeBoard, NoticeKind, keyspaces::UI_NOTICES},
};
use events::{Envelope, Guard, Reaction, ReactionError, RetryLater};
use kernel::{QuoteId, SharedClock};
use metrics::counter;
use serde::Deserialize;
use service_runtime::TenantTx;
use sqlx::{PgConnection, PgPool};

use super::{ORDER_TOPIC, TOPIC, published::QUOTE_ACCEPTED};
use crate::{error::QuoteResult, store::quotes};

/// Appends to a user's notices what happened to his quotes and their orders.
pub struct TellUsers {
    board: Arc<dyn NoticeBoard>,
    pool: PgPool,
    clock: SharedClock,
}

impl TellUsers {
    /// On this board; `pool` connects as the work role.
    pub fn new(board: Arc<dyn NoticeBoard>, pool: PgPool, clock: SharedClock) -> Self {
        Self { board, pool, clock }
    }

    async fn tell(&self, event: &Envelope, notice: &Notice) -> QuoteResult<&'static str> {
        let age = (self.clock.now() - notice.at).to_std().unwrap_or_default();
        if age > UI_NOTICES.ttl.hard {
            return Ok("late");
        }
        let mut tx = TenantTx::read(&self.pool, &event.tenant).await?;
        let creator = quotes::creator_of(&mut tx, &event.tenant, notice.quote_id).await?;
        tx.rollback().await?;
        let Some(creator) = creator else { return Ok("unknown") };
        let told = self.board.tell(&event.tenant, &UserKey::of(&event.tenant, &creator), notice).await;
        Ok(if told { "told" } else { "skipped" })
    }
}

/// What is read of a quote's event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfQuote {
    /// The acceptance itself does not say.
    revision_state: Option<String>,
}

/// What is read of an order's event.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfOrder {
    quote_id: QuoteId,
    state: String,
}

fn kind_of(event_type: &str) -> Option<NoticeKind> {
    Some(match event_type {
        "QuoteApproved" => NoticeKind::QuoteApproved,
        "QuoteRejected" => NoticeKind::QuoteRejected,
        "QuoteExpired" => NoticeKind::QuoteExpired,
        QUOTE_ACCEPTED => NoticeKind::QuoteAccepted,
        "OrderCreated" | "OrderStateChanged" | "OrderCancelled" => NoticeKind::OrderMoved,
        _ => return None,
    })
}

fn notice_of(event: &Envelope, kind: NoticeKind) -> Result<Notice, events::UnreadablePayload> {
    let (at, version) = (event.occurred_at, event.aggregate_version);
    if kind == NoticeKind::OrderMoved {
        let OfOrder { quote_id, state } = event.data()?;
        return Ok(Notice { kind, quote_id, order_id: Some(event.aggregate_id.into()), state, version, at });
    }
    let OfQuote { revision_state } = event.data()?;
    let state = revision_state.unwrap_or_else(|| "accepted".to_owned());
    Ok(Notice { kind, quote_id: event.aggregate_id.into(), order_id: None, state, version, at })
}

#[async_trait]
impl Reaction for TellUsers {
    fn consumer(&self) -> &'static str {
        "quote.notices"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC, ORDER_TOPIC]
    }

    fn guard(&self, event_type: &str) -> Guard {
        if kind_of(event_type).is_some() { Guard::StateCarrying } else { Guard::Ignore }
    }

    async fn apply(&self, _: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        // A broken event goes to the parking lot here, and not after the commit.
        if let Some(kind) = kind_of(&event.event_type) {
            notice_of(event, kind)?;
        }
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let Some(kind) = kind_of(&event.event_type) else { return Ok(()) };
        let Ok(notice) = notice_of(event, kind) else { return Ok(()) };
        let outcome = self.tell(event, &notice).await.unwrap_or_else(|error| {
            tracing::debug!(error = &error as &dyn std::error::Error, "a notice is left out");
            "failed"
        });
        counter!("quote_notices_total", "outcome" => outcome).increment(1);
        Ok(())
    }
}

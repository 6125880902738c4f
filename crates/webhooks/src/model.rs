//! The nouns: subscriptions, and deliveries that wait.

use chrono::{DateTime, Utc};
use kernel::Version;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::rules::{filter::Filter, secret::Secret};

/// Most subscriptions of a tenant at one service. Each event becomes as many deliveries.
pub const MAX_SUBSCRIPTIONS: i32 = 20;
/// Longest callback, in characters: what servers take for certain.
pub const MAX_CALLBACK: u64 = 2_000;
/// Longest filter, in characters: every event type there is fits several times.
pub const MAX_QUERY: u64 = 1_000;

/// Whether a subscription is being served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// Events are sent as they come.
    Active,
    /// Nothing is sent, and nothing is thrown away, until it is resumed.
    Suspended,
}

/// Why a subscription was suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum SuspendedBecause {
    /// A delivery failed for too long.
    Failing,
    /// The receiver answered 410 Gone.
    Gone,
}

impl SuspendedBecause {
    /// The word in the table.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Gone => "gone",
        }
    }

    /// The reason a word of the table stands for; the table allows no other.
    pub fn from_word(word: &str) -> Self {
        if word == Self::Gone.word() { Self::Gone } else { Self::Failing }
    }
}

/// A callback that hears a service's events.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EventSubscription)]
pub struct Subscription {
    /// Its id.
    pub id: Uuid,
    /// Its version, which is its ETag.
    pub version: Version,
    /// Where events are sent.
    pub callback: String,
    /// The filter; absent where everything is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Whether it is being served.
    pub state: State,
    /// Since when it is suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_at: Option<DateTime<Utc>>,
    /// Why it is suspended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspended_because: Option<SuspendedBecause>,
    /// The first event of the feed that has not been looked at for it. Earlier ones may still wait.
    pub next_sequence: i64,
    /// Until when the secret before the present one signs as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_secret_until: Option<DateTime<Utc>>,
    /// Who registered it.
    pub created_by: String,
    /// When.
    pub created_at: DateTime<Utc>,
}

/// A subscription to be made.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// Its id.
    pub id: Uuid,
    /// Where events are to be sent.
    pub callback: String,
    /// The filter as it was sent.
    pub query: Option<String>,
    /// What it means.
    pub filter: Filter,
    /// What its deliveries are signed with.
    pub secret: Secret,
    /// Who registers it.
    pub created_by: String,
}

/// A delivery that was not acknowledged yet.
#[derive(Debug, Clone, Serialize, ToSchema, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub struct WaitingDelivery {
    /// The event's number.
    pub sequence: i64,
    /// The event's id.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// The kind of aggregate it is about.
    pub aggregate_type: String,
    /// Which aggregate.
    pub aggregate_id: Uuid,
    /// The aggregate's version after the change.
    pub aggregate_version: i64,
    /// How often it was sent.
    pub attempts: i32,
    /// When it is sent next, unless something of the same aggregate waits before it.
    pub due_at: DateTime<Utc>,
    /// Since when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<DateTime<Utc>>,
    /// When it failed last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<DateTime<Utc>>,
    /// What it was answered then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status: Option<i16>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

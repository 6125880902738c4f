//! The source's side: reads requests and publishes again what the outbox still holds.
//!
//! A request that contradicts itself is refused, counted and forgotten: parking it would let whoever forged it hold up the
//! honest requests of the same key.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use kernel::{Clock, SystemClock, Version};
use sqlx::{PgConnection, PgPool};
use tokio::{sync::Mutex, time::Instant};

use super::request::{REPUBLISH_REQUESTED, Request};
use crate::{Envelope, Guard, Publisher, Reaction, ReactionError, Replay, RetryLater};

/// How long an answer stands for further requests of the same key: several consumers miss the same event at the same time.
const ANSWERED_FOR: Duration = Duration::from_secs(10);

/// Keys whose answers are remembered; beyond that those that no longer stand are forgotten.
const REMEMBERED: usize = 10_000;

/// Age at which a request is left alone, in seconds: whoever still waits has asked again by then.
const LIFE_SECS: i64 = 2 * 60 * 60;

/// What the answering consumer is called and reads; both frozen, like every consumer's.
#[derive(Debug, Clone, Copy)]
pub struct RepublishNames {
    /// Its name: `order.requests`.
    pub consumer: &'static str,
    /// The topic of requests: `quoin.order.v1.requests`.
    pub topics: &'static [&'static str],
}

/// Answers requests to publish events of one service again.
pub struct Republish {
    pool: PgPool,
    schema: &'static str,
    topic: &'static str,
    names: RepublishNames,
    publisher: Arc<dyn Publisher>,
    /// Held while answering: no index leads to an aggregate's rows, and one search through the outbox at a time is enough.
    answered: Mutex<Answered>,
}

/// From which version on each key was answered, and when.
#[derive(Default)]
struct Answered(HashMap<String, (Version, Instant)>);

impl Answered {
    fn covers(&self, key: &str, from: Version) -> bool {
        self.0.get(key).is_some_and(|(version, at)| *version <= from && at.elapsed() < ANSWERED_FOR)
    }

    fn note(&mut self, key: String, from: Version) {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, (_, at)| at.elapsed() < ANSWERED_FOR);
        }
        self.0.insert(key, (from, Instant::now()));
    }
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// This many events were published again.
    Answered(u64),
    /// The same was answered a moment ago.
    Recent,
    /// The outbox does not have the version: it was never written, is not published yet, or is not kept any more.
    Missing,
    /// It contradicts itself.
    Refused,
    /// Nobody waits for an answer so late.
    Late,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Answered(_) => "answered",
            Self::Recent => "recent",
            Self::Missing => "missing",
            Self::Refused => "refused",
            Self::Late => "late",
        }
    }
}

impl Republish {
    /// Answers from the outbox of `schema`, on `topic`; `pool` connects as the work role.
    pub fn new(
        pool: PgPool,
        schema: &'static str,
        topic: &'static str,
        names: RepublishNames,
        publisher: Arc<dyn Publisher>,
    ) -> Self {
        Self { pool, schema, topic, names, publisher, answered: Mutex::default() }
    }

    async fn answer(&self, event: &Envelope) -> Result<Outcome, RetryLater> {
        let Some(from) = asked_version(event) else { return Ok(Outcome::Refused) };
        if (SystemClock.now() - event.occurred_at).num_seconds() > LIFE_SECS {
            return Ok(Outcome::Late);
        }
        let key = event.key();
        let mut answered = self.answered.lock().await;
        if answered.covers(&key, from) {
            return Ok(Outcome::Recent);
        }
        let replay = Replay {
            tenant: Some(event.tenant.clone()),
            aggregate_type: Some(event.aggregate_type.clone()),
            aggregate_id: Some(event.aggregate_id),
            from_version: Some(from),
            ..Replay::default()
        };
        let first = replay.first_version(&self.pool, self.schema).await.map_err(RetryLater::because)?;
        if first != Some(from) {
            return Ok(Outcome::Missing);
        }
        let published = replay.publish(&self.pool, self.schema, self.topic, &*self.publisher, |_| ()).await;
        let published = published.map_err(RetryLater::because)?;
        answered.note(key, from);
        Ok(Outcome::Answered(published))
    }
}

/// The version a request wants; `None` unless everything it says of itself agrees.
fn asked_version(event: &Envelope) -> Option<Version> {
    let Request { key, from_version, .. } = event.data().ok()?;
    let agrees = key == event.key() && from_version == event.aggregate_version.get() && from_version > 0;
    agrees.then_some(event.aggregate_version)
}

#[async_trait]
impl Reaction for Republish {
    fn consumer(&self) -> &'static str {
        self.names.consumer
    }

    fn topics(&self) -> &'static [&'static str] {
        self.names.topics
    }

    fn guard(&self, event_type: &str) -> Guard {
        if event_type == REPUBLISH_REQUESTED { Guard::EveryOnce } else { Guard::Ignore }
    }

    async fn apply(&self, _: &mut PgConnection, _: &Envelope) -> Result<(), ReactionError> {
        Ok(())
    }

    async fn committed(&self, event: &Envelope) -> Result<(), RetryLater> {
        let (service, key) = (self.schema, event.key());
        let outcome = self.answer(event).await?;
        metrics::counter!("quoin_republish_answers_total", "service" => service, "outcome" => outcome.as_str())
            .increment(1);
        match outcome {
            Outcome::Answered(events) => {
                metrics::counter!("quoin_republish_events_total", "service" => service).increment(events);
                tracing::info!(service, key, events, "events were published again because somebody misses them");
            }
            Outcome::Missing => {
                let version = event.aggregate_version.get();
                tracing::warn!(service, key, version, "somebody misses an event that the outbox does not have");
            }
            Outcome::Refused => tracing::warn!(service, key, "a request to publish again contradicts itself"),
            Outcome::Recent | Outcome::Late => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::republish::{Wanted, request};

    fn asked() -> Envelope {
        let wanted = Wanted {
            topic: "quoin.order.v1".into(),
            tenant: "acme".parse().unwrap(),
            aggregate_type: "order".to_owned(),
            aggregate_id: Uuid::now_v7(),
            version: Version::new(3),
        };
        request(&wanted, "quote", "quote.orders").unwrap()
    }

    #[test]
    fn a_request_that_contradicts_itself_asks_for_nothing() {
        let honest = asked();
        assert_eq!(asked_version(&honest), Some(Version::new(3)));
        let payload = |key: &str, version| json!({ "key": key, "fromVersion": version, "consumer": "c" }).to_string();
        let key = honest.key();
        let forged = [
            Envelope { tenant: "rival".parse().unwrap(), ..honest.clone() },
            Envelope { aggregate_type: "quote".to_owned(), ..honest.clone() },
            Envelope { aggregate_id: Uuid::now_v7(), ..honest.clone() },
            Envelope { aggregate_version: Version::new(1), ..honest.clone() },
            Envelope { data: payload(&key, 2).into(), ..honest.clone() },
            Envelope { data: payload("rival:order:x", 3).into(), ..honest.clone() },
            Envelope { data: "{}".into(), ..honest.clone() },
            Envelope { aggregate_version: Version::ZERO, data: payload(&key, 0).into(), ..honest },
        ];
        for request in forged {
            assert_eq!(asked_version(&request), None, "{request:?}");
        }
    }
}

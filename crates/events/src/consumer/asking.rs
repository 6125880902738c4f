//! Asks the sources for the versions that keys wait for: at once after the commit that parked a key, and again, ever less
//! often, as long as it waits.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sqlx::PgConnection;
use tokio::time::{Instant, timeout};

use super::lot::Lot;
use crate::{
    Partition, Publisher,
    republish::{Wanted, request, requests_topic},
};

/// Longest pause between two requests of one key.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// How long a request may take to be acknowledged; it is only a request, and is repeated.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(5);

/// Keys asked for in one round: those that wait longest.
const MAX_KEYS: i64 = 1_000;

/// What a consumer has asked for. Forgotten with the process, whose successor asks once more than needed.
pub(crate) struct Asking {
    publisher: Option<Arc<dyn Publisher>>,
    lot: Lot,
    first_pause: Duration,
    asked: HashMap<String, Asked>,
    looked: Instant,
}

struct Asked {
    wanted: Wanted,
    pause: Duration,
    next: Instant,
}

impl Asking {
    /// Nothing asked yet; without a publisher nothing ever is.
    pub fn new(publisher: Option<Arc<dyn Publisher>>, lot: Lot, first_pause: Duration) -> Self {
        Self { publisher, lot, first_pause, asked: HashMap::new(), looked: Instant::now() }
    }

    /// Whether it is time to look which keys still wait.
    pub fn is_due(&self) -> bool {
        self.publisher.is_some() && self.looked.elapsed() >= self.first_pause
    }

    /// Asks for what keys of these partitions still wait for, unless it was asked for a moment ago.
    pub async fn ask_again(&mut self, conn: &mut PgConnection, partitions: &[Partition]) -> Result<(), sqlx::Error> {
        self.looked = Instant::now();
        let waiting = self.lot.wanted(conn, partitions, MAX_KEYS).await?;
        let keys: Vec<String> = waiting.iter().map(Wanted::key).collect();
        self.asked.retain(|key, _| keys.contains(key));
        self.ask(waiting).await;
        Ok(())
    }

    /// Asks for those of `wanted` whose time has come.
    pub async fn ask(&mut self, wanted: Vec<Wanted>) {
        let Some(publisher) = self.publisher.clone() else { return };
        let now = Instant::now();
        for wanted in wanted {
            let key = wanted.key();
            let pause = match self.asked.get(&key) {
                Some(asked) if asked.wanted == wanted && asked.next > now => continue,
                Some(asked) if asked.wanted == wanted => (asked.pause * 2).min(LONGEST_PAUSE),
                _ => self.first_pause,
            };
            self.send(&*publisher, &wanted).await;
            self.asked.insert(key, Asked { wanted, pause, next: now + pause });
        }
    }

    async fn send(&self, publisher: &dyn Publisher, wanted: &Wanted) {
        let (consumer, key, version) = (self.lot.consumer, wanted.key(), wanted.version.get());
        let sent = match request(wanted, self.lot.schema, consumer) {
            Ok(record) => {
                let topic = requests_topic(&wanted.topic);
                timeout(ACKNOWLEDGED_WITHIN, publisher.publish(&topic, &[record])).await.is_ok_and(|sent| sent.is_ok())
            }
            Err(_) => false,
        };
        let outcome = if sent { "sent" } else { "failed" };
        metrics::counter!("quoin_republish_requests_total", "consumer" => consumer, "outcome" => outcome).increment(1);
        tracing::info!(consumer, key, version, outcome, "a missing event is asked for");
    }
}

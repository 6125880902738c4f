//! What one engine does with what it hears.
//!
//! Owns the task that listens: it drops what a hint names, drops everything where something may have been missed, and says until
//! when the memory may be trusted. Must never run longer than its engine.

use std::{sync::Arc, time::Duration};

use metrics::counter;
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, sleep_until},
};

use super::{
    Heard,
    following::{Doubt, Following},
    keeping::Told,
    message::{Epoch, Message, PublisherId, Word},
};

/// The task looks at the time this often, even where nothing is said.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// See the module.
pub(super) struct Listener {
    following: Following,
    tiers: Vec<Arc<dyn Told>>,
    began: Instant,
}

impl Listener {
    pub(super) fn new(publisher: PublisherId, epoch: Epoch, tiers: Vec<Arc<dyn Told>>, began: Instant) -> Self {
        Self { following: Following::new(publisher, epoch), tiers, began }
    }

    /// Listens until the bus closes; then nothing is trusted any more.
    pub(super) async fn run(mut self, mut bus: Receiver<Heard>) {
        loop {
            tokio::select! {
                heard = bus.recv() => match heard {
                    Ok(heard) => self.take(heard),
                    Err(RecvError::Lagged(_)) => self.take(Heard::Lagged),
                    Err(RecvError::Closed) => break,
                },
                () = sleep_until(Instant::now() + LOOK_EVERY) => {}
            }
            self.look_at_the_time();
        }
        self.take(Heard::Interrupted);
        self.look_at_the_time();
    }

    fn take(&mut self, heard: Heard) {
        let now_ms = self.now_ms();
        match heard {
            Heard::Message(bytes) => match Message::parse(&bytes) {
                Some(message) => self.read(&message, now_ms),
                None => self.doubt(Doubt::Unreadable, 1),
            },
            Heard::Interrupted => {
                self.following.interrupted(now_ms);
                self.doubt(Doubt::Interrupted, 1);
            }
            Heard::Lagged => {
                self.following.interrupted(now_ms);
                self.doubt(Doubt::Lagged, 1);
            }
        }
    }

    fn read(&mut self, message: &Message, now_ms: u64) {
        let noticed = self.following.hear(message, now_ms);
        if let Some(doubt) = noticed.doubt {
            self.doubt(doubt, noticed.missing.max(1));
        }
        // A late hint is as true as any other; one of our own was applied before it was sent.
        if let (Word::Hint(hint), false) = (&message.word, self.following.is_own(message))
            && let Some(tier) = self.tiers.iter().find(|tier| tier.keyspace() == hint.keyspace)
        {
            counter!("cache_hints_received_total", "keyspace" => tier.keyspace()).increment(1);
            tier.apply(hint.key, hint.version, now_ms);
        }
    }

    /// Notes that at least so many messages are missing.
    fn doubt(&self, why: Doubt, missing: u64) {
        counter!("cache_hints_lost_total", "reason" => why.as_str()).increment(missing);
        for tier in &self.tiers {
            tier.flush(why);
        }
    }

    fn look_at_the_time(&mut self) {
        let now_ms = self.now_ms();
        self.following.forget_the_gone(now_ms);
        let until_ms = self.following.trusted_until_ms();
        for tier in &self.tiers {
            tier.trust_until(until_ms, now_ms);
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

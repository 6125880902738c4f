//! A bus that loses, doubles, holds back and reorders what it is given.
//!
//! Owns the lies, told on demand or by seed. What it delivers at all it delivers unchanged. Must never tell its listeners.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::broadcast;

use crate::hints::{Heard, HintBus, Message, Unpublished, Word};

/// Messages held back at once; more are let go in any order.
const MOST_HELD: usize = 6;

/// See the module.
pub struct LyingBus {
    inner: Arc<dyn HintBus>,
    hints_to_lose: AtomicUsize,
    chance: Option<Mutex<Chance>>,
}

struct Chance {
    random: fastrand::Rng,
    held: Vec<Bytes>,
}

impl LyingBus {
    /// Tells no lie until it is told to.
    pub fn over(inner: Arc<dyn HintBus>) -> Arc<Self> {
        Arc::new(Self { inner, hints_to_lose: AtomicUsize::new(0), chance: None })
    }

    /// Lies by seed.
    pub fn by_seed(inner: Arc<dyn HintBus>, seed: u64) -> Arc<Self> {
        let chance = Chance { random: fastrand::Rng::with_seed(seed), held: Vec::new() };
        Arc::new(Self { inner, hints_to_lose: AtomicUsize::new(0), chance: Some(Mutex::new(chance)) })
    }

    /// Loses the next hint.
    pub fn lose_one(&self) {
        self.hints_to_lose.fetch_add(1, Ordering::SeqCst);
    }

    fn loses(&self, message: &Bytes) -> bool {
        let is_hint = Message::parse(message).is_some_and(|message| matches!(message.word, Word::Hint(_)));
        let one_less = |left: usize| left.checked_sub(1);
        is_hint && self.hints_to_lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }
}

impl Chance {
    fn distort(&mut self, messages: Vec<Bytes>) -> Vec<Bytes> {
        let mut out = Vec::new();
        for message in messages {
            match self.random.u8(0..10) {
                0 => {}
                1 => out.extend([message.clone(), message]),
                2 | 3 => self.held.push(message),
                _ => out.push(message),
            }
        }
        let free = if self.held.len() > MOST_HELD { MOST_HELD } else { self.random.usize(0..=self.held.len()) };
        self.random.shuffle(&mut self.held);
        out.extend(self.held.drain(..free));
        if self.random.u8(0..4) == 0 {
            self.random.shuffle(&mut out);
        }
        out
    }
}

#[async_trait]
impl HintBus for LyingBus {
    async fn publish(&self, messages: &[Bytes]) -> Result<(), Unpublished> {
        let mut messages: Vec<Bytes> = messages.iter().filter(|message| !self.loses(message)).cloned().collect();
        if let Some(chance) = &self.chance {
            messages = chance.lock().unwrap_or_else(PoisonError::into_inner).distort(messages);
        }
        self.inner.publish(&messages).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Heard> {
        self.inner.subscribe()
    }
}

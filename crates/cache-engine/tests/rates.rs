//! Every answer of the limiter's arithmetic against an exact oracle, over many random schedules.

use std::{collections::HashMap, time::Duration};

use cache_engine::{
    ByteStore, MemoryStore,
    contract::rates::{CountsAt, run_schedule},
    counting::{Count, weigh},
    store::{CountReply, CountRequest},
};

/// The arithmetic alone.
#[derive(Default)]
struct Arithmetic(HashMap<String, Count>);

impl CountsAt for Arithmetic {
    async fn count(&mut self, requests: &[CountRequest<'_>], now_us: u64) -> Vec<CountReply> {
        let weighed: Vec<_> =
            requests.iter().map(|request| weigh(self.0.get(request.key).copied(), request, now_us)).collect();
        if requests.iter().zip(&weighed).all(|(request, (reply, _))| reply.allowed || request.shadow) {
            let taken = requests.iter().zip(&weighed).filter(|(_, (reply, _))| reply.allowed);
            self.0.extend(taken.map(|(request, (_, count))| (request.key.to_owned(), *count)));
        }
        weighed.into_iter().map(|(reply, _)| reply).collect()
    }
}

/// The store in memory, whose time is the runtime's.
struct Memory {
    store: MemoryStore,
    last_us: Option<u64>,
}

impl CountsAt for Memory {
    async fn count(&mut self, requests: &[CountRequest<'_>], now_us: u64) -> Vec<CountReply> {
        let pause_us = now_us - self.last_us.replace(now_us).unwrap_or(now_us);
        tokio::time::advance(Duration::from_micros(pause_us)).await;
        self.store.count(requests).await.expect("memory answers")
    }
}

#[tokio::test]
async fn the_arithmetic_is_exact_and_never_over_admits_beyond_what_is_declared() {
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..10_000 {
        let (some, others) = run_schedule(&mut Arithmetic::default(), seed, "", 40).await;
        (passed, refused) = (passed + some, refused + others);
    }
    assert!(passed > 100_000 && refused > 100_000, "{passed} passed, {refused} refused: schedules meet their limits");
}

#[tokio::test(start_paused = true)]
async fn the_store_in_memory_says_the_same() {
    for seed in 0..1_000 {
        let mut memory = Memory { store: MemoryStore::new(), last_us: None };
        run_schedule(&mut memory, seed, "", 40).await;
    }
}

//! The script that counts, judged by the exact oracle on a real Redis, with a time of the test's own; and its counts' lifetimes.

use std::time::Duration;

use bytes::Bytes;
use cache_engine::{
    ByteStore,
    contract::{
        rates::{CountsAt, run_schedule},
        until,
    },
    store::{CountReply, CountRequest, RateAlgorithm},
};
use cache_redis::{
    RedisStore,
    contract::{config, count_argument, count_replies, plain},
};
use fred::{
    clients::Client,
    interfaces::{ClientLike, KeysInterface, LuaInterface},
};

/// The script as it is, but for where it learns the time: `now` is the last argument. And the server's own clock, which goes at
/// another pace, must not end a count early.
fn script() -> String {
    let grace = "local GRACE_MS = 1000\n";
    let text = include_str!("../../src/scripts/count.lua");
    assert!(text.contains(grace));
    format!("local now = tonumber(ARGV[#ARGV])\n{}", text.replace(grace, "local GRACE_MS = 3600000\n"))
}

struct Scripted {
    hands: Client,
    script: String,
}

impl CountsAt for Scripted {
    async fn count(&mut self, requests: &[CountRequest<'_>], now_us: u64) -> Vec<CountReply> {
        let keys: Vec<&str> = requests.iter().map(|request| request.key).collect();
        let mut arguments: Vec<Bytes> = requests.iter().map(count_argument).collect();
        arguments.push(now_us.to_string().into());
        let answer: Bytes = self.hands.eval(self.script.clone(), keys, arguments).await.expect("Redis answers");
        count_replies(&answer).expect("an answer of whole replies, no number of which is negative")
    }
}

#[tokio::test]
async fn the_script_is_exact_and_never_over_admits_beyond_what_is_declared() {
    let hands = plain(dev_stack::test::redis().await.expect("a Redis for tests")).await;
    let mut redis = Scripted { hands, script: script() };
    let prefix = format!("{}:", dev_stack::test::unique_name("rates"));
    let (mut passed, mut refused) = (0, 0);
    for seed in 0..300 {
        let (some, others) = run_schedule(&mut redis, seed, &prefix, 40).await;
        (passed, refused) = (passed + some, refused + others);
    }
    assert!(passed > 3_000 && refused > 3_000, "{passed} passed, {refused} refused: schedules meet their limits");
}

/// A window ends when its count says so, not when the server forgets it.
#[tokio::test]
async fn a_count_outlives_its_window_by_the_grace() {
    let config = config(dev_stack::test::redis().await.expect("a Redis for tests"));
    let (store, hands) = (RedisStore::connect(&config).expect("a Redis URL"), plain(&config.url).await);
    until("a connection", async || store.state().iter().all(|pool| pool.connected)).await;
    let window = Duration::from_mins(10);
    for (algorithm, windows) in [(RateAlgorithm::FixedWindow, 0), (RateAlgorithm::SlidingWindow, 2)] {
        let key = format!("rate:{}", algorithm.as_str());
        let request = CountRequest { key: &key, algorithm, limit: 5, window, cost: 1, shadow: false };
        assert!(store.count(&[request]).await.expect("Redis answers")[0].allowed);
        let key = format!("{}{key}", config.key_prefix);
        let state: Bytes = hands.get(&key).await.expect("Redis answers");
        // The moment is the last of the numbers that the algorithm remembers.
        let at = if algorithm == RateAlgorithm::FixedWindow { 8 } else { 16 };
        let last = state[at..at + 8].try_into().map(i64::from_be_bytes).expect("a moment");
        let says_nothing_ms = last / 1000 + windows * 600_000;
        let forgotten_ms: i64 = hands.custom(fred::cmd!("PEXPIRETIME"), vec![key]).await.expect("Redis answers");
        let grace = forgotten_ms - says_nothing_ms;
        assert!((500..=1_001).contains(&grace), "{algorithm:?}: {grace} ms, {state:?}");
    }
}

/// What is no count is none: neither an error, which would leave the limit to each process alone, nor a number.
#[tokio::test]
async fn what_cannot_be_read_as_a_count_counts_for_nothing() {
    let config = config(dev_stack::test::redis().await.expect("a Redis for tests"));
    let (store, hands) = (RedisStore::connect(&config).expect("a Redis URL"), plain(&config.url).await);
    until("a connection", async || store.state().iter().all(|pool| pool.connected)).await;
    for algorithm in RateAlgorithm::ALL {
        for garbage in ["", "5:1764547200000000", "of more bytes than a state has"] {
            let key = format!("rate:{}:{}", algorithm.as_str(), garbage.len());
            let planted = format!("{}{key}", config.key_prefix);
            hands.set::<(), _, _>(planted, garbage, None, None, false).await.expect("Redis answers");
            let request =
                CountRequest { key: &key, algorithm, limit: 5, window: Duration::from_mins(1), cost: 1, shadow: false };
            let reply = store.count(&[request]).await.expect("the script runs")[0];
            assert!(reply.allowed && reply.remaining == 4, "{algorithm:?}, {garbage:?}: {reply:?}");
        }
    }
}

//! The order of each aggregate's events, whatever fails on the way.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Mutex,
};

use axum::{http::StatusCode, response::IntoResponse};
use uuid::Uuid;

use crate::{
    receiver::{Heard, Receiver},
    world::World,
};

/// For each aggregate the versions that were accepted, in the order they came, each once.
fn accepted_versions(heard: &[Heard]) -> BTreeMap<Uuid, Vec<u64>> {
    let mut versions: BTreeMap<Uuid, Vec<u64>> = BTreeMap::new();
    for heard in heard.iter().filter(|heard| heard.accepted()) {
        versions.entry(heard.aggregate()).or_default().push(heard.version());
    }
    versions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_each_aggregate_is_heard_in_order_and_whole() {
    const QUOTES: u128 = 12;
    const VERSIONS: u64 = 15;
    for seed in [1, 7] {
        let world = World::new().await;
        let chance = Mutex::new(fastrand::Rng::with_seed(seed));
        let receiver = Receiver::answering(move |_| {
            let roll = chance.lock().unwrap().u8(..10);
            match roll {
                0 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                1 => StatusCode::TOO_MANY_REQUESTS.into_response(),
                2 => StatusCode::BAD_REQUEST.into_response(),
                _ => StatusCode::OK.into_response(),
            }
        })
        .await;
        world.register(&receiver.callback).await;
        // Three processes share the work.
        let _working = [world.work(), world.work(), world.work()];
        for version in 1..=VERSIONS {
            for quote in 1..=QUOTES {
                world.quote_changed(Uuid::from_u128(quote), version).await;
            }
        }
        let whole = usize::try_from(QUOTES).unwrap() * usize::try_from(VERSIONS).unwrap();
        receiver.until_accepted(whole).await;
        world.until("select count(*) from quote.webhook_delivery", 0).await;
        let heard = receiver.heard();
        let expected: Vec<u64> = (1..=VERSIONS).collect();
        for (quote, versions) in accepted_versions(&heard) {
            assert_eq!(versions, expected, "quote {quote}, seed {seed}");
        }
        assert_eq!(heard.iter().filter(|heard| heard.accepted()).count(), whole);
        assert!(heard.len() > whole, "nothing failed: the test shows nothing");
        let before_its_turn = heard.iter().enumerate().find(|(at, one)| {
            let earlier: HashSet<u64> = heard[..*at]
                .iter()
                .filter(|it| it.accepted() && it.aggregate() == one.aggregate())
                .map(Heard::version)
                .collect();
            !(1..one.version()).all(|version| earlier.contains(&version))
        });
        assert!(before_its_turn.is_none(), "sent before its turn: {before_its_turn:?}");
    }
}

#[tokio::test]
async fn an_aggregate_that_fails_holds_up_no_other() {
    let world = World::new().await;
    let stuck = Uuid::from_u128(1);
    let receiver = Receiver::answering(move |heard| {
        let refused = heard.aggregate() == stuck && heard.version() >= 2;
        if refused { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }.into_response()
    })
    .await;
    let listener = world.register(&receiver.callback).await;
    let _working = world.work();
    for version in 1..=3 {
        for quote in 1..=10 {
            world.quote_changed(Uuid::from_u128(quote), version).await;
        }
    }
    receiver.until_accepted(28).await;
    world.until("select count(*) from quote.webhook_delivery", 2).await;
    assert_eq!(listener.waiting(&world).await, [11, 21]);
    let of_stuck: HashSet<u64> =
        receiver.heard().iter().filter(|heard| heard.aggregate() == stuck).map(Heard::version).collect();
    assert_eq!(of_stuck, HashSet::from([1, 2]), "the third waits for the second");
}

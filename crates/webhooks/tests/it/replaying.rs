//! Suspended, resumed, replayed, forgotten.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use axum::{
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Value, json};
use uuid::Uuid;
use webhooks::{Config, upkeep};

use crate::{
    receiver::Receiver,
    world::{HUB, Listener, World, config},
};

const SUSPENDED: &str = "select count(*) from quote.webhook_subscription where suspended_at is not null";
const NOTHING_WAITS: &str = "select count(*) from quote.webhook_delivery";

/// A receiver that answers what the number says.
async fn moody(mood: &Arc<AtomicU16>) -> Receiver {
    let mood = Arc::clone(mood);
    Receiver::answering(move |_| StatusCode::from_u16(mood.load(Ordering::SeqCst)).unwrap().into_response()).await
}

async fn state(world: &World, listener: &Listener) -> (Value, Value) {
    let now = listener.now(world).await.value();
    (now["state"].clone(), now["suspendedBecause"].clone())
}

#[tokio::test]
async fn who_fails_for_too_long_is_suspended_and_goes_on_where_it_stood() {
    let world = World::with(Config { suspend_after_secs: 0, ..config() }).await;
    let mood = Arc::new(AtomicU16::new(500));
    let receiver = moody(&mood).await;
    let listener = world.register(&receiver.callback).await;
    let _working = world.work();
    for version in 1..=3 {
        world.quote_changed(Uuid::from_u128(1), version).await;
    }
    world.until(SUSPENDED, 1).await;
    assert_eq!(state(&world, &listener).await, (json!("suspended"), json!("failing")));
    let sent = receiver.heard().len();
    for version in 4..=5 {
        world.quote_changed(Uuid::from_u128(1), version).await;
    }
    // Somebody else is served meanwhile, so the dispatcher has looked.
    let other = Receiver::start().await;
    world.register(&other.callback).await;
    world.quote_changed(Uuid::from_u128(2), 1).await;
    other.until_accepted(1).await;
    assert_eq!((receiver.heard().len(), receiver.accepted().len()), (sent, 0));
    mood.store(200, Ordering::SeqCst);
    listener.command(&world, "resume", &json!({})).await.expect(200);
    receiver.until_accepted(6).await;
    world.until(NOTHING_WAITS, 0).await;
    assert_eq!(
        receiver
            .accepted()
            .iter()
            .filter(|heard| heard.aggregate() == Uuid::from_u128(1))
            .map(crate::receiver::Heard::version)
            .collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    assert_eq!(state(&world, &listener).await, (json!("active"), Value::Null));
}

#[tokio::test]
async fn who_fails_for_less_is_not_suspended() {
    let world = World::new().await;
    let receiver = moody(&Arc::new(AtomicU16::new(500))).await;
    world.register(&receiver.callback).await;
    let _working = world.work();
    world.quote_changed(Uuid::from_u128(1), 1).await;
    receiver.until(|heard| heard.len() >= 5).await;
    assert_eq!(world.count(SUSPENDED).await, 0);
}

#[tokio::test]
async fn gone_suspends_at_once() {
    let world = World::new().await;
    let receiver = moody(&Arc::new(AtomicU16::new(410))).await;
    let listener = world.register(&receiver.callback).await;
    let _working = world.work();
    world.quote_changed(Uuid::from_u128(1), 1).await;
    world.until(SUSPENDED, 1).await;
    assert_eq!(state(&world, &listener).await, (json!("suspended"), json!("gone")));
    assert_eq!((receiver.heard().len(), listener.waiting(&world).await), (1, vec![1]));
}

#[tokio::test]
async fn a_receiver_that_asks_for_patience_gets_it_up_to_the_cap() {
    let world = World::with(Config { retry_base_ms: 2, retry_cap_ms: 600_000, ..config() }).await;
    let receiver =
        Receiver::answering(|_| (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "86400")]).into_response())
            .await;
    world.register(&receiver.callback).await;
    let _working = world.work();
    world.quote_changed(Uuid::from_u128(1), 1).await;
    let patient = "select count(*) from quote.webhook_delivery where last_status = 503
                   and due_at between clock_timestamp() + interval '9 minutes' and clock_timestamp() + interval '10 minutes'";
    world.until(patient, 1).await;
    assert_eq!(receiver.heard().len(), 1);
}

#[tokio::test]
async fn a_replay_sends_everything_from_a_number_on_once_more() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let listener = world.register(&receiver.callback).await;
    let _working = world.work();
    for version in 1..=6 {
        world.quote_changed(Uuid::from_u128(1), version).await;
    }
    receiver.until_accepted(6).await;
    world.until(NOTHING_WAITS, 0).await;
    listener.command(&world, "resume", &json!({ "fromSequence": 4 })).await.expect(200);
    receiver.until_accepted(9).await;
    world.until(NOTHING_WAITS, 0).await;
    assert_eq!(receiver.numbers(), [1, 2, 3, 4, 5, 6, 4, 5, 6]);
    let ids = |n: usize| receiver.heard()[n].header("webhook-id").to_owned();
    assert_eq!(ids(3), ids(6), "the same event has the same id");
    // From the next number on: nothing that is there already.
    listener.command(&world, "resume", &json!({ "fromSequence": 7 })).await.expect(200);
    world.quote_changed(Uuid::from_u128(1), 7).await;
    receiver.until_accepted(10).await;
    assert_eq!(receiver.numbers()[9..], [7]);
}

#[tokio::test]
async fn a_replay_may_begin_behind_what_the_receiver_will_never_take() {
    let world = World::new().await;
    let receiver = Receiver::answering(|heard| {
        if heard.sequence() == 2 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }.into_response()
    })
    .await;
    let listener = world.register(&receiver.callback).await;
    let _working = world.work();
    for version in 1..=3 {
        world.quote_changed(Uuid::from_u128(1), version).await;
    }
    receiver.until(|heard| heard.iter().filter(|heard| heard.sequence() == 2).count() >= 2).await;
    listener.command(&world, "resume", &json!({ "fromSequence": 3 })).await.expect(200);
    receiver.until_accepted(2).await;
    world.until(NOTHING_WAITS, 0).await;
    assert_eq!(receiver.numbers(), [1, 3]);
}

#[tokio::test]
async fn what_everybody_has_is_forgotten_and_what_somebody_lacks_is_not() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let listener = world.register(&receiver.callback).await;
    let working = world.work();
    for version in 1..=4 {
        world.quote_changed(Uuid::from_u128(1), version).await;
    }
    receiver.until_accepted(4).await;
    world.until(NOTHING_WAITS, 0).await;
    drop(working);
    // One who stands still after the second event.
    let slow = world.register("http://127.0.0.1:9/").await;
    let stand = format!(
        "update quote.webhook_subscription set position = 2, suspended_at = now(), suspended_because = 'gone' where id = '{}'",
        slow.id()
    );
    world.tamper(&stand).await;
    let forget = async |keep| upkeep::forget(&HUB, &world.work, keep).await.unwrap();
    assert_eq!(forget(Duration::from_hours(1)).await, 0, "nothing is old enough");
    assert_eq!(forget(Duration::ZERO).await, 2);
    assert_eq!(forget(Duration::ZERO).await, 0);
    let reply = listener.command(&world, "resume", &json!({ "fromSequence": 2 })).await;
    assert_eq!(reply.expect_problem(422, "invalid-request")["oldestSequence"], 3);
    let version = slow.now(&world).await.version();
    world.admin().request("DELETE".parse().unwrap(), &slow.path()).if_match(version).send().await.expect(204);
    assert_eq!(forget(Duration::ZERO).await, 2);
    assert_eq!(world.count("select oldest_sequence from quote.webhook_feed").await, 5);
    world.quote_changed(Uuid::from_u128(1), 5).await;
    assert_eq!(world.count("select max(sequence) from quote.webhook_event").await, 5, "numbers go on");
}

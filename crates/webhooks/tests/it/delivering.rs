//! From the log to the receiver: signed, filtered, untouched.

use axum::{
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    receiver::Receiver,
    world::{World, event},
};

const NOTHING_WAITS: &str = "select count(*) from quote.webhook_delivery";

#[tokio::test]
async fn an_event_is_sent_signed_and_acknowledged() {
    let world = World::new().await;
    let _working = world.work();
    let receiver = Receiver::start().await;
    let listener = world.register(&receiver.callback).await;
    let published = world.quote_changed(Uuid::from_u128(1), 1).await;
    receiver.until_accepted(1).await;
    let heard = receiver.heard().remove(0);
    assert_eq!(heard.header("content-type"), "application/cloudevents+json");
    assert_eq!(heard.header("webhook-id"), published.id.to_string());
    assert_eq!(heard.header("webhook-id"), heard.event["id"]);
    assert!(heard.is_signed_with(listener.secret()));
    assert!(!heard.is_signed_with("whsec_AAAA"));
    assert!(
        String::from_utf8_lossy(&heard.raw)
            .ends_with(&format!(",\"data\":{}}}", String::from_utf8_lossy(&published.data)))
    );
    assert_eq!((heard.sequence(), heard.version(), &heard.event["tenant"]), (1, 1, &json!("acme")));
    world.until(NOTHING_WAITS, 0).await;
    assert_eq!(receiver.heard().len(), 1);
}

#[tokio::test]
async fn the_same_event_again_changes_nothing() {
    let world = World::new().await;
    world.register("http://127.0.0.1:9/").await;
    let published = world.quote_changed(Uuid::from_u128(1), 1).await;
    let before = world.digest().await;
    world.hear(&published).await;
    assert_eq!(world.digest().await, before);
    world.quote_changed(Uuid::from_u128(1), 2).await;
    let numbers = "select count(*) from quote.webhook_event where sequence in (1, 2)";
    assert_eq!(
        (world.count(numbers).await, world.count("select max(sequence) from quote.webhook_event").await),
        (2, 2)
    );
}

#[tokio::test]
async fn nothing_is_written_for_who_does_not_listen() {
    let world = World::new().await;
    world.quote_changed(Uuid::from_u128(1), 1).await;
    assert_eq!(world.count("select count(*) from quote.webhook_event").await, 0);
    let listener = world.register("http://127.0.0.1:9/").await;
    world.hear(&event(&"other".parse().unwrap(), "QuoteChanged", Uuid::from_u128(2), 1)).await;
    assert_eq!(world.count("select count(*) from quote.webhook_event").await, 0);
    world.admin().request("DELETE".parse().unwrap(), &listener.path()).if_match(1).send().await.expect(204);
    world.quote_changed(Uuid::from_u128(1), 2).await;
    assert_eq!(world.count("select count(*) from quote.webhook_event").await, 0);
}

#[tokio::test]
async fn each_subscription_hears_what_it_asked_for_and_no_other_tenants_events() {
    let world = World::new().await;
    let (all, some, stranger) = (Receiver::start().await, Receiver::start().await, Receiver::start().await);
    world.register(&all.callback).await;
    world.register_for(&some.callback, "eventType=QuoteAccepted,QuoteExpired&aggregateType=quote").await;
    let other = "other".parse().unwrap();
    let body = json!({ "callback": stranger.callback });
    world.admin_of(&other).post(crate::world::PATH, &body).send().await.expect(201);
    let _working = world.work();
    for (version, event_type) in
        (1..).zip(["QuoteChanged", "QuoteAccepted", "QuoteChanged", "QuoteExpired", "QuoteChanged"])
    {
        world.hear(&event(&world.tenant, event_type, Uuid::from_u128(1), version)).await;
    }
    let of_a_customer = events::Envelope {
        aggregate_type: "customer".to_owned(),
        ..event(&world.tenant, "QuoteAccepted", Uuid::from_u128(2), 1)
    };
    world.hear(&of_a_customer).await;
    world.hear(&event(&other, "QuoteChanged", Uuid::from_u128(3), 1)).await;
    all.until_accepted(6).await;
    some.until_accepted(2).await;
    stranger.until_accepted(1).await;
    world.until(NOTHING_WAITS, 0).await;
    world.until("select count(*) from quote.webhook_subscription where tenant_id = 'acme' and position < 6", 0).await;
    let mut everything = all.numbers();
    everything.sort_unstable();
    assert_eq!((everything, some.numbers()), (vec![1, 2, 3, 4, 5, 6], vec![2, 4]));
    assert_eq!(
        stranger.heard().iter().map(|heard| heard.event["tenant"].clone()).collect::<Vec<_>>(),
        [json!("other")]
    );
    assert_eq!(stranger.numbers(), [1], "every tenant counts for himself");
}

#[tokio::test]
async fn the_old_secret_signs_beside_the_new_one_for_a_day() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let listener = world.register(&receiver.callback).await;
    let rotated = listener.command(&world, "secrets", &json!({})).await.expect(201);
    let new = rotated.value()["secret"].as_str().unwrap().to_owned();
    assert_ne!(new, listener.secret());
    assert!(rotated.value()["previousSecretUntil"].is_string());
    let _working = world.work();
    world.quote_changed(Uuid::from_u128(1), 1).await;
    receiver.until_accepted(1).await;
    let both = receiver.heard().remove(0);
    assert!(both.is_signed_with(&new) && both.is_signed_with(listener.secret()));
    world.tamper("update quote.webhook_subscription set previous_secret_until = clock_timestamp()").await;
    world.quote_changed(Uuid::from_u128(1), 2).await;
    receiver.until_accepted(2).await;
    let one = receiver.heard().remove(1);
    assert!(one.is_signed_with(&new) && !one.is_signed_with(listener.secret()));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_an_answer_is_read_in_part() {
    let world = World::new().await;
    let target = Receiver::start().await;
    let elsewhere = target.callback.clone();
    let receiver = Receiver::answering(move |_| {
        (StatusCode::FOUND, [(header::LOCATION, elsewhere.clone())], format!("go\0 {}", "away ".repeat(100_000)))
            .into_response()
    })
    .await;
    let listener = world.register(&receiver.callback).await;
    let _working = world.work();
    world.quote_changed(Uuid::from_u128(1), 1).await;
    receiver.until(|heard| heard.len() >= 2).await;
    let page = world.admin().get(&format!("{}/deliveries", listener.path())).send().await.expect(200).value();
    let item = &page["items"][0];
    assert_eq!((&item["lastStatus"], &item["sequence"]), (&json!(302), &json!(1)));
    let error = item["lastError"].as_str().unwrap();
    assert!(error.starts_with("answered 302: go away away") && error.len() < 400, "{error}");
    assert_eq!(target.heard().len(), 0);
}

#[tokio::test]
async fn an_address_is_checked_again_when_it_is_sent_to() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let by_name = receiver.callback.replace("127.0.0.1", "localhost");
    let (first, second) = (world.register(&receiver.callback).await, world.register(&by_name).await);
    // The installation stops allowing private addresses: what was registered before is not sent to either.
    let strict = World { config: webhooks::Config { allow_private_addresses: false, ..world.config.clone() }, ..world };
    let _working = strict.work();
    strict.quote_changed(Uuid::from_u128(1), 1).await;
    strict.until("select count(*) from quote.webhook_delivery where last_error like '%public address%'", 2).await;
    assert_eq!((first.waiting(&strict).await, second.waiting(&strict).await), (vec![1], vec![1]));
    assert_eq!(receiver.heard().len(), 0);
}

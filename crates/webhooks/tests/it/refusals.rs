//! Bad input: a precise answer, and nothing written.

use serde_json::{Value, json};
use uuid::Uuid;
use webhooks::Config;

use crate::world::{PATH, World, config};

async fn refused(world: &World, body: &Value) -> (Vec<String>, Value) {
    let reply = world.admin().post(PATH, body).send().await;
    let problem = reply.expect_problem(422, "invalid-request");
    (reply.pointers(), problem["errors"][0]["code"].clone())
}

#[tokio::test]
async fn a_bad_callback_is_refused_by_its_pointer() {
    let world = World::with(Config { allow_http: false, allow_private_addresses: false, ..config() }).await;
    let before = world.digest().await;
    let long = format!("https://1.1.1.1/{}", "x".repeat(2_000));
    for (callback, code) in [
        ("hook", "invalid-url"),
        ("http://1.1.1.1/", "scheme-not-allowed"),
        ("ftp://1.1.1.1/", "scheme-not-allowed"),
        ("https://user:word@1.1.1.1/", "user-info-not-allowed"),
        ("https://1.1.1.1/#x", "fragment-not-allowed"),
        ("https://127.0.0.1/", "address-not-allowed"),
        ("https://2130706433/", "address-not-allowed"),
        ("https://localhost/", "address-not-allowed"),
        ("https://10.1.2.3:8443/", "address-not-allowed"),
        ("https://169.254.169.254/latest/meta-data", "address-not-allowed"),
        ("https://[::1]/", "address-not-allowed"),
        ("https://[::ffff:8.8.8.8]/", "address-not-allowed"),
        ("https://[fd00::1]/", "address-not-allowed"),
        ("https://no-such-host.invalid/", "host-not-found"),
        ("", "length"),
        (&long, "length"),
    ] {
        let (pointers, found) = refused(&world, &json!({ "callback": callback })).await;
        assert_eq!((pointers, found), (vec!["/callback".to_owned()], json!(code)), "{callback}");
    }
    assert_eq!(world.digest().await, before);
    world.admin().post(PATH, &json!({ "callback": "https://1.1.1.1/hook" })).send().await.expect(201);
}

#[tokio::test]
async fn a_bad_filter_is_refused_by_its_pointer() {
    let world = World::new().await;
    let before = world.digest().await;
    let long = format!("eventType={}", "QuoteAccepted,".repeat(100));
    for (query, code) in [
        ("eventType=QuoteEaten", "unknown-event-type"),
        ("aggregateType=order", "unknown-aggregate-type"),
        ("state=open", "unknown-parameter"),
        (&long, "length"),
    ] {
        let (pointers, found) = refused(&world, &json!({ "callback": "http://127.0.0.1:9/", "query": query })).await;
        assert_eq!((pointers, found), (vec!["/query".to_owned()], json!(code)), "{query}");
    }
    let (pointers, _) = refused(&world, &json!({ "callback": "http://127.0.0.1:9/", "secret": "mine" })).await;
    assert_eq!(pointers, ["/secret"]);
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn commands_need_the_version_and_a_number_that_is_kept() {
    let world = World::new().await;
    let listener = world.register("http://127.0.0.1:9/").await;
    for version in 1..=3 {
        world.quote_changed(Uuid::from_u128(1), version).await;
    }
    world.tamper("delete from quote.webhook_event where sequence = 1").await;
    world.tamper("update quote.webhook_feed set oldest_sequence = 2").await;
    let before = world.digest().await;
    let path = listener.path();
    for command in ["/resume", "/secrets"] {
        let send = || world.admin().post(&format!("{path}{command}"), &json!({}));
        send().send().await.expect_problem(428, "precondition-required");
        send().if_match(7).send().await.expect_problem(412, "precondition-failed");
    }
    let delete = || world.admin().request("DELETE".parse().unwrap(), &path);
    delete().send().await.expect_problem(428, "precondition-required");
    delete().if_match(7).send().await.expect_problem(412, "precondition-failed");
    for from in [1, 5, i64::MAX] {
        let reply = listener.command(&world, "resume", &json!({ "fromSequence": from })).await;
        let problem = reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), ["/fromSequence"]);
        assert_eq!((&problem["oldestSequence"], &problem["nextSequence"]), (&json!(2), &json!(4)), "{from}");
    }
    for from in [json!(0), json!(-1), json!("2"), json!(1.5)] {
        let reply = listener.command(&world, "resume", &json!({ "fromSequence": from })).await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), ["/fromSequence"]);
    }
    world.admin().get(&format!("{path}/deliveries?cursor=x")).send().await.expect_problem(400, "invalid-cursor");
    world.admin().get(&format!("{PATH}?limit=0")).send().await.expect_problem(400, "invalid-query");
    world.admin().get(&format!("{PATH}/nobody")).send().await.expect_problem(404, "not-found");
    assert_eq!(world.digest().await, before);
}

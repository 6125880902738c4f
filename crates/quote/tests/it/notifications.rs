//! Notices: for the user concerned, after the commit, from a cursor, and honestly absent without a store.

use std::sync::Arc;

use cache_engine::{Engine, EngineConfig, NoStore};
use cache_ports::{
    UserKey,
    streams::{Notice, NoticeKind, keyspaces::UI_NOTICES},
};
use chrono::{DateTime, TimeDelta};
use events::{Guard, Reaction};
use kernel::{ManualClock, QuoteId, Version};
use quote::events::TellUsers;
use serde_json::{Value, json};
use service_runtime::{Role, testing::TestReply};
use uuid::Uuid;

use crate::{
    events::{apply, envelope},
    world::World,
};

async fn notices(world: &World, subject: &str, query: &str) -> TestReply {
    world.named(subject, Role::SalesRep).get(&format!("/quote/v1/notifications{query}")).send().await
}

fn kinds(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().unwrap().iter().map(|notice| notice["kind"].as_str().unwrap()).collect()
}

/// Tells at the moment when the tests' events happen, or so much later.
fn telling(world: &World, late: TimeDelta) -> TellUsers {
    let clock = ManualClock::starting_at(DateTime::UNIX_EPOCH + late);
    TellUsers::new(world.caches.notices.clone(), world.work.clone(), Arc::new(clock))
}

fn told(kind: NoticeKind, state: &str) -> Notice {
    let (quote_id, at) = (QuoteId::generate(), DateTime::UNIX_EPOCH);
    Notice { kind, quote_id, order_id: None, state: state.to_owned(), version: Version::FIRST, at }
}

#[tokio::test]
async fn the_creator_is_told_what_happened_to_the_quote_and_its_order() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let creator = quote.0["createdBy"].as_str().unwrap().to_owned();
    let id: Uuid = quote.id().parse().unwrap();
    let reaction = telling(&world, TimeDelta::zero());
    let fact = json!({ "revisionNo": 1, "revisionState": "approved" });
    apply(&world, &reaction, &envelope(&world.tenant, "QuoteApproved", id, 2, &fact)).await;
    let first = notices(&world, &creator, "").await.expect(200).value();
    assert_eq!((kinds(&first), &first["available"]), (vec!["quoteApproved"], &json!(true)));
    let told = &first["items"][0];
    assert_eq!((&told["quoteId"], &told["state"], &told["version"]), (&json!(id), &json!("approved"), &json!(2)));

    let order = Uuid::now_v7();
    let fact = json!({ "quoteId": id, "revisionNo": 1, "state": "completed" });
    apply(&world, &reaction, &envelope(&world.tenant, "OrderStateChanged", order, 3, &fact)).await;
    let after = format!("?cursor={}", first["nextCursor"].as_str().unwrap());
    let second = notices(&world, &creator, &after).await.expect(200).value();
    assert_eq!((kinds(&second), &second["items"][0]["orderId"]), (vec!["orderMoved"], &json!(order)));
    let all = notices(&world, &creator, "").await.expect(200).value();
    assert_eq!(kinds(&all), ["quoteApproved", "orderMoved"]);

    assert!(kinds(&notices(&world, "somebody-else", "").await.expect(200).value()).is_empty());
    let stranger = world.service.client(&"other".parse().unwrap(), &creator, &[Role::SalesRep]);
    let foreign = stranger.get("/quote/v1/notifications").send().await.expect(200).value();
    assert!(kinds(&foreign).is_empty(), "the same name in another tenant is another user");
}

#[tokio::test]
async fn only_what_a_user_should_look_at_is_told() {
    let world = World::new().await;
    let reaction = telling(&world, TimeDelta::zero());
    let told: Vec<&str> = [
        "QuoteChanged",
        "QuoteSubmitted",
        "QuoteApproved",
        "QuoteRejected",
        "QuotePresented",
        "QuoteAccepted",
        "QuoteExpired",
        "CustomerChanged",
        "OrderCreated",
        "OrderStateChanged",
        "OrderCancelled",
        "InvoiceHandoffRequested",
    ]
    .into_iter()
    .filter(|event_type| reaction.guard(event_type) != Guard::Ignore)
    .collect();
    let expected = [
        "QuoteApproved",
        "QuoteRejected",
        "QuoteAccepted",
        "QuoteExpired",
        "OrderCreated",
        "OrderStateChanged",
        "OrderCancelled",
    ];
    assert_eq!(told, expected);
    // Of a quote nobody knows nobody is told, and the event is over.
    let fact = json!({ "quoteId": Uuid::nil(), "state": "completed" });
    apply(&world, &reaction, &envelope(&world.tenant, "OrderCreated", Uuid::now_v7(), 1, &fact)).await;
}

/// After an outage, or to a consumer that begins with old facts.
#[tokio::test]
async fn what_happened_longer_ago_than_notices_are_kept_is_no_news() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let (creator, id) = (quote.0["createdBy"].as_str().unwrap(), quote.id().parse().unwrap());
    let kept = TimeDelta::from_std(UI_NOTICES.ttl.hard).unwrap();
    for (version, late, expected) in [(2, kept + TimeDelta::seconds(1), 0), (3, kept, 1)] {
        let fact = json!({ "revisionNo": 1, "revisionState": "approved" });
        apply(&world, &telling(&world, late), &envelope(&world.tenant, "QuoteApproved", id, version, &fact)).await;
        let answer = notices(&world, creator, "").await.expect(200).value();
        assert_eq!(kinds(&answer).len(), expected, "{late}");
    }
}

#[tokio::test]
async fn a_waiting_request_is_answered_when_something_happens() {
    let world = Arc::new(World::new().await);
    let (user, notice) = (UserKey::of(&world.tenant, "rep"), told(NoticeKind::QuoteApproved, "approved"));
    let waiting = tokio::spawn({
        let world = Arc::clone(&world);
        async move { notices(&world, "rep", "?waitSecs=10").await.expect(200).value() }
    });
    assert!(world.caches.notices.tell(&world.tenant, &user, &notice).await);
    assert_eq!(kinds(&waiting.await.unwrap()), ["quoteApproved"]);

    let nothing = notices(&world, "nobody", "?waitSecs=0").await.expect(200).value();
    assert!(kinds(&nothing).is_empty() && nothing["nextCursor"].is_null() && nothing["generatedAt"].is_string());
}

#[tokio::test]
async fn a_foreign_cursor_and_a_long_wait_are_refused() {
    let world = World::new().await;
    let (user, notice) = (UserKey::of(&world.tenant, "rep"), told(NoticeKind::QuoteExpired, "expired"));
    world.caches.notices.tell(&world.tenant, &user, &notice).await;
    let own = notices(&world, "rep", "").await.expect(200).value();
    let query = format!("?cursor={}", own["nextCursor"].as_str().unwrap());
    notices(&world, "rep", &query).await.expect(200);
    assert_eq!(notices(&world, "kim", &query).await.status.as_u16(), 400, "a cursor belongs to its user");
    for query in ["?waitSecs=11", "?waitSecs=-1", "?waitSecs=x", "?since=1"] {
        notices(&world, "rep", query).await.expect_problem(400, "invalid-query");
    }
}

#[tokio::test]
async fn without_a_store_the_answer_says_so_and_no_event_waits() {
    let caches = Engine::new(Arc::new(NoStore), EngineConfig::default()).caches();
    let world = World::over(caches).await;
    let quote = world.draft("1").await;
    let fact = json!({ "revisionNo": 1, "revisionState": "approved" });
    let event = envelope(&world.tenant, "QuoteApproved", quote.id().parse().unwrap(), 2, &fact);
    apply(&world, &telling(&world, TimeDelta::zero()), &event).await;
    let answer = notices(&world, "rep", "?waitSecs=10").await.expect(200).value();
    assert_eq!(
        (&answer["items"], &answer["available"], &answer["pollAfterSecs"]),
        (&json!([]), &json!(false), &json!(15))
    );
}

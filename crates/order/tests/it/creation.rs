//! One order for one accepted revision, whichever way and however often it is asked for.

use chrono::{DateTime, Utc};
use events::{Envelope, Guard, Reaction, ReactionError};
use futures::{StreamExt, stream};
use kernel::{EventId, TenantId, Version};
use order::events::OrderAccepted;
use serde_json::{Value, json};
use service_runtime::TenantTx;
use uuid::Uuid;

use crate::world::{Order, World, acceptance};

fn accepted_event(tenant: &TenantId, quote: Uuid, data: &Value) -> Envelope {
    Envelope {
        id: EventId::generate(),
        source: "/quoin/quote".to_owned(),
        event_type: "QuoteAccepted".to_owned(),
        schema_version: 1,
        tenant: tenant.clone(),
        aggregate_type: "quote".to_owned(),
        aggregate_id: quote,
        aggregate_version: Version::new(5),
        occurred_at: DateTime::<Utc>::UNIX_EPOCH,
        correlation_id: Some("because".to_owned()),
        causation_id: None,
        traceparent: None,
        data: data.to_string().into(),
    }
}

async fn react(world: &World, event: &Envelope) -> Result<(), ReactionError> {
    let mut tx = TenantTx::begin(&world.work, &event.tenant).await.unwrap();
    OrderAccepted::new(3).apply(&mut tx, event).await?;
    tx.commit().await.unwrap();
    Ok(())
}

#[tokio::test]
async fn an_order_carries_what_was_accepted_with_its_plan_and_one_event() {
    let world = World::new().await;
    let quote = world.accepted(&[("2", "20.00"), ("1.5", "7.25")]);
    let reply = world.order(quote, "k").await.expect(201);
    let order = Order(reply.value());
    assert_eq!(reply.header("location"), order.path());
    assert_eq!((reply.version(), order.state()), (1, "acknowledged"));
    assert_eq!((&order.0["total"]["amount"], order.credited()), (&json!("27.25"), "0.00"));
    assert_eq!(order.0["items"][1]["quantity"], "1.5");
    assert_eq!(order.0["invoiceHandoff"]["state"], "pending");
    assert_eq!(order.tasks(), [("reserve", "ready"), ("provision", "planned"), ("handoff", "planned")]);
    assert_eq!(order.task("provision")["dependsOn"], json!([order.task("reserve")["id"]]));
    assert_eq!(world.read(&order).await.0, order.0);
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn a_revision_ordered_again_is_the_same_order() {
    let world = World::new().await;
    let quote = world.accepted(&[("1", "10.00")]);
    let first = world.order(quote, "k1").await.expect(201);
    let replay = world.order(quote, "k1").await.expect(201);
    assert_eq!((replay.header("idempotency-replayed"), replay.value()), ("true", first.value()));
    let before = world.digest().await;
    let other_key = world.order(quote, "k2").await.expect(200);
    assert_eq!(other_key.value()["id"], first.value()["id"]);
    let after = world.digest().await;
    let changed: Vec<_> = before.iter().zip(&after).filter(|(one, two)| one != two).map(|(one, _)| &one.0).collect();
    assert_eq!(changed, ["idempotency_record"], "only the second key was remembered");
}

#[tokio::test]
async fn the_event_and_the_request_make_one_order_whoever_comes_first() {
    let world = World::new().await;
    let quote = world.accepted(&[("1", "10.00")]);
    let event = accepted_event(&world.tenant, quote, &acceptance(quote, &[("1", "10.00")]));
    react(&world, &event).await.unwrap();
    react(&world, &event).await.unwrap();
    let reply = world.order(quote, "k").await.expect(200);
    assert_eq!(world.count("select count(*) from \"order\".product_order").await, 1);
    assert_eq!(world.count("select count(*) from \"order\".outbox where correlation_id = 'because'").await, 1);
    assert_eq!(world.read(&Order(reply.value())).await.0["quoteId"], json!(quote));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_and_events_at_once_are_one_order() {
    let world = World::new().await;
    let quote = world.accepted(&[("1", "10.00")]);
    let event = accepted_event(&world.tenant, quote, &acceptance(quote, &[("1", "10.00")]));
    let ask_with = |n: u32| {
        let (world, key) = (&world, if n.is_multiple_of(2) { "same".to_owned() } else { n.to_string() });
        async move { world.order(quote, &key).await }
    };
    let ask = stream::iter(0..100).map(ask_with);
    let hear = stream::iter(0..20).map(|_| react(&world, &event));
    let (replies, reactions) =
        tokio::join!(ask.buffer_unordered(16).collect::<Vec<_>>(), hear.buffer_unordered(4).collect::<Vec<_>>());
    let ids: std::collections::BTreeSet<String> = replies
        .iter()
        .filter(|reply| reply.status.is_success())
        .map(|reply| reply.value()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ids.len(), 1);
    assert!(replies.iter().all(|reply| reply.status.is_success() || [409, 503].contains(&reply.status.as_u16())));
    assert!(reactions.iter().all(Result::is_ok));
    assert_eq!(world.count("select count(*) from \"order\".product_order").await, 1);
    assert_eq!(world.count("select count(*) from \"order\".outbox").await, 1);
    assert_eq!(world.count("select count(*) from \"order\".task").await, 3);
}

#[tokio::test]
async fn an_event_that_contradicts_itself_makes_no_order() {
    let world = World::new().await;
    let quote = Uuid::now_v7();
    let mut wrong_sum = acceptance(quote, &[("1", "10.00")]);
    wrong_sum["total"]["amount"] = json!("9.99");
    let no_lines = acceptance(quote, &[]);
    let other_quote = acceptance(Uuid::now_v7(), &[("1", "10.00")]);
    for data in [wrong_sum, no_lines, other_quote, json!({ "quoteId": quote })] {
        let refused = react(&world, &accepted_event(&world.tenant, quote, &data)).await.unwrap_err();
        assert!(matches!(refused, ReactionError::Poison(_)), "{refused:?}");
    }
    assert_eq!(world.count("select count(*) from \"order\".product_order").await, 0);
}

#[tokio::test]
async fn what_was_not_accepted_cannot_be_ordered() {
    let world = World::new().await;
    let before = world.digest().await;
    let reply = world.order(Uuid::now_v7(), "k").await;
    reply.expect_problem(422, "invalid-request");
    assert_eq!(reply.pointers(), ["/quoteId"]);
    let quote = world.accepted(&[("1", "10.00")]);
    let body = json!({ "quoteId": quote, "revisionNo": 2 });
    world.rep().post("/order/v1/orders", &body).key("k").send().await.expect_problem(422, "invalid-request");
    world.neighbours.books().acceptances.get_mut(&(quote, 1)).unwrap()["total"]["amount"] = json!("1.00");
    world.order(quote, "k").await.expect_problem(502, "upstream-failed");
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn the_reaction_listens_to_accepted_quotes_only() {
    let reaction = OrderAccepted::new(3);
    assert_eq!((reaction.consumer(), reaction.topics()), ("order.quotes", &["quoin.quote.v1"][..]));
    assert_eq!(reaction.guard("QuoteAccepted"), Guard::EveryOnce);
    assert_eq!(reaction.guard("QuoteChanged"), Guard::Ignore);
}

//! The offer: presented, accepted exactly once, or over.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use quote::{model::Acceptance, workers::expire_overdue};
use serde_json::{Value, json};
use service_runtime::Role;

use crate::world::{Quote, World};

#[tokio::test]
async fn an_accepted_offer_is_the_right_to_one_order_and_one_event_tells_it_all() {
    let world = World::new().await;
    let offer = world.presented("3").await;
    assert!(offer.revision()["validUntil"].is_string());
    let accepted = Quote(offer.accept(&world.buyer(), "k").await.expect(200).value());
    assert_eq!((accepted.state(), &accepted.0["state"]), ("accepted", &json!("open")));

    let path = format!("{}/acceptance", offer.revision_path());
    let acceptance: Acceptance = world.client(Role::System).get(&path).send().await.expect(200).json();
    assert_eq!(acceptance.total.to_string(), "30.00 EUR");
    assert_eq!((acceptance.items.len(), acceptance.items[0].amount.to_string()), (1, "30.00 EUR".to_owned()));
    assert_eq!(
        (acceptance.accepted_by.as_str(), acceptance.content_hash.to_string().as_str()),
        ("buyer", offer.hash())
    );
    let sql = "select payload from quote.outbox where event_type = 'QuoteAccepted'";
    let payload: Vec<u8> = sqlx::query_scalar(sql).fetch_one(&world.owner).await.unwrap();
    assert_eq!(serde_json::from_slice::<Acceptance>(&payload).unwrap(), acceptance);
}

#[tokio::test]
async fn an_acceptance_names_the_content_and_needs_a_key() {
    let world = World::new().await;
    let offer = world.presented("1").await;
    let path = format!("{}/accept", offer.revision_path());
    let before = world.digest().await;
    let body = json!({ "contentHash": offer.hash() });
    world.buyer().post(&path, &body).send().await.expect_problem(400, "idempotency-key-required");
    let other = json!({ "contentHash": "1".repeat(64) });
    offer.with_key(&world.buyer(), "accept", "k", &other).await.expect_problem(409, "content-changed");
    let reply = offer.with_key(&world.buyer(), "accept", "k", &json!({ "contentHash": "xyz" })).await;
    reply.expect_problem(422, "invalid-request");
    assert_eq!(reply.pointers(), ["/contentHash"]);
    world.client(Role::Approver).post(&path, &body).key("k").send().await.expect_problem(403, "forbidden");
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn only_a_firm_offer_can_be_accepted() {
    let world = World::new().await;
    let mut body = crate::world::new_quote(&[crate::world::line(1, "1")]);
    body["level"] = json!("budgetary");
    let rep = world.rep();
    let draft = Quote(rep.post("/quote/v1/quotes", &body).send().await.expect(201).value());
    let offer = draft.then(&rep, "price").await.then(&rep, "submit").await.then(&rep, "present").await;
    offer.accept(&world.buyer(), "k").await.expect_problem(409, "not-firm");
}

#[tokio::test]
async fn the_databases_clock_decides_whether_an_offer_stands_though_no_sweeper_came() {
    let world = World::new().await;
    let offer = world.presented("1").await;
    world.tamper("update quote.revision set valid_until = clock_timestamp() - interval '1 second'").await;
    let before = world.digest().await;
    offer.accept(&world.buyer(), "k").await.expect_problem(409, "offer-expired");
    assert_eq!(world.digest().await, before);
    assert_eq!(offer.again(&world.buyer()).await.state(), "expired", "a reader is told, too");
}

#[tokio::test]
async fn the_sweeper_ends_overdue_offers_of_every_tenant_once_and_no_other() {
    let world = World::new().await;
    let overdue = world.presented("1").await;
    let standing = world.presented("1").await;
    let sql = format!(
        "update quote.revision set valid_until = clock_timestamp() - interval '1 day' where quote_id = '{}'",
        overdue.id()
    );
    world.tamper(&sql).await;
    assert_eq!(expire_overdue(&world.work).await.unwrap(), 1);
    assert_eq!(expire_overdue(&world.work).await.unwrap(), 0);
    assert_eq!(world.count("select count(*) from quote.outbox where event_type = 'QuoteExpired'").await, 1);
    assert_eq!(world.count("select count(*) from quote.revision where state = 'expired'").await, 1);
    assert_eq!(standing.again(&world.buyer()).await.state(), "presented");
    let problem = overdue.accept(&world.buyer(), "k").await.expect_problem(409, "illegal-transition");
    assert_eq!(problem["allowed"], json!(["revisions", "lose"]));
}

#[tokio::test]
async fn a_tampered_offer_cannot_be_accepted() {
    let world = World::new().await;
    let offer = world.presented("1").await;
    world.tamper("update quote.item set amount = 1").await;
    offer.accept(&world.buyer(), "k").await.expect_problem(500, "internal-error");
    assert_eq!(world.count("select count(*) from quote.acceptance").await, 0);
}

/// 1,000 acceptances of one offer, ten for each of a hundred keys, sixty-four at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_parallel_accepts_are_one_acceptance() {
    let world = World::new().await;
    let offer = world.presented("1").await;
    let buyer = world.buyer();
    let accept = |n: u32| {
        let (offer, buyer) = (offer.clone(), buyer.clone());
        async move {
            let key = format!("key-{}", n % 100);
            (key.clone(), offer.accept(&buyer, &key).await)
        }
    };
    let replies: Vec<_> = stream::iter(0..1_000).map(accept).buffer_unordered(64).collect().await;

    let mut bodies: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut refused = 0;
    for (key, reply) in replies {
        match reply.status.as_u16() {
            200 => bodies.entry(key).or_default().push(reply.value()),
            // Another key has it, or the same key is still at work, or too many wait for the one row.
            409 | 503 => refused += 1,
            _ => panic!("{} {}", reply.status, reply.text()),
        }
    }
    assert_eq!(bodies.len(), 1, "exactly one key has accepted");
    let answers = bodies.into_values().next().unwrap();
    assert!(answers.iter().all(|body| *body == answers[0]), "every repetition got the same answer");
    assert_eq!(answers.len() + refused, 1_000);
    assert_eq!(world.count("select count(*) from quote.acceptance").await, 1);
    assert_eq!(world.count("select count(*) from quote.outbox where event_type = 'QuoteAccepted'").await, 1);
    assert_eq!(world.count("select count(*) from quote.history where to_state = 'accepted'").await, 1);
    assert_eq!(
        world
            .count(
                "select max(version) - count(*) from quote.outbox o join quote.quote q on q.quote_id = o.aggregate_id"
            )
            .await,
        0
    );
}

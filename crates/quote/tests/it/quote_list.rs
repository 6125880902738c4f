//! The quote list: it says what the quotes say, with the names of their customers and the states of their orders.

use std::{sync::Arc, time::Duration};

use events::{Envelope, Finish, InProcessBus, LeaseTimes, Projected, Projection, Publisher, Rebuild, Rebuilt};
use kernel::Version;
use quote::events::QuoteList;
use serde_json::{Value, json};
use service_runtime::Role;
use sqlx::Row;
use uuid::Uuid;

use crate::{
    events::{apply, envelope},
    world::{World, line, new_quote},
};

const LEASE: LeaseTimes = LeaseTimes { ttl: Duration::from_millis(1_500), renew_every: Duration::from_millis(300) };

/// Everything the service published, in order.
async fn outbox(world: &World) -> Vec<Envelope> {
    let rows = sqlx::query("select * from quote.outbox order by seq").fetch_all(&world.owner).await.unwrap();
    let event = |row: sqlx::postgres::PgRow| Envelope {
        id: row.get::<Uuid, _>("event_id").into(),
        event_type: row.get("event_type"),
        aggregate_type: row.get("aggregate_type"),
        aggregate_version: Version::from_i64(row.get("aggregate_version")),
        occurred_at: row.get("occurred_at"),
        data: row.get::<Vec<u8>, _>("payload").into(),
        ..envelope(&world.tenant, "", row.get("aggregate_id"), 1, &Value::Null)
    };
    rows.into_iter().map(event).collect()
}

/// Puts all of it into the list that is read.
async fn project(world: &World, events: &[Envelope]) {
    let live = Projected::live("quote", Arc::new(QuoteList));
    for event in events.iter().filter(|event| QuoteList.follows(&event.event_type)) {
        apply(world, &live, event).await;
    }
}

async fn rebuild(world: &World, bus: &InProcessBus, finish: Finish) -> Rebuilt {
    let rebuild = Rebuild::new(world.work.clone(), "quote", Arc::new(QuoteList), LEASE);
    rebuild.run(bus.source(), finish, |_, _| ()).await.unwrap()
}

async fn read(world: &World, role: Role, path: &str) -> Vec<Value> {
    let page = world.client(role).get(path).send().await.expect(200).value();
    page["items"].as_array().unwrap().clone()
}

/// Quotes at every stage, one of them for a customer.
async fn negotiate(world: &World) -> (Uuid, String) {
    world.draft("1").await;
    world.in_approval().await;
    let offer = world.presented("2").await;
    let path = format!("{}/revisions", offer.path());
    world.rep().request("POST".parse().unwrap(), &path).if_match(offer.version()).send().await.expect(200);
    let changes = world.presented("3").await;
    changes.then(&world.buyer(), "request-changes").await;
    let accepted = world.presented("4").await;
    accepted.accept(&world.buyer(), "k").await.expect(200);
    let item = json!({ "externalId": "C1", "name": "Zimt & Söhne" });
    let made = world.rep().post("/quote/v1/imports/customers", &json!({ "items": [item] })).send().await.expect(200);
    let customer: Uuid = made.value()["items"][0]["customerId"].as_str().unwrap().parse().unwrap();
    let mut body = new_quote(&[line(1, "1")]);
    body["customerId"] = json!(customer);
    world.rep().post("/quote/v1/quotes", &body).send().await.expect(201);
    (customer, accepted.id().to_owned())
}

#[tokio::test]
async fn the_list_says_what_the_quotes_say_at_every_stage() {
    let world = World::new().await;
    let (customer, accepted) = negotiate(&world).await;
    let events = outbox(&world).await;
    project(&world, &events).await;
    let order = Uuid::now_v7();
    let fact = |state: &str| json!({ "quoteId": accepted, "revisionNo": 1, "state": state });
    let orders = [
        envelope(&world.tenant, "OrderStateChanged", order, 2, &fact("completed")),
        envelope(&world.tenant, "OrderCreated", order, 1, &fact("acknowledged")),
    ];
    project(&world, &orders).await;
    for role in [Role::SalesRep, Role::Buyer] {
        let quotes = read(&world, role, "/quote/v1/quotes").await;
        let mut listed = read(&world, role, "/quote/v1/quote-list").await;
        assert_eq!(listed[0]["customerName"], "Zimt & Söhne");
        let ordered = listed.iter().find(|line| line["id"] == accepted.as_str()).unwrap();
        assert_eq!(
            (&ordered["orderState"], &ordered["orderId"]),
            (&json!("completed"), &json!(order)),
            "not the older one"
        );
        for line in &mut listed {
            let line = line.as_object_mut().unwrap();
            for known_elsewhere in ["customerName", "orderId", "orderState"] {
                line.remove(known_elsewhere);
            }
        }
        assert_eq!((listed.len(), listed), (6, quotes), "{role}");
    }
    let discounts =
        |lines: &[Value]| lines.iter().filter(|line| line["totals"].get("discountPercent").is_some()).count();
    assert!(discounts(&read(&world, Role::SalesRep, "/quote/v1/quote-list").await) > 0);
    assert_eq!(
        discounts(&read(&world, Role::Buyer, "/quote/v1/quote-list").await),
        0,
        "how a price came about is hidden"
    );

    let cases = [
        (format!("?customerId={customer}"), 1),
        ("?customerName=ZIMT%20%26".to_owned(), 1),
        ("?customerName=%25".to_owned(), 0),
        ("?createdFrom=2020-01-01T00:00:00Z&limit=100".to_owned(), 6),
        ("?createdBefore=2020-01-01T00:00:00Z".to_owned(), 0),
    ];
    for (query, expected) in cases {
        assert_eq!(
            read(&world, Role::SalesRep, &format!("/quote/v1/quote-list{query}")).await.len(),
            expected,
            "{query}"
        );
    }
    world.rep().get("/quote/v1/quote-list?customerName=").send().await.expect(400);
    let stranger = world.service.client(&"other".parse().unwrap(), "rep", &[Role::SalesRep]);
    let foreign = stranger.get("/quote/v1/quote-list").send().await.expect(200).value();
    assert!(foreign["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_rebuild_makes_the_same_list_and_finds_what_was_changed_behind_its_back() {
    let world = World::new().await;
    negotiate(&world).await;
    let events = outbox(&world).await;
    project(&world, &events).await;
    let bus = InProcessBus::new();
    bus.publish("quoin.quote.v1", &events).await.unwrap();
    let sound = rebuild(&world, &bus, Finish::Compare).await;
    assert_eq!((sound.differences, sound.rows, sound.skipped), (vec![], 7, 0));
    let listed = read(&world, Role::SalesRep, "/quote/v1/quote-list").await;
    world.tamper("update quote.quote_list set state = 'lost'").await;
    world.tamper("delete from quote.quote_list_customer").await;
    let rebuilt = rebuild(&world, &bus, Finish::Switch).await;
    let found: Vec<_> =
        rebuilt.differences.iter().map(|found| (found.table, found.kind.as_str(), found.rows)).collect();
    assert_eq!(found, [("quote_list", "content", 6), ("quote_list_customer", "missing", 1)]);
    assert_eq!(read(&world, Role::SalesRep, "/quote/v1/quote-list").await, listed);
    // Everything again, into the build that is read now: nothing is news.
    project(&world, &events).await;
    assert_eq!(read(&world, Role::SalesRep, "/quote/v1/quote-list").await, listed);
}

//! The order list: it says what the orders say, with names, whatever comes twice, late or in between.

use serde_json::{Value, json};
use service_runtime::Role;
use uuid::Uuid;

use crate::{
    listing::{Listing, named, outbox, rows, tamper, until},
    world::World,
};

/// The customer of every order of these tests.
const CUSTOMER: Uuid = Uuid::from_u128(77);

/// Orders of every kind: completed, cancelled in whole and in part, under way.
pub async fn busy(world: &World) {
    let lines: &[(&str, &str)] = &[("2", "20.00"), ("1", "5.00")];
    world.completed(lines).await;
    let part = world.completed(lines).await;
    let items = json!([{ "orderItemId": part.item(0), "quantity": "1" }]);
    world.cancel(&part, &json!({ "reason": "broken", "items": items }), "part").await.expect(201);
    let whole = world.ordered(lines).await;
    world.runner("one").round().await.unwrap();
    world.cancel(&whole, &json!({ "reason": "changed my mind" }), "whole").await.expect(201);
    world.settle().await;
    world.ordered(lines).await;
}

async fn listed(world: &World, query: &str) -> Value {
    world.rep().get(&format!("/order/v1/order-list{query}")).send().await.expect(200).value()
}

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_says_what_the_orders_say_with_the_names_of_their_customers() {
    let world = World::new().await;
    let mut listing = Listing::start(&world);
    assert!(ids(&listed(&world, "").await).is_empty());
    busy(&world).await;
    listing.tell(&world).await;
    listing.caught_up(&world).await;
    let orders = world.rep().get("/order/v1/orders").send().await.expect(200).value();
    let page = listed(&world, "").await;
    assert!(page["items"][0].get("customerName").is_none(), "nobody has said it yet: {page}");
    listing.name(CUSTOMER, 1, "Ärger & Söhne").await;
    listing.caught_up(&world).await;
    let mut page = listed(&world, "").await;
    for item in page["items"].as_array_mut().unwrap() {
        let item = item.as_object_mut().unwrap();
        assert_eq!(item.remove("customerName"), Some(json!("Ärger & Söhne")));
        assert_eq!(item.remove("itemCount"), Some(json!(2)));
    }
    assert_eq!((page["items"].as_array().unwrap().len(), &page["items"]), (4, &orders["items"]));
    let states: Vec<_> =
        orders["items"].as_array().unwrap().iter().map(|order| order["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["acknowledged", "cancelled", "completed", "completed"], "of every kind");
    listing.name(CUSTOMER, 2, "Zimt").await;
    // The same fact again, and an older one: neither is news.
    listing.name(CUSTOMER, 1, "Ärger & Söhne").await;
    listing.caught_up(&world).await;
    assert_eq!(listed(&world, "").await["items"][3]["customerName"], "Zimt");
    listing.stop().await;
}

#[tokio::test]
async fn a_name_that_came_before_its_order_is_there_when_the_order_comes() {
    let world = World::new().await;
    let mut listing = Listing::start(&world);
    listing.name(CUSTOMER, 1, "Zimt").await;
    listing.caught_up(&world).await;
    world.ordered(&[("1", "10.00")]).await;
    listing.tell(&world).await;
    listing.caught_up(&world).await;
    assert_eq!(listed(&world, "").await["items"][0]["customerName"], "Zimt");
    listing.stop().await;
}

#[tokio::test]
async fn the_list_is_filtered_and_paged_and_says_how_fresh_it_is() {
    let world = World::new().await;
    let mut listing = Listing::start(&world);
    busy(&world).await;
    listing.tell(&world).await;
    listing.name(CUSTOMER, 1, "50%_Zimt").await;
    listing.caught_up(&world).await;
    let all = listed(&world, "").await;
    let all = ids(&all);
    let customer = format!("?customerId={CUSTOMER}");
    let cases = [
        ("?state=completed", 2),
        (customer.as_str(), 4),
        ("?customerId=00000000-0000-0000-0000-000000000001", 0),
        ("?customerName=50%25_zI", 4),
        ("?customerName=_", 0),
        ("?customerName=Zimt", 0),
        ("?createdFrom=2026-01-01T00:00:00Z", 4),
        ("?createdBefore=2026-01-01T00:00:00Z", 0),
        ("?state=completed&customerName=50", 2),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&listed(&world, query).await).len(), expected, "{query}");
    }
    let (mut paged, mut query) = (Vec::new(), "?limit=3".to_owned());
    for expected in [3, 1] {
        let page = listed(&world, &query).await;
        assert_eq!(ids(&page).len(), expected);
        paged.extend(ids(&page).into_iter().map(str::to_owned));
        query = format!("?limit=3&cursor={}", page["nextCursor"].as_str().unwrap_or_default());
    }
    assert_eq!(paged, all, "pages neither skip nor repeat");
    for refused in ["?name=x", "?customerName=", "?createdFrom=%2B12026-01-01T00:00:00Z", "?state=done", "?cursor=x"] {
        world.rep().get(&format!("/order/v1/order-list{refused}")).send().await.expect(400);
    }
    until("it is known how fresh it is", async || listed(&world, "").await["asOf"].is_string()).await;
    listing.stop().await;
}

#[tokio::test]
async fn another_tenant_sees_an_empty_list_and_a_stranger_to_orders_none() {
    let world = World::new().await;
    let mut listing = Listing::start(&world);
    busy(&world).await;
    listing.tell(&world).await;
    listing.name(CUSTOMER, 1, "Zimt").await;
    listing.name_elsewhere(CUSTOMER).await;
    listing.caught_up(&world).await;
    assert_eq!(listed(&world, "?customerName=zimt").await["items"].as_array().unwrap().len(), 4);
    let stranger = world.service.client(&"other".parse().unwrap(), "rep", &[Role::SalesRep]);
    let list = stranger.get("/order/v1/order-list").send().await.expect(200).value();
    assert!(ids(&list).is_empty());
    world.client(Role::CatalogAdmin).get("/order/v1/order-list").send().await.expect(403);
    let serve = sqlx::PgPool::connect(&world.database.service_url("order_serve")).await.unwrap();
    let seen: i64 = sqlx::query_scalar("select count(*) from \"order\".order_list").fetch_one(&serve).await.unwrap();
    assert_eq!(seen, 0, "without a tenant nothing is shown");
    let wrote = sqlx::query("update \"order\".order_list set total = 0").execute(&serve).await;
    assert!(wrote.is_err(), "whoever answers requests does not write the list");
    let removed = sqlx::query("delete from \"order\".order_list").execute(&world.work).await.unwrap();
    assert_eq!(removed.rows_affected(), 0, "no worker removes what is read without its tenant");
    listing.stop().await;
}

#[tokio::test]
async fn everything_twice_and_shuffled_between_keys_gives_the_same_rows() {
    let world = World::new().await;
    let mut listing = Listing::start(&world);
    busy(&world).await;
    listing.tell(&world).await;
    listing.name(CUSTOMER, 1, "Ärger").await;
    listing.name(CUSTOMER, 2, "Zimt").await;
    listing.caught_up(&world).await;
    let expected = rows(&world).await;
    assert_eq!(expected.len(), 5);
    listing.stop().await;
    let mut history = outbox(&world).await;
    history.extend([named("acme", CUSTOMER, 1, "Ärger"), named("acme", CUSTOMER, 2, "Zimt")]);
    for (seed, keep_rows) in [(1, true), (2, true), (3, false), (4, false)] {
        // The consumer forgets everything; with its rows gone too it begins from nothing.
        tamper(&world, "delete from \"order\".consumer_applied where consumer = 'order.order-list'").await;
        tamper(&world, "delete from \"order\".consumer_position where consumer = 'order.order-list'").await;
        if !keep_rows {
            tamper(&world, "delete from \"order\".order_list").await;
            tamper(&world, "delete from \"order\".order_list_customer").await;
        }
        let listing = Listing::start(&world);
        let twice: Vec<_> = history.iter().chain(&history).cloned().collect();
        listing.publish_by_topic(&shuffled_between_keys(twice, seed)).await;
        listing.caught_up(&world).await;
        assert_eq!(rows(&world).await, expected, "seed {seed}");
        listing.stop().await;
    }
}

/// The same events with the keys in another order, each key's own order kept.
fn shuffled_between_keys(events: Vec<events::Envelope>, seed: u64) -> Vec<events::Envelope> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut queues: std::collections::BTreeMap<String, std::collections::VecDeque<_>> =
        std::collections::BTreeMap::default();
    for event in events {
        queues.entry(event.key()).or_default().push_back(event);
    }
    let mut keys: Vec<String> = queues.iter().flat_map(|(key, events)| vec![key.clone(); events.len()]).collect();
    random.shuffle(&mut keys);
    keys.into_iter().filter_map(|key| queues.get_mut(&key)?.pop_front()).collect()
}

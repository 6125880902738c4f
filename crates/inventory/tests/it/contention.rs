//! Many buyers, few units.

use futures::{StreamExt, stream};
use serde_json::json;

use crate::world::{World, line};

const BUYERS: usize = 1_000;
const UNITS: usize = 100;
const AT_ONCE: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_parallel_buyers_of_a_hundred_units_get_exactly_a_hundred() {
    let world = World::start().await;
    let product = world.product(&UNITS.to_string()).await;
    let statuses: Vec<u16> = stream::iter(0..BUYERS)
        .map(|buyer| {
            let items = json!([line("1", product, "1")]);
            let world = &world;
            async move { world.reserve(&format!("order-{buyer}"), items).await.status.as_u16() }
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let count = |status| statuses.iter().filter(|answered| **answered == status).count();
    assert_eq!((count(201), count(409)), (UNITS, BUYERS - UNITS), "the rest answered otherwise");
    assert_eq!(world.stock(product).await, ["100", "100", "0"]);
    world.expect_reconciled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_over_the_same_products_in_any_order_neither_deadlock_nor_oversell() {
    let world = World::start().await;
    let (one, two) = (world.product("40").await, world.product("40").await);
    let statuses: Vec<u16> = stream::iter(0..100)
        .map(|buyer| {
            let mut items = vec![line("1", one, "1"), line("2", two, "1")];
            if buyer % 2 == 0 {
                items.reverse();
            }
            let world = &world;
            async move { world.reserve(&format!("order-{buyer}"), items.into()).await.status.as_u16() }
        })
        .buffer_unordered(50)
        .collect()
        .await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 40);
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 60);
    assert_eq!(world.stock(one).await, ["40", "40", "0"]);
    world.expect_reconciled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reference_asked_for_at_once_by_many_is_one_reservation() {
    let world = World::start().await;
    let product = world.product("100").await;
    let ids: Vec<String> = stream::iter(0..50)
        .map(|_| async {
            let reply = world.reserve("order-1", json!([line("1", product, "3")])).await;
            assert!(matches!(reply.status.as_u16(), 200 | 201), "{}", reply.text());
            reply.value()["id"].as_str().unwrap().to_owned()
        })
        .buffer_unordered(50)
        .collect()
        .await;
    assert!(ids.iter().all(|id| *id == ids[0]));
    assert_eq!(world.stock(product).await, ["100", "3", "97"]);
}

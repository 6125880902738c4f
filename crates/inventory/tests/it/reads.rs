//! Stock for display, through the cache and without it.

use kernel::Version;
use serde_json::json;

use crate::world::{World, line};

#[tokio::test]
async fn a_strict_read_shows_every_change_at_once_and_without_a_cache_the_same() {
    for world in [World::start().await, World::without_cache().await] {
        let product = world.product("10").await;
        for order in 1..=3 {
            world.reserve(&format!("order-{order}"), json!([line("a", product, "1")])).await.expect(201);
            let available = (10 - order).to_string();
            assert_eq!(world.stock(product).await, ["10".to_owned(), order.to_string(), available]);
        }
    }
}

#[tokio::test]
async fn a_bounded_read_may_lag_until_the_event_and_never_behind_what_the_caller_has_seen() {
    let world = World::start().await;
    let product = world.product("10").await;
    let path = format!("/inventory/v1/products/{product}/stock?consistency=bounded");
    let read = |min: Option<u64>| {
        let request = world.buyer().get(&path);
        let request = match min {
            Some(version) => request.header("min-version", &version.to_string()),
            None => request,
        };
        async move { request.send().await.expect(200).value()["version"].as_u64().unwrap() }
    };
    assert_eq!(read(None).await, 1);
    world.reserve("order-1", json!([line("a", product, "1")])).await.expect(201);
    assert_eq!(read(None).await, 1, "within its two seconds");
    assert_eq!(read(Some(2)).await, 2, "the caller has seen version 2");

    world.reserve("order-2", json!([line("a", product, "1")])).await.expect(201);
    world.caches.inventory.stock_changed(&world.tenant, product, Version::new(3)).await.unwrap();
    assert_eq!(read(None).await, 3, "after the event");
}

#[tokio::test]
async fn a_cached_answer_says_its_age_and_can_be_revalidated() {
    let world = World::start().await;
    let product = world.product("10").await;
    let path = format!("/inventory/v1/products/{product}/stock");
    world.buyer().get(&path).send().await.expect(200);
    let reply = world.buyer().get(&path).send().await;
    assert_eq!(reply.header("etag"), "\"1\"");
    assert_eq!(reply.header("age"), "0");
    assert!(reply.header("cache-status").contains("hit"), "{}", reply.header("cache-status"));
    world.buyer().get(&path).header("if-none-match", "\"1\"").send().await.expect(304);
}

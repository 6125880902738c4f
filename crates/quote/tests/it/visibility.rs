//! What is seen through the cache, and by whom.

use service_runtime::Role;

use crate::world::World;

#[tokio::test]
async fn a_buyer_sees_no_discount_on_a_hit_as_on_a_miss_and_a_rep_sees_it_both_times() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let buyer = world.buyer().get(&quote.path()).send().await.expect(200);
        for secret in ["listUnit", "adjustment", "discountPercent", "approval", "a friend", "\"list\""] {
            assert!(!buyer.text().contains(secret), "{secret} in {}", buyer.text());
        }
        let rep = world.rep().get(&quote.path()).send().await.expect(200);
        for field in ["listUnit", "adjustment", "discountPercent", "approval", "a friend", "\"list\""] {
            assert!(rep.text().contains(field), "{field} not in {}", rep.text());
        }
        statuses.push(buyer.header("cache-status").to_owned());
    }
    assert!(statuses[0].contains("miss") && statuses[1].contains("hit"), "{statuses:?}");
    let list = world.buyer().get("/quote/v1/quotes").send().await.expect(200);
    assert!(!list.text().contains("discountPercent") && list.text().contains("\"net\""), "{}", list.text());
}

#[tokio::test]
async fn a_hit_is_what_a_miss_is_and_a_writer_reads_what_he_wrote() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let read = |min: u64| world.rep().get(&quote.path()).header("min-version", &min.to_string()).send();
    let miss = read(1).await.expect(200);
    let hit = read(1).await.expect(200);
    assert_eq!((miss.value(), miss.header("etag")), (hit.value(), hit.header("etag")));
    assert_eq!(miss.value(), quote.0);
    let priced = quote.then(&world.rep(), "price").await;
    assert_eq!(read(priced.version()).await.expect(200).value(), priced.0, "min-version is never answered older");
    let held = world.rep().get(&quote.path()).header("if-none-match", "\"2\"").header("min-version", "2").send().await;
    assert_eq!(held.status.as_u16(), 304);
}

#[tokio::test]
async fn roles_that_have_no_business_with_quotes_see_none() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    world.client(Role::CatalogAdmin).get(&quote.path()).send().await.expect_problem(403, "forbidden");
    world.buyer().get(&format!("{}/history", quote.path())).send().await.expect_problem(403, "forbidden");
}

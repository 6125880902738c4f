//! Counting what people look at: behind the request, shown as approximate, and left out where it cannot be counted.

use cache_ports::counters::LiveCount;
use serde_json::{Value, json};

use crate::support::{Catalog, text, three};

async fn most_viewed(catalog: &Catalog, publication: &str, query: &str) -> Value {
    let path = format!("/catalog/v1/publications/{publication}/most-viewed{query}");
    catalog.buyer().get(&path).send().await.expect(200).value()
}

#[tokio::test]
async fn what_people_look_at_is_counted_and_listed_most_first() {
    let catalog = Catalog::start().await;
    let (publication, ids) = three(&catalog).await;
    assert_eq!(most_viewed(&catalog, &publication, "").await["items"], json!([]));
    let path = |offering: &str| format!("/catalog/v1/publications/{publication}/offerings/{offering}");
    for offering in [&ids[2], &ids[1], &ids[2], &ids[2], &ids[1], &ids[0]] {
        catalog.buyer().get(&path(offering)).send().await.expect(200);
    }
    // Other services read offerings to work with them; that is nobody's interest.
    for _ in 0..5 {
        catalog.buyer().get(&path(&ids[0])).header("user-agent", "quoin-service/9.9.9").send().await.expect(200);
    }
    catalog.buyer().get(&path("01890000-0000-7000-8000-000000000001")).send().await.expect_problem(404, "not-found");
    catalog.caches.counters.flush().await;
    let list = most_viewed(&catalog, &publication, "").await;
    let views: Vec<(&str, u64)> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (text(item, "name"), item["views"].as_u64().unwrap()))
        .collect();
    assert_eq!(views, [("c", 3), ("b", 2), ("a", 1)]);
    assert_eq!((&list["approximate"], &list["available"]), (&json!(true), &json!(true)));
    assert!(list["generatedAt"].is_string());
    let first = most_viewed(&catalog, &publication, "?limit=1").await;
    assert_eq!((first["items"].as_array().unwrap().len(), &first["items"][0]["offeringId"]), (1, &json!(ids[2])));
}

#[tokio::test]
async fn another_tenant_sees_neither_the_publication_nor_its_counts() {
    let catalog = Catalog::start().await;
    let (publication, ids) = three(&catalog).await;
    catalog.caches.counters.count(&catalog.tenant, LiveCount::OfferingViews, ids[0].parse().unwrap());
    catalog.caches.counters.flush().await;
    let path = format!("/catalog/v1/publications/{publication}/most-viewed");
    catalog.stranger().get(&path).send().await.expect_problem(404, "not-found");
    catalog.buyer().get(&format!("{path}?limit=0")).send().await.expect_problem(400, "invalid-query");
}

#[tokio::test]
async fn what_a_publication_does_not_have_is_not_listed() {
    let catalog = Catalog::start().await;
    let (publication, ids) = three(&catalog).await;
    for object in [ids[1].as_str(), "01890000-0000-7000-8000-000000000001"] {
        catalog.caches.counters.count(&catalog.tenant, LiveCount::OfferingViews, object.parse().unwrap());
    }
    catalog.caches.counters.flush().await;
    let list = most_viewed(&catalog, &publication, "").await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["offeringId"]), (1, &json!(ids[1])));
}

#[tokio::test]
async fn without_a_store_nothing_is_counted_and_the_answer_says_so() {
    let catalog = Catalog::without_cache().await;
    let (publication, ids) = three(&catalog).await;
    let path = format!("/catalog/v1/publications/{publication}/offerings/{}", ids[0]);
    catalog.buyer().get(&path).send().await.expect(200);
    catalog.caches.counters.flush().await;
    let list = most_viewed(&catalog, &publication, "").await;
    assert_eq!((&list["items"], &list["available"]), (&json!([]), &json!(false)));
}

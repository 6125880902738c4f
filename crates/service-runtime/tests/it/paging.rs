//! Lists: every item once, in order, whatever the page size; cursors of others are refused.

use serde_json::json;

use crate::counters::{Counters, without_cache};

#[tokio::test]
async fn all_pages_together_are_the_list() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    for number in 0..7 {
        let path = format!("/catalog/v1/counters/c{number}/increments");
        let _ = client.post(&path, &json!({"stepSize": 1})).send().await.expect(201);
    }
    for limit in [1, 3, 7, 100] {
        let (mut names, mut cursor) = (Vec::new(), String::new());
        loop {
            let page =
                client.get(&format!("/catalog/v1/counters?limit={limit}{cursor}")).send().await.expect(200).value();
            names
                .extend(page["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(names, (0..7).map(|number| format!("c{number}")).collect::<Vec<_>>(), "limit {limit}");
    }
}

#[tokio::test]
async fn odd_parameters_are_400() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    for query in ["limit=0", "limit=101", "limit=x", "limit=-1", "colour=red"] {
        client.get(&format!("/catalog/v1/counters?{query}")).send().await.expect_problem(400, "invalid-query");
    }
    client.get("/catalog/v1/counters?cursor=abc").send().await.expect_problem(400, "invalid-cursor");
}

#[tokio::test]
async fn another_tenants_cursor_is_400() {
    let counters = Counters::start(without_cache()).await;
    for name in ["a", "b"] {
        let path = format!("/catalog/v1/counters/{name}/increments");
        let _ = counters.client("acme").post(&path, &json!({"stepSize": 1})).send().await.expect(201);
    }
    let page = counters.client("acme").get("/catalog/v1/counters?limit=1").send().await.expect(200).value();
    let path = format!("/catalog/v1/counters?cursor={}", page["nextCursor"].as_str().unwrap());
    let _ = counters.client("acme").get(&path).send().await.expect(200);
    counters.client("other").get(&path).send().await.expect_problem(400, "invalid-cursor");
}

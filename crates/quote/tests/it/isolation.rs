//! Another tenant's quote is nobody's quote.

use serde_json::json;
use service_runtime::{Role, testing::TestClient};
use uuid::Uuid;

use crate::world::{Quote, World, line};

/// Every way to touch a quote: method, path below the quote, body.
fn touches(quote: &Quote) -> Vec<(&'static str, String, serde_json::Value)> {
    let item = quote.item(0);
    let hash = json!({ "contentHash": "0".repeat(64) });
    let mut all = vec![
        ("GET", String::new(), json!(null)),
        ("GET", "/history".into(), json!(null)),
        ("GET", "/revisions/1".into(), json!(null)),
        ("GET", "/revisions/1/acceptance".into(), json!(null)),
        ("POST", "/revisions".into(), json!({})),
        ("GET", "/draft".into(), json!(null)),
        ("PUT", "/draft".into(), json!({ "add": [line(1, "1")] })),
        ("DELETE", "/draft".into(), json!(null)),
        ("POST", "/draft/save".into(), json!(null)),
        ("POST", "/cancel".into(), json!({})),
        ("POST", "/lose".into(), json!({})),
        ("POST", "/revisions/1/items".into(), line(1, "1")),
        ("PATCH", format!("/revisions/1/items/{item}"), json!({ "quantity": "1" })),
        ("DELETE", format!("/revisions/1/items/{item}"), json!(null)),
        ("POST", "/revisions/1/approve".into(), json!({})),
        ("POST", "/revisions/1/reject".into(), json!({ "comment": "no" })),
        ("POST", "/revisions/1/accept".into(), hash),
    ];
    for command in ["price", "submit", "recall", "present", "decline", "request-changes", "unable-to-provide"] {
        all.push(("POST", format!("/revisions/1/{command}"), json!({})));
    }
    all
}

async fn touch(client: &TestClient, method: &str, path: &str, body: &serde_json::Value) -> u16 {
    let request = client.request(method.parse().unwrap(), path).if_match(1).key(&Uuid::now_v7().to_string());
    let request = if body.is_null() { request } else { request.json(body) };
    request.send().await.status.as_u16()
}

#[tokio::test]
async fn foreign_unknown_and_malformed_ids_are_404_on_every_endpoint_and_change_nothing() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let stranger = world.service.client(&"other".parse().unwrap(), "admin", &[Role::TenantAdmin]);
    let admin = world.named("admin", Role::TenantAdmin);
    let before = world.digest().await;
    for (method, tail, body) in touches(&quote) {
        let own = format!("{}{tail}", quote.path());
        assert_eq!(touch(&stranger, method, &own, &body).await, 404, "{method} {own} as a stranger");
        for id in [Uuid::from_u128(1).to_string(), "not-an-id".into(), "3z06z842-0000-0000-0000-000000000000".into()] {
            let path = format!("/quote/v1/quotes/{id}{tail}");
            assert_eq!(touch(&admin, method, &path, &body).await, 404, "{method} {path}");
        }
    }
    assert_eq!(world.digest().await, before);
    let list = stranger.get("/quote/v1/quotes").send().await.expect(200).value();
    assert!(list["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_tenant_the_services_roles_see_nothing_but_overdue_offers() {
    let world = World::new().await;
    let offer = world.presented("1").await;
    let serve = sqlx::PgPool::connect(&world.database.service_url("quote_serve")).await.unwrap();
    for table in ["quote", "revision", "item", "approval", "acceptance", "history", "customer"] {
        for pool in [&serve, &world.work] {
            let sql = format!("select count(*) from quote.{table}");
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
            assert_eq!(seen, 0, "{table}");
        }
    }
    world.tamper("update quote.revision set valid_until = now() - interval '1 day'").await;
    let seen: i64 = sqlx::query_scalar("select count(*) from quote.revision").fetch_one(&world.work).await.unwrap();
    assert_eq!(seen, 1, "the worker finds the overdue offer");
    let changed = sqlx::query("update quote.revision set valid_until = now()").execute(&world.work).await.unwrap();
    assert_eq!(changed.rows_affected(), 0, "but cannot touch it without its tenant");
    assert_eq!(offer.again(&world.rep()).await.state(), "expired");
}

#[tokio::test]
async fn a_cursor_of_another_tenant_or_list_is_refused() {
    let world = World::new().await;
    world.draft("1").await;
    world.draft("1").await;
    let page = world.rep().get("/quote/v1/quotes?limit=1").send().await.expect(200).value();
    let cursor = page["nextCursor"].as_str().unwrap();
    let stranger = world.service.client(&"other".parse().unwrap(), "rep", &[Role::SalesRep]);
    let path = format!("/quote/v1/quotes?limit=1&cursor={cursor}");
    stranger.get(&path).send().await.expect_problem(400, "invalid-cursor");
    let filtered = format!("/quote/v1/quotes?limit=1&state=open&cursor={cursor}");
    world.rep().get(&filtered).send().await.expect_problem(400, "invalid-cursor");
}

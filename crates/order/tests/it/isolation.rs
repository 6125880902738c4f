//! Another tenant's order is nobody's order.

use serde_json::json;
use service_runtime::Role;
use uuid::Uuid;

use crate::world::World;

#[tokio::test]
async fn foreign_unknown_and_malformed_ids_are_404_on_every_endpoint_and_change_nothing() {
    let world = World::new().await;
    let order = world.completed(&[("1", "10.00")]).await;
    let asked = world.cancel(&order, &json!({ "reason": "r" }), "c").await.expect(201).value();
    let stranger = world.service.client(&"other".parse().unwrap(), "admin", &[Role::TenantAdmin]);
    let admin = world.client(Role::TenantAdmin);
    let before = world.digest().await;
    let cancellation = format!("/cancellations/{}", asked["id"].as_str().unwrap());
    let retry = format!("/tasks/{}/retry", order.task("reserve")["id"].as_str().unwrap());
    let touches = [
        ("GET", String::new(), json!(null)),
        ("GET", "/cancellations".to_owned(), json!(null)),
        ("GET", "/workflow".to_owned(), json!(null)),
        ("GET", cancellation, json!(null)),
        ("POST", "/cancellations".to_owned(), json!({ "reason": "r" })),
        ("POST", retry, json!({})),
    ];
    for (method, tail, body) in touches {
        let send = |client: &service_runtime::testing::TestClient, path: String| {
            let request = client.request(method.parse().unwrap(), &path).key(&Uuid::now_v7().to_string());
            if body.is_null() { request.send() } else { request.json(&body).send() }
        };
        let own = format!("{}{tail}", order.path());
        assert_eq!(send(&stranger, own.clone()).await.status.as_u16(), 404, "{method} {own} as a stranger");
        for id in [Uuid::from_u128(1).to_string(), "not-an-id".to_owned()] {
            let path = format!("/order/v1/orders/{id}{tail}");
            assert_eq!(send(&admin, path.clone()).await.status.as_u16(), 404, "{method} {path}");
        }
    }
    assert_eq!(world.digest().await, before);
    let list = stranger.get("/order/v1/orders").send().await.expect(200).value();
    assert!(list["items"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn without_a_tenant_the_services_roles_see_nothing_but_open_tasks() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    let serve = sqlx::PgPool::connect(&world.database.service_url("order_serve")).await.unwrap();
    for table in
        ["product_order", "order_item", "history", "cancellation", "cancellation_item", "invoice_handoff", "task"]
    {
        for (pool, open_tasks) in [(&serve, 0), (&world.work, 1)] {
            let sql = format!("select count(*) from \"order\".{table}");
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
            assert_eq!(seen, if table == "task" { open_tasks } else { 0 }, "{table}");
        }
    }
    let changed = sqlx::query("update \"order\".task set run_after = now()").execute(&world.work).await.unwrap();
    assert_eq!(changed.rows_affected(), 0, "the worker cannot touch a task without its tenant");
    assert_eq!(world.read(&order).await.state(), "acknowledged");
}

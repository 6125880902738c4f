//! Tenants do not see each other: not over HTTP, not in SQL.

use serde_json::json;
use service_runtime::Role;
use sqlx::PgPool;
use uuid::Uuid;

use crate::world::{World, item, preview, request, seal, simple, text};

#[tokio::test]
async fn what_belongs_to_another_tenant_does_not_exist() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "5")]).await;
    let body = request(&id, &[item(1, "1")]);
    let sealed = seal(&world.seller(), Uuid::from_u128(1), 1, &body).await.expect(201).value();
    // Cached for the owner: a hit must not leak either.
    preview(&world.seller(), &body).await.expect(200).value();
    let result = format!("/pricing/v1/price-results/{}", text(&sealed, "/priceResultId"));
    world.seller().get(&result).send().await.expect(200).value();

    let stranger = world.service.client(&"globex".parse().unwrap(), "stranger", &[Role::TenantAdmin]);
    stranger.get("/pricing/v1/price-books/list").send().await.expect_problem(404, "not-found");
    stranger.get("/pricing/v1/price-books/list/entries").send().await.expect_problem(404, "not-found");
    let all = stranger.get("/pricing/v1/price-books").send().await.expect(200).value();
    assert_eq!(all["items"], json!([]));
    stranger.get(&result).send().await.expect_problem(404, "not-found");
    stranger.post(&format!("{result}/verify"), &json!({})).send().await.expect_problem(404, "not-found");
    preview(&stranger, &body).await.expect_problem(404, "unknown-price-book");
    let unknown = seal(&stranger, Uuid::from_u128(1), 1, &body).await;
    unknown.expect_problem(404, "unknown-price-book");
    assert_eq!(unknown.pointers(), ["/priceBookId"]);
}

#[tokio::test]
async fn the_service_role_sees_nothing_without_a_tenant_and_only_its_own_with_one() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "5")]).await;
    seal(&world.seller(), Uuid::from_u128(1), 1, &request(&id, &[item(1, "1")])).await.expect(201).value();
    let pool = PgPool::connect(&world.database.service_url("pricing_serve")).await.unwrap();
    let tables = [
        "price_book",
        "price_book_version",
        "price_book_entry",
        "price_result",
        "price_component",
        "price_seal",
        "evidence_chain",
    ];
    for (tenant, rows) in [("", 0), ("globex", 0), ("acme", 1)] {
        for table in tables {
            let mut tx = pool.begin().await.unwrap();
            let set = format!("set local quoin.tenant = '{tenant}'");
            sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut *tx).await.unwrap();
            let sql = format!("select count(*) from pricing.{table}");
            let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut *tx).await.unwrap();
            assert_eq!(seen, rows, "{table} as {tenant:?}");
        }
    }
}

#[tokio::test]
async fn every_tenant_has_a_chain_of_its_own() {
    let world = World::new().await;
    let mut firsts = Vec::new();
    for tenant in ["acme", "globex"] {
        let client = world.service.client(&tenant.parse().unwrap(), "ann", &[Role::TenantAdmin]);
        let created = crate::world::put(&client, "list", &crate::world::book(&[simple(1, "5")])).await.expect(201);
        let id = text(&created.value(), "/id");
        let sealed = seal(&client, Uuid::from_u128(1), 1, &request(&id, &[item(1, "1")])).await.expect(201).value();
        firsts.push(sealed["chainHash"].clone());
    }
    assert_ne!(firsts[0], firsts[1]);
    assert_eq!(world.count("select count(*) from pricing.price_seal where chain_no = 1").await, 2);
}

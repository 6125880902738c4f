//! Tenants cannot see, touch or guess each other's catalogs: in the service, and in the database beneath it.

use serde_json::json;
use sqlx::Executor;

use crate::support::{Catalog, id, import, pool, publish, simple, text};

const TENANT_TABLES: [&str; 8] = [
    "specification",
    "offering",
    "price",
    "lifecycle_history",
    "publication",
    "publication_offering",
    "active_publication",
    "activation_history",
];

#[tokio::test]
async fn a_strangers_ids_name_nothing() {
    let catalog = Catalog::start().await;
    let (editor, stranger) = (catalog.editor(), catalog.stranger());
    let offering = import(&editor, json!([simple("A", "a")])).await["items"][0]["offeringId"].clone();
    let offering = offering.as_str().unwrap();
    let specification = id(&editor.post("/catalog/v1/specifications", &json!({"name": "s"})).send().await.expect(201));
    let prices = editor.get(&format!("/catalog/v1/prices?offeringId={offering}")).send().await.expect(200).value();
    let price = text(&prices["items"][0], "id");
    let publication = publish(&editor, "one").await;
    let publication = text(&publication, "id");
    // The owner reads first, so that whatever is cached is cached under the owner's name.
    let frozen = format!("/catalog/v1/publications/{publication}/offerings/{offering}");
    let _ = editor.get(&frozen).send().await.expect(200);
    for path in [
        frozen,
        format!("/catalog/v1/publications/{publication}"),
        format!("/catalog/v1/publications/{publication}/offerings"),
        format!("/catalog/v1/offerings/{offering}"),
        format!("/catalog/v1/specifications/{specification}"),
        format!("/catalog/v1/prices/{price}"),
    ] {
        stranger.get(&path).send().await.expect_problem(404, "not-found");
    }
    stranger.get("/catalog/v1/publications/active").send().await.expect_problem(404, "no-active-publication");
    let before = catalog.everything().await;
    for path in [format!("offerings/{offering}"), format!("specifications/{specification}"), format!("prices/{price}")]
    {
        let patch = stranger.patch(&format!("/catalog/v1/{path}"), &json!({})).if_match(1);
        patch.send().await.expect_problem(404, "not-found");
    }
    let activate = format!("/catalog/v1/publications/{publication}/activate");
    stranger.post(&activate, &json!({})).send().await.expect_problem(404, "not-found");
    let foreign_price = json!({"offeringId": offering, "priceType": "oneTime"});
    let refused = stranger.post("/catalog/v1/prices", &foreign_price).send().await;
    assert_eq!(refused.pointers(), ["/offeringId"]);
    assert_eq!(catalog.everything().await, before);
    for list in ["offerings", "specifications", "prices", "publications"] {
        let page = stranger.get(&format!("/catalog/v1/{list}")).send().await.expect(200).value();
        assert_eq!(page["items"], json!([]), "{list}");
    }
    // The same external id is free in another tenant and makes another offering.
    let own = import(&stranger, json!([simple("A", "mine")])).await["items"][0]["offeringId"].clone();
    assert_ne!(own, offering);
}

#[tokio::test]
async fn the_database_shows_no_row_without_its_tenant() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "a")])).await;
    let _ = editor.post("/catalog/v1/specifications", &json!({"name": "s"})).send().await.expect(201);
    publish(&editor, "one").await;
    for role in ["catalog_serve", "catalog_work"] {
        let pool = pool(&catalog.database.service_url(role), 1).await;
        let mut conn = pool.acquire().await.unwrap();
        for (tenant, sees) in [("", false), ("other", false), ("acme", true)] {
            conn.execute(sqlx::AssertSqlSafe(format!("set quoin.tenant = '{tenant}'"))).await.unwrap();
            for table in TENANT_TABLES {
                // Which catalogs changed lately is what the worker that warms caches goes by.
                let sees = sees || (role, tenant, table) == ("catalog_work", "", "active_publication");
                let statement = sqlx::AssertSqlSafe(format!("select count(*) from catalog.{table}"));
                let rows: i64 = sqlx::query_scalar(statement).fetch_one(&mut *conn).await.unwrap();
                assert_eq!(rows > 0, sees, "{role} as {tenant:?} sees {rows} rows of {table}");
            }
        }
        let foreign =
            "insert into catalog.activation_history values ('other', 1, gen_random_uuid(), null, 'stranger', now())";
        let refused = conn.execute(foreign).await.unwrap_err();
        assert!(refused.to_string().contains("row-level security"), "{refused}");
    }
}

#[tokio::test]
async fn the_database_lets_nobody_rewrite_what_is_frozen() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "a")])).await;
    publish(&editor, "one").await;
    for role in ["catalog_serve", "catalog_work"] {
        let pool = pool(&catalog.database.service_url(role), 1).await;
        let mut conn = pool.acquire().await.unwrap();
        conn.execute("set quoin.tenant = 'acme'").await.unwrap();
        for statement in [
            "update catalog.publication_offering set name = 'b'",
            "delete from catalog.publication_offering",
            "update catalog.publication set name = 'b'",
            "update catalog.activation_history set actor = 'nobody'",
            "delete from catalog.lifecycle_history",
            "insert into catalog.lifecycle_transition values ('obsolete', 'active')",
        ] {
            let refused = conn.execute(statement).await.unwrap_err();
            assert!(refused.to_string().contains("permission denied"), "{role}: {statement}: {refused}");
        }
    }
}

#[tokio::test]
async fn every_tenant_table_is_isolated_by_force() {
    let catalog = Catalog::start().await;
    let tables: Vec<(String, bool)> = sqlx::query_as(
        "select relname::text, relrowsecurity and relforcerowsecurity from pg_class \
         where relnamespace = 'catalog'::regnamespace and relkind in ('r', 'p') and not relispartition \
           and exists (select from pg_attribute where attrelid = pg_class.oid and attname = 'tenant_id')",
    )
    .fetch_all(&catalog.admin)
    .await
    .unwrap();
    for table in TENANT_TABLES {
        assert!(tables.contains(&(table.to_owned(), true)), "{table} in {tables:?}");
    }
}

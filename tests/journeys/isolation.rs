//! One tenant never sees another's anything.

use anyhow::{Context, Result};
use serde_json::Value;
use sqlx::Row;
use system_tests::{
    Shop, System, Weather,
    shop::{get, text},
    system::api,
};
use uuid::Uuid;

use crate::PROGRAM;

/// Every path that reads one thing by its id, as the services' own documents list them.
async fn paths_by_id(shop: &Shop) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for service in ["catalog", "pricing", "quote", "order", "inventory"] {
        let document = get(&shop.admin, &format!("/{service}/v1/openapi.json")).await?;
        let listed = document["paths"].as_object().context("no paths")?;
        let reading = listed.iter().filter(|(path, methods)| path.contains('{') && methods.get("get").is_some());
        paths.extend(reading.map(|(path, _)| path.clone()));
    }
    Ok(paths)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_found_under_another_tenants_id() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let presented = shop.presented(&[shop.line("lamp", 1)]).await?;
    let accepted = shop.accept(&presented, &Uuid::now_v7().to_string()).await?.value;
    let order = shop.completed(&accepted).await?;
    let stranger = api(&system.deployment.url(), "somebody-else", "admin", &["tenantAdmin"])?;
    let mut found_by_owner = 0;
    for template in paths_by_id(&shop).await? {
        let path = fill(&template, &shop, &accepted, &order);
        // Warm first: a value in the cache must be as well guarded as a row.
        found_by_owner += usize::from(shop.admin.get(path.clone()).send::<Value>().await.is_ok());
        match stranger.get(path.clone()).send::<Value>().await {
            Err(error) => assert_eq!(error.status().map(|status| status.as_u16()), Some(404), "{path}: {error}"),
            // A list of one thing's parts may be empty; it must not be anything else.
            Ok(answer) => assert_eq!(answer.value["items"].as_array().map(Vec::len), Some(0), "{path}"),
        }
    }
    assert!(found_by_owner >= 8, "only {found_by_owner} paths were right for the owner: the test asks for nothing");
    Ok(())
}

fn fill(template: &str, shop: &Shop, quote: &Value, order: &Value) -> String {
    let revision = text(quote, "/currentRevision/revisionNo");
    let own = |service: &str| match service {
        "publications" => shop.publication.clone(),
        "offerings" | "products" => text(&shop.ids, "/lamp"),
        "price-books" => "list".to_owned(),
        "price-results" => text(quote, "/currentRevision/priceResultId"),
        "quotes" => text(quote, "/id"),
        "revisions" => revision.clone(),
        "orders" => text(order, "/id"),
        "customers" => shop.customer.clone(),
        _ => Uuid::now_v7().to_string(),
    };
    let mut parts: Vec<String> = Vec::new();
    for part in template.split('/') {
        let filled = if part.starts_with('{') { own(parts.last().map_or("", String::as_str)) } else { part.to_owned() };
        parts.push(filled);
    }
    parts.join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_table_with_a_tenant_is_guarded_by_the_database() -> Result<()> {
    let database = dev_stack::test::whole_database().await?;
    let mut owner = <sqlx::PgConnection as sqlx::Connection>::connect(&database.admin_url()).await?;
    let rows = sqlx::query(
        "select n.nspname || '.' || c.relname as name, c.relrowsecurity and c.relforcerowsecurity as guarded
         from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind in ('r', 'p') and not c.relispartition
           and n.nspname in ('catalog', 'pricing', 'quote', 'order', 'inventory')
           and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')",
    )
    .fetch_all(&mut owner)
    .await?;
    let open: Vec<String> =
        rows.iter().filter(|row| !row.get::<bool, _>("guarded")).map(|row| row.get::<String, _>("name")).collect();
    assert!(rows.len() > 30, "only {} tables were looked at", rows.len());
    assert_eq!(open, Vec::<String>::new());
    Ok(())
}

//! What a running product writes into its outboxes is what the schemas say, type by type.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use events::PublishedEvent;
use jsonschema::Validator;
use quoin::services::Service;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use system_tests::{
    Shop, System, Weather,
    shop::{command, content_hash, post, text},
    system::eventually,
};
use uuid::Uuid;

use crate::PROGRAM;

/// Types that no journey can bring about; each would need its reason.
const NOT_BROUGHT_ABOUT: [&str; 0] = [];

/// A specification and a price besides what every shop has.
async fn edit_the_catalog(shop: &Shop) -> Result<()> {
    post(&shop.admin, "/catalog/v1/specifications", &json!({ "name": "Lamps" })).await?;
    let price = json!({ "offeringId": shop.ids["lamp"], "priceType": "oneTime" });
    post(&shop.admin, "/catalog/v1/prices", &price).await?;
    Ok(())
}

/// A sale to its end, and a part of it back.
async fn sell(shop: &Shop) -> Result<()> {
    let lines = [shop.discounted("lamp", 12, "35"), shop.line("delivery", 1)];
    let presented = shop.presented(&lines).await?;
    shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
    let order = shop.completed(&presented).await?;
    let lamps = order["items"].as_array().into_iter().flatten().find(|item| item["externalId"] == "lamp");
    let item = text(lamps.context("the order has the lamps")?, "/id");
    let cancel = json!({ "reason": "two are broken", "items": [{ "orderItemId": item, "quantity": "2" }] });
    let path = format!("/order/v1/orders/{}/cancellations", text(&order, "/id"));
    shop.seller.post(path).key(Uuid::now_v7().to_string()).json(&cancel).send::<Value>().await?;
    Ok(())
}

/// One quote that is sent back, and one that nobody answers in time.
async fn sell_nothing(system: &System, shop: &Shop) -> Result<()> {
    let quote = shop.quote(&[shop.discounted("chair", 1, "40")]).await?;
    let priced = command(&shop.seller, &quote, "price", &json!({})).await?;
    let submitted = command(&shop.seller, &priced, "submit", &json!({})).await?;
    let mut refusal = content_hash(&submitted);
    refusal["comment"] = json!("too cheap");
    command(&shop.approver, &submitted, "reject", &refusal).await?;

    let presented = shop.presented(&[shop.line("chair", 1)]).await?;
    let mut owner = system.owner().await?;
    let mut tx = owner.begin().await?;
    sqlx::raw_sql("set local session_replication_role = replica").execute(&mut *tx).await?;
    sqlx::query("update quote.revision set valid_until = clock_timestamp() - interval '1 second' where quote_id = $1")
        .bind(text(&presented, "/id").parse::<Uuid>()?)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

/// Policies, and somebody who leaves and comes back.
async fn decide_who_may_what(shop: &Shop) -> Result<()> {
    shop.restrict_to_businesses("set").await?;
    let access = json!({ "roles": [{ "role": "approver", "maxDiscountPercent": "50" }], "subjects": [] });
    shop.admin.put("/quote/v1/access-policy").if_match(0).json(&access).send::<Value>().await?;
    let revocation = "/quote/v1/access-revocations/somebody";
    shop.admin.put(revocation).json(&json!({ "reason": "left" })).send::<Value>().await?;
    shop.admin.call(Method::DELETE, revocation).send::<Value>().await?;
    Ok(())
}

/// A promise that is given back, and one that runs out.
async fn promise_stock(shop: &Shop) -> Result<()> {
    let reservations = "/inventory/v1/reservations";
    let body = |reference: &str, ttl_secs: u32| {
        let item = json!({ "itemId": "1", "productId": shop.ids["chair"], "quantity": "1" });
        json!({ "reference": reference, "ttlSecs": ttl_secs, "items": [item] })
    };
    let held = post(&shop.admin, reservations, &body("given back", 600)).await?;
    let path = format!("{reservations}/{}/release", text(&held, "/id"));
    shop.admin.post(path).if_match(held["version"].as_u64().context("a version")?).send::<Value>().await?;
    post(&shop.admin, reservations, &body("runs out", 1)).await?;
    Ok(())
}

/// An event as it lies in an outbox.
struct Written {
    event_type: String,
    aggregate_type: String,
    schema_version: i32,
    payload: Value,
}

async fn outbox(owner: &mut PgConnection, service: Service, tenant: &str) -> Result<Vec<Written>> {
    let sql = format!(
        r#"select event_type, aggregate_type, schema_version, payload from "{service}".outbox where tenant_id = $1 order by seq"#
    );
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(tenant).fetch_all(owner).await?;
    let written = |row: sqlx::postgres::PgRow| {
        anyhow::Ok(Written {
            event_type: row.get("event_type"),
            aggregate_type: row.get("aggregate_type"),
            schema_version: row.get("schema_version"),
            payload: serde_json::from_slice(row.get::<&[u8], _>("payload"))?,
        })
    };
    rows.into_iter().map(written).collect()
}

/// What is wrong with an event by its service's own words.
fn faults(written: &Written, declared: &BTreeMap<&str, (PublishedEvent, Validator)>) -> Vec<String> {
    let Some((event, validator)) = declared.get(written.event_type.as_str()) else {
        return vec!["it is not declared".to_owned()];
    };
    let mut faults: Vec<String> =
        validator.iter_errors(&written.payload).map(|error| format!("{}: {error}", error.instance_path())).collect();
    if (written.aggregate_type.as_str(), written.schema_version) != (event.aggregate_type, event.schema_version.into())
    {
        faults.push(format!("{} in version {}", written.aggregate_type, written.schema_version));
    }
    faults
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_product_publishes_fits_its_schema() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    edit_the_catalog(&shop).await?;
    sell(&shop).await?;
    sell_nothing(&system, &shop).await?;
    promise_stock(&shop).await?;
    decide_who_may_what(&shop).await?;

    let all = Service::ALL.into_iter().flat_map(Service::published_events);
    let expected: BTreeSet<&str> =
        all.map(|event| event.name).filter(|name| !NOT_BROUGHT_ABOUT.contains(name)).collect();
    let mut owner = system.owner().await?;
    let mut missing = BTreeSet::new();
    let waited = eventually("every type is published", async || {
        missing.clone_from(&expected);
        for service in Service::ALL {
            for written in outbox(&mut owner, service, &system.tenant).await? {
                missing.remove(written.event_type.as_str());
            }
        }
        Ok(missing.is_empty().then_some(()))
    })
    .await;
    waited.with_context(|| format!("not seen: {missing:?}"))?;

    let (mut judged, mut wrong) = (0, BTreeSet::new());
    for service in Service::ALL {
        let declare = |event: PublishedEvent| {
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            let validator = options.build(&event.schema).expect("a schema is a schema");
            (event.name, (event, validator))
        };
        let declared = service.published_events().into_iter().map(declare).collect();
        for written in outbox(&mut owner, service, &system.tenant).await? {
            let found = faults(&written, &declared);
            wrong.extend(found.into_iter().map(|fault| format!("{service} {}: {fault}", written.event_type)));
            judged += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(judged > expected.len(), "{judged} events of {} types", expected.len());
    println!("{judged} events of {} types", expected.len());
    Ok(())
}

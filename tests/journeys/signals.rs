//! What is known about right and a little late: what people look at. It moves into the metrics, and without Redis it is
//! missing without being missed.

use anyhow::{Context, Result};
use quoin::deployment::Role;
use serde_json::json;
use system_tests::{
    Shop, System, Weather,
    shop::{get, text},
    system::eventually,
};

use crate::PROGRAM;

/// The value of a counter without labels in a process's metrics; `None` while it is not there.
async fn counter(system: &System, role: Role, name: &str) -> Result<Option<u64>> {
    let url = system.deployment.internal_url(role).context("the process runs")?;
    let page = reqwest::get(format!("{url}/metrics")).await?.error_for_status()?.text().await?;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().context("not a count")).transpose()
}

fn offering(shop: &Shop, name: &str) -> String {
    format!("/catalog/v1/publications/{}/offerings/{}", shop.publication, text(&shop.ids, &format!("/{name}")))
}

fn most_viewed(shop: &Shop) -> String {
    format!("/catalog/v1/publications/{}/most-viewed?limit=2", shop.publication)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_look_at_is_counted_and_moved_into_the_metrics() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    // The services read these offerings to price them, which is not looking.
    shop.presented(&[shop.line("lamp", 1), shop.line("delivery", 1)]).await?;
    for name in ["chair", "lamp", "chair"] {
        get(&shop.seller, &offering(&shop, name)).await?;
    }
    let seen = eventually("the views are counted", async || {
        let seen = get(&shop.seller, &most_viewed(&shop)).await?;
        let whole = text(&seen, "/items/0/views") == "2" && seen["items"].as_array().is_some_and(|all| all.len() == 2);
        Ok(whole.then_some(seen))
    })
    .await?;
    let listed = ["/items/0/name", "/items/1/name", "/items/1/views"].map(|pointer| text(&seen, pointer));
    assert_eq!(listed, ["The chair", "The lamp", "1"]);
    assert_eq!((&seen["approximate"], &seen["available"]), (&json!(true), &json!(true)));
    let counted = counter(&system, Role::Serve, "catalog_offering_views_total").await?;
    assert_eq!(counted, Some(3), "the list is made of what was moved");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_sale_completes_and_says_what_is_not_known() -> Result<()> {
    let system = System::start(PROGRAM, Weather::NoRedis).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    get(&shop.seller, &offering(&shop, "lamp")).await?;
    let seen = get(&shop.seller, &most_viewed(&shop)).await?;
    assert_eq!((&seen["available"], &seen["items"]), (&json!(false), &json!([])));

    let presented = shop.presented(&[shop.line("lamp", 1)]).await?;
    let accepted = shop.accept(&presented, &uuid::Uuid::now_v7().to_string()).await?.value;
    shop.completed(&accepted).await?;
    system.deployment.stop().await
}

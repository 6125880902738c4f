//! The journeys, in the order in which one tenant lives through them.
//!
//! Owns what is asked and by whom. Must never look at an answer except for ids and versions to go on with: what is right is
//! what the run without a cache was told.

mod catalog;
mod eligibility;
mod prices;
mod sale;
mod shortage;
mod strangers;

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sqlx::PgPool;
use system_tests::shop::{content_hash, text};

use crate::visitor::{Request, SELLER, Scene, Tenants, Visitor};

/// Names of the journeys, as the page has them.
pub const NAMES: [&str; 7] = ["catalog", "prices", "eligibility", "sale", "cancellation", "shortage", "strangers"];

/// Far beyond what anything here takes; only a broken product reaches it.
const LIMIT: Duration = Duration::from_mins(2);
const PAUSE: Duration = Duration::from_millis(25);

/// How far a run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Far {
    /// Until there are goods and prices, and nothing is sold yet.
    ToThePrices,
    /// All of it.
    ToTheEnd,
}

/// The journeys, one after the other.
pub async fn live(visitor: &Visitor<'_>, far: Far) -> Result<()> {
    let other = strangers::open(visitor.scene("strangers")).await.context("the other tenant opens")?;
    let goods = catalog::publish_twice(visitor.scene("catalog")).await.context("catalog")?;
    let book = prices::change_a_book(visitor.scene("prices"), &goods).await.context("prices")?;
    if far == Far::ToThePrices {
        return Ok(());
    }
    let shop = sale::open(visitor.scene("sale"), goods, book).await.context("sale")?;
    eligibility::restrict_and_allow(visitor.scene("eligibility"), &shop).await.context("eligibility")?;
    let sold = sale::sell(visitor.scene("sale"), &shop).await.context("sale")?;
    sale::take_back(visitor.scene("cancellation"), &shop, &sold).await.context("cancellation")?;
    shortage::run_out(visitor.scene("shortage"), &shop).await.context("shortage")?;
    strangers::look(visitor.scene("strangers"), &shop, &sold, &other).await.context("strangers")?;
    at_rest(&visitor.stage.owner, &visitor.tenants).await
}

/// What the shop sells, and by which publication.
pub struct Goods {
    /// Offering ids by external id.
    pub ids: Value,
    /// The publication in force.
    pub publication: Value,
    /// The one before.
    pub before: Value,
}

/// A shop that can sell.
pub struct Shop {
    pub goods: Goods,
    pub book: Value,
    pub customer: Value,
}

/// What was sold.
pub struct Sold {
    /// The accepted quote.
    pub quote: Value,
    /// The completed order.
    pub order: Value,
}

impl Shop {
    /// A new quote of these lines.
    async fn quote(&self, scene: Scene<'_>, name: &str, lines: Value) -> Result<Value> {
        let body = json!({
            "externalId": name, "customerId": self.customer, "priceBookId": self.book,
            "publicationId": self.goods.publication, "currency": "EUR", "level": "firm", "items": lines,
        });
        scene.send(Request::post(SELLER, "/quote/v1/quotes", body).key(name)).await
    }
}

/// A command on a quote's current revision, under a key that says what it is.
pub fn on_quote(who: &'static str, quote: &Value, command: &str, body: Value) -> Request {
    let revision = text(quote, "/currentRevision/revisionNo");
    let path = format!("/quote/v1/quotes/{}/revisions/{revision}/{command}", text(quote, "/id"));
    let key = format!("{command} {} {}", text(quote, "/externalId"), quote["version"]);
    Request::post(who, path, body).if_match(&quote["version"]).key(&key)
}

/// Waits until a question to PostgreSQL, about the shop, is answered with true and nothing is left to do; then everybody
/// looks again.
async fn until(scene: Scene<'_>, what: &'static str, question: &'static str) -> Result<()> {
    let visitor = scene.visitor;
    wait(&visitor.stage.owner, &visitor.tenants.shop, question).await.context(what)?;
    at_rest(&visitor.stage.owner, &visitor.tenants).await?;
    visitor.moment().await
}

/// Waits until nothing is left to do for either tenant.
async fn at_rest(owner: &PgPool, tenants: &Tenants) -> Result<()> {
    for tenant in [&tenants.shop, &tenants.other] {
        wait(
            owner,
            tenant,
            r#"select not exists (select from "order".task where tenant_id = $1 and state in ('ready', 'locked', 'retryWait'))
                 and not exists (select from "order".product_order where tenant_id = $1 and state in ('acknowledged', 'inProgress', 'assessingCancellation', 'pendingCancellation'))"#,
        )
        .await
        .context("at rest")?;
    }
    Ok(())
}

async fn wait(owner: &PgPool, tenant: &str, question: &'static str) -> Result<()> {
    let asking = async {
        loop {
            let answer: (bool,) = sqlx::query_as(question).bind(tenant).fetch_one(owner).await?;
            if answer.0 {
                return anyhow::Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(LIMIT, asking).await.context("it did not come")?
}

//! The tour's script.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use dev_stack::{Component, Stack};
use reqwest::StatusCode;
use serde_json::{Value, json};
use service_runtime::Role;
use uuid::Uuid;

use super::{
    Demo,
    telling::{Teller, money, short, text},
};
use crate::{api::Api, people::TENANTS};

/// How long an order may take to be fulfilled.
const FULFILLED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Walks through everything.
pub async fn walk(demo: &Demo, stack: &Stack) -> anyhow::Result<()> {
    let tour = Tour::begin(demo).await?;
    tour.browse().await?;
    tour.configure().await?;
    let previewed = tour.preview().await?;
    let quote = tour.quote().await?;
    let approved = tour.approve(&quote).await?;
    let accepted = tour.accept(&approved).await?;
    tour.fulfil(&accepted).await?;
    tour.without_redis(stack, &previewed).await?;
    tour.other_tenant(demo, &accepted).await
}

struct Tour {
    tell: Teller,
    seller: Api,
    /// The seller again, who was given the approver's role as well.
    both: Api,
    approver: Api,
    publication: String,
    book: String,
    customer: String,
    bundle: String,
    phone: String,
    mesh: String,
}

impl Tour {
    async fn begin(demo: &Demo) -> anyhow::Result<Self> {
        let seller = demo.person(TENANTS[0], Role::SalesRep)?;
        let active = get(&seller, "/catalog/v1/publications/active").await?;
        let publication = [text(&active, "/id"), text(&active, "/publicationId")].into_iter().find(|id| id != "—");
        let publication = publication.context("no publication is active")?;
        let book = get(&seller, "/pricing/v1/price-books/aurora-eur").await?;
        let customers = get(&seller, "/quote/v1/customers?externalId=C-1001").await?;
        let offerings = get(&seller, &format!("/catalog/v1/publications/{publication}/offerings?limit=100")).await?;
        let id = |external_id: &str| {
            let items = offerings["items"].as_array().into_iter().flatten();
            let found = items.into_iter().find(|item| item["externalId"] == external_id);
            found.map(|item| text(item, "/id")).with_context(|| format!("the catalog has no {external_id}"))
        };
        Ok(Self {
            tell: Teller::default(),
            approver: demo.person(TENANTS[0], Role::Approver)?,
            both: demo.person_with(TENANTS[0], Role::SalesRep, &[Role::SalesRep, Role::Approver])?,
            book: text(&book, "/id"),
            customer: text(&customers, "/items/0/id"),
            bundle: id("office-bundle")?,
            phone: id("desk-phone")?,
            mesh: id("mesh-node")?,
            publication,
            seller,
        })
    }

    async fn browse(&self) -> anyhow::Result<()> {
        self.tell.step("Search the catalog for \"fiber\"");
        let path = format!("/catalog/v1/publications/{}/offerings?q=fiber", self.publication);
        let found = get(&self.seller, &path).await?;
        let items = found["items"].as_array().context("no list")?;
        ensure!(!items.is_empty(), "the search found nothing");
        for item in items {
            Teller::fact(format!("{} ({})", text(item, "/name"), text(item, "/kind")));
        }
        Teller::fact(format!("as of {}: a search result says how old it is", text(&found, "/generatedAt")));
        Ok(())
    }

    async fn configure(&self) -> anyhow::Result<()> {
        self.tell.step("Configure an office bundle: nine mesh nodes, and the catalog objects; then four");
        let path = format!("/catalog/v1/publications/{}/configurations/validate", self.publication);
        let verdict = async |nodes: u32| {
            let component = json!({ "offeringId": self.mesh, "quantity": nodes.to_string() });
            post(&self.seller, &path, &json!({ "offeringId": self.bundle, "quantity": "3", "components": [component] }))
                .await
        };
        let refused = verdict(9).await?;
        ensure!(refused["valid"] == false, "nine nodes were not refused");
        Teller::fact(format!(
            "nine: {} at {}",
            text(&refused, "/problems/0/detail"),
            text(&refused, "/problems/0/pointer")
        ));
        let accepted = verdict(4).await?;
        ensure!(accepted["valid"] == true, "four nodes were refused: {accepted}");
        Teller::fact(format!("four: valid, configuration {}", short(&text(&accepted, "/configurationHash"))));
        Ok(())
    }

    fn price_request(&self) -> Value {
        json!({
            "priceBookId": self.book, "publicationId": self.publication, "currency": "EUR", "customerId": self.customer, "termMonths": 24,
            "items": [
                { "itemId": "bundle", "offeringId": self.bundle, "quantity": "3" },
                { "itemId": "phones", "offeringId": self.phone, "quantity": "12" },
            ],
        })
    }

    async fn preview(&self) -> anyhow::Result<Value> {
        self.tell.step("Preview the price: three bundles for 24 months, twelve desk phones (the 10+ tier)");
        let first = post(&self.seller, "/pricing/v1/price-previews", &self.price_request()).await?;
        let call = self.seller.post("/pricing/v1/price-previews").json(&self.price_request());
        let again = call.send::<Value>().await?;
        ensure!(first["resultHash"] == again.value["resultHash"], "the same question had two answers");
        Teller::fact(format!(
            "contract value {}, of it once {}",
            money(&first, "/totals/net"),
            money(&first, "/totals/oneTime")
        ));
        Teller::fact(format!(
            "asked again: the same, Cache-Status {:?}; a preview says it is no evidence",
            again.header("cache-status")
        ));
        Ok(first)
    }

    async fn quote(&self) -> anyhow::Result<Value> {
        self.tell.step("Make it a quote, with 30 % off the phones, and seal the price");
        let adjustment =
            json!({ "kind": "discountPercent", "value": "30", "reason": "Pilot site, agreed with the customer" });
        let created = post(
            &self.seller,
            "/quote/v1/quotes",
            &json!({
                "externalId": format!("tour-{}", Uuid::now_v7()), "customerId": self.customer, "priceBookId": self.book,
                "publicationId": self.publication, "currency": "EUR", "level": "firm", "validForDays": 30,
                "items": [
                    { "offeringId": self.bundle, "quantity": "3" },
                    { "offeringId": self.phone, "quantity": "12", "adjustment": adjustment },
                ],
            }),
        )
        .await?;
        let priced = self.command(&self.seller, &created, "price", None).await?;
        let result = text(&priced, "/currentRevision/priceResultId");
        let verified = post(&self.seller, &format!("/pricing/v1/price-results/{result}/verify"), &json!({})).await?;
        ensure!(verified["verdict"] == "match", "the sealed price does not verify: {verified}");
        Teller::fact(format!("net {}, sealed as {}", money(&priced, "/currentRevision/totals/net"), short(&result)));
        Teller::fact("verified: replayed from its inputs, every step gives the same");
        Ok(priced)
    }

    async fn approve(&self, quote: &Value) -> anyhow::Result<Value> {
        self.tell.step("Submit: 30 % is beyond the threshold, so somebody else must approve");
        let submitted = self.command(&self.seller, quote, "submit", None).await?;
        ensure!(text(&submitted, "/currentRevision/state") == "inApproval", "no approval was asked for: {submitted}");
        let hash = json!({ "contentHash": submitted["currentRevision"]["contentHash"] });
        match self.command(&self.both, &submitted, "approve", Some(&hash)).await {
            Ok(_) => bail!("the seller approved his own discount"),
            Err(error) => Teller::fact(format!("the seller tries, with an approver's role: {error:#}")),
        }
        let approved = self.command(&self.approver, &submitted, "approve", Some(&hash)).await?;
        Teller::fact(format!("the approver decides about content {}", short(&text(&hash, "/contentHash"))));
        Ok(approved)
    }

    async fn accept(&self, approved: &Value) -> anyhow::Result<Value> {
        self.tell.step("Present, then accept twice with one idempotency key, as an impatient browser would");
        let presented = self.command(&self.seller, approved, "present", Some(&json!({}))).await?;
        let hash = json!({ "contentHash": presented["currentRevision"]["contentHash"] });
        let key = Uuid::now_v7().to_string();
        let accept = async || {
            let call = self.seller.post(revision_path(&presented, "accept")).key(key.clone()).json(&hash);
            call.send::<Value>().await
        };
        let (once, twice) = (accept().await?, accept().await?);
        ensure!(once.value["id"] == twice.value["id"], "the second acceptance answered another quote");
        Teller::fact(format!(
            "accepted; the second answer is the first, replayed: {:?}",
            twice.header("idempotency-replayed")
        ));
        Ok(once.value)
    }

    async fn fulfil(&self, accepted: &Value) -> anyhow::Result<()> {
        self.tell.step("The order makes itself from the acceptance: outbox → Kafka → order service → tasks");
        let stock = format!("/inventory/v1/products/{}/stock?consistency=strict", self.phone);
        let path = format!("/order/v1/orders?quoteId={}", text(accepted, "/id"));
        let began = Instant::now();
        loop {
            let orders = get(&self.seller, &path).await?;
            let count = orders["items"].as_array().map_or(0, Vec::len);
            ensure!(count <= 1, "one acceptance made {count} orders");
            if text(&orders, "/items/0/state") == "completed" {
                let order = get(&self.seller, &format!("/order/v1/orders/{}", text(&orders, "/items/0/id"))).await?;
                // The order is completed when it is delivered; the hand-off to invoicing follows.
                let tasks = order["tasks"].as_array().cloned().unwrap_or_default();
                if tasks.iter().any(|task| task["state"] != "completed") && began.elapsed() < FULFILLED_WITHIN {
                    tokio::time::sleep(LOOK_EVERY).await;
                    continue;
                }
                for task in &tasks {
                    Teller::fact(format!("{:<10} {}", text(task, "/kind"), text(task, "/state")));
                }
                let left = get(&self.seller, &stock).await?;
                let took = began.elapsed().as_millis();
                Teller::fact(format!(
                    "one order, {}, completed after {took} ms; desk phones left: {}",
                    money(&order, "/total"),
                    text(&left, "/onHand")
                ));
                return Ok(());
            }
            ensure!(began.elapsed() < FULFILLED_WITHIN, "the order is still not completed: {orders}");
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn without_redis(&self, stack: &Stack, previewed: &Value) -> anyhow::Result<()> {
        let Some(redis) = stack.server(Component::Redis) else {
            self.tell.step("Redis was never here: everything above ran without it");
            return Ok(());
        };
        self.tell.step("Stop Redis, and do it all again");
        if let Err(error) = redis.stop().await {
            Teller::fact(format!("left alone: {error:#}"));
            return Ok(());
        }
        let again = post(&self.seller, "/pricing/v1/price-previews", &self.price_request()).await?;
        ensure!(again["resultHash"] == previewed["resultHash"], "without Redis the price is another");
        let quote = self.quote().await?;
        let approved = self.approve(&quote).await?;
        let accepted = self.accept(&approved).await?;
        self.fulfil(&accepted).await?;
        redis.start().await.context("cannot start Redis again")?;
        self.tell.step("Redis stopped: nothing broke. It is back now, and fills itself as it is asked");
        Ok(())
    }

    async fn other_tenant(&self, demo: &Demo, accepted: &Value) -> anyhow::Result<()> {
        self.tell.step("Another tenant asks for that quote by its id");
        let stranger = demo.person(TENANTS[1], Role::TenantAdmin)?;
        let path = format!("/quote/v1/quotes/{}", text(accepted, "/id"));
        match stranger.get(path).send::<Value>().await {
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                Teller::fact("404: there is no such quote there");
            }
            Err(error) => return Err(error.into()),
            Ok(_) => bail!("a tenant could read another tenant's quote"),
        }
        Ok(())
    }

    /// A command on a quote's revision, based on the version the quote was seen at.
    async fn command(&self, who: &Api, quote: &Value, name: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let version = quote["version"].as_u64().context("a quote without a version")?;
        let call = who.post(revision_path(quote, name)).if_match(version).key(Uuid::now_v7().to_string());
        let call = match body {
            Some(body) => call.json(body),
            None => call,
        };
        Ok(call.send::<Value>().await?.value)
    }
}

fn revision_path(quote: &Value, command: &str) -> String {
    let (id, revision) = (text(quote, "/id"), text(quote, "/currentRevision/revisionNo"));
    format!("/quote/v1/quotes/{id}/revisions/{revision}/{command}")
}

async fn get(api: &Api, path: &str) -> anyhow::Result<Value> {
    Ok(api.get(path).send::<Value>().await?.value)
}

async fn post(api: &Api, path: &str, body: &Value) -> anyhow::Result<Value> {
    Ok(api.post(path).json(body).send::<Value>().await?.value)
}

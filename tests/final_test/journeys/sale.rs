//! A quote is written, priced, submitted, approved, presented and accepted; its order is fulfilled; part of it comes back.

use anyhow::{Context, Result};
use cache_ports::{
    access::keyspaces::{ACCESS_PROFILE, ACTIVE_ACCESS_POLICY},
    inventory::keyspaces::STOCK_VERSION,
    order::keyspaces::WORKFLOW_SUMMARY,
    quote::keyspaces::QUOTE_SUMMARY,
};
use serde_json::{Value, json};

use super::{Goods, Shop, Sold, content_hash, on_quote, text, until};
use crate::visitor::{ADMIN, APPROVER, BUYER, Request, SELLER, Scene};

/// What lies in the warehouse of each of the goods at the beginning.
pub(super) const OPENING: &str = "1000";

/// The quote as this person sees it; it may be an old one.
pub(super) fn shown(who: &'static str, quote: &Value) -> Request {
    Request::get(who, path(quote)).may_be_old(&[&QUOTE_SUMMARY])
}

/// How far the plan of an order at rest has come: tasks move without a version, so only at rest it stands still.
fn plan(who: &'static str, order: &Value) -> Request {
    let path = format!("/order/v1/orders/{}/workflow", text(order, "/id"));
    Request::get(who, path).may_be_old(&[&WORKFLOW_SUMMARY])
}

/// What this person may approve.
fn right(who: &'static str) -> Request {
    Request::get(who, "/quote/v1/access-profile").may_be_old(&[&ACTIVE_ACCESS_POLICY, &ACCESS_PROFILE])
}

pub(super) fn path(quote: &Value) -> String {
    format!("/quote/v1/quotes/{}", text(quote, "/id"))
}

/// The stock of a product, exactly, possibly old, and at least in that version.
pub(super) async fn stock(scene: Scene<'_>, product: &Value) -> Result<()> {
    let path = format!("/inventory/v1/products/{}/stock", product.as_str().unwrap_or_default());
    scene.send(Request::get(SELLER, format!("{path}?consistency=bounded")).may_be_old(&[&STOCK_VERSION])).await?;
    let exact = scene.send(Request::get(SELLER, format!("{path}?consistency=strict"))).await?;
    let at_least = Request::get(SELLER, format!("{path}?consistency=bounded")).at_least(&exact["version"]);
    scene.send(at_least).await?;
    scene.send(Request::get(SELLER, format!("{path}?consistency=strict"))).await?;
    Ok(())
}

pub(super) async fn open(scene: Scene<'_>, goods: Goods, book: Value) -> Result<Shop> {
    let customers = json!({ "items": [{ "externalId": "c-1", "name": "First Customer", "country": "NL" }] });
    let customers = scene.send(Request::post(ADMIN, "/quote/v1/imports/customers", customers)).await?;
    let stock_of = |name: &str| json!({ "productId": goods.ids[name], "externalId": name, "quantity": OPENING, "reference": format!("opening {name}") });
    let stock = json!({ "items": [stock_of("lamp"), stock_of("chair")] });
    scene.send(Request::post(ADMIN, "/inventory/v1/imports/stock", stock)).await?;
    for name in ["lamp", "chair"] {
        self::stock(scene, &goods.ids[name]).await?;
    }
    Ok(Shop { customer: customers["items"][0]["customerId"].clone(), goods, book })
}

pub(super) async fn sell(scene: Scene<'_>, shop: &Shop) -> Result<Sold> {
    let adjustment = json!({ "kind": "discountPercent", "value": "35", "reason": "the end of the season" });
    let lines = json!([
        { "offeringId": shop.goods.ids["lamp"], "quantity": "12" },
        { "offeringId": shop.goods.ids["chair"], "quantity": "2", "adjustment": adjustment },
        { "offeringId": shop.goods.ids["delivery"], "quantity": "1" },
    ]);
    let quote = shop.quote(scene, "a large quote", lines.clone()).await?;
    shop.quote(scene, "a large quote", lines).await.context("the same key again")?;
    scene.send_all(vec![shown(SELLER, &quote), shown(BUYER, &quote), shown(APPROVER, &quote)]).await?;

    let priced = scene.send(on_quote(SELLER, &quote, "price", json!({}))).await?;
    scene.send(shown(SELLER, &quote)).await?;
    scene.send(Request::get(SELLER, path(&quote)).at_least(&priced["version"])).await?;
    let submitted = scene.send(on_quote(SELLER, &priced, "submit", json!({}))).await?;
    scene.send(on_quote(SELLER, &priced, "present", json!({})).key("a stale tag")).await?;
    scene.send(on_quote(SELLER, &submitted, "approve", content_hash(&submitted)).key("one's own")).await?;
    scene.send(shown(BUYER, &quote)).await?;
    limit(scene, &submitted).await.context("limits")?;
    let approved = scene.send(on_quote(APPROVER, &submitted, "approve", content_hash(&submitted))).await?;
    scene.send(Request::get(APPROVER, path(&quote)).at_least(&approved["version"])).await?;
    let presented = scene.send(on_quote(SELLER, &approved, "present", json!({}))).await?;
    scene.send(shown(BUYER, &quote)).await?;

    let accept = |body: Value| on_quote(SELLER, &presented, "accept", body);
    let accepted = scene.send(accept(content_hash(&presented))).await?;
    scene.send(accept(content_hash(&presented))).await.context("the same key again")?;
    scene.send(accept(json!({ "contentHash": "0".repeat(64) }))).await.context("the same key, another body")?;
    until(
        scene,
        "the quote is closed",
        "select count(*) filter (where state = 'closed') = 1 from quote.quote where tenant_id = $1",
    )
    .await?;
    after_the_sale(scene, shop, &accepted).await
}

/// The approver may approve too little, is revoked, comes back, and may approve enough.
async fn limit(scene: Scene<'_>, submitted: &Value) -> Result<()> {
    let put = |version: u64, percent: &str| {
        let grant = |whom: &str, name: &str| json!([{ whom: name, "maxDiscountPercent": percent }]);
        let body = json!({ "roles": grant("role", "approver"), "subjects": grant("subject", SELLER) });
        Request::put(ADMIN, "/quote/v1/access-policy", body).if_match(&json!(version))
    };
    let rights = || scene.send_all(vec![right(APPROVER), right(SELLER), right(APPROVER)]);
    let refused = |key: &str| on_quote(APPROVER, submitted, "approve", content_hash(submitted)).key(key);
    rights().await?;
    scene.send(put(0, "20")).await?;
    scene.send(refused("too little")).await?;
    rights().await?;
    let revocation = format!("/quote/v1/access-revocations/{APPROVER}");
    scene.send(Request::put(ADMIN, &revocation, json!({ "reason": "on leave" }))).await?;
    scene.send(refused("on leave")).await?;
    rights().await?;
    scene.send(put(1, "50")).await?;
    scene.send(Request::delete(ADMIN, &revocation)).await?;
    rights().await?;
    Ok(())
}

async fn after_the_sale(scene: Scene<'_>, shop: &Shop, accepted: &Value) -> Result<Sold> {
    let revision = format!("{}/revisions/{}", path(accepted), text(accepted, "/currentRevision/revisionNo"));
    scene.send_all(vec![shown(SELLER, accepted), shown(BUYER, accepted)]).await?;
    let closed = scene.send(Request::get(SELLER, &revision)).await?;
    scene.send(Request::get(BUYER, path(accepted)).at_least(&closed["version"])).await?;
    scene.send(Request::get(SELLER, format!("{revision}/acceptance"))).await?;
    scene.send(Request::get(SELLER, format!("{}/history", path(accepted)))).await?;
    let result = format!("/pricing/v1/price-results/{}", text(&closed, "/currentRevision/priceResultId"));
    scene.send_all(vec![Request::get(SELLER, &result), Request::get(ADMIN, &result)]).await?;
    scene.send(Request::get(SELLER, &result)).await?;
    scene.send(Request::ask(ADMIN, format!("{result}/verify"), json!({}))).await?;

    let orders =
        scene.send(Request::get(SELLER, format!("/order/v1/orders?quoteId={}", text(accepted, "/id")))).await?;
    let order_path = format!("/order/v1/orders/{}", text(&orders, "/items/0/id"));
    scene.send(Request::get(SELLER, &order_path)).await?;
    let order = scene.send(Request::get(SELLER, &order_path)).await?;
    scene.send_all(vec![plan(SELLER, &order), plan(ADMIN, &order)]).await?;
    scene.send(plan(SELLER, &order)).await?;
    let installed = format!("/inventory/v1/installed-products?orderId={}", text(&order, "/id"));
    scene.send(Request::get(ADMIN, installed).sorted_by("name")).await?;
    stock(scene, &shop.goods.ids["lamp"]).await?;
    stock(scene, &shop.goods.ids["chair"]).await?;
    Ok(Sold { quote: accepted.clone(), order })
}

pub(super) async fn take_back(scene: Scene<'_>, shop: &Shop, sold: &Sold) -> Result<()> {
    let items = sold.order["items"].as_array().into_iter().flatten();
    let lamps = items.clone().find(|item| item["externalId"] == "lamp").context("the order has no lamps")?;
    let path = format!("/order/v1/orders/{}", text(&sold.order, "/id"));
    let body = json!({ "reason": "two are broken", "items": [{ "orderItemId": lamps["id"], "quantity": "2" }] });
    let cancel = || Request::post(SELLER, format!("{path}/cancellations"), body.clone()).key("two lamps");
    scene.send(cancel()).await?;
    scene.send(cancel()).await.context("the same key again")?;
    until(
        scene,
        "the lamps are back",
        r#"select exists (select from "order".cancellation where tenant_id = $1 and state = 'done')"#,
    )
    .await?;
    scene.send(Request::get(SELLER, &path)).await?;
    scene.send(Request::get(SELLER, format!("{path}/cancellations"))).await?;
    scene.send(Request::get(SELLER, &path)).await?;
    scene.send_all(vec![plan(SELLER, &sold.order), plan(ADMIN, &sold.order)]).await?;
    stock(scene, &shop.goods.ids["lamp"]).await?;
    scene.send(Request::get(ADMIN, "/inventory/v1/reconciliation")).await?;
    Ok(())
}

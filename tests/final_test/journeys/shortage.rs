//! More is sold than there is: the order waits, and is cancelled as a whole.

use anyhow::Result;
use serde_json::json;

use super::{Shop, content_hash, on_quote, sale, text, until};
use crate::visitor::{ADMIN, Request, SELLER, Scene};

pub(super) async fn run_out(scene: Scene<'_>, shop: &Shop) -> Result<()> {
    let lines = json!([{ "offeringId": shop.goods.ids["lamp"], "quantity": "5000" }]);
    let quote = shop.quote(scene, "too many lamps", lines).await?;
    let priced = scene.send(on_quote(SELLER, &quote, "price", json!({}))).await?;
    scene.send(sale::shown(SELLER, &quote)).await?;
    let submitted = scene.send(on_quote(SELLER, &priced, "submit", json!({}))).await?;
    let presented = scene.send(on_quote(SELLER, &submitted, "present", json!({}))).await?;
    let accepted = scene.send(on_quote(SELLER, &presented, "accept", content_hash(&presented))).await?;
    until(
        scene,
        "the order waits",
        r#"select exists (select from "order".product_order where tenant_id = $1 and state = 'pending')
             and exists (select from quote.quote where tenant_id = $1 and state = 'won')"#,
    )
    .await?;
    sale::stock(scene, &shop.goods.ids["lamp"]).await?;
    let orders =
        scene.send(Request::get(SELLER, format!("/order/v1/orders?quoteId={}", text(&accepted, "/id")))).await?;
    let path = format!("/order/v1/orders/{}", text(&orders, "/items/0/id"));
    scene.send(Request::get(SELLER, &path)).await?;
    let all = json!({ "reason": "there are not enough" });
    scene.send(Request::post(SELLER, format!("{path}/cancellations"), all).key("all of it")).await?;
    until(
        scene,
        "the order is cancelled",
        r#"select exists (select from "order".product_order where tenant_id = $1 and state = 'cancelled')
             and (select count(*) filter (where state = 'closed') = 2 from quote.quote where tenant_id = $1)"#,
    )
    .await?;
    scene.send(Request::get(SELLER, &path)).await?;
    scene.send(sale::shown(SELLER, &quote)).await?;
    sale::stock(scene, &shop.goods.ids["lamp"]).await?;
    scene.send(Request::get(ADMIN, "/inventory/v1/reconciliation")).await?;
    Ok(())
}

//! The clients: each makes one sale after the other, repeats what got no answer under the same key, and cancels now and then.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use quoin::api::{Api, Credential, Endpoints, Person};
use serde_json::{Value, json};
use system_tests::{
    Shop,
    shop::{post, text},
    system::eventually,
};
use uuid::Uuid;

/// How long a call is repeated: longer than any server is away.
const PATIENCE: Duration = Duration::from_mins(5);
/// What comes into the warehouse of each good before anything is sold: more than can be.
pub const DELIVERED: i64 = 1_000_000;
/// One sale in so many is cancelled, in turns wholly and by one unit.
const CANCELLED_ONE_IN: usize = 10;

/// A sale of which the customer has the answer.
#[derive(Debug, Clone)]
pub struct Sold {
    /// The accepted quote.
    pub quote: String,
}

/// A shop with full shelves whose people do not give up.
pub async fn open(url: &str, tenant: &str) -> Result<Shop> {
    let shop = Shop::open(url, tenant).await?;
    for good in ["lamp", "chair"] {
        let receipt = json!({
            "kind": "receipt", "productId": shop.ids[good], "quantity": DELIVERED.to_string(), "reference": format!("delivery of {good}"),
        });
        post(&shop.admin, "/inventory/v1/movements", &receipt).await?;
    }
    let patient = |subject: &str, roles: &[&str]| {
        let person = Credential::issued(Person::new(tenant, subject, roles));
        Api::new(Arc::new(Endpoints::single(url)), person, PATIENCE)
    };
    let seller = patient("seller", &["salesRep", "buyer", "orderAgent"])?;
    Ok(Shop { seller, admin: patient("admin", &["tenantAdmin"])?, ..shop })
}

/// The sale of this number, from the draft to the acceptance, and its cancellation where it is due.
pub async fn sell(shop: &Shop, number: usize) -> Result<Sold> {
    let quantity = u32::try_from(number % 3 + 1)?;
    let lines = match number % 4 {
        0 => vec![shop.line("lamp", quantity), shop.line("chair", 1)],
        1 => vec![shop.line("lamp", quantity)],
        2 => vec![shop.line("chair", quantity)],
        _ => vec![shop.line("chair", quantity), shop.line("delivery", 1)],
    };
    let presented = shop.presented(&lines).await.context("not presented")?;
    let accepted = shop.accept(&presented, &Uuid::now_v7().to_string()).await.context("not accepted")?.value;
    if number.is_multiple_of(CANCELLED_ONE_IN) {
        cancel(shop, &accepted, (number / CANCELLED_ONE_IN).is_multiple_of(2)).await.context("not cancelled")?;
    }
    Ok(Sold { quote: text(&accepted, "/id") })
}

async fn cancel(shop: &Shop, quote: &Value, whole: bool) -> Result<()> {
    let order = eventually("there is an order to cancel", async || {
        let found = shop.orders(quote).await?;
        Ok(found.into_iter().next())
    })
    .await?;
    let path = format!("/order/v1/orders/{}", text(&order, "/id"));
    let order = shop.seller.get(&path).send::<Value>().await?.value;
    let one = json!([{ "orderItemId": order["items"][0]["id"], "quantity": "1" }]);
    let mut body = json!({ "reason": "the customer thought better of it" });
    if !whole {
        body["items"] = one;
    }
    let call = shop.seller.post(format!("{path}/cancellations")).key(Uuid::now_v7().to_string());
    call.json(&body).send::<Value>().await?;
    Ok(())
}

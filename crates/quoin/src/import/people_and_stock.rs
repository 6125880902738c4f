//! Customers, and what lay in the warehouse on the first day.

use anyhow::Context;
use kernel::OfferingId;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{BATCH, Counts, OfferingIds};
use crate::{
    api::Api,
    progress::Progress,
    retail::masters::{Customer, Masters},
};

#[derive(Serialize)]
struct Batch<T> {
    items: Vec<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerItem<'a> {
    external_id: &'a str,
    name: &'a str,
    country: &'a str,
    segment: &'static str,
}

impl<'a> From<&'a Customer> for CustomerItem<'a> {
    fn from(customer: &'a Customer) -> Self {
        Self {
            external_id: &customer.external_id,
            name: &customer.name,
            country: &customer.country,
            segment: customer.segment.name(),
        }
    }
}

/// Sends all customers.
pub async fn send_customers(api: &Api, masters: &Masters, progress: &Progress) -> anyhow::Result<Counts> {
    let bar = progress.bar("customers", masters.customers.len());
    let mut counts = Counts::default();
    for batch in masters.customers.chunks(BATCH) {
        let body = Batch { items: batch.iter().map(CustomerItem::from).collect::<Vec<_>>() };
        let answer = api.post("/quote/v1/imports/customers").json(&body).send::<Counts>().await;
        counts.add(answer.context("cannot import the customers")?.value);
        bar.inc(batch.len() as u64);
    }
    Ok(counts)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StockItem<'a> {
    product_id: OfferingId,
    external_id: &'a str,
    quantity: Decimal,
    reference: String,
}

/// Books the opening stock. The reference makes a second booking of the same code a repetition.
pub async fn send_opening_stock(
    api: &Api,
    masters: &Masters,
    ids: &OfferingIds,
    progress: &Progress,
) -> anyhow::Result<Counts> {
    let items: Vec<StockItem<'_>> = masters
        .opening_stock()
        .filter_map(|(offering, units)| {
            Some(StockItem {
                product_id: *ids.get(&offering.code)?,
                external_id: &offering.code,
                quantity: units.into(),
                reference: format!("online-retail opening {}", offering.code),
            })
        })
        .collect();
    let bar = progress.bar("opening stock", items.len());
    let mut counts = Counts::default();
    let mut rest = items.into_iter().peekable();
    while rest.peek().is_some() {
        let body = Batch { items: rest.by_ref().take(BATCH).collect::<Vec<_>>() };
        let answer = api.post("/inventory/v1/imports/stock").json(&body).send::<Counts>().await;
        counts.add(answer.context("cannot import the opening stock")?.value);
        bar.inc(body.items.len() as u64);
    }
    Ok(counts)
}

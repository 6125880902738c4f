//! The demo's tenants as files, and how they are loaded.

use std::collections::HashMap;

use anyhow::Context;
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::{Api, ApiError};

/// One tenant's data; the items are bodies of the API, except that prices and stock name offerings by external id.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantData {
    /// The tenant.
    pub tenant: String,
    /// What it is called.
    pub title: String,
    offerings: Vec<Value>,
    books: Vec<Book>,
    customers: Vec<Value>,
    stock: Vec<Stock>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Book {
    external_id: String,
    name: String,
    currency: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    offering: String,
    #[serde(flatten)]
    price: serde_json::Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stock {
    external_id: String,
    quantity: String,
}

/// All tenants of the demo.
pub fn tenants() -> anyhow::Result<Vec<TenantData>> {
    let files = [include_str!("../../demo/aurora.json"), include_str!("../../demo/borealis.json")];
    files.into_iter().map(|text| serde_json::from_str(text).context("the demo's data are broken")).collect()
}

/// Offering ids by external id.
type Ids = HashMap<String, String>;

impl TenantData {
    /// Loads everything: catalog, publication, price books, customers, stock.
    pub async fn load(&self, admin: &Api) -> anyhow::Result<()> {
        let ids = self.load_offerings(admin).await?;
        let publish = json!({ "name": self.title, "activate": true });
        admin.post("/catalog/v1/publications").json(&publish).send::<Value>().await?;
        for book in &self.books {
            put_book(admin, book, &ids).await.with_context(|| book.external_id.clone())?;
        }
        let customers = json!({ "items": self.customers });
        admin.post("/quote/v1/imports/customers").json(&customers).send::<Value>().await?;
        let stock: anyhow::Result<Vec<Value>> = self.stock.iter().map(|stock| opening(stock, &ids)).collect();
        admin.post("/inventory/v1/imports/stock").json(&json!({ "items": stock? })).send::<Value>().await?;
        Ok(())
    }

    async fn load_offerings(&self, admin: &Api) -> anyhow::Result<Ids> {
        #[derive(Deserialize)]
        struct Imported {
            items: Vec<Item>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Item {
            external_id: String,
            offering_id: String,
        }
        let body = json!({ "items": self.offerings });
        let imported = admin.post("/catalog/v1/imports").json(&body).send::<Imported>().await?.value;
        Ok(imported.items.into_iter().map(|item| (item.external_id, item.offering_id)).collect())
    }
}

async fn put_book(admin: &Api, book: &Book, ids: &Ids) -> anyhow::Result<()> {
    let entries: anyhow::Result<Vec<Value>> = book.entries.iter().map(|entry| priced(entry, ids)).collect();
    let body = json!({ "name": book.name, "currency": book.currency, "entries": entries? });
    let path = format!("/pricing/v1/price-books/{}", book.external_id);
    let put = admin.put(path.clone()).json(&body);
    match version(admin, &path).await? {
        Some(version) => put.if_match(version).send::<Value>().await?,
        None => put.if_absent().send::<Value>().await?,
    };
    Ok(())
}

async fn version(admin: &Api, path: &str) -> Result<Option<u64>, ApiError> {
    match admin.get(path).send::<Value>().await {
        Ok(known) => Ok(known.version()),
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
        Err(error) => Err(error),
    }
}

fn priced(entry: &Entry, ids: &Ids) -> anyhow::Result<Value> {
    let mut price = entry.price.clone();
    price.insert("offeringId".to_owned(), json!(id_of(&entry.offering, ids)?));
    Ok(Value::Object(price))
}

fn opening(stock: &Stock, ids: &Ids) -> anyhow::Result<Value> {
    Ok(json!({
        "productId": id_of(&stock.external_id, ids)?,
        "externalId": stock.external_id,
        "quantity": stock.quantity,
        "reference": format!("demo opening {}", stock.external_id),
    }))
}

fn id_of<'a>(external_id: &str, ids: &'a Ids) -> anyhow::Result<&'a str> {
    ids.get(external_id).map(String::as_str).with_context(|| format!("the catalog has no {external_id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::TENANTS;

    #[test]
    fn the_demos_tenants_have_data_and_two_currencies() {
        let tenants = tenants().unwrap();
        assert_eq!(tenants.iter().map(|data| data.tenant.as_str()).collect::<Vec<_>>(), TENANTS);
        let mut currencies: Vec<&str> =
            tenants.iter().flat_map(|data| &data.books).map(|b| b.currency.as_str()).collect();
        currencies.sort_unstable();
        currencies.dedup();
        assert_eq!(currencies, ["EUR", "USD"]);
    }

    #[test]
    fn prices_and_stock_name_offerings_that_exist() {
        for data in tenants().unwrap() {
            let known: Vec<&str> = data.offerings.iter().filter_map(|item| item["externalId"].as_str()).collect();
            let priced = data.books.iter().flat_map(|book| &book.entries).map(|entry| entry.offering.as_str());
            let stocked = data.stock.iter().map(|stock| stock.external_id.as_str());
            for name in priced.chain(stocked) {
                assert!(known.contains(&name), "{}: {name}", data.tenant);
            }
        }
    }
}

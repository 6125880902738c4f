//! Ids of what the import made: offerings, customers, price books.

use std::collections::HashMap;

use anyhow::Context;
use kernel::{CustomerId, OfferingId, PriceBookId, PublicationId};
use serde::de::DeserializeOwned;

use super::{
    StepError,
    wire::{ActivePublication, BookRow, CustomerRow, OfferingRow, Page},
};
use crate::{
    api::{Api, ApiError},
    import::book_external_id,
    retail::{invoice::Segment, masters::Masters},
};

/// The largest page the API gives.
const PAGE: usize = 100;

/// What the import made, by the file's own names.
pub struct Directory {
    /// The publication quotes refer to.
    pub publication: PublicationId,
    offerings: HashMap<String, OfferingId>,
    customers: HashMap<String, CustomerId>,
    books: HashMap<Segment, PriceBookId>,
}

impl Directory {
    /// Reads everything once; fails with a hint when the file was not imported.
    pub async fn read(api: &Api, masters: &Masters) -> anyhow::Result<Self> {
        let active = api.get("/catalog/v1/publications/active").send::<ActivePublication>().await;
        let publication = active.context("no publication is active: import the file first")?.value.id;
        let path = format!("/catalog/v1/publications/{publication}/offerings");
        let offerings = pages::<OfferingRow>(api, &path).await?;
        let customers = pages::<CustomerRow>(api, "/quote/v1/customers").await?;
        let mut books = HashMap::new();
        for segment in masters.books.iter().map(|book| book.segment) {
            let path = format!("/pricing/v1/price-books/{}", book_external_id(segment));
            books.insert(segment, api.get(path).send::<BookRow>().await?.value.id);
        }
        let named = |(name, id): (Option<String>, OfferingId)| name.map(|name| (name, id));
        Ok(Self {
            publication,
            offerings: offerings.into_iter().map(|row| (row.external_id, row.id)).filter_map(named).collect(),
            customers: customers.into_iter().filter_map(|row| Some((row.external_id?, row.id))).collect(),
            books,
        })
    }

    /// The offering of a stock code.
    pub(super) fn offering(&self, code: &str) -> Result<OfferingId, StepError> {
        let found = self.offerings.get(code).copied();
        found.ok_or_else(|| StepError::NotImported(format!("offering {code}")))
    }

    /// The id of a customer.
    pub(super) fn customer(&self, external_id: &str) -> Result<CustomerId, StepError> {
        let found = self.customers.get(external_id).copied();
        found.ok_or_else(|| StepError::NotImported(format!("customer {external_id}")))
    }

    /// The price book of a segment.
    pub(super) fn book(&self, segment: Segment) -> Result<PriceBookId, StepError> {
        let found = self.books.get(&segment).copied();
        found.ok_or_else(|| StepError::NotImported(format!("price book of {} buyers", segment.name())))
    }
}

async fn pages<T: DeserializeOwned>(api: &Api, path: &str) -> Result<Vec<T>, ApiError> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = api.get(format!("{path}?limit={PAGE}{after}")).send::<Page<T>>().await?.value;
        all.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(all),
        }
    }
}

//! The services a quote asks: the catalog what an offering is, pricing what it costs. The caller's token goes along.
//!
//! Must never be called while a row is locked.

use std::collections::BTreeMap;

use cache_ports::{
    catalog::{ActivePublication, OfferingDocument},
    pricing::{ApprovalInputs, PriceTotals, PricedItem},
};
use futures::{StreamExt, TryStreamExt, stream};
use kernel::{
    ContentHash, Currency, CustomerId, OfferingId, PriceBookId, PriceResultId, PublicationId, Quantity, QuoteId,
    QuoteItemId,
};
use serde::{Deserialize, Serialize};
use service_runtime::{CallError, Caller, IdempotencyKey, Problem, ServiceClient};

use crate::{
    config::Config,
    error::{QuoteError, QuoteResult},
    model::{Adjustment, Item, Quote, ResolvedOffering},
};

/// Offerings asked for at once; the catalog answers most of them from memory.
const OFFERINGS_AT_ONCE: usize = 16;

/// The other services.
#[derive(Debug, Clone)]
pub struct Clients {
    catalog: ServiceClient,
    pricing: ServiceClient,
}

/// What the quote takes from a sealed price.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FinalPrice {
    /// The evidence.
    pub price_result_id: PriceResultId,
    /// The hash of everything the engine answered.
    pub result_hash: ContentHash,
    /// The sums.
    pub totals: PriceTotals,
    /// The charges.
    pub items: Vec<PricedItem>,
    /// What decides about approval.
    pub approval_inputs: ApprovalInputs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FinalPriceRequest<'a> {
    quote_id: QuoteId,
    revision_no: u32,
    request: PriceRequest<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PriceRequest<'a> {
    price_book_id: PriceBookId,
    publication_id: PublicationId,
    currency: Currency,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<CustomerId>,
    items: Vec<PriceRequestItem<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PriceRequestItem<'a> {
    item_id: QuoteItemId,
    offering_id: OfferingId,
    quantity: Quantity,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustment: Option<&'a Adjustment>,
}

impl Clients {
    /// Clients at the configured addresses.
    pub fn new(config: &Config) -> Self {
        Self {
            catalog: ServiceClient::new("catalog", &config.catalog_url, config.call_timeout()),
            pricing: ServiceClient::new("pricing", &config.pricing_url, config.call_timeout()),
        }
    }

    /// The publication buyers see now.
    pub async fn active_publication(&self, caller: &Caller) -> QuoteResult<PublicationId> {
        let call = self.catalog.get(caller, "/catalog/v1/publications/active");
        match call.send::<ActivePublication>().await {
            Ok(reply) => Ok(reply.value.publication_id),
            Err(error) if is_not_found(&error) => Err(QuoteError::field(
                "/publicationId",
                "no-active-publication",
                "the catalog has no active publication",
            )),
            Err(error) => Err(refused(error)),
        }
    }

    /// What the publication says about these offerings; those it does not have are left out.
    pub async fn offerings(
        &self,
        caller: &Caller,
        publication: PublicationId,
        ids: Vec<OfferingId>,
    ) -> QuoteResult<BTreeMap<OfferingId, ResolvedOffering>> {
        stream::iter(ids)
            .map(|id| self.offering(caller, publication, id))
            .buffer_unordered(OFFERINGS_AT_ONCE)
            .try_filter_map(|found| std::future::ready(Ok(found)))
            .try_collect()
            .await
    }

    async fn offering(
        &self,
        caller: &Caller,
        publication: PublicationId,
        id: OfferingId,
    ) -> QuoteResult<Option<(OfferingId, ResolvedOffering)>> {
        let path = format!("/catalog/v1/publications/{publication}/offerings/{id}");
        match self.catalog.get(caller, &path).send::<OfferingDocument>().await {
            Ok(reply) => {
                let OfferingDocument { external_id, name, stocked, .. } = reply.value;
                Ok(Some((id, ResolvedOffering { external_id, name, stocked })))
            }
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    /// Has pricing seal a final price for the quote's present lines. The idempotency key follows from the quote's version
    /// and everything that is asked, so a repetition after a lost answer finds the same sealed result.
    pub async fn final_price(
        &self,
        caller: &Caller,
        quote: &Quote,
        publication_id: PublicationId,
    ) -> QuoteResult<FinalPrice> {
        let body = FinalPriceRequest {
            quote_id: quote.id,
            revision_no: quote.revision.no,
            request: PriceRequest {
                price_book_id: quote.price_book_id,
                publication_id,
                currency: quote.currency,
                customer_id: quote.customer_id,
                items: quote.revision.items.iter().map(asked).collect(),
            },
        };
        let name = format!("quote-{}-{}-{}", quote.id, quote.version, ContentHash::of_json(&body)?);
        let key = IdempotencyKey::new(name).ok_or(QuoteError::Unreadable("idempotency key"))?;
        let call = self.pricing.post(caller, "/pricing/v1/final-prices", &body).idempotent(&key);
        match call.send::<FinalPrice>().await {
            Ok(reply) => Ok(reply.value),
            Err(error) if is_not_found(&error) => {
                Err(QuoteError::field("/priceBookId", "unknown-price-book", "there is no such price book"))
            }
            Err(error) => Err(refused(error)),
        }
    }
}

fn asked(item: &Item) -> PriceRequestItem<'_> {
    PriceRequestItem {
        item_id: item.id,
        offering_id: item.offering_id,
        quantity: item.quantity,
        adjustment: item.adjustment.as_ref(),
    }
}

fn is_not_found(error: &CallError) -> bool {
    error.status().is_some_and(|status| status == axum::http::StatusCode::NOT_FOUND)
}

fn refused(error: CallError) -> QuoteError {
    QuoteError::Refused(Box::new(Problem::from(error)))
}

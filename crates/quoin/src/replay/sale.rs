//! One invoice: quote, final price, submission, approval where needed, presentation, acceptance, order.
//!
//! Driven by the state the quote is in, not by a script: whatever an interrupted run, a repeated call or a concurrent
//! worker left behind, the next command follows from the state.

use kernel::{CustomerId, OfferingId, OrderId, OrderItemId, PriceBookId, PublicationId, QuoteId};
use reqwest::StatusCode;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::json;

use super::{
    Desk, StepError,
    wire::{Order, Page, Quote, QuoteRow},
};
use crate::{
    api::{Api, ApiError},
    retail::plan::{CURRENCY, Sale, SaleLine},
};

/// Commands a revision needs from draft to order; twice that, and something moves in circles.
const MOST_COMMANDS: usize = 16;

/// Name space of the idempotency keys: the file, then the invoice, then the command.
const SOURCE: &str = "online-retail";

/// An order that was placed, now or by an earlier run.
#[derive(Debug)]
pub struct Placed {
    /// The quote.
    pub quote: QuoteId,
    /// The order.
    pub order: OrderId,
    /// The order's items, in the order of the invoice's lines.
    pub lines: Vec<OrderItemId>,
    /// Lines with a price set by hand.
    pub overrides: usize,
    /// Whether the quote went through an approval.
    pub approved: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewQuote<'a> {
    external_id: &'a str,
    customer_id: CustomerId,
    price_book_id: PriceBookId,
    publication_id: PublicationId,
    currency: &'static str,
    level: &'static str,
    items: Vec<NewItem<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewItem<'a> {
    offering_id: OfferingId,
    quantity: Decimal,
    #[serde(skip_serializing_if = "Option::is_none")]
    adjustment: Option<Adjustment<'a>>,
}

#[derive(Serialize)]
struct Adjustment<'a> {
    kind: &'static str,
    value: Decimal,
    reason: &'a str,
}

impl<'a> NewItem<'a> {
    fn of(line: &'a SaleLine, desk: &Desk<'_>) -> Result<Self, StepError> {
        let adjustment = line.override_reason.as_deref().map(|reason| Adjustment {
            kind: "overrideUnitPrice",
            value: line.unit_price,
            reason,
        });
        Ok(Self { offering_id: desk.directory.offering(&line.code)?, quantity: line.quantity.into(), adjustment })
    }
}

/// Brings an invoice to its order.
pub async fn place(desk: &Desk<'_>, sale: &Sale) -> Result<Placed, StepError> {
    let mut quote = create_or_find(desk, sale).await?;
    for _ in 0..MOST_COMMANDS {
        let api = &desk.speakers.requester;
        match advance(desk, &quote).await {
            Ok(Some(next)) => quote = next,
            Ok(None) => {
                let order = order(api, &sale.invoice, &quote).await?;
                return placed(&quote, &order, Some(&sale.lines));
            }
            // Somebody was faster: a repeated call whose first answer was lost, or a worker. Look again.
            Err(error) if is_overtaken(&error) => quote = reread(api, quote.id).await?,
            Err(error) => return Err(error),
        }
    }
    Err(StepError::Stuck(quote.current_revision.state))
}

/// The order of an invoice that an earlier run has replayed, if it has.
pub async fn find(api: &Api, invoice: &str) -> Result<Option<Placed>, StepError> {
    let Some(quote) = find_quote(api, invoice).await? else { return Ok(None) };
    let orders = api.get(format!("/order/v1/orders?quoteId={}", quote.id)).send::<Page<Order>>().await?.value;
    let Some(first) = orders.items.first() else { return Ok(None) };
    let order = api.get(format!("/order/v1/orders/{}", first.id)).send::<Order>().await?.value;
    placed(&quote, &order, None).map(Some)
}

async fn create_or_find(desk: &Desk<'_>, sale: &Sale) -> Result<Quote, StepError> {
    let items: Result<Vec<NewItem<'_>>, StepError> = sale.lines.iter().map(|line| NewItem::of(line, desk)).collect();
    let body = NewQuote {
        external_id: &sale.invoice,
        customer_id: desk.directory.customer(&sale.customer)?,
        price_book_id: desk.directory.book(sale.segment)?,
        publication_id: desk.directory.publication,
        currency: CURRENCY,
        level: "firm",
        items: items?,
    };
    let api = &desk.speakers.requester;
    match api.post("/quote/v1/quotes").json(&body).send::<Quote>().await {
        Ok(created) => Ok(created.value),
        Err(error) if error.status() == Some(StatusCode::CONFLICT) => {
            find_quote(api, &sale.invoice).await?.ok_or_else(|| error.into())
        }
        Err(error) => Err(error.into()),
    }
}

async fn find_quote(api: &Api, invoice: &str) -> Result<Option<Quote>, StepError> {
    let found = api.get(format!("/quote/v1/quotes?externalId={invoice}")).send::<Page<QuoteRow>>().await?.value;
    match found.items.first() {
        Some(row) => reread(api, row.id).await.map(Some),
        None => Ok(None),
    }
}

async fn reread(api: &Api, quote: QuoteId) -> Result<Quote, StepError> {
    // Every replayed quote has one revision.
    Ok(api.get(format!("/quote/v1/quotes/{quote}/revisions/1")).send::<Quote>().await?.value)
}

/// Sends the command the quote's state asks for; `None` when it is accepted.
async fn advance(desk: &Desk<'_>, quote: &Quote) -> Result<Option<Quote>, StepError> {
    let (api, approver) = (&desk.speakers.requester, &desk.speakers.approver);
    let revision = &quote.current_revision;
    let path = |command: &str| format!("/quote/v1/quotes/{}/revisions/{}/{command}", quote.id, revision.number);
    let key = |command: &str| format!("{SOURCE} {} {command}", quote.id);
    let hash = json!({ "contentHash": revision.content_hash });
    let call = match revision.state.as_str() {
        "draft" if !revision.is_priced() => api.post(path("price")).if_match(quote.version),
        "draft" => api.post(path("submit")).if_match(quote.version),
        "inApproval" => approver.post(path("approve")).key(key("approve")).json(&hash),
        "approved" => api.post(path("present")).if_match(quote.version).json(&json!({})),
        "presented" => api.post(path("accept")).key(key("accept")).json(&hash),
        "accepted" | "ordered" => return Ok(None),
        other => return Err(StepError::Stuck(other.to_owned())),
    };
    Ok(Some(call.send::<Quote>().await?.value))
}

fn is_overtaken(error: &StepError) -> bool {
    let StepError::Api(error) = error else { return false };
    matches!(error.status(), Some(StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED))
}

/// Places the order of an accepted quote; the order worker may have done so already, then this finds its order.
async fn order(api: &Api, invoice: &str, quote: &Quote) -> Result<Order, ApiError> {
    let body = json!({ "quoteId": quote.id, "revisionNo": quote.current_revision.number });
    let call = api.post("/order/v1/orders").key(format!("{SOURCE} {invoice} order")).json(&body);
    Ok(call.send::<Order>().await?.value)
}

fn placed(quote: &Quote, order: &Order, lines: Option<&[SaleLine]>) -> Result<Placed, StepError> {
    let revision = &quote.current_revision;
    for (position, line) in lines.unwrap_or_default().iter().enumerate() {
        let same = revision.items.get(position).is_some_and(|item| {
            item.external_id.as_deref() == Some(&line.code) && item.quantity == Decimal::from(line.quantity)
        });
        if !same {
            let (line, code, quantity) = (position + 1, line.code.clone(), line.quantity);
            return Err(StepError::OtherLine { line, code, quantity });
        }
    }
    let item_of = |quote_item| order.items.iter().find(|item| item.quote_item_id == quote_item).map(|item| item.id);
    Ok(Placed {
        quote: quote.id,
        order: order.id,
        lines: revision.items.iter().filter_map(|item| item_of(item.id)).collect(),
        overrides: revision.items.iter().filter(|item| item.adjustment.is_some()).count(),
        approved: revision.approval.is_some(),
    })
}

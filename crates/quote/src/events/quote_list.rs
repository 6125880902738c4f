//! The quote list: what events of quotes, customers and orders put into it.

use async_trait::async_trait;
use events::{Build, Envelope, ProjectedTable, Projection, ReactionError};
use kernel::QuoteId;
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    ORDER_TOPIC, TOPIC,
    published::{CUSTOMER_CHANGED, QUOTE_ACCEPTED, QuoteFact},
    reactions::reaction_error,
};
use crate::{rules::listing::current_after, store::quote_list};

/// Quotes with the names of their customers and the states of their orders.
pub struct QuoteList;

/// What is read of an acceptance.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accepted {
    revision_no: u32,
}

/// What is read of a customer.
#[derive(Deserialize)]
struct CustomerFact {
    name: String,
}

/// What is read of an order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderFact {
    quote_id: QuoteId,
    state: String,
}

#[async_trait]
impl Projection for QuoteList {
    fn name(&self) -> &'static str {
        "quote-list"
    }

    fn consumer(&self) -> &'static str {
        "quote.quote-list"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC, ORDER_TOPIC]
    }

    fn follows(&self, event_type: &str) -> bool {
        // The one event of an order that does not say where it stands is no news here.
        event_type.starts_with("Quote")
            || matches!(event_type, CUSTOMER_CHANGED | "OrderCreated" | "OrderStateChanged" | "OrderCancelled")
    }

    fn tables(&self) -> &'static [ProjectedTable] {
        &[
            ProjectedTable { name: "quote_list", key: "quote_id" },
            ProjectedTable { name: "quote_list_customer", key: "customer_id" },
            ProjectedTable { name: "quote_list_order", key: "order_id" },
        ]
    }

    async fn project(&self, tx: &mut PgConnection, build: Build, event: &Envelope) -> Result<(), ReactionError> {
        let (tenant, id, version) = (&event.tenant, event.aggregate_id, event.aggregate_version);
        let put = match event.event_type.as_str() {
            CUSTOMER_CHANGED => {
                let CustomerFact { name } = event.data()?;
                quote_list::put_customer(tx, tenant, build, (id.into(), version), &name).await
            }
            QUOTE_ACCEPTED => {
                let Accepted { revision_no } = event.data()?;
                let at = event.occurred_at;
                quote_list::note_accepted(tx, tenant, build, (id.into(), version), revision_no, at).await
            }
            event_type if event_type.starts_with("Quote") => {
                let QuoteFact { header, also_changed, .. } = event.data()?;
                quote_list::put_quote(tx, tenant, build, &current_after(header, &also_changed)).await
            }
            _ => {
                let OrderFact { quote_id, state } = event.data()?;
                quote_list::put_order(tx, tenant, build, (id.into(), version), quote_id, &state).await
            }
        };
        put.map_err(reaction_error)
    }
}

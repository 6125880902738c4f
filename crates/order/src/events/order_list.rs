//! The order list: what events of orders and customers put into it.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use events::{Build, Envelope, ProjectedTable, Projection, ReactionError};
use kernel::{Currency, CustomerId, Money, OrderId, QuoteId};
use serde::{Deserialize, de::IgnoredAny};
use sqlx::PgConnection;

use super::{QUOTE_TOPIC, TOPIC, reactions::reaction_error};
use crate::{
    model::{HandoffState, OrderHeader, OrderState},
    store::order_list,
};

/// Orders with the names of their customers.
pub struct OrderList;

/// What is read of the events that carry an order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OrderFact {
    quote_id: QuoteId,
    revision_no: u32,
    customer_id: Option<CustomerId>,
    state: OrderState,
    currency: Currency,
    total: Money,
    credited: Money,
    invoice_handoff: Handoff,
    created_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
}

/// A new order says it as a resource does, its changes in a word.
#[derive(Deserialize)]
#[serde(untagged)]
enum Handoff {
    Word(HandoffState),
    Resource { state: HandoffState },
}

/// The items of a new order; those of a cancellation are others.
#[derive(Deserialize)]
struct NewOrder {
    items: Vec<IgnoredAny>,
}

/// What is read of a hand-off to invoicing.
#[derive(Deserialize)]
struct HandedOff {
    credited: Money,
}

/// What is read of a customer.
#[derive(Deserialize)]
struct CustomerFact {
    name: String,
}

const ORDER_CREATED: &str = "OrderCreated";
const HANDOFF_REQUESTED: &str = "InvoiceHandoffRequested";
const CUSTOMER_CHANGED: &str = "CustomerChanged";

impl OrderFact {
    /// The order in the version `event` is of.
    fn header(self, event: &Envelope) -> OrderHeader {
        let (Handoff::Word(invoice_handoff) | Handoff::Resource { state: invoice_handoff }) = self.invoice_handoff;
        OrderHeader {
            id: event.aggregate_id.into(),
            version: event.aggregate_version,
            quote_id: self.quote_id,
            revision_no: self.revision_no,
            customer_id: self.customer_id,
            state: self.state,
            currency: self.currency,
            total: self.total,
            credited: self.credited,
            invoice_handoff,
            created_at: self.created_at,
            updated_at: event.occurred_at,
            completed_at: self.completed_at,
        }
    }
}

#[async_trait]
impl Projection for OrderList {
    fn name(&self) -> &'static str {
        "order-list"
    }

    fn consumer(&self) -> &'static str {
        "order.order-list"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[TOPIC, QUOTE_TOPIC]
    }

    fn follows(&self, event_type: &str) -> bool {
        matches!(
            event_type,
            ORDER_CREATED | "OrderStateChanged" | "OrderCancelled" | HANDOFF_REQUESTED | CUSTOMER_CHANGED
        )
    }

    fn tables(&self) -> &'static [ProjectedTable] {
        &[
            ProjectedTable { name: "order_list", key: "order_id" },
            ProjectedTable { name: "order_list_customer", key: "customer_id" },
        ]
    }

    async fn project(&self, tx: &mut PgConnection, build: Build, event: &Envelope) -> Result<(), ReactionError> {
        let (tenant, id, version) = (&event.tenant, event.aggregate_id, event.aggregate_version);
        let put = match event.event_type.as_str() {
            CUSTOMER_CHANGED => {
                let CustomerFact { name } = event.data()?;
                order_list::put_customer(tx, tenant, build, (id.into(), version), &name).await
            }
            HANDOFF_REQUESTED => {
                let HandedOff { credited } = event.data()?;
                let order = OrderId::from(id);
                order_list::note_handoff(tx, tenant, build, order, version, credited, event.occurred_at).await
            }
            event_type => {
                let fact: OrderFact = event.data()?;
                let new = (event_type == ORDER_CREATED).then(|| event.data::<NewOrder>()).transpose()?;
                let item_count = new.map(|order| i32::try_from(order.items.len()).unwrap_or(i32::MAX));
                order_list::put_order(tx, tenant, build, &fact.header(event), item_count).await
            }
        };
        put.map_err(reaction_error)
    }
}

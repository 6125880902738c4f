//! One cancellation of one order.

use kernel::OrderItemId;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{StepError, sale::Placed, wire::Cancelled};
use crate::{api::Api, retail::plan::Cancellation};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewCancellation<'a> {
    external_id: &'a str,
    reason: String,
    items: Vec<Units>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Units {
    order_item_id: OrderItemId,
    quantity: Decimal,
}

/// Takes the units back; a repetition answers with what the first one made.
pub async fn cancel(api: &Api, placed: &Placed, cancellation: &Cancellation) -> Result<Cancelled, StepError> {
    let items: Result<Vec<Units>, StepError> = cancellation
        .units
        .iter()
        .map(|units| {
            let found = placed.lines.get(units.line).copied();
            let order_item_id = found.ok_or_else(|| StepError::NoOrder(cancellation.sale.clone()))?;
            Ok(Units { order_item_id, quantity: units.quantity.into() })
        })
        .collect();
    let body = NewCancellation {
        external_id: &cancellation.invoice,
        reason: format!("invoice {}", cancellation.invoice),
        items: items?,
    };
    let call = api.post(format!("/order/v1/orders/{}/cancellations", placed.order));
    let key = format!("online-retail {} of {}", cancellation.invoice, cancellation.sale);
    Ok(call.key(key).json(&body).send::<Cancelled>().await?.value)
}

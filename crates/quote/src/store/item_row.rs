//! A line between SQL and the model. Lines travel as one JSON array in either direction: one parameter, one round trip,
//! however many lines. Decimals are strings in it, because JSON numbers would pass through a float.

use kernel::{Currency, Money};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    error::{QuoteError, QuoteResult},
    model::{Adjustment, Characteristics, Charge, Item, ResolvedOffering},
};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ItemRow {
    item_id: Uuid,
    line_no: i32,
    offering_id: Uuid,
    external_id: Option<String>,
    name: Option<String>,
    stocked: Option<bool>,
    #[serde(with = "rust_decimal::serde::str")]
    quantity: Decimal,
    characteristics: Characteristics,
    adjustment: Option<Adjustment>,
    charges: Option<Vec<Charge>>,
    #[serde(with = "rust_decimal::serde::str_option")]
    amount: Option<Decimal>,
}

impl From<&Item> for ItemRow {
    fn from(item: &Item) -> Self {
        let resolved = item.resolved.as_ref();
        Self {
            item_id: item.id.uuid(),
            line_no: i32::try_from(item.line_no).unwrap_or(i32::MAX),
            offering_id: item.offering_id.uuid(),
            external_id: resolved.and_then(|offering| offering.external_id.clone()),
            name: resolved.map(|offering| offering.name.clone()),
            stocked: resolved.map(|offering| offering.stocked),
            quantity: item.quantity.get(),
            characteristics: item.characteristics.clone(),
            adjustment: item.adjustment.clone(),
            charges: (!item.charges.is_empty()).then(|| item.charges.clone()),
            amount: item.amount.map(Money::amount),
        }
    }
}

impl ItemRow {
    pub(super) fn into_item(self, currency: Currency) -> QuoteResult<Item> {
        let resolved = match (self.name, self.stocked) {
            (Some(name), Some(stocked)) => Some(ResolvedOffering { external_id: self.external_id, name, stocked }),
            _ => None,
        };
        let amount = self.amount.map(|amount| Money::new(amount, currency)).transpose();
        Ok(Item {
            id: self.item_id.into(),
            line_no: self.line_no.unsigned_abs(),
            offering_id: self.offering_id.into(),
            resolved,
            quantity: self.quantity.try_into().map_err(|_| QuoteError::Unreadable("quantity"))?,
            characteristics: self.characteristics,
            adjustment: self.adjustment,
            charges: self.charges.unwrap_or_default(),
            amount: amount.map_err(|_| QuoteError::Unreadable("amount"))?,
        })
    }
}

/// The lines as one JSON array.
pub(super) fn to_json(items: &[Item]) -> QuoteResult<serde_json::Value> {
    let rows: Vec<ItemRow> = items.iter().map(ItemRow::from).collect();
    serde_json::to_value(rows).map_err(|_| QuoteError::Unreadable("item"))
}

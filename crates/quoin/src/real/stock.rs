//! Counting the warehouse: on hand must be the sum of the movements, and what the plan leaves.

use std::collections::HashMap;

use kernel::OfferingId;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::{
    api::Api,
    import::Source,
    retail::{code::CodeKind, plan::Plan},
};

/// The count.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StockCount {
    /// Stocked products.
    pub products: usize,
    /// Movements behind them, as inventory counts them.
    pub movements: u64,
    /// Products whose stock is not the sum of their movements, as inventory says.
    pub mismatches: usize,
    /// Products whose stock is not opening − sold + returned, with what was found and expected.
    pub unexpected: Vec<String>,
}

impl StockCount {
    /// Whether every product is as it must be.
    pub const fn holds(&self) -> bool {
        self.mismatches == 0 && self.unexpected.is_empty() && self.products > 0
    }
}

#[derive(Deserialize)]
struct Reconciliation {
    movements: u64,
    mismatches: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    product_id: OfferingId,
    external_id: Option<String>,
    on_hand: Decimal,
    reserved: Decimal,
}

/// Counts everything the import booked.
pub async fn count(api: &Api, source: &Source, plan: &Plan) -> anyhow::Result<StockCount> {
    let reconciliation = api.get("/inventory/v1/reconciliation").send::<Reconciliation>().await?.value;
    let mut expected = expected(source, plan);
    let mut count = StockCount {
        movements: reconciliation.movements,
        mismatches: reconciliation.mismatches.len(),
        ..StockCount::default()
    };
    for item in items(api).await? {
        count.products += 1;
        let code = item.external_id.unwrap_or_else(|| item.product_id.to_string());
        let due = expected.remove(&code).unwrap_or_default();
        if item.on_hand != Decimal::from(due) || !item.reserved.is_zero() {
            count
                .unexpected
                .push(format!("{code}: {} on hand, {} reserved, {due} expected", item.on_hand, item.reserved));
        }
    }
    count.unexpected.extend(expected.into_keys().map(|code| format!("{code}: not there at all")));
    Ok(count)
}

fn expected(source: &Source, plan: &Plan) -> HashMap<String, i64> {
    let mut units: HashMap<String, i64> =
        source.masters.opening_stock().map(|(offering, units)| (offering.code.clone(), units)).collect();
    let mut move_by = |code: &str, by: i64| {
        if CodeKind::of(code).is_stocked() {
            *units.entry(code.to_owned()).or_default() += by;
        }
    };
    let mut codes: HashMap<(&str, usize), &str> = HashMap::new();
    for sale in plan.sales() {
        for (position, line) in sale.lines.iter().enumerate() {
            move_by(&line.code, -line.quantity);
            codes.insert((&sale.invoice, position), &line.code);
        }
    }
    for cancellation in plan.cancellations() {
        for returned in &cancellation.units {
            if let Some(code) = codes.get(&(cancellation.sale.as_str(), returned.line)) {
                move_by(code, returned.quantity);
            }
        }
    }
    units
}

async fn items(api: &Api) -> anyhow::Result<Vec<Item>> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = api.get(format!("/inventory/v1/products?limit=100{cursor}")).send::<Page>().await?.value;
        all.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(all),
        }
    }
}

//! Every SQL statement of inventory. Free functions over a connection whose transaction has set the tenant.

pub mod installed;
pub mod movements;
pub mod reconciliation;
pub mod reservations;
pub mod stock;

use crate::{model::Shelf, rules::Changes};

/// The columns of a set of shelves, for `unnest`.
fn shelf_columns<'a>(shelves: impl Iterator<Item = &'a Shelf>) -> (Vec<uuid::Uuid>, Vec<String>) {
    shelves.map(|shelf| (shelf.product.uuid(), shelf.location.clone())).unzip()
}

/// The products of a set of changes, each once, in the order in which they are locked.
pub fn products_of(changes: &Changes) -> Vec<uuid::Uuid> {
    let mut products: Vec<_> = changes.keys().map(|shelf| shelf.product.uuid()).collect();
    products.dedup();
    products
}

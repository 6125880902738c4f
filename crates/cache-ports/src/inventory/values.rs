//! What the inventory service keeps in caches: the stock of a product, and which version of it is the newest.
//!
//! Owns the cached value types, which are also inventory's answers on the wire. Must never know how a value is loaded.

use kernel::{ProductId, Version};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The stock of one product. The version counts every change at any of its locations, so one number names one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockItem {
    /// The product: the catalog's offering id.
    pub product_id: ProductId,
    /// The id in the tenant's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Units present, over all locations.
    #[serde(with = "rust_decimal::serde::str")]
    pub on_hand: Decimal,
    /// Units promised, over all locations.
    #[serde(with = "rust_decimal::serde::str")]
    pub reserved: Decimal,
    /// Units that can still be promised.
    #[serde(with = "rust_decimal::serde::str")]
    pub available: Decimal,
    /// The product's stock version.
    pub version: Version,
    /// The same per location, in order of name.
    pub locations: Vec<StockLevel>,
}

/// The stock of one product at one location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StockLevel {
    /// The location.
    pub location: String,
    /// Units present.
    #[serde(with = "rust_decimal::serde::str")]
    pub on_hand: Decimal,
    /// Units promised.
    #[serde(with = "rust_decimal::serde::str")]
    pub reserved: Decimal,
    /// Units that can still be promised.
    #[serde(with = "rust_decimal::serde::str")]
    pub available: Decimal,
}

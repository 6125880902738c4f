//! The "Online Retail" file (UCI, CC BY 4.0) as this product's input: what its rows mean and what becomes of each.
//!
//! Pure: reads rows from any reader, decides, and returns plans and findings. It knows no HTTP, no database and no
//! clock; `crate::import` and `crate::replay` carry the plans out. Nothing is dropped silently: a row is either part
//! of a plan, or it is listed with its reason and amount.
//!
//! Reading order: `row` (the file's rows) → `code` (what a stock code is) → `finding` (what is dirty, and how) →
//! `breaks` (quantity breaks from observed prices) → `masters` (catalog, price books, customers, opening stock) →
//! `invoice` (rows grouped) → `plan` (sales and cancellations in order) → `closing` (the sums must meet).

pub mod breaks;
pub mod closing;
pub mod code;
pub mod finding;
pub mod invoice;
pub mod masters;
pub mod plan;
pub mod row;

#[cfg(test)]
mod samples;

//! Every SQL statement of the quote service: free functions over a connection that has its tenant set.
//!
//! Row-level security isolates tenants; the tenant is named in every statement all the same, because it leads every key.

pub mod access;
pub mod customers;
pub mod decisions;
pub mod eligibility;
pub mod headers;
mod item_row;
pub mod quote_list;
pub mod quotes;
mod rows;

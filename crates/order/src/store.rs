//! Every SQL statement of the order service: free functions over a connection that has its tenant set.
//!
//! Row-level security isolates tenants; the tenant is named in every statement all the same, because it leads every key.

pub mod cancellations;
pub mod headers;
mod json_rows;
pub mod order_list;
pub mod orders;
pub mod plan;
pub mod tasks;

//! Every SQL statement of pricing: free functions over a connection that has its tenant set.
//!
//! Row-level security keeps tenants apart; every statement names the tenant all the same, because it leads every key.
//!
//! - `price_books`: books and their versions
//! - `entries`: the entries of a version, in canonical order
//! - `evidence`: sealed prices: written once, then read back whole
//! - `chain`: the tenant's hash chain
//! - `words`: how enums and hashes are spelled in columns

pub mod chain;
pub mod entries;
pub mod evidence;
pub mod price_books;
mod words;

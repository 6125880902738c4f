//! Quote: from a first draft to the customer's yes, and the right to one order.
//!
//! Owns quotes with their numbered revisions and lines, requests for approval, acceptances, customers (schema `quote`);
//! the paths under `/quote/v1`; the events on `quoin.quote.v1`; the keyspace of quote summaries.
//! Asks the catalog what an offering is and pricing what it costs. Must never compute an amount: money comes only from a
//! sealed price. Must never know how an order is fulfilled.
//!
//! Reading order: [`model`] → [`rules`] (start with [`rules::transitions`]) → [`commands`] → [`queries`] → [`store`] →
//! [`http`] → [`events`] → [`workers`].

pub mod clients;
pub mod commands;
pub mod config;
pub mod error;
pub mod events;
pub mod http;
pub mod model;
pub mod queries;
pub mod rules;
pub mod store;
pub mod workers;

pub use config::{DEFAULTS, QuoteConfig};
pub use http::{QuoteService, router};

/// The service's name: its schema, its base path, its section of the settings.
pub const SERVICE: &str = "quote";

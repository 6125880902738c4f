//! Order: from an accepted quote to delivered, handed to invoicing, and given back where it is cancelled.
//!
//! Owns orders with their items, the tasks that fulfil them, cancellations and the hand-off to invoicing (schema `order`,
//! quoted in SQL because it is a reserved word); the paths under `/order/v1`; the events on `quoin.order.v1`; the keyspace
//! of order summaries. Asks the quote service what was accepted and inventory for stock. Must never price anything: amounts
//! come from the acceptance, credits are parts of them.
//!
//! Reading order: [`model`] → [`rules`] → [`commands`] → [`runner`] → [`queries`] → [`store`] → [`http`] → [`events`] →
//! [`workers`].

pub mod clients;
pub mod commands;
pub mod config;
pub mod error;
pub mod events;
pub mod http;
pub mod model;
pub mod queries;
pub mod rules;
pub mod runner;
pub mod store;
pub mod workers;

pub use config::{DEFAULTS, OrderConfig};
pub use http::{OrderService, router};

/// The service's name: its schema, its base path, its section of the settings.
pub const SERVICE: &str = "order";

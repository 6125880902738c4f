//! The events crate against a real PostgreSQL: order, loss, repetition, poison, crashes.

#![expect(clippy::unwrap_used, reason = "in a test a broken assumption should end it")]

mod consuming;
mod contract;
mod fixture;
mod marks;
mod order;
mod outbox;
mod parking;
mod publishers;
mod reconciling;
mod relaying;
mod replaying;
mod republishing;
mod traced;

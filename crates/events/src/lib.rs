//! Events: from a state change in one service's PostgreSQL to effects in another's, each applied once, in order.
//!
//! The way of an event, which is also the reading order:
//! [`NewEvent`] → [`Outbox::append`] (in the business transaction) → [`Relay`] → [`Publisher`] ⇢ the log ⇢ [`Source`] →
//! [`Consumer`] → [`Reaction::apply`] (position and effects in one transaction) → [`Reaction::committed`] (caches).
//!
//! What to watch (all by service or consumer): `quoin_relay_oldest_unpublished_seconds`, `quoin_relay_delay_seconds`,
//! `quoin_relay_version_breaks_total` (a broken promise: page somebody), `quoin_consumer_lag_records`,
//! `quoin_consumer_unsettled_records` (caches behind the tables), `quoin_consumer_delay_seconds`,
//! `quoin_consumer_oldest_parked_seconds`, `quoin_outbox_housekeeping_failures_total` (days are not being created).
//!
//! Owns the tables `platform.create_messaging` makes in a service's schema. Must never know a broker's client (that is
//! `events-kafka`), a cache, or a domain's types.

mod backoff;
mod consumer;
#[cfg(feature = "contract-suite")]
pub mod contract_suite;
mod envelope;
mod in_process;
mod lease;
mod new_event;
#[cfg(feature = "contract-suite")]
pub mod order_proof;
mod outbox;
mod ports;
mod reaction;
mod relay;
mod trace_context;

pub use consumer::{Consumer, ConsumerConfig, ParkedEvent, ParkedKey, ParkingLot, ParkingLotError, Redriven};
pub use envelope::{Envelope, UnreadablePayload};
pub use in_process::InProcessBus;
pub use lease::LeaseTimes;
pub use new_event::{NewEvent, UnwritablePayload};
pub use outbox::{MAX_PAYLOAD_BYTES, Outbox, OutboxError, SHARDS};
pub use ports::{Delivery, Extent, Partition, PublishError, Publisher, Record, Retention, Source, SourceError};
pub use reaction::{Guard, Reaction, ReactionError, RetryLater};
pub use relay::{OutboxStatus, Relay, RelayConfig, Replay, ReplayError};

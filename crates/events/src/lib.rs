//! Events: from a state change in one service's PostgreSQL to effects in another's, each applied once, in order.
//!
//! The way of an event, which is also the reading order:
//! [`EventType::fact`] → [`NewEvent`] → [`Outbox::append`] (in the business transaction) → [`Relay`] → [`Publisher`] ⇢ the log ⇢
//! [`Source`] → [`Consumer`] → [`Reaction::apply`] (position and effects in one transaction) → [`Reaction::committed`] (caches). A
//! [`Projection`] is a reaction that can be made again from the beginning of the log ([`Rebuild`]).
//!
//! What to watch (all by service or consumer): `quoin_relay_oldest_unpublished_seconds`, `quoin_relay_delay_seconds`,
//! `quoin_relay_version_breaks_total` (a broken promise: page somebody), `quoin_consumer_lag_records`,
//! `quoin_consumer_unsettled_records` (caches behind the tables), `quoin_consumer_delay_seconds`,
//! `quoin_consumer_oldest_parked_seconds`, `quoin_outbox_housekeeping_failures_total` (days are not being created).
//!
//! What is in an event is declared once ([`EventType`]); from it follow the schemas in `docs/api/events`, and what may change in
//! them without a new schema version ([`incompatibilities`]).
//!
//! Owns the tables `platform.create_messaging` and `platform.create_projections` make in a service's schema. Must never know
//! a broker's client (that is `events-kafka`), a cache, or a domain's types.

mod backoff;
mod compatibility;
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
mod payload_schema;
mod ports;
mod projection;
mod published;
mod reaction;
mod reading;
mod reconcile;
mod relay;
mod republish;
mod trace_context;
mod transaction;

pub use compatibility::{Incompatibility, incompatibilities};
pub use consumer::{Consumer, ConsumerConfig, ParkedEvent, ParkedKey, ParkingLot, ParkingLotError, Redriven};
pub use envelope::{Envelope, UnreadablePayload};
pub use in_process::InProcessBus;
pub use lease::LeaseTimes;
pub use new_event::{NewEvent, UnwritablePayload};
pub use outbox::{MAX_PAYLOAD_BYTES, Outbox, OutboxError, SHARDS};
pub use ports::{Delivery, Extent, Partition, PublishError, Publisher, Record, Retention, Source, SourceError};
pub use projection::{
    Build, Difference, DifferenceKind, Finish, Projected, ProjectedTable, Projection, Rebuild, RebuildError, Rebuilt,
};
pub use published::{EventType, PublishedEvent, data_schema};
pub use reaction::{Guard, Reaction, ReactionError, RetryLater};
pub use reconcile::{Divergence, Found, ReconcileError, Reconciled, Reconciliation};
pub use relay::{OutboxStatus, Relay, RelayConfig, Replay, ReplayError};
pub use republish::{Republish, RepublishNames, requests_topic};

//! What every process needs and no domain knows: callers and tenants, problems, transactions, idempotency, paging, caching
//! headers, configuration, telemetry, health, serving and stopping.
//!
//! A handler takes `State`, [`Caller`], ids by [`PathId`], a body by [`Valid`]; it runs a command in [`idempotent`] or a
//! query over [`TenantTx::read`], and answers [`Versioned`], [`Cached`] or a [`Problem`].
//! Must never know a domain word, a table but the idempotency record, or which cache store and broker there are.

pub mod auth;
mod body;
mod cached;
mod client;
mod conditional;
pub mod context;
mod database;
mod health;
mod idempotency;
mod limits;
mod openapi;
mod paging;
mod path;
mod problem;
mod query;
mod sender;
pub mod server;
mod settings;
mod state;
pub mod telemetry;
mod tenant_tx;
#[cfg(feature = "testing")]
pub mod testing;

pub use auth::{Caller, Role, Roles};
pub use body::{DEFAULT_BODY_LIMIT, Valid, ValidOrDefault, parse as parse_valid};
pub use cached::{Cached, cache_headers};
pub use client::{Call, CallError, Reply, ServiceClient};
pub use conditional::{
    Created, IfMatch, IfNoneMatch, MIN_VERSION_HEADER, MinVersion, OptionalIfMatch, Versioned, etag,
};
pub use database::{DatabaseConfig, pool, warm_pool};
pub use health::{Detail, Health, internal_router};
pub use idempotency::{
    CommandResponse, IDEMPOTENCY_KEY_HEADER, IdempotencyKey, OptionalIdempotencyKey, REPLAYED_HEADER,
    RequiredIdempotencyKey, idempotency_witness, idempotent, run_idempotency_sweeper,
};
pub use limits::{Limits, LimitsConfig, LimitsError, Methods, PolicyConfig, RoutePattern, SubjectsConfig};
pub use openapi::service_router;
pub use paging::{CursorConfig, CursorSigner, Page};
pub use path::{PathId, PathIds2, PathIds3};
pub use problem::{ApiResult, FieldProblem, MAX_FIELD_PROBLEMS, PROBLEM_JSON, Problem, ProblemDocument};
pub use query::{Limit, Moment, NamePrefix, Params};
pub use sender::Sender;
pub use server::HttpConfig;
pub use settings::{RuntimeConfig, Settings, SettingsError};
pub use state::{OutboxHint, ServiceParts, ServiceState};
pub use tenant_tx::TenantTx;

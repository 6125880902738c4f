//! The outside of a process: accepting connections, what happens around every request, stopping in order.
//!
//! All of it is one plain service around the router instead of a stack of layers: axum boxes every layer of every route,
//! and a cached read takes microseconds.

mod edge;
mod fallback;
mod lifecycle;
mod listener;
mod meters;
mod patience;

use std::net::SocketAddr;

use serde::Deserialize;

pub use fallback::with_fallbacks;
pub use lifecycle::Lifecycle;
pub use listener::serve;

/// The HTTP side of a process.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port for clients.
    pub bind: SocketAddr,
    /// Address and port for `/live`, `/ready` and `/metrics`: not reachable from outside.
    pub internal_bind: SocketAddr,
    /// A request that takes longer is answered 503.
    pub request_timeout_ms: u64,
    /// A client that sends its headers more slowly is cut off.
    pub header_read_timeout_ms: u64,
    /// A connection without a request is closed after this; longer than clients keep theirs.
    pub idle_timeout_ms: u64,
    /// Open connections; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Requests being worked on; more are answered 503 at once.
    pub max_requests_in_flight: usize,
    /// After a stop signal: how long `/ready` says no before connections are closed.
    pub drain_delay_ms: u64,
    /// After that: how long running requests may take to end.
    pub drain_timeout_ms: u64,
}

//! Callbacks on a real PostgreSQL: a database per test, the roles of one service, receivers on real sockets.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics; clippy only knows functions marked as tests")]

mod delivering;
mod killing;
mod order;
mod receiver;
mod refusals;
mod registering;
mod replaying;
mod world;

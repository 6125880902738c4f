//! The store over a real Redis.

mod access;
mod cluster;
mod contract;
mod faults;
mod flush;
mod hints;
mod lives;
mod rates;
mod scan;
mod survey;
mod tls;
mod wire;

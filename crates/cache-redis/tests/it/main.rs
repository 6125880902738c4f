//! The store over a real Redis.

mod access;
mod contract;
mod faults;
mod subject;

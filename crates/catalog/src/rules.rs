//! Decisions of the catalog: pure functions from values to values or findings.
//!
//! Owns every rule about what may be written, published, imported or configured. Must never do I/O, read a clock or
//! make an id up.

pub mod characteristics;
pub mod configure;
pub mod draft;
pub mod freeze;
pub mod import;
pub mod lifecycle;
pub mod merge_patch;
pub mod search;

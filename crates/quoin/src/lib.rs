//! The composition root and the one executable: everything is put together here, and nothing is decided here.
//!
//! | folder | what |
//! |---|---|
//! | [`cli`] | what can be said on the command line |
//! | [`config`], [`services`] | what a process is told; the services by name |
//! | [`app`] | the parts of one process: stores, log, identities, routers, workers |
//! | [`dev`], [`demo`], [`people`] | everything in one process on this machine; the tour and its people |
//! | [`migrate`], [`generate`], [`doctor`] | schema and topics; files written by the code; what is wrong and what to do |
//! | [`retail`], [`import`], [`replay`] | the online-retail file: what it means (pure), its master data, its invoices |
//! | [`deployment`], [`real`] | the product as processes; the proof on real input |
//! | [`messaging`] | what operators ask of outboxes and consumers |
//! | [`upkeep`] | the auditor and the sweeper of the cache |
//! | [`api`] | the client of our own API that the tools speak through |

pub mod api;
pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod deployment;
pub mod dev;
pub mod doctor;
pub mod generate;
pub mod import;
pub mod messaging;
pub mod migrate;
pub mod people;
mod progress;
pub mod real;
pub mod replay;
pub mod retail;
pub mod services;
pub mod upkeep;

pub use progress::Progress;

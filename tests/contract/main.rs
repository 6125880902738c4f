//! The contract, tried by machine: every operation of every service's OpenAPI document is called with hundreds of bodies,
//! parameters and headers that are wrong in one place, and with bodies at random that the schema allows.
//!
//! Held to: the document lists every status; nothing fails (5xx); a refusal is a problem with a pointer to the field;
//! what is refused has written nothing; what is answered is what the schema says. What is tried follows from the
//! documents: a new operation is tried as soon as it exists, and must at most be given its stage.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::match_same_arms,
    clippy::assigning_clones,
    reason = "sizes made here are small, and a table reads better with one line a case"
)]

mod body_faults;
mod chance;
mod document;
mod judge;
mod ledger;
mod request_faults;
mod sample;
mod stage;
mod trial;
mod wire;
mod world;

use anyhow::Result;
use quoin::services::Service;

use trial::Trial;
use world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_keeps_to_its_document_whatever_it_is_sent() -> Result<()> {
    let mut world = World::start().await?;
    let mut trial = Trial::default();
    for service in Service::ALL {
        trial.service(&mut world, service).await?;
    }
    println!("{trial}");
    assert!(trial.faults.is_empty(), "{}", trial.verdict());
    // A trial that tried nothing proves nothing.
    assert!(trial.operations >= 60 && trial.calls >= 4_000, "{trial}");
    Ok(())
}

//! Everything killed at every named step, again and again, while sales go on: nothing is lost, invented, doubled or turned
//! round.
//!
//! A deployment of its own on servers of its own: one process that answers, several that work. Each kills itself at one step
//! after the other (`fail-points`), or is killed from outside; PostgreSQL and Kafka are killed as well; all of them come back
//! at once, and clients repeat what got no answer, under the same key. Then everything is counted.
//!
//! It needs the machine for minutes, so it runs only where it is asked for: `make prove`. Without sizes in the environment
//! ([`scale`]) it kills at each step at least once; the long form writes what it found into `docs/proofs.md`.

mod crew;
mod fate;
mod field;
mod poisoner;
mod scale;
mod sellers;
mod servers;
mod tally;
mod verdict;

use anyhow::Result;
use system_tests::evidence::Evidence;

use crate::{field::Field, scale::Scale};

/// The executable these tests were built with.
const PROGRAM: &str = env!("CARGO_BIN_EXE_quoin-under-test");

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes of kills that need the machine for themselves: scripts/prove kills"]
async fn a_kill_at_every_step_loses_invents_doubles_and_reorders_nothing() -> Result<()> {
    let scale = Scale::from_environment()?;
    println!("{scale}");
    let evidence = Evidence::of("kills")?;
    let field = Field::prepare(scale, evidence.path()).await?;
    let found = field.run().await?;
    println!("{found}");
    assert!(found.verdict.holds(), "{:#?}", found.verdict);
    found.tally.check()?;
    evidence.give_up()?;
    if scale.is_long() {
        system_tests::proofs::put("Killed at every step", &found.page())?;
    }
    Ok(())
}

//! What holds when the log misbehaves: it is away, it says everything again in another order, it says what nobody can read.
//!
//! Each proof runs small with every test and large with `make prove`, which also writes its figures into `docs/proofs.md`.

mod delays;
mod outage;
mod poison;
mod replay;

/// The executable these tests were built with.
const PROGRAM: &str = env!("CARGO_BIN_EXE_quoin-under-test");

/// A number from the environment, which asks for the long form of a proof.
fn asked<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

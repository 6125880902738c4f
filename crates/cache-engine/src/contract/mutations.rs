//! Which cases notice that a guard is missing.
//!
//! Owns running every case with a guard switched off. Must never be read as a list of what protects what: a guard that no
//! case misses is a hole in the suite, and a case that misses many guards is no better for it.

use std::{future::Future, pin::Pin, thread};

use super::{MemorySubject, Subject};
use crate::Guards;

/// A case, to be run on a subject.
pub type Case<S> = fn(S) -> Pin<Box<dyn Future<Output = ()>>>;

/// In front of the names of the threads in which cases are meant to fail.
pub const THREAD: &str = "without a guard: ";

/// Every case with its name; a sample of the model's interleavings among them.
pub fn cases<S: Subject + Clone>() -> Vec<(&'static str, Case<S>)> {
    crate::contract_suite!(@all table).into()
}

/// The cases that fail with these guards, in the order of the suite.
pub fn red_with(guards: Guards) -> Vec<&'static str> {
    let start = |(name, case): (&'static str, Case<MemorySubject>)| {
        let run = move || {
            // Time stands still while anybody has something to do, and jumps when nobody has: no case waits.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(case(MemorySubject::with_guards(guards)));
        };
        (name, thread::Builder::new().name(format!("{THREAD}{name}")).spawn(run).expect("a thread"))
    };
    let running: Vec<_> = cases().into_iter().map(start).collect();
    running.into_iter().filter_map(|(name, thread)| thread.join().is_err().then_some(name)).collect()
}

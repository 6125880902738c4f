//! The executable under test: the same few lines as `crates/quoin/src/main.rs`, and before them the only place that arms a
//! fail-point. A process that is doomed in its environment kills itself at that step, as the kernel would: no destructor, no
//! flush, no good-bye.

use std::{
    fs::OpenOptions,
    io::Write,
    path::PathBuf,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};
use fail_points::Step;
use rustix::process::{Signal, getpid, kill_process};
use system_tests::doom::{DOOMS, Doom, GRAVE};

fn main() -> ExitCode {
    if let Err(error) = arm() {
        eprintln!("quoin-under-test: {error:#}");
        return ExitCode::FAILURE;
    }
    quoin::cli::main()
}

fn arm() -> Result<()> {
    let Ok(dooms) = std::env::var(DOOMS) else { return Ok(()) };
    let grave = PathBuf::from(std::env::var_os(GRAVE).with_context(|| format!("{GRAVE} is not set"))?);
    let dooms: Vec<(Doom, AtomicUsize)> =
        dooms.split(',').map(|doom| Ok((doom.parse()?, AtomicUsize::new(0)))).collect::<Result<_>>()?;
    fail_points::watch(move |step| {
        let times = dooms.iter().filter(|(doom, _)| doom.step == step);
        // Counted for every doom of the step, so that none is skipped; one that is due is enough.
        let due = times.filter(|(doom, times)| times.fetch_add(1, Ordering::Relaxed) + 1 == doom.time).count();
        if due > 0 {
            die(step, &grave);
        }
    });
    Ok(())
}

/// Says at which step, which survives because the kernel has it, and dies.
fn die(step: Step, grave: &PathBuf) {
    let written = OpenOptions::new().create(true).append(true).open(grave);
    let written = written.and_then(|mut file| writeln!(file, "{}", step.name()));
    if let Err(error) = written.and_then(|()| Ok(kill_process(getpid(), Signal::KILL)?)) {
        eprintln!("quoin-under-test: cannot die at {}: {error}", step.name());
    }
}

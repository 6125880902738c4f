//! The executable under test: the same few lines as `crates/quoin/src/main.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    quoin::cli::main()
}

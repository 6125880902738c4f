//! The executable: everything but the allocator is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Requests are many small pieces, made on one thread and dropped on another; the system's allocator took up to a fifth of
/// their CPU.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    quoin::cli::main()
}

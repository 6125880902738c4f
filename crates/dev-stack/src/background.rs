//! Asynchronous clean-up from destructors, which may run inside any runtime or none.

use std::future::Future;
use std::thread;

use anyhow::Result;

/// Runs `work` to its end on a thread and a runtime of its own, and waits for it. A failure is only logged: the keepers and
/// the next sweep remove what stays behind.
pub(crate) fn finish<F>(work: F)
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let worker = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work)
    });
    match worker.join() {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("the stack left something behind: {error:#}"),
        Err(_) => tracing::warn!("the stack left something behind: its clean-up panicked"),
    }
}

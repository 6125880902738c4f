//! Stopping in order: say unready, stop taking requests, let them end, then stop the workers.

use std::{future::Future, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::HttpConfig;
use crate::Health;

/// How long workers may take to end their step.
const WORKER_TIMEOUT: Duration = Duration::from_secs(5);

/// The life of one process.
#[derive(Clone)]
pub struct Lifecycle {
    health: Health,
    stop: CancellationToken,
    stop_http: CancellationToken,
    stop_workers: CancellationToken,
    workers: TaskTracker,
}

impl Lifecycle {
    /// A process that has just begun.
    pub fn new(health: Health) -> Self {
        Self {
            health,
            stop: CancellationToken::new(),
            stop_http: CancellationToken::new(),
            stop_workers: CancellationToken::new(),
            workers: TaskTracker::new(),
        }
    }

    /// Told when the HTTP servers should stop: give it to [`super::serve`].
    pub fn stop_http(&self) -> CancellationToken {
        self.stop_http.clone()
    }

    /// Told when workers should stop.
    pub fn stop_workers(&self) -> CancellationToken {
        self.stop_workers.clone()
    }

    /// Asks the process to stop, as a signal would.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Runs a worker. One that ends before it was told to takes the process down: a supervisor starts it afresh, which is
    /// better than a process that serves without its relay.
    pub fn spawn_worker(&self, name: &'static str, worker: impl Future<Output = ()> + Send + 'static) {
        let (told, down) = (self.stop_workers.clone(), self.stop.clone());
        let running = tokio::spawn(worker);
        self.workers.spawn(async move {
            let ended = running.await;
            if !told.is_cancelled() {
                tracing::error!(worker = name, panicked = ended.is_err(), "a worker ended by itself");
                down.cancel();
            }
        });
    }

    /// Waits for a signal or [`Lifecycle::stop`], then stops everything in order. `http` is all servers together.
    pub async fn run(&self, http: impl Future<Output = ()>, config: &HttpConfig) {
        let http = std::pin::pin!(http);
        let drained = async {
            self.told_to_stop().await;
            self.health.drain();
            tokio::time::sleep(Duration::from_millis(config.drain_delay_ms)).await;
            self.stop_http.cancel();
        };
        tokio::join!(drained, http);
        self.stop_workers.cancel();
        self.workers.close();
        if tokio::time::timeout(WORKER_TIMEOUT, self.workers.wait()).await.is_err() {
            tracing::warn!("workers were still running at the end of their time");
        }
    }

    async fn told_to_stop(&self) {
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return self.stop.cancelled().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = self.stop.cancelled() => {}
        }
    }
}

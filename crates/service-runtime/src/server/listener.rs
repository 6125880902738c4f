//! The accept loop: a cap on connections, patience with clients, and a drain that lets running requests end.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    HttpConfig,
    edge::Edge,
    patience::{Patience, WatchedStream},
    with_fallbacks,
};

/// Pause after an accept that failed for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Most header fields of a request.
const MAX_HEADERS: usize = 64;

/// Most bytes of a request's head.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Serves `router` until `stop`, then lets running requests end for as long as the configuration allows.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    config: &HttpConfig,
    stop: CancellationToken,
) -> io::Result<()> {
    let edge = Edge::new(with_fallbacks(router), config);
    let open = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(config.max_connections));
    let patience = Patience::new(config);
    let _patience_ends = watch_over(&patience);
    let http = connection_builder();
    let mut id = 0;
    while let Some(accepted) = stop.run_until_cancelled(accept(&listener, &free)).await {
        let Some((stream, permit)) = accepted else { continue };
        let connection = patience.connection();
        let io = TokioIo::new(WatchedStream { stream, connection: Arc::clone(&connection) });
        let serving = open.watch(http.serve_connection(io, edge.for_connection(Arc::clone(&connection))));
        let task = tokio::spawn(async move {
            let _permit = permit;
            // A client that goes away or talks nonsense is no event of ours.
            let _ = serving.await;
        });
        id += 1;
        patience.watch(id, connection, task.abort_handle());
    }
    drop(listener);
    let drained = tokio::time::timeout(Duration::from_millis(config.drain_timeout_ms), open.shutdown());
    if drained.await.is_err() {
        tracing::warn!("requests were still running at the end of the drain time");
    }
    Ok(())
}

/// Looks after all connections until the guard is dropped.
fn watch_over(patience: &Arc<Patience>) -> DropGuard {
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(patience).run(stop.clone()));
    stop.drop_guard()
}

fn connection_builder() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.header_read_timeout(None).max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES).half_close(false);
    http
}

/// The next connection, once there is room for it; `None` when this one failed.
async fn accept(listener: &TcpListener, free: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(free).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, permit))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => None,
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

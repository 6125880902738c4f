//! The accept loop: deadlines for slow clients, a cap on connections, and a drain that lets running requests end.

use std::{io, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;

use super::{HttpConfig, edge::Edge, with_fallbacks};

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
    let connections = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(config.max_connections));
    let http = connection_builder(config);
    while let Some(accepted) = stop.run_until_cancelled(accept(&listener, &free)).await {
        let Some((stream, permit)) = accepted else { continue };
        let connection = connections.watch(http.serve_connection(TokioIo::new(stream), edge.clone()));
        tokio::spawn(async move {
            let _permit = permit;
            // A client that goes away or talks nonsense is no event of ours.
            let _ = connection.await;
        });
    }
    drop(listener);
    let drained = tokio::time::timeout(Duration::from_millis(config.drain_timeout_ms), connections.shutdown());
    if drained.await.is_err() {
        tracing::warn!("requests were still running at the end of the drain time");
    }
    Ok(())
}

fn connection_builder(config: &HttpConfig) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.header_read_timeout_ms))
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .half_close(false);
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

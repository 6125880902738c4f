//! How long a silent client is waited for: briefly in the middle of a request's head, longer between two requests.
//!
//! hyper has one limit for both, and arms a timer for every request. Here one task looks at all connections a few times a
//! second, and a request only notes where it stands.

use std::{
    collections::HashMap,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::AbortHandle,
};
use tokio_util::sync::CancellationToken;

use super::HttpConfig;

/// Longest time between two looks at the connections.
const LONGEST_TICK: Duration = Duration::from_millis(250);

/// The connections of one server.
pub(super) struct Patience {
    tick: Duration,
    head_ticks: u64,
    idle_ticks: u64,
    /// Looks since the start: the clock connections go by.
    now: AtomicU64,
    connections: Mutex<HashMap<u64, (Arc<Connection>, AbortHandle)>>,
}

/// Where one connection stands, and since when.
pub(super) struct Connection {
    phase: AtomicU8,
    since: AtomicU64,
    patience: Arc<Patience>,
}

/// Waiting for the next request.
const IDLE: u8 = 0;
/// Some of a request's head has come; also a new connection, which must say something soon.
const HEAD: u8 = 1;
/// A request is being worked on: it has its own time limit.
const REQUEST: u8 = 2;

impl Patience {
    pub(super) fn new(config: &HttpConfig) -> Arc<Self> {
        let head = Duration::from_millis(config.header_read_timeout_ms.max(4));
        let tick = LONGEST_TICK.min(head / 4);
        let ticks = |limit: Duration| limit.as_nanos().div_ceil(tick.as_nanos()).try_into().unwrap_or(u64::MAX);
        Arc::new(Self {
            tick,
            head_ticks: ticks(head),
            idle_ticks: ticks(Duration::from_millis(config.idle_timeout_ms)),
            now: AtomicU64::new(0),
            connections: Mutex::default(),
        })
    }

    pub(super) fn connection(self: &Arc<Self>) -> Arc<Connection> {
        let since = AtomicU64::new(self.now.load(Ordering::Relaxed));
        Arc::new(Connection { phase: AtomicU8::new(HEAD), since, patience: Arc::clone(self) })
    }

    /// Looks after `connection`, whose task can be ended by `handle`.
    pub(super) fn watch(&self, id: u64, connection: Arc<Connection>, handle: AbortHandle) {
        self.lock().insert(id, (connection, handle));
    }

    /// Ends connections that have been silent for too long, and forgets those that have ended.
    pub(super) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(self.tick);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.lock().retain(|_, (connection, handle)| {
                if connection.is_silent(now) {
                    metrics::counter!("http_connections_cut_total").increment(1);
                    handle.abort();
                }
                !handle.is_finished()
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Arc<Connection>, AbortHandle)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn request_begins(&self) {
        self.phase.store(REQUEST, Ordering::Relaxed);
    }

    pub(super) fn request_ends(&self) {
        self.enter(IDLE);
    }

    fn bytes_came(&self) {
        if self.phase.load(Ordering::Relaxed) == IDLE {
            self.enter(HEAD);
        }
    }

    fn enter(&self, phase: u8) {
        self.since.store(self.patience.now.load(Ordering::Relaxed), Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }

    fn is_silent(&self, now: u64) -> bool {
        let limit = match self.phase.load(Ordering::Relaxed) {
            IDLE => self.patience.idle_ticks,
            HEAD => self.patience.head_ticks,
            _ => return false,
        };
        now.saturating_sub(self.since.load(Ordering::Relaxed)) > limit
    }
}

/// A socket that tells its connection when bytes come.
pub(super) struct WatchedStream {
    pub(super) stream: TcpStream,
    pub(super) connection: Arc<Connection>,
}

impl AsyncRead for WatchedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.connection.bytes_came();
        }
        read
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

//! What a read through a cache takes and gives: a way to ask the authority, and an answer that says how old it is.
//!
//! A cache failure is not visible here: it is a miss. Must never know a store, a key or a time to live.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use kernel::Version;

/// A boxed future that can move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the authority says about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Loaded<T> {
    /// It exists, in this version.
    Found {
        /// The object.
        value: T,
        /// Its version, read in the same statement as the value. Immutable objects use [`Version::FIRST`].
        version: Version,
    },
    /// It does not exist.
    Absent,
}

impl<T> Loaded<T> {
    /// `Found` for a row with its version, `Absent` for none.
    pub fn from_row(row: Option<(T, Version)>) -> Self {
        row.map_or(Self::Absent, |(value, version)| Self::Found { value, version })
    }

    /// `Found` for an object that never changes under its key, `Absent` for none.
    pub fn immutable(value: Option<T>) -> Self {
        value.map_or(Self::Absent, |value| Self::Found { value, version: Version::FIRST })
    }
}

/// The authority could not be asked.
#[derive(Clone)]
pub struct LoadError(pub Arc<dyn Error + Send + Sync>);

impl<E: Error + Send + Sync + 'static> From<E> for LoadError {
    fn from(error: E) -> Self {
        Self(Arc::new(error))
    }
}

impl LoadError {
    /// The error as the service's own type, if it is one.
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref::<E>()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LoadError").field(&self.0).finish()
    }
}

/// One read of the authority under way. It owns what it needs: it may outlive the caller, who may hang up while others
/// wait for the same answer.
pub type Loading<T> = BoxFuture<'static, Result<Loaded<T>, LoadError>>;

/// How to start a read of the authority. Called on a miss only, so a hit pays for nothing it captures.
pub type Load<'a, T> = &'a (dyn Fn() -> Loading<T> + Send + Sync);

/// As [`Load`], for one of several objects: it is told the object's position in the request.
pub type LoadEach<'a, T> = &'a (dyn Fn(usize) -> Loading<T> + Send + Sync);

/// Turns a function that starts an async read into a [`Load`]: `&load(|| offering_by_id(pool.clone(), id))`.
pub fn load<T, E, F, Fut>(start: F) -> impl Fn() -> Loading<T> + Send + Sync
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<Loaded<T>, E>> + Send + 'static,
    E: Into<LoadError>,
{
    move || {
        let read = start();
        Box::pin(async move { read.await.map_err(Into::into) })
    }
}

/// Which tier answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServedFrom {
    /// This process's memory.
    L1,
    /// The shared store.
    L2,
    /// The shared store, past its soft time to live; a refresh is under way.
    L2Stale,
    /// The authority.
    Authority,
}

/// A value for display, and how fresh it is. A command that decides about money takes its inputs from the authority inside
/// its own transaction, never from this.
#[derive(Debug)]
pub struct Served<T> {
    /// The value.
    pub value: Arc<T>,
    /// The value's JSON, exactly as it is cached and ready to be sent; only in keyspaces where nothing depends on the
    /// reader's rights.
    pub json: Option<Bytes>,
    /// The version the authority gave it.
    pub version: Version,
    /// Time since the authority was asked.
    pub age: Duration,
    /// Which tier answered.
    pub source: ServedFrom,
}

impl<T> Clone for Served<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), json: self.json.clone(), ..*self }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone)]
pub enum ReadError {
    /// Nothing usable was cached and the authority failed.
    Authority(LoadError),
    /// Nothing usable was cached and the authority has all the readers it can bear.
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(_) => f.write_str("the authority could not be read"),
            Self::Overloaded { .. } => f.write_str("the authority has all the readers it can bear"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Authority(error) => Some(&*error.0),
            Self::Overloaded { .. } => None,
        }
    }
}

/// `None` means that the authority says the object does not exist.
pub type ReadResult<T> = Result<Option<Served<T>>, ReadError>;

/// A read that may already be over: an answer from this process's memory is ready without a box or a task switch.
#[must_use = "a read does nothing until it is awaited"]
pub struct Read<'a, T>(State<'a, T>);

enum State<'a, T> {
    Ready(Option<ReadResult<T>>),
    Pending(BoxFuture<'a, ReadResult<T>>),
}

impl<'a, T> Read<'a, T> {
    /// A read that is over.
    pub const fn ready(answer: ReadResult<T>) -> Self {
        Self(State::Ready(Some(answer)))
    }

    /// A read under way.
    pub fn pending(read: impl Future<Output = ReadResult<T>> + Send + 'a) -> Self {
        Self(State::Pending(Box::pin(read)))
    }
}

impl<T> Future for Read<'_, T> {
    type Output = ReadResult<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            // A future may not be polled after its answer; like every other future, this one then stays pending.
            State::Ready(answer) => answer.take().map_or(Poll::Pending, Poll::Ready),
            State::Pending(read) => read.as_mut().poll(cx),
        }
    }
}

/// An invalidation could not be applied. Whoever consumes the event keeps its position and tries again; whoever only wanted
/// the fast path after a commit goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cache could not be invalidated")]
pub struct CacheUnavailable;

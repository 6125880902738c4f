//! Single flight inside the process: one load a key, however many ask.
//!
//! Owns the table of loads under way. A load runs as a task of its own: a caller who hangs up leaves it running for the
//! others, and one that panics answers them with an error and frees the key. Must never know what a load does.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use cache_ports::{LoadError, ReadError, ReadResult};
use kernel::Version;
use tokio::sync::watch;

/// Loads under way, by packed key.
pub(crate) struct Flights<T> {
    table: Mutex<HashMap<Box<[u8]>, Flight<T>>>,
    next_id: AtomicU64,
}

struct Flight<T> {
    id: u64,
    /// The newest change of the key that was known when it began.
    since: Version,
    landing: Landing<T>,
}

/// Where the answer of a load will appear.
pub(crate) struct Landing<T>(watch::Receiver<Option<ReadResult<T>>>);

/// The duty to land one flight. Dropped without an answer, it tells those who wait that the load failed.
pub(crate) struct Takeoff<T> {
    flights: Arc<Flights<T>>,
    key: Box<[u8]>,
    id: u64,
    answer: watch::Sender<Option<ReadResult<T>>>,
}

/// Whether a caller found a load under way or has to start one.
pub(crate) enum Boarding<T> {
    /// Somebody else is loading.
    Joined(Landing<T>),
    /// The caller starts the load.
    Started(Takeoff<T>, Landing<T>),
}

/// A load ended without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the load was broken off")]
struct BrokenOff;

impl<T> Clone for Landing<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Landing<T> {
    /// Waits for the answer.
    pub(crate) async fn answer(mut self) -> ReadResult<T> {
        match self.0.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or_else(|| Err(ReadError::Authority(LoadError::from(BrokenOff)))),
            Err(_) => Err(ReadError::Authority(LoadError::from(BrokenOff))),
        }
    }
}

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self { table: Mutex::default(), next_id: AtomicU64::new(0) }
    }
}

impl<T> Flights<T> {
    /// Joins the load of `key` that is under way, or begins one. Nobody joins a load that began before the newest change they
    /// know of.
    pub(crate) fn board(self: &Arc<Self>, key: &[u8], since: Version) -> Boarding<T> {
        let mut table = self.lock();
        if let Some(flight) = table.get(key).filter(|flight| flight.since >= since) {
            return Boarding::Joined(flight.landing.clone());
        }
        let (answer, landing) = watch::channel(None);
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let landing = Landing(landing);
        table.insert(key.into(), Flight { id, since, landing: landing.clone() });
        drop(table);
        Boarding::Started(Takeoff { flights: Arc::clone(self), key: key.into(), id, answer }, landing)
    }

    /// Lets nobody join the load under way any more: it may have begun before a change that its joiner must see.
    pub(crate) fn close(&self, key: &[u8]) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, Flight<T>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Takeoff<T> {
    /// Gives the answer to everybody who waits. Nobody finds the flight any more by then: whoever refuses an answer that is too
    /// old starts a load of their own.
    pub(crate) fn land(self, answer: ReadResult<T>) {
        self.leave();
        // Fails only when nobody waits any more.
        let _ = self.answer.send(Some(answer));
    }

    fn leave(&self) {
        let mut table = self.flights.lock();
        if table.get(&self.key).is_some_and(|flight| flight.id == self.id) {
            table.remove(&self.key);
        }
    }
}

impl<T> Drop for Takeoff<T> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        sync::atomic::AtomicBool,
        task::{Context, Wake, Waker},
    };

    use super::*;

    /// Boards again the moment it is told that there is an answer.
    struct Impatient {
        flights: Arc<Flights<u64>>,
        told: AtomicBool,
        joined: AtomicBool,
    }

    impl Wake for Impatient {
        fn wake(self: Arc<Self>) {
            let joined = matches!(self.flights.board(b"k", Version::ZERO), Boarding::Joined(_));
            self.joined.fetch_or(joined, Ordering::SeqCst);
            self.told.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn whoever_refuses_an_answer_does_not_join_its_load_again() {
        let flights = Arc::new(Flights::<u64>::default());
        let Boarding::Started(takeoff, landing) = flights.board(b"k", Version::ZERO) else { panic!("nobody loads") };
        let (told, joined) = (AtomicBool::new(false), AtomicBool::new(false));
        let impatient = Arc::new(Impatient { flights, told, joined });
        let waker = Waker::from(Arc::clone(&impatient));
        let mut answer = pin!(landing.answer());
        assert!(answer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        takeoff.land(Ok(None));
        assert!(impatient.told.load(Ordering::SeqCst) && !impatient.joined.load(Ordering::SeqCst));
    }

    #[test]
    fn nobody_joins_a_load_from_before_the_newest_change_they_know_of() {
        let flights = Arc::new(Flights::<u64>::default());
        let Boarding::Started(old, _) = flights.board(b"k", Version::ZERO) else { panic!("nobody loads") };
        assert!(matches!(flights.board(b"k", Version::ZERO), Boarding::Joined(_)));
        let Boarding::Started(new, _) = flights.board(b"k", Version::new(7)) else { panic!("that load is too old") };
        old.land(Ok(None));
        assert!(matches!(flights.board(b"k", Version::new(7)), Boarding::Joined(_)), "and the old one ends alone");
        new.land(Ok(None));
    }
}

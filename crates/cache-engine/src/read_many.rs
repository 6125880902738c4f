//! Many values in one round trip, each in one of two keyspaces: what is so, and what is not so.
//!
//! Owns the order of such a read: everything that is known comes with one question to the store; each value that is missing
//! goes the way of a single read, with the lease of both keys, so that whichever it turns out to be is filled under its own.
//! Only for keyspaces whose readers demand a version: a caller's loads may share one read of the authority that began
//! before some of their leases.

use std::sync::Arc;

use cache_ports::{Load, LoadEach, Loaded, Loading, ReadError, ReadResult, key::Key, keyspace::Coherence};
use futures::future::join_all;
use kernel::Version;

use crate::{
    read_through::{Address, Approach, Cached, Found, ReadThrough},
    store::{StoreError, Stored},
};

/// The two keyspaces, each keeping only what belongs to it.
pub(crate) struct Split<T> {
    pub(crate) yes: Arc<ReadThrough<T>>,
    pub(crate) no: Arc<ReadThrough<T>>,
}

/// Where a missing value may be filled, and how each place is approached.
struct Missing {
    yes: (Arc<Address>, Approach),
    no: (Arc<Address>, Approach),
}

impl<T: Cached + Clone> Split<T> {
    /// Reads all of `keys`, each under its yes and its no, accepting nothing older than `min`.
    pub(crate) async fn read_many(
        &self,
        keys: &[(Key<'_>, Key<'_>)],
        min: Version,
        load: LoadEach<'_, T>,
    ) -> Vec<ReadResult<T>> {
        debug_assert!(matches!(self.yes.keyspace.coherence, Coherence::Hybrid(_)), "readers demand a version");
        debug_assert_eq!(self.yes.keyspace.workload, self.no.keyspace.workload, "one round trip asks one store");
        if keys.is_empty() {
            return Vec::new();
        }
        let addresses: Vec<_> =
            keys.iter().map(|(yes, no)| (Arc::new(Address::of(yes)), Arc::new(Address::of(no)))).collect();
        for (yes, _) in &addresses {
            self.yes.hot_keys.note(|| yes.text.clone());
        }
        let texts: Vec<&str> = addresses.iter().flat_map(|(yes, no)| [yes.text.as_str(), no.text.as_str()]).collect();
        let stored = self.yes.core.store.read_many(self.yes.keyspace.workload, &texts).await;
        let part = |at: usize| part(&stored, at);
        let reads = addresses.into_iter().enumerate().map(|(n, (yes, no))| async move {
            match self.judged(yes, part(2 * n), no, part(2 * n + 1), min).await {
                Ok(answer) => answer,
                Err(missing) => self.loaded(&missing, min, &|| load(n)).await,
            }
        });
        join_all(reads).await
    }

    /// The answer, if one of the two places has it.
    async fn judged(
        &self,
        yes: Arc<Address>,
        in_yes: Result<Option<Stored>, StoreError>,
        no: Arc<Address>,
        in_no: Result<Option<Stored>, StoreError>,
        min: Version,
    ) -> Result<ReadResult<T>, Missing> {
        let approach_yes = match self.yes.assess(&yes, min, in_yes).await {
            Found::Value(served, _) => return Ok(Ok(Some(served))),
            other => approach(&other, min),
        };
        let approach_no = match self.no.assess(&no, min, in_no).await {
            Found::Value(served, _) => return Ok(Ok(Some(served))),
            other => approach(&other, min),
        };
        Err(Missing { yes: (yes, approach_yes), no: (no, approach_no) })
    }

    async fn loaded(&self, missing: &Missing, min: Version, load: Load<'_, T>) -> ReadResult<T> {
        let (address, approach) = &missing.yes;
        let answer = self.yes.load_once(address, *approach, || self.inside(missing, load())).await.0;
        let too_old = matches!(&answer, Ok(Some(served)) if served.version < min);
        if too_old {
            // Somebody else's load answered that began before the change this caller must see.
            return self.yes.load_once(address, *approach, || self.inside(missing, load())).await.0;
        }
        answer
    }

    /// The load under the lease of the no, to be run under the lease of the yes.
    fn inside(&self, missing: &Missing, loading: Loading<T>) -> Loading<T> {
        let (no, (address, approach)) = (Arc::clone(&self.no), (Arc::clone(&missing.no.0), missing.no.1));
        Box::pin(async move {
            match no.load_once(&address, approach, || loading).await.0 {
                Ok(Some(served)) => {
                    Ok(Loaded::Found { value: Arc::unwrap_or_clone(served.value), version: served.version })
                }
                Ok(None) => Ok(Loaded::Absent),
                Err(ReadError::Authority(error)) => Err(error),
                Err(overloaded @ ReadError::Overloaded { .. }) => Err(overloaded.into()),
            }
        })
    }
}

/// One place's share of the answer. A store that answers fewer places than were asked says nothing about the rest.
fn part(stored: &Result<Vec<Option<Stored>>, StoreError>, at: usize) -> Result<Option<Stored>, StoreError> {
    match stored {
        Ok(all) => Ok(all.get(at).cloned().flatten()),
        Err(why) => Err(*why),
    }
}

fn approach<T>(found: &Found<T>, min: Version) -> Approach {
    match found {
        Found::Nothing { over, at_least } => Approach::Lease { over: *over, min: min.max(*at_least) },
        Found::Value(..) | Found::Absent | Found::OutOfReach => Approach::Bypass,
    }
}

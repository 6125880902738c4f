//! Removing a wrong entry.
//!
//! Owns the choice of means. A stale version leaves a tombstone, so that no slow reader puts it back; anything else is removed
//! only if it is still what was judged, except for what cannot be recognised. Whatever is removed too much is one miss.

use cache_ports::keyspace::{Coherence, Keyspace};

use super::{Auditor, Wrong, verdict, verdict::Mismatch};
use crate::store::{Place, Stored};

impl Auditor {
    /// Removes a wrong entry; says whether that worked.
    pub(super) async fn repair(&self, keyspace: &Keyspace, key: &str, wrong: &Wrong, stored: &Stored) -> bool {
        let at = Place { workload: keyspace.workload, key };
        let invalidated = matches!(keyspace.coherence, Coherence::EventInvalidated(_));
        let outdated = matches!(wrong.kind, Mismatch::StaleVersion | Mismatch::ShouldExist);
        let outcome = match (wrong.authority(), keyspace.ttl.tombstone, verdict::recognisable(stored)) {
            (Some(at_least), Some(remembered), _) if invalidated && outdated => {
                self.store.invalidate(at, at_least, remembered).await.map(drop)
            }
            (_, _, Some(header)) => self.store.discard(at, header).await,
            (_, _, None) => self.scan.unlink(keyspace.workload, &[key]).await.map(drop),
        };
        if let Err(why) = outcome {
            tracing::debug!(keyspace = keyspace.name, key, %why, "a wrong entry could not be removed");
        }
        outcome.is_ok()
    }
}

//! Which answers fit together.
//!
//! Owns the rules that every declaration is checked against while compiling. Must never know a particular keyspace.

use std::time::Duration;

use super::{
    Authority, Coherence, DimensionKind, Heat, InvalidatingEvent, Keyspace, OnUnavailable, Owner, Revalidation, Slot,
    Workload,
};

/// No value lives longer than this, the last bound on anything that goes wrong: two windows of a day and their grace.
const LONGEST_HARD: Duration = Duration::from_hours(49);
/// "Does not exist" is remembered no longer than this: somebody may be waiting for it to come into being.
const LONGEST_NEGATIVE: Duration = Duration::from_mins(1);
/// A copy in memory of what may change is used no longer than this: the bound on staleness when hints are lost.
const LONGEST_HINTED: Duration = Duration::from_secs(5);
/// More would move time limits that users were told.
const MOST_JITTER_PERCENT: u8 = 10;

impl Keyspace {
    /// The declaration, if its answers fit together; otherwise it does not compile, when used in a constant as it must be.
    #[must_use]
    pub const fn declared(self) -> Self {
        self.assert_identity();
        self.assert_lifetime();
        self.assert_coherence();
        self.assert_counts();
        self.assert_stream();
        self.assert_audit();
        self
    }

    const fn assert_identity(&self) {
        assert!(!self.name.is_empty() && !self.correctness.is_empty(), "a keyspace says its name and why it is safe");
        assert!(!self.dimensions.is_empty(), "a key has dimensions");
        assert!(matches!(self.dimensions[0].kind, DimensionKind::Tenant), "the tenant comes first");
        let mut at = 1;
        while at < self.dimensions.len() {
            assert!(!matches!(self.dimensions[at].kind, DimensionKind::Tenant), "a key has one tenant");
            at += 1;
        }
        let schema = self.schema;
        assert!(0 < schema.oldest_readable && schema.oldest_readable <= schema.current, "schema versions start at 1");
        assert!(self.size.max_bytes > 0 && self.size.compress_above_bytes <= self.size.max_bytes, "sizes are bounded");
    }

    const fn assert_lifetime(&self) {
        let ttl = self.ttl;
        assert!(ttl.soft.as_millis() > 0 && ttl.soft.as_millis() <= ttl.hard.as_millis(), "soft comes before hard");
        assert!(ttl.hard.as_millis() <= LONGEST_HARD.as_millis(), "nothing is cached for ever");
        assert!(ttl.jitter_percent <= MOST_JITTER_PERCENT, "jitter is small");
        if let Some(negative) = ttl.negative {
            assert!(
                negative.as_millis() > 0 && negative.as_millis() <= LONGEST_NEGATIVE.as_millis(),
                "absence is brief"
            );
        }
        if let Some(load) = self.loading {
            assert!(load.timeout.as_millis() > 0 && load.at_once > 0, "loads are bounded");
            assert!(load.timeout.as_millis() <= load.lease.as_millis(), "a lease outlives the load it stands for");
        } else {
            assert!(
                !matches!(self.coherence, Coherence::EventInvalidated(_) | Coherence::Hybrid(_)),
                "what events invalidate is loaded again"
            );
        }
    }

    /// What is counted is approximate: it waits for nobody, and nobody rests on it.
    const fn assert_counts(&self) {
        let counts = matches!(self.workload, Workload::Counter);
        if let Heat::Sharded { shards } = self.heat {
            assert!(counts && shards > 1, "only counts are spread over several keys");
            assert!(matches!(self.slot, Slot::ByKey), "keys of one slot spread nothing");
            let last = self.dimensions[self.dimensions.len() - 1];
            assert!(matches!(last.kind, DimensionKind::Number), "the last dimension numbers the shards");
        }
        assert!(counts || !matches!(self.authority, Authority::Metrics), "only counts go to the metrics");
        if counts {
            assert!(matches!(self.authority, Authority::Metrics), "counts go to the metrics");
            assert!(
                matches!(self.coherence, Coherence::TtlOnly) && self.loading.is_none(),
                "a count is loaded by nobody"
            );
            assert!(matches!(self.revalidation, Revalidation::NeverAnInput), "no command rests on a count");
            assert!(matches!(self.on_unavailable, OnUnavailable::Skip), "a count makes nobody wait");
        }
    }

    /// A stream is local to one service and may vanish: business events go through the outbox.
    const fn assert_stream(&self) {
        if matches!(self.workload, Workload::Stream) {
            assert!(matches!(self.owner, Owner::One(_)) && self.readers.is_empty(), "a stream is local to one service");
            assert!(matches!(self.authority, Authority::Ephemeral), "nothing depends on a stream");
            assert!(
                matches!(self.coherence, Coherence::TtlOnly) && self.loading.is_none(),
                "a stream is loaded by nobody"
            );
            assert!(matches!(self.revalidation, Revalidation::NeverAnInput), "no command rests on a stream");
            assert!(matches!(self.on_unavailable, OnUnavailable::Skip), "a stream makes nobody wait");
        }
    }

    const fn assert_coherence(&self) {
        let immutable = matches!(self.coherence, Coherence::Versioned);
        match self.coherence {
            Coherence::EventInvalidated(events) => {
                assert_versioned(events);
                let (Some(tombstone), Some(load)) = (self.ttl.tombstone, self.loading) else {
                    panic!("an invalidation is remembered");
                };
                assert!(
                    tombstone.as_millis() > load.lease.as_millis(),
                    "an invalidation outlives every load that ran before it"
                );
            }
            Coherence::Hybrid(events) => {
                assert_versioned(events);
                assert!(self.ttl.tombstone.is_none(), "the demand replaces the tombstone");
            }
            Coherence::Versioned | Coherence::TtlOnly => {
                assert!(self.ttl.tombstone.is_none(), "only events leave tombstones");
            }
        }
        let served_late = self.ttl.soft.as_millis() < self.ttl.hard.as_millis();
        if served_late && !immutable {
            assert!(
                matches!(self.revalidation, Revalidation::NeverAnInput),
                "an input of commands is never served late"
            );
        }
        match self.heat {
            Heat::Even | Heat::Hot | Heat::Sharded { .. } => {}
            Heat::HotInMemory { .. } => {
                assert!(immutable, "without hints only what never changes is kept in memory");
            }
            Heat::HintedInMemory { max_age, .. } => {
                assert!(
                    matches!(self.coherence, Coherence::EventInvalidated(_)),
                    "a hint tells of an event: what no event changes has nothing to be told"
                );
                assert!(
                    max_age.as_millis() > 0 && max_age.as_millis() <= LONGEST_HINTED.as_millis(),
                    "hints may be lost: a copy of what may change is brief"
                );
                assert!(
                    max_age.as_millis() <= self.ttl.hard.as_millis(),
                    "a copy in memory does not outlive the value it was made from"
                );
                assert!(
                    matches!(self.ttl.tombstone, Some(tombstone) if max_age.as_millis() <= tombstone.as_millis()),
                    "a change is remembered for as long as a copy from before it may live"
                );
            }
        }
    }
}

const fn assert_versioned(events: &[InvalidatingEvent]) {
    assert!(!events.is_empty(), "the events are named");
    let mut at = 0;
    while at < events.len() {
        assert!(!events[at].event_type.is_empty() && !events[at].versioned_by.is_empty(), "events carry versions");
        at += 1;
    }
}

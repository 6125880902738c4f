//! What the auditor counts.
//!
//! Owns the metric names; all begin with `cache_audit_` and carry the keyspace, never a tenant or an id.

use std::time::Duration;

use cache_ports::keyspace::Keyspace;
use metrics::{Counter, Histogram, counter, histogram};

use super::{Finding, Pass, verdict::Mismatch};

/// The counters of one keyspace.
pub(super) struct Meters {
    name: &'static str,
    checked: Counter,
    repaired: Counter,
    staleness: Histogram,
}

impl Meters {
    pub(super) fn of(keyspace: &Keyspace) -> Self {
        let name = keyspace.name;
        // A series that begins at its first mismatch has no rise to alert on.
        for kind in Mismatch::ALL {
            counter!("cache_audit_mismatch_total", "keyspace" => name, "kind" => kind.as_str()).increment(0);
        }
        Self {
            name,
            checked: counter!("cache_audit_checked_total", "keyspace" => name),
            repaired: counter!("cache_audit_repaired_total", "keyspace" => name),
            staleness: histogram!("cache_audit_staleness_seconds", "keyspace" => name),
        }
    }

    /// An entry agrees, perhaps only when looked at again.
    pub(super) fn agreed(&self, lagged: Duration) {
        self.checked.increment(1);
        self.staleness.record(lagged);
    }

    /// An entry was not judged.
    pub(super) fn passed(&self, why: Pass) {
        counter!("cache_audit_passed_total", "keyspace" => self.name, "reason" => why.as_str()).increment(1);
    }

    /// An entry is wrong.
    pub(super) fn wrong(&self, finding: &Finding) {
        self.checked.increment(1);
        counter!("cache_audit_mismatch_total", "keyspace" => self.name, "kind" => finding.kind.as_str()).increment(1);
        self.repaired.increment(u64::from(finding.repaired));
        if let Some(age) = finding.age {
            self.staleness.record(age);
        }
    }
}

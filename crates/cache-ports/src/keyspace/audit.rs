//! How a keyspace is audited, and which of its keys are left behind when their object moves on.
//!
//! Owns the words of both answers. Must never know how an authority is asked.

use super::{Authority, Coherence, DimensionKind, Keyspace};

/// What the auditor does with sampled entries. Whatever it says here: an entry must be readable, belong to its key, and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audit {
    /// Each is compared with what the authority says now, version first, then content.
    Compared,
    /// Whether it should exist, and its version, are compared with the authority; its content is not, for this reason.
    VersionOnly(&'static str),
    /// Nothing but the entry itself can be judged, for this reason.
    EntryAlone(&'static str),
    /// It has no authority, or it is no entry with a version: there is nothing to judge.
    NothingToJudge,
}

impl Audit {
    /// Whether the authority is asked.
    pub const fn asks_the_authority(self) -> bool {
        matches!(self, Self::Compared | Self::VersionOnly(_))
    }
}

impl Keyspace {
    /// The dimension that counts the versions of an object, each under a key of its own; older ones are left behind, and swept.
    pub fn numbered_by(&self) -> Option<&'static str> {
        let last =
            self.dimensions.last().filter(|last| last.kind == DimensionKind::Number && last.name == "version")?;
        (self.coherence == Coherence::Versioned).then_some(last.name)
    }

    /// Whether nobody else has what lies under its keys: it is worth nothing later, or on its way to the metrics.
    const fn is_not_kept_elsewhere(&self) -> bool {
        matches!(self.authority, Authority::Ephemeral | Authority::Metrics)
    }

    pub(super) const fn assert_audit(&self) {
        assert!(
            !self.audit.asks_the_authority() || !self.is_not_kept_elsewhere(),
            "without an authority there is no comparison"
        );
        match self.audit {
            Audit::Compared => {}
            Audit::VersionOnly(why) | Audit::EntryAlone(why) => {
                assert!(!why.is_empty(), "whoever is not compared in full says why");
            }
            Audit::NothingToJudge => {
                assert!(self.is_not_kept_elsewhere(), "what has an authority is audited, or says why not");
            }
        }
    }
}

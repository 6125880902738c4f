//! The guards that keep a wrong value from being kept or served, by name.
//!
//! Owns the list. Where the contract suite is compiled in, one of them can be switched off, to see that a case notices;
//! in any other build all of them stand and there is nothing to switch.

/// One guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// Of fills: who may.
    Lease,
    /// Of fills: how new.
    Version,
    /// Of invalidations: what stays behind.
    Tombstone,
    /// Of invalidations: how late.
    Event,
    /// Of invalidations: which loads are joined.
    Flight,
    /// Of leases: over what.
    Newer,
    /// Of reads: whose.
    Identity,
    /// Of reads: whole or not.
    Checksum,
    /// Of reads: written by which program.
    Schema,
    /// Of reads and fills: how big.
    Size,
    /// Of reads: until when.
    Life,
    /// Of reads: how new.
    Demand,
    /// Of reads: to whom.
    Exposure,
    /// Of frames thrown away: which.
    Discard,
    /// Of locks: whose.
    LockOwner,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Lease,
        Self::Version,
        Self::Tombstone,
        Self::Event,
        Self::Flight,
        Self::Newer,
        Self::Identity,
        Self::Checksum,
        Self::Schema,
        Self::Size,
        Self::Life,
        Self::Demand,
        Self::Exposure,
        Self::Discard,
        Self::LockOwner,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lease => "lease",
            Self::Version => "version",
            Self::Tombstone => "tombstone",
            Self::Event => "late event",
            Self::Flight => "flight",
            Self::Newer => "newer program",
            Self::Identity => "identity and tenant",
            Self::Checksum => "checksum",
            Self::Schema => "schema",
            Self::Size => "size",
            Self::Life => "life",
            Self::Demand => "demanded version",
            Self::Exposure => "exposure",
            Self::Discard => "discard",
            Self::LockOwner => "lock owner",
        }
    }

    /// What it demands.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Lease => "a fill needs the token of a lease that still stands",
            Self::Version => "a fill is not older than what is remembered",
            Self::Tombstone => "an invalidation leaves behind which version is the least acceptable",
            Self::Event => "an event that is not newer than what lies there changes nothing",
            Self::Flight => "nobody joins a load that began before the change",
            Self::Newer => "what a newer program wrote stays where it is",
            Self::Identity => "a frame belongs to the key it was found under, and so to its tenant",
            Self::Checksum => "a frame is whole",
            Self::Schema => "a frame is of a schema this program reads",
            Self::Size => "a value is no bigger than its keyspace allows, written or read",
            Self::Life => "a frame has an end, and it has not come yet",
            Self::Demand => "a value is no older than the caller demands",
            Self::Exposure => "what needs authorization by field is never ready to be sent",
            Self::Discard => "only the frame that was found unusable is thrown away, not its successor",
            Self::LockOwner => "a lock is given back by whoever holds it",
        }
    }
}

/// Which guards stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guards {
    #[cfg(feature = "contract-suite")]
    missing: Option<Guard>,
}

#[cfg(not(feature = "contract-suite"))]
const _: () = assert!(size_of::<Guards>() == 0, "a program that serves carries no switch");

impl Guards {
    /// All of them.
    pub const ALL: Self = Self {
        #[cfg(feature = "contract-suite")]
        missing: None,
    };

    /// All but one; only to see that somebody notices.
    #[cfg(feature = "contract-suite")]
    pub const fn without(guard: Guard) -> Self {
        Self { missing: Some(guard) }
    }

    /// Whether `guard` stands.
    #[inline]
    pub(crate) fn has(self, guard: Guard) -> bool {
        #[cfg(feature = "contract-suite")]
        return self.missing != Some(guard);
        #[cfg(not(feature = "contract-suite"))]
        {
            let (Self {}, _) = (self, guard);
            true
        }
    }
}

//! Which fill of a key a frame is.
//!
//! Owns what tells one fill from every other, so that a store may know a frame again without knowing what it holds. Must never
//! be taken for a proof that the frame is whole: nothing is checked here.

use std::time::Duration;

use super::{Glance, HEADER_BYTES, Header, Kind, glance, offset};

/// Bytes of a header that no lease changes.
const LASTING: usize = HEADER_BYTES - (offset::CHECKSUM - offset::TOKEN);

/// A value or an absence as it was filled: its version, when it was generated, its drawn life and the checksum over key and
/// payload. A lease taken over it changes none of these. Two fills that agree in all of them hold the same, and the later one
/// ends later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill([u8; LASTING]);

impl Fill {
    /// The fill that these bytes come from; `None` where they are neither a value nor an absence.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let Glance::Ours(Header { kind: Kind::Value | Kind::Negative, .. }) = glance(bytes) else { return None };
        let header = bytes.first_chunk::<HEADER_BYTES>()?;
        let mut lasting = [0; LASTING];
        lasting[..offset::TOKEN].copy_from_slice(&header[..offset::TOKEN]);
        lasting[offset::TOKEN..].copy_from_slice(&header[offset::CHECKSUM..]);
        Some(Self(lasting))
    }

    /// The whole life it was filled for: it has no more left at any time.
    pub fn whole_life(&self) -> Duration {
        const AT: usize = offset::HARD - (offset::CHECKSUM - offset::TOKEN);
        let mut millis = [0; 4];
        millis.copy_from_slice(&self.0[AT..AT + 4]);
        Duration::from_millis(u32::from_be_bytes(millis).into())
    }
}

/// How long ago a value or an absence was filled, by its own whole life; from its first bytes, which are not checked here.
/// `None` of anything else.
pub fn age(head: &[u8], remaining: Duration) -> Option<Duration> {
    Fill::of(head).map(|fill| fill.whole_life().saturating_sub(remaining))
}

#[cfg(test)]
mod tests {
    use cache_ports::catalog::keyspaces::OFFERING;
    use kernel::Version;
    use proptest::prelude::*;

    use super::super::{Content, Life, lease, tombstone, write};
    use super::*;
    use crate::store::LeaseToken;

    const HARD: Duration = Duration::from_mins(2);

    fn frame(version: u64, hard: Duration, generated_at_ms: i64, payload: Option<&[u8]>) -> Vec<u8> {
        let (key, version) = ("catalog:acme:publication:p:offering:o:en", Version::new(version));
        let life = Life { soft: hard / 2, hard };
        write(&Content { keyspace: &OFFERING, key, version, life, generated_at_ms, payload }).unwrap()
    }

    #[test]
    fn fills_differ_in_version_life_time_and_content() {
        let fills = [
            frame(7, HARD, 1, Some(b"{}")),
            frame(8, HARD, 1, Some(b"{}")),
            frame(7, HARD + Duration::from_millis(1), 1, Some(b"{}")),
            frame(7, HARD, 2, Some(b"{}")),
            frame(7, HARD, 1, Some(b"[]")),
            frame(7, HARD, 1, None),
        ]
        .map(|bytes| Fill::of(&bytes).unwrap());
        for (at, fill) in fills.iter().enumerate() {
            assert_eq!(fills.iter().position(|other| other == fill), Some(at));
        }
        assert_eq!(fills[2].whole_life(), HARD + Duration::from_millis(1));
    }

    #[test]
    fn only_values_and_absences_are_fills() {
        let mut newer = frame(7, HARD, 1, None);
        newer[offset::FORMAT] += 1;
        let others = [lease(LeaseToken([1; 16])).to_vec(), tombstone(Version::new(7)).to_vec(), newer, b"x".to_vec()];
        assert_eq!(others.map(|bytes| Fill::of(&bytes)), [None; 4]);
    }

    proptest! {
        #[test]
        fn a_lease_over_it_makes_no_other_fill(token in any::<[u8; 16]>(), floor in any::<[u8; 4]>()) {
            let before = frame(7, HARD, 1, Some(b"{}"));
            let mut leased = before.clone();
            leased[offset::TOKEN..offset::FLOOR].copy_from_slice(&token);
            leased[offset::FLOOR..offset::CHECKSUM].copy_from_slice(&floor);
            prop_assert_eq!(Fill::of(&leased), Fill::of(&before));
        }
    }
}

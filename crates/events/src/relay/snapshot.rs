//! A PostgreSQL snapshot: which transactions had ended when it was taken.

use std::str::FromStr;

/// A `pg_snapshot`: transactions below `xmin` had ended, those from `xmax` on had not begun, and between them those in
/// `in_progress` were running. The difference of two snapshots is what was committed between them, however long it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    text: String,
    xmax: String,
    in_progress: Vec<String>,
}

/// The text is not a snapshot.
#[derive(Debug, thiserror::Error)]
#[error("not a snapshot: {0}")]
pub(crate) struct InvalidSnapshot(String);

impl Snapshot {
    /// Before the first transaction: everything is new since then.
    pub fn before_everything() -> Self {
        Self { text: "1:1:".to_owned(), xmax: "1".to_owned(), in_progress: Vec::new() }
    }

    /// As PostgreSQL writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first transaction id that was not yet given out. Text, because `xid8` has no binary twin in the driver.
    pub fn xmax(&self) -> &str {
        &self.xmax
    }

    /// The transactions that were running.
    pub fn in_progress(&self) -> &[String] {
        &self.in_progress
    }
}

impl FromStr for Snapshot {
    type Err = InvalidSnapshot;

    fn from_str(text: &str) -> Result<Self, InvalidSnapshot> {
        let invalid = || InvalidSnapshot(text.to_owned());
        let mut parts = text.split(':');
        let (Some(xmin), Some(xmax), Some(running), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid());
        };
        let is_number = |part: &str| part.parse::<u64>().is_ok();
        let in_progress: Vec<String> = running.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        if !is_number(xmin) || !is_number(xmax) || !in_progress.iter().all(|xid| is_number(xid)) {
            return Err(invalid());
        }
        Ok(Self { text: text.to_owned(), xmax: xmax.to_owned(), in_progress })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_as_postgresql_writes_it() {
        let snapshot: Snapshot = "10:20:10,14,15".parse().unwrap();
        assert_eq!((snapshot.xmax(), snapshot.in_progress().len()), ("20", 3));
        let idle: Snapshot = "7:7:".parse().unwrap();
        assert_eq!((idle.as_str(), idle.xmax(), idle.in_progress().len()), ("7:7:", "7", 0));
        for bad in ["", "1:2", "1:2:3:4", "a:2:", "1:b:", "1:2:x", "1:2:3,,x"] {
            assert!(bad.parse::<Snapshot>().is_err(), "{bad}");
        }
    }
}

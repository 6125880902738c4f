//! What a proof of order needs: the judge of what arrived, and the two readers that must fail.
//!
//! For tests and benchmarks only, behind the feature `contract-suite`. The small proof is `tests/it/order.rs`, the large one
//! `bench order`. Nothing else may read an outbox in one of these two ways.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use kernel::Version;
use sqlx::{AssertSqlSafe, PgPool};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// An aggregate and its version: one event.
pub type Seen = (Uuid, u64);

/// Pause of a control between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// What was wrong with a sequence of events; a log that keeps its promises shows none of it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Committed, and never seen.
    pub lost: usize,
    /// Seen again.
    pub duplicated: usize,
    /// Seen after a higher version of its aggregate.
    pub inversions: usize,
    /// Seen without the version before it.
    pub gaps: usize,
    /// Seen, and never committed.
    pub invented: usize,
}

/// Judges the sequence `seen` against the `committed` events.
pub fn judge(seen: &[Seen], committed: &[Seen]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut highest: HashMap<Uuid, u64> = HashMap::new();
    let mut known = HashSet::with_capacity(seen.len());
    for (id, version) in seen {
        if !known.insert((*id, *version)) {
            verdict.duplicated += 1;
            continue;
        }
        let before = highest.entry(*id).or_default();
        if *version < *before {
            verdict.inversions += 1;
        } else if *version != *before + 1 {
            verdict.gaps += 1;
        }
        *before = (*before).max(*version);
    }
    let found = committed.iter().filter(|event| known.contains(event)).count();
    verdict.lost = committed.len() - found;
    verdict.invented = known.len() - found;
    verdict
}

/// Everything committed, as the outbox of `schema` holds it.
pub async fn committed(pool: &PgPool, schema: &str) -> Result<Vec<Seen>, sqlx::Error> {
    let sql = format!("select aggregate_id, aggregate_version from \"{schema}\".outbox");
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(id, version)| (id, Version::from_i64(version).get())).collect())
}

/// Negative control: remembers the highest sequence number. Loses what commits late.
pub async fn read_by_seq(pool: PgPool, schema: &str, stop: CancellationToken) -> Result<Vec<Seen>, sqlx::Error> {
    let sql =
        format!("select seq, aggregate_id, aggregate_version from \"{schema}\".outbox where seq > $1 order by seq");
    let (mut seen, mut last) = (Vec::new(), 0);
    loop {
        let stopping = stop.is_cancelled();
        let rows: Vec<(i64, Uuid, i64)> =
            sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(last).fetch_all(&pool).await?;
        for (seq, id, version) in rows {
            last = seq;
            seen.push((id, Version::from_i64(version).get()));
        }
        if stopping {
            return Ok(seen);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Negative control: waits for every older transaction, then reads by transaction id. Loses nothing, but transactions
/// take their ids before their locks, so the order is not that of the commits.
pub async fn read_by_xid(pool: PgPool, schema: &str, stop: CancellationToken) -> Result<Vec<Seen>, sqlx::Error> {
    let sql = format!(
        "select xid::text, seq, aggregate_id, aggregate_version from \"{schema}\".outbox \
         where (xid, seq) > ($1::text::xid8, $2) and xid < pg_snapshot_xmin(pg_current_snapshot()) \
         order by outbox.xid, seq"
    );
    let (mut seen, mut last) = (Vec::new(), ("0".to_owned(), 0));
    loop {
        let stopping = stop.is_cancelled();
        let rows: Vec<(String, i64, Uuid, i64)> =
            sqlx::query_as(AssertSqlSafe(sql.as_str())).bind(&last.0).bind(last.1).fetch_all(&pool).await?;
        for (xid, seq, id, version) in rows {
            last = (xid, seq);
            seen.push((id, Version::from_i64(version).get()));
        }
        if stopping {
            return Ok(seen);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_wrong_is_told_from_the_others() {
        let id = Uuid::from_u128(1);
        let of = |versions: &[u64]| versions.iter().map(|version| (id, *version)).collect::<Vec<_>>();
        let judged = |seen: &[u64]| judge(&of(seen), &of(&[1, 2, 3, 4]));
        assert_eq!(judged(&[1, 2, 3, 4]), Verdict::default());
        assert_eq!(judged(&[1, 2, 2, 3, 4]), Verdict { duplicated: 1, ..Verdict::default() });
        assert_eq!(judged(&[1, 2, 3]), Verdict { lost: 1, ..Verdict::default() });
        assert_eq!(judged(&[1, 3, 2, 4]), Verdict { inversions: 1, gaps: 1, ..Verdict::default() });
        assert_eq!(judged(&[1, 2, 4]), Verdict { lost: 1, gaps: 1, ..Verdict::default() });
        assert_eq!(judged(&[1, 2, 3, 4, 5]), Verdict { invented: 1, ..Verdict::default() });
    }
}

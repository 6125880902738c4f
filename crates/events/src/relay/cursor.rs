//! How far each shard group was published, as stored in `relay_cursor`, fenced by lease terms.

use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use super::snapshot::Snapshot;
use crate::lease::Held;

/// A place within the difference between a cursor's snapshot and a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub upto: Snapshot,
    pub after_seq: i64,
}

/// Everything visible in `from` was acknowledged by the log, and so was everything visible in the page's snapshot up to
/// its sequence number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub from: Snapshot,
    pub page: Option<Page>,
}

impl Cursor {
    /// Nothing was published.
    pub fn start() -> Self {
        Self { from: Snapshot::before_everything(), page: None }
    }

    /// Where it stands when what was read in the snapshot `upto` is published: all of it, or the rows up to this one.
    pub fn moved(&self, upto: Snapshot, last_of_more: Option<i64>) -> Self {
        match last_of_more {
            Some(after_seq) => Self { from: self.from.clone(), page: Some(Page { upto, after_seq }) },
            None => Self { from: upto, page: None },
        }
    }
}

/// The stored cursor cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CursorError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// Somebody with a newer term holds the group.
    #[error("shard group {0} was claimed by another relay")]
    Fenced(i32),
    /// The cursor was stored by another cluster, or this one was set back in time: transaction ids do not compare.
    #[error(
        "the relay cursor of shard group {group} belongs to another database cluster or to its future; after a \
         restore, reset relay_cursor (snapshot '1:1:', page_* and system_identifier null) to publish retained rows again"
    )]
    Foreign { group: i32 },
}

/// Takes the groups over under their new terms, which shuts out whoever held them before, and reads their cursors.
pub(crate) async fn claim(conn: &mut PgConnection, schema: &str, group: Held) -> Result<Cursor, CursorError> {
    let sql = format!(
        "update \"{schema}\".relay_cursor set term = $2, system_identifier = coalesce(system_identifier, here.id) \
         from (select system_identifier as id from pg_control_system()) as here \
         where shard_group = $1 and term <= $2 \
         returning snapshot::text as snapshot, page_snapshot::text as page_snapshot, page_seq, \
           relay_cursor.system_identifier = here.id \
             and pg_snapshot_xmax(coalesce(page_snapshot, snapshot)) <= pg_snapshot_xmax(pg_current_snapshot()) as usable"
    );
    let claimed: Option<StoredCursor> =
        sqlx::query_as(AssertSqlSafe(sql)).bind(group.slot).bind(group.term).fetch_optional(conn).await?;
    let stored = claimed.ok_or(CursorError::Fenced(group.slot))?;
    if !stored.usable {
        return Err(CursorError::Foreign { group: group.slot });
    }
    let parse = |text: &str| text.parse::<Snapshot>().map_err(|error| sqlx::Error::Decode(error.into()));
    let page = match (stored.page_snapshot, stored.page_seq) {
        (Some(upto), Some(after_seq)) => Some(Page { upto: parse(&upto)?, after_seq }),
        _ => None,
    };
    Ok(Cursor { from: parse(&stored.snapshot)?, page })
}

/// Moves the cursors of `groups`, all or none, if their terms still stand.
pub(crate) async fn store(
    conn: &mut PgConnection,
    schema: &str,
    groups: &[Held],
    cursor: &Cursor,
) -> Result<(), CursorError> {
    let sql = format!(
        "update \"{schema}\".relay_cursor set snapshot = $3::text::pg_snapshot, \
           page_snapshot = $4::text::pg_snapshot, page_seq = $5, stored_at = clock_timestamp() \
         from unnest($1::integer[], $2::bigint[]) as mine (shard_group, term) \
         where relay_cursor.shard_group = mine.shard_group and relay_cursor.term = mine.term"
    );
    let moved = sqlx::query(AssertSqlSafe(sql))
        .bind(groups.iter().map(|group| group.slot).collect::<Vec<_>>())
        .bind(groups.iter().map(|group| group.term).collect::<Vec<_>>())
        .bind(cursor.from.as_str())
        .bind(cursor.page.as_ref().map(|page| page.upto.as_str()))
        .bind(cursor.page.as_ref().map(|page| page.after_seq))
        .execute(conn)
        .await?
        .rows_affected();
    // Fewer rows: a group was claimed by another relay. What did move is true all the same, it was published.
    match groups.first() {
        Some(group) if moved < groups.len() as u64 => Err(CursorError::Fenced(group.slot)),
        _ => Ok(()),
    }
}

#[derive(FromRow)]
struct StoredCursor {
    snapshot: String,
    page_snapshot: Option<String>,
    page_seq: Option<i64>,
    usable: bool,
}

#[cfg(test)]
mod tests {
    use anyhow::Result;
    use sqlx::Connection;

    use super::*;

    #[tokio::test]
    async fn an_older_term_can_no_longer_move_the_cursor() -> Result<()> {
        let database = dev_stack::test::database(&["platform"]).await?;
        let mut conn = PgConnection::connect(&database.admin_url()).await?;
        for statement in ["create schema pricing", "select platform.create_messaging('pricing')"] {
            sqlx::query(statement).execute(&mut conn).await?;
        }
        let at = |text: &str| Cursor { from: text.parse().unwrap(), page: None };
        let (old, new) = (Held { slot: 3, term: 1 }, Held { slot: 3, term: 2 });
        assert_eq!(claim(&mut conn, "pricing", old).await?, Cursor::start());
        store(&mut conn, "pricing", &[old], &at("5:5:")).await?;
        assert_eq!(claim(&mut conn, "pricing", new).await?, at("5:5:"));
        assert!(matches!(store(&mut conn, "pricing", &[old], &at("9:9:")).await, Err(CursorError::Fenced(3))));
        assert!(matches!(claim(&mut conn, "pricing", old).await, Err(CursorError::Fenced(3))));
        let page = Some(Page { upto: "8:8:".parse()?, after_seq: 77 });
        let paging = Cursor { page, ..at("5:5:") };
        store(&mut conn, "pricing", &[new], &paging).await?;
        assert_eq!(claim(&mut conn, "pricing", new).await?, paging);
        // A snapshot from this cluster's future: it was set back in time, and its ids will come again.
        store(&mut conn, "pricing", &[new], &at("9000000000000:9000000000000:")).await?;
        assert!(matches!(claim(&mut conn, "pricing", new).await, Err(CursorError::Foreign { group: 3 })));
        Ok(())
    }
}

//! How far a consumer read each partition, as stored in `consumer_position`, fenced by lease terms.

use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use crate::{Extent, Partition, Retention};

/// A partition this consumer works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claimed {
    /// The lease term; with an older one nothing can be written.
    pub term: i64,
    /// The first offset whose effects are not in PostgreSQL.
    pub next: i64,
    /// The first offset whose effects elsewhere may be missing; reading starts here.
    pub settled: i64,
}

/// The stored position cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PositionError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("{0:?} was claimed by another consumer")]
    Fenced(Partition),
    #[error(
        "the position in {partition:?} belongs to log {stored}, this is log {present}; replay the source's outbox and \
         delete the position, or bring the old log back"
    )]
    OtherLog { partition: Partition, stored: String, present: String },
    #[error("the position {next} in {partition:?} lies outside the log, which holds {extent:?}: events were lost")]
    OutsideLog { partition: Partition, next: i64, extent: Extent },
}

/// The positions of one consumer.
pub(crate) struct Positions {
    pub schema: &'static str,
    pub consumer: &'static str,
}

impl Positions {
    /// Takes `partition` over under its new term, which shuts out whoever held it before. A consumer that was never
    /// here begins at the oldest event.
    pub async fn claim(
        &self,
        conn: &mut PgConnection,
        partition: &Partition,
        term: i64,
        log: (&str, Retention, Extent),
    ) -> Result<Claimed, PositionError> {
        let (log_id, retention, extent) = log;
        let sql = format!(
            "insert into \"{}\".consumer_position \
               (consumer, topic, partition, log_id, next_offset, settled_offset, term) \
             values ($1, $2, $3, $4, $5, $5, $6) \
             on conflict (consumer, topic, partition) do update set term = excluded.term \
               where consumer_position.term <= excluded.term \
             returning log_id, next_offset, settled_offset",
            self.schema
        );
        let stored: Option<StoredPosition> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(self.consumer)
            .bind(&*partition.topic)
            .bind(partition.number)
            .bind(log_id)
            .bind(extent.first)
            .bind(term)
            .fetch_optional(&mut *conn)
            .await?;
        let stored = stored.ok_or_else(|| PositionError::Fenced(partition.clone()))?;
        if stored.log_id != log_id {
            return match retention {
                Retention::UntilExit => self.start_over(conn, partition, term, log_id, extent.first).await,
                Retention::Durable => Err(PositionError::OtherLog {
                    partition: partition.clone(),
                    stored: stored.log_id,
                    present: log_id.to_owned(),
                }),
            };
        }
        if !(extent.first..=extent.next).contains(&stored.next_offset) {
            return Err(PositionError::OutsideLog { partition: partition.clone(), next: stored.next_offset, extent });
        }
        Ok(Claimed { term, next: stored.next_offset, settled: stored.settled_offset.max(extent.first) })
    }

    /// A log that ended with its process was replaced by a new one: everything retained is coming again.
    async fn start_over(
        &self,
        conn: &mut PgConnection,
        partition: &Partition,
        term: i64,
        log_id: &str,
        first: i64,
    ) -> Result<Claimed, PositionError> {
        let sql = format!(
            "update \"{}\".consumer_position set log_id = $4, next_offset = $5, settled_offset = $5 \
             where consumer = $1 and topic = $2 and partition = $3 and term = $6",
            self.schema
        );
        let moved = self.bound(sql, partition).bind(log_id).bind(first).bind(term).execute(conn).await?;
        if moved.rows_affected() == 0 {
            return Err(PositionError::Fenced(partition.clone()));
        }
        Ok(Claimed { term, next: first, settled: first })
    }

    /// Moves the position to `next`, in the transaction of the effects. `false`: another consumer has the partition.
    pub async fn advance(
        &self,
        conn: &mut PgConnection,
        partition: &Partition,
        claimed: Claimed,
        next: i64,
    ) -> Result<bool, sqlx::Error> {
        let sql = format!(
            "update \"{}\".consumer_position set next_offset = $4, \
               settled_offset = greatest(settled_offset, $5), updated_at = clock_timestamp() \
             where consumer = $1 and topic = $2 and partition = $3 and term = $6 and next_offset = $7",
            self.schema
        );
        let moved = self
            .bound(sql, partition)
            .bind(next)
            .bind(claimed.settled)
            .bind(claimed.term)
            .bind(claimed.next)
            .execute(conn)
            .await?;
        Ok(moved.rows_affected() == 1)
    }

    /// Stores how far effects elsewhere were made, when no batch did it on the way.
    pub async fn settle(
        &self,
        conn: &mut PgConnection,
        partition: &Partition,
        claimed: Claimed,
    ) -> Result<(), sqlx::Error> {
        let sql = format!(
            "update \"{}\".consumer_position set settled_offset = $4, updated_at = clock_timestamp() \
             where consumer = $1 and topic = $2 and partition = $3 and term = $5 and settled_offset < $4",
            self.schema
        );
        self.bound(sql, partition).bind(claimed.settled).bind(claimed.term).execute(conn).await?;
        Ok(())
    }

    fn bound(
        &self,
        sql: String,
        partition: &Partition,
    ) -> sqlx::query::Query<'static, sqlx::Postgres, sqlx::postgres::PgArguments> {
        sqlx::query(AssertSqlSafe(sql)).bind(self.consumer).bind(partition.topic.to_string()).bind(partition.number)
    }
}

#[derive(FromRow)]
struct StoredPosition {
    log_id: String,
    next_offset: i64,
    settled_offset: i64,
}

//! Makes a projection again from the beginning of its topics, beside the one that is read, and switches.
//!
//! Nothing of a rebuild is needed after it dies but its rows, which the next one removes: positions live in memory, because a
//! rebuild that starts again starts from the beginning, and the versions in the rows guard against repetition. One at a time,
//! by lease.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

use super::{
    DifferenceKind, Projected, ProjectedTable, Projection,
    comparison::{Difference, compare},
};
use crate::{
    Delivery, LeaseTimes, Partition, Reaction, ReactionError, Record, Source, SourceError,
    consumer::apply_event,
    lease::{Leases, Sharing},
    reading::{Reading, ReadingError, Stretch},
    transaction::begin,
};

/// Rows removed in one transaction: short enough for nobody to wait for.
const REMOVED_AT_ONCE: i64 = 5_000;

/// Whether a rebuilt projection takes the place of the live one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// Readers read the new build from then on.
    Switch,
    /// The new build is compared and thrown away.
    Compare,
}

/// What a rebuild read, made and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Records read.
    pub read: u64,
    /// Of these applied.
    pub applied: u64,
    /// Records that cannot be applied, and were passed over.
    pub skipped: u64,
    /// Rows of the new build, all tables together.
    pub rows: u64,
    /// What the live build said differently.
    pub differences: Vec<Difference>,
    /// Records the live consumer had not read yet: as long as there are some, missing and older rows may be on their way.
    pub live_behind: u64,
    /// Whether readers read the new build now.
    pub switched: bool,
}

impl Rebuilt {
    /// Rows of the live build that were wrong, and not only late.
    pub fn wrong_rows(&self) -> u64 {
        let wrong = |kind: DifferenceKind| self.live_behind == 0 || !kind.may_be_lag();
        self.differences.iter().filter(|difference| wrong(difference.kind)).map(|difference| difference.rows).sum()
    }
}

/// The projection is as it was; what the attempt left behind is removed by the next.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Another rebuild of it is running, or ended so short ago that it may be.
    #[error("{0} is being rebuilt by another process, or that process ended within the last seconds")]
    AlreadyRunning(&'static str),
    /// Another rebuild began, because this one was not heard of for too long.
    #[error("the rebuild was overtaken by another one")]
    Overtaken,
    /// The database does not know the projection.
    #[error("the database has no projection {0}: run quoin migrate")]
    NoProjection(&'static str),
    /// The topic does not reach back to its beginning.
    #[error(
        "partition {} of {} begins at record {first}: what came before is gone, and a list made without it would lack rows",
        .partition.number, .partition.topic
    )]
    BeginningLost {
        /// Which.
        partition: Partition,
        /// Its first record.
        first: i64,
    },
    /// The live consumer read another log.
    #[error("the live consumer has read log {live}, this is log {present}")]
    OtherLog {
        /// The consumer's.
        live: String,
        /// The one at hand.
        present: String,
    },
    /// The log holds records that it does not deliver.
    #[error("the log delivers nothing although it holds more")]
    Stalled,
    /// The log failed.
    #[error("the log cannot be read")]
    Source(#[from] SourceError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// An event could not be applied for now.
    #[error("an event cannot be applied now")]
    Applying(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<ReadingError> for RebuildError {
    fn from(error: ReadingError) -> Self {
        match error {
            ReadingError::Source(error) => Self::Source(error),
            ReadingError::Stalled => Self::Stalled,
        }
    }
}

/// One rebuild of one projection.
pub struct Rebuild {
    pool: PgPool,
    schema: &'static str,
    projection: Arc<dyn Projection>,
    leases: Leases,
    /// The lease's term: with another one, somebody else was here in between.
    term: i64,
    applied: u64,
    skipped: u64,
}

impl Rebuild {
    /// Of a projection in `schema`; `pool` connects as the work role.
    pub fn new(pool: PgPool, schema: &'static str, projection: Arc<dyn Projection>, lease: LeaseTimes) -> Self {
        let leases = Leases::new(schema, format!("rebuild:{}", projection.name()), 1, lease);
        Self { pool, schema, projection, leases, term: 0, applied: 0, skipped: 0 }
    }

    /// Reads `source` from the beginning; `progress` hears how many records were read and how many there are. Dropping the
    /// future is safe: the live build is not touched before the switch, and that is one transaction.
    pub async fn run(
        mut self,
        source: Box<dyn Source>,
        finish: Finish,
        progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Rebuilt, RebuildError> {
        let taken = self.leases.renew(&mut *self.pool.acquire().await?, Sharing::KeepAll).await;
        let rebuilt = match taken.map(|change| change.gained.first().map(|held| held.term)) {
            Ok(Some(term)) => {
                self.term = term;
                self.rebuild(source, finish, progress).await
            }
            Ok(None) => Err(RebuildError::AlreadyRunning(self.projection.name())),
            Err(error) => Err(error.into()),
        };
        self.leases.release(&mut *self.pool.acquire().await?).await?;
        rebuilt
    }

    async fn rebuild(
        &mut self,
        mut source: Box<dyn Source>,
        finish: Finish,
        mut progress: impl FnMut(u64, u64) + Send,
    ) -> Result<Rebuilt, RebuildError> {
        self.remove_builds_but_the_live_one().await?;
        let log_id = source.log_id().await?;
        let stretches = from_the_beginning(&mut *source, self.projection.topics()).await?;
        let mut reading = Reading::of(source, &stretches).await?;
        let build = self.next_build().await?;
        let reaction = Projected::numbered(self.schema, Arc::clone(&self.projection), build);
        while !reading.is_done() {
            self.keep_lease().await?;
            let records = reading.next_batch().await?;
            let mut tx = begin(&self.pool).await?;
            self.apply(&mut tx, &reaction, &records).await?;
            tx.commit().await?;
            progress(reading.read, reading.wanted());
        }
        let rebuilt = self.conclude((reading, log_id), &reaction, build, finish).await?;
        if let Err(error) = self.remove_builds_but_the_live_one().await {
            let (projection, error) = (self.projection.name(), &error as &dyn std::error::Error);
            tracing::warn!(projection, error, "rows that nobody reads are left for the next rebuild");
        }
        Ok(rebuilt)
    }

    /// Compares and switches, with everything that is applied to the live build waiting meanwhile.
    async fn conclude(
        &mut self,
        (mut reading, log_id): (Reading, String),
        reaction: &Projected,
        build: i32,
        finish: Finish,
    ) -> Result<Rebuilt, RebuildError> {
        let mut tx = begin(&self.pool).await?;
        if !self.leases.fence(&mut tx).await? {
            return Err(RebuildError::Overtaken);
        }
        let live = self.live_build(&mut tx, "for update").await?;
        let live_behind = self.catch_up(&mut tx, (&mut reading, &log_id), reaction).await?;
        let (mut differences, mut rows) = (Vec::new(), 0);
        for table in self.projection.tables() {
            differences.extend(compare(&mut tx, self.schema, *table, (live, build)).await?);
            rows += self.count(&mut tx, *table, build).await?;
        }
        let switched = finish == Finish::Switch;
        if switched {
            let sql = format!(
                "update \"{}\".projection set live_build = $2, rebuilt_at = clock_timestamp() where name = $1",
                self.schema
            );
            sqlx::query(AssertSqlSafe(sql)).bind(self.projection.name()).bind(build).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        let (applied, skipped) = (self.applied, self.skipped);
        Ok(Rebuilt { read: reading.read, applied, skipped, rows, differences, live_behind, switched })
    }

    /// Reads on until nothing the live consumer has applied is missing; answers how many records that one is behind. It waits
    /// for the row of `projection`, so its positions stand still, but for records it ignores.
    async fn catch_up(
        &mut self,
        tx: &mut PgConnection,
        (reading, present): (&mut Reading, &str),
        reaction: &Projected,
    ) -> Result<u64, RebuildError> {
        let sql = format!(
            "select topic, partition, log_id, next_offset from \"{}\".consumer_position where consumer = $1",
            self.schema
        );
        let positions: Vec<(String, i32, String, i64)> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(self.projection.consumer()).fetch_all(&mut *tx).await?;
        let mut applied = Vec::new();
        for (topic, number, log_id, next) in positions {
            if log_id != present {
                return Err(RebuildError::OtherLog { live: log_id, present: present.to_owned() });
            }
            let partition = Partition { topic: topic.into(), number };
            reading.read_on(&partition, next);
            applied.push((partition, next));
        }
        while !reading.is_done() {
            let records = reading.next_batch().await?;
            self.apply(tx, reaction, &records).await?;
        }
        Ok(applied.iter().map(|(partition, next)| reading.ahead_of(partition, *next)).sum())
    }

    /// Applies records in order; one that cannot be applied is passed over, because the next event of its aggregate brings
    /// the whole row.
    async fn apply(
        &mut self,
        tx: &mut PgConnection,
        reaction: &Projected,
        records: &[Delivery],
    ) -> Result<(), RebuildError> {
        let mut whole = tx.begin().await?;
        match in_order(&mut whole, reaction, records).await {
            Ok(applied) => {
                whole.commit().await?;
                self.applied += applied;
                return Ok(());
            }
            Err(ReactionError::Poison(_)) => whole.rollback().await?,
            Err(ReactionError::Transient(cause)) => return Err(RebuildError::Applying(cause)),
        }
        for record in records {
            let mut one = tx.begin().await?;
            match in_order(&mut one, reaction, std::slice::from_ref(record)).await {
                Ok(applied) => {
                    one.commit().await?;
                    self.applied += applied;
                }
                Err(ReactionError::Poison(cause)) => {
                    one.rollback().await?;
                    self.skipped += 1;
                    let (partition, offset) = (&record.partition, record.offset);
                    tracing::warn!(
                        ?partition,
                        offset,
                        error = &*cause as &dyn std::error::Error,
                        "a record is passed over"
                    );
                }
                Err(ReactionError::Transient(cause)) => return Err(RebuildError::Applying(cause)),
            }
        }
        Ok(())
    }

    async fn keep_lease(&mut self) -> Result<(), RebuildError> {
        if !self.leases.due() {
            return Ok(());
        }
        // A long statement may have outlasted the lease while nobody else wanted it: the database says so, by the term.
        self.leases.forget();
        let change = self.leases.renew(&mut *self.pool.acquire().await?, Sharing::KeepAll).await?;
        let ours = change.gained.iter().any(|held| held.term == self.term);
        if ours { Ok(()) } else { Err(RebuildError::Overtaken) }
    }

    async fn live_build(&self, conn: &mut PgConnection, lock: &str) -> Result<i32, RebuildError> {
        let sql = format!("select live_build from \"{}\".projection where name = $1 {lock}", self.schema);
        let found: Option<(i32,)> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(self.projection.name()).fetch_optional(conn).await?;
        found.map(|(build,)| build).ok_or(RebuildError::NoProjection(self.projection.name()))
    }

    async fn next_build(&self) -> Result<i32, RebuildError> {
        let sql = format!(
            "update \"{}\".projection set last_build = last_build + 1 where name = $1 returning last_build",
            self.schema
        );
        let (build,): (i32,) =
            sqlx::query_as(AssertSqlSafe(sql)).bind(self.projection.name()).fetch_one(&self.pool).await?;
        Ok(build)
    }

    async fn count(&self, conn: &mut PgConnection, table: ProjectedTable, build: i32) -> Result<u64, sqlx::Error> {
        let sql = format!("select count(*) from \"{}\".\"{}\" where build = $1", self.schema, table.name);
        let (rows,): (i64,) = sqlx::query_as(AssertSqlSafe(sql)).bind(build).fetch_one(conn).await?;
        Ok(u64::try_from(rows).unwrap_or_default())
    }

    /// Removes what nobody reads: the build that was left, and what rebuilds that died have made.
    async fn remove_builds_but_the_live_one(&mut self) -> Result<(), RebuildError> {
        for table in self.projection.tables() {
            // The database itself refuses to remove the live build, whatever stands here.
            let sql = format!(
                "delete from \"{0}\".\"{1}\" where ctid = any(array( \
                   select t.ctid from \"{0}\".\"{1}\" t where t.build <> $1 limit {REMOVED_AT_ONCE}))",
                self.schema, table.name
            );
            loop {
                self.keep_lease().await?;
                let mut conn = self.pool.acquire().await?;
                let live = self.live_build(&mut conn, "").await?;
                let removed = sqlx::query(AssertSqlSafe(sql.as_str())).bind(live).execute(&mut *conn).await?;
                if removed.rows_affected() == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// All that the partitions of `topics` hold, each from its first record. Refused where one has lost its beginning.
async fn from_the_beginning(source: &mut dyn Source, topics: &[&str]) -> Result<Vec<Stretch>, RebuildError> {
    let mut stretches = Vec::new();
    for topic in topics {
        let partitions = source.partitions(topic).await?;
        let extents = source.extents(&partitions).await?;
        for (partition, extent) in partitions.into_iter().zip(extents) {
            if extent.first > 0 {
                return Err(RebuildError::BeginningLost { partition, first: extent.first });
            }
            stretches.push(Stretch { partition, from: extent.first, until: extent.next });
        }
    }
    Ok(stretches)
}

/// Applies the events among `records` that the projection follows; answers how many.
async fn in_order(tx: &mut PgConnection, reaction: &Projected, records: &[Delivery]) -> Result<u64, ReactionError> {
    let (mut tenant_set, mut applied) = (None, 0);
    for record in records {
        match &record.record {
            Record::Event(event) if reaction.projection.follows(&event.event_type) => {
                apply_event(reaction as &dyn Reaction, tx, &mut tenant_set, event).await?;
                applied += 1;
            }
            Record::Event(_) => {}
            Record::Unreadable { reason, .. } => return Err(ReactionError::poison(reason.clone())),
        }
    }
    Ok(applied)
}

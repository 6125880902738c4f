//! Projections: tables made from events, for lists that need more than one aggregate, and made again from the beginning of
//! the log by command ([`Rebuild`]).
//!
//! A row carries a build. Readers read the build that `projection.live_build` names, events are applied to the same, and a
//! rebuild fills another beside it: nobody ever sees a list that is half made. Owns the tables `platform.create_projections`
//! makes. Must never know what a row says.

mod comparison;
mod reading;
mod rebuild;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{Envelope, Guard, Partition, Reaction, ReactionError};

pub use comparison::{Difference, DifferenceKind};
pub use rebuild::{Finish, Rebuild, RebuildError, Rebuilt};

/// Tables made from events. Every row says everything of one aggregate this projection wants to know, and carries that
/// aggregate's version: an event of a version the row has, or an older one, must change nothing.
#[async_trait]
pub trait Projection: Send + Sync + 'static {
    /// The name operators know it by: `order-list`.
    fn name(&self) -> &'static str;

    /// The consumer that keeps it up to date: `order.order-list`.
    fn consumer(&self) -> &'static str;

    /// The topics it is made from.
    fn topics(&self) -> &'static [&'static str];

    /// Whether events of this type say something it wants to know.
    fn follows(&self, event_type: &str) -> bool;

    /// Its tables.
    fn tables(&self) -> &'static [ProjectedTable];

    /// Puts what `event` says into `build`, if it is newer than what stands there. `tx` has the event's tenant set. For
    /// [`Build::Live`] the row of `projection` must be held `for share` until `tx` ends.
    async fn project(&self, tx: &mut PgConnection, build: Build, event: &Envelope) -> Result<(), ReactionError>;
}

/// One table of a projection. Its primary key is `(tenant_id, build, <key>)`, and it has a column `version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectedTable {
    /// Its name within the schema.
    pub name: &'static str,
    /// The column that names the aggregate, a `uuid`.
    pub key: &'static str,
}

/// Which rows are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// Those readers read.
    Live,
    /// Those of this build.
    Numbered(i32),
}

impl Build {
    /// The number, unless the live one is meant, which only the database knows.
    pub const fn number(self) -> Option<i32> {
        match self {
            Self::Live => None,
            Self::Numbered(number) => Some(number),
        }
    }
}

/// The reaction that keeps one build of a projection up to date.
pub struct Projected {
    schema: &'static str,
    projection: Arc<dyn Projection>,
    build: Build,
}

impl Projected {
    /// Keeps the build that readers read, in `schema`.
    pub fn live(schema: &'static str, projection: Arc<dyn Projection>) -> Self {
        Self { schema, projection, build: Build::Live }
    }

    fn numbered(schema: &'static str, projection: Arc<dyn Projection>, number: i32) -> Self {
        Self { schema, projection, build: Build::Numbered(number) }
    }
}

#[async_trait]
impl Reaction for Projected {
    fn consumer(&self) -> &'static str {
        self.projection.consumer()
    }

    fn topics(&self) -> &'static [&'static str] {
        self.projection.topics()
    }

    fn guard(&self, event_type: &str) -> Guard {
        if self.projection.follows(event_type) { Guard::StateCarrying } else { Guard::Ignore }
    }

    async fn apply(&self, tx: &mut PgConnection, event: &Envelope) -> Result<(), ReactionError> {
        self.projection.project(tx, self.build, event).await
    }

    async fn reached(
        &self,
        conn: &mut PgConnection,
        partition: &Partition,
        at: DateTime<Utc>,
    ) -> Result<(), sqlx::Error> {
        let sql = format!(
            "insert into \"{}\".projection_progress as progress (name, topic, partition, current_at) \
             values ($1, $2, $3, $4) on conflict (name, topic, partition) do update set current_at = excluded.current_at \
               where progress.current_at < excluded.current_at",
            self.schema
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(self.projection.name())
            .bind(&*partition.topic)
            .bind(partition.number)
            .bind(at)
            .execute(conn)
            .await?;
        Ok(())
    }
}

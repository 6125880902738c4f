//! What a consumer has applied: versions by key, ids by event. Read and written in the transaction of the effects.

use std::collections::{HashMap, HashSet};

use kernel::{EventId, Version};
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::guard::{Hold, KeyState};
use crate::{Envelope, Guard};

/// The ledger of one consumer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ledger {
    pub schema: &'static str,
    pub consumer: &'static str,
}

/// What was applied since the ledger was read.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub versions: HashMap<String, Version>,
    pub events: Vec<EventId>,
}

impl Entries {
    /// That `event` was applied, and nothing else.
    pub fn of(guard: Guard, event: &Envelope) -> Self {
        let mut entries = Self::default();
        entries.note(guard, event);
        entries
    }

    /// That `event` was applied as well.
    pub fn note(&mut self, guard: Guard, event: &Envelope) {
        match guard {
            Guard::Ignore => {}
            Guard::EveryOnce => self.events.push(event.id),
            Guard::StateCarrying | Guard::Delta | Guard::CountOnly => {
                self.versions.insert(event.key(), event.aggregate_version);
            }
        }
    }
}

impl Ledger {
    /// The states of `keys`, every one of them. Locks those that are parked first: a redrive that is about to empty a
    /// key must be waited for, and what it applied must be seen.
    pub async fn states(
        &self,
        conn: &mut PgConnection,
        keys: Vec<String>,
    ) -> Result<HashMap<String, KeyState>, sqlx::Error> {
        let mut states: HashMap<String, KeyState> = keys.iter().map(|key| (key.clone(), KeyState::default())).collect();
        let parked = format!(
            "select event_key, reason from \"{}\".parked_key where consumer = $1 and event_key = any($2) \
             order by event_key for update",
            self.schema
        );
        let parked: Vec<(String, String)> =
            sqlx::query_as(AssertSqlSafe(parked)).bind(self.consumer).bind(&keys).fetch_all(&mut *conn).await?;
        for (key, reason) in parked {
            let hold = if reason == "gap" { Hold::Gap } else { Hold::Poison };
            states.entry(key).or_default().hold = Some(hold);
        }
        let applied = format!(
            "select event_key, version from \"{}\".consumer_applied where consumer = $1 and event_key = any($2)",
            self.schema
        );
        let applied: Vec<(String, i64)> =
            sqlx::query_as(AssertSqlSafe(applied)).bind(self.consumer).bind(&keys).fetch_all(conn).await?;
        for (key, version) in applied {
            states.entry(key).or_default().applied = Version::from_i64(version);
        }
        Ok(states)
    }

    /// Those of `events` that were applied before.
    pub async fn inbox(&self, conn: &mut PgConnection, events: Vec<Uuid>) -> Result<HashSet<Uuid>, sqlx::Error> {
        if events.is_empty() {
            return Ok(HashSet::new());
        }
        let sql = format!(
            "select event_id from \"{}\".consumer_inbox where consumer = $1 and event_id = any($2)",
            self.schema
        );
        let known: Vec<(Uuid,)> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(self.consumer).bind(events).fetch_all(conn).await?;
        Ok(known.into_iter().map(|(event,)| event).collect())
    }

    /// Writes what was applied.
    pub async fn record(&self, conn: &mut PgConnection, entries: Entries) -> Result<(), sqlx::Error> {
        if !entries.versions.is_empty() {
            let sql = format!(
                "insert into \"{0}\".consumer_applied as applied (consumer, event_key, version) \
                 select $1, event_key, version from unnest($2::text[], $3::bigint[]) as fresh (event_key, version) \
                 order by event_key \
                 on conflict (consumer, event_key) do update set version = excluded.version \
                   where applied.version < excluded.version",
                self.schema
            );
            let (keys, versions): (Vec<String>, Vec<i64>) =
                entries.versions.into_iter().map(|(key, version)| (key, version.to_i64())).unzip();
            sqlx::query(AssertSqlSafe(sql)).bind(self.consumer).bind(keys).bind(versions).execute(&mut *conn).await?;
        }
        if !entries.events.is_empty() {
            let sql = format!(
                "insert into \"{}\".consumer_inbox (consumer, event_id) select $1, unnest($2::uuid[])",
                self.schema
            );
            let ids: Vec<Uuid> = entries.events.into_iter().map(EventId::uuid).collect();
            sqlx::query(AssertSqlSafe(sql)).bind(self.consumer).bind(ids).execute(conn).await?;
        }
        Ok(())
    }

    /// Forgets ids applied more than `keep_days` ago: longer than any log or parking lot can still deliver them.
    pub async fn prune(&self, conn: &mut PgConnection, keep_days: i32) -> Result<(), sqlx::Error> {
        let sql = format!(
            "delete from \"{}\".consumer_inbox \
             where consumer = $1 and applied_at < clock_timestamp() - make_interval(days => $2)",
            self.schema
        );
        sqlx::query(AssertSqlSafe(sql)).bind(self.consumer).bind(keep_days).execute(conn).await?;
        Ok(())
    }
}

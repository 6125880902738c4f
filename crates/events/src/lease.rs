//! Leases: who of several processes works on which slot (a relay's shard group, a consumer's partition).
//!
//! The database issues them, with its own clock and a term that rises whenever a slot changes hands; whoever writes
//! with an older term is refused (`relay_cursor.term`, `consumer_position.term`). A holder trusts a lease a little
//! shorter than it lasts, by its monotonic clock counted from before the renewal was sent. No advisory locks: they
//! break behind transaction pooling and die with a connection.

use std::{collections::BTreeMap, time::Duration};

use sqlx::{AssertSqlSafe, PgConnection, postgres::types::PgInterval};
use tokio::time::Instant;
use uuid::Uuid;

/// How long leases last and how often they are renewed.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTimes {
    /// How long a lease lasts without renewal: the longest nobody works after a crash.
    pub ttl: Duration,
    /// How often it is renewed.
    pub renew_every: Duration,
}

impl Default for LeaseTimes {
    /// Renewal every 5 s survives two lost renewals within the 15 s of a lease.
    fn default() -> Self {
        Self { ttl: Duration::from_secs(15), renew_every: Duration::from_secs(5) }
    }
}

impl LeaseTimes {
    /// How long a holder trusts a lease: a fifteenth less than it lasts, for clocks that run at different speeds.
    fn trusted(self) -> Duration {
        self.ttl * 14 / 15
    }
}

/// A slot and the term it is held under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    pub slot: i32,
    pub term: i64,
}

/// Whether a renewal may give up slots another member should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Between pieces of work.
    GiveBackSurplus,
    /// In the middle of one.
    KeepAll,
}

/// What a renewal changed.
#[derive(Debug, Default)]
pub(crate) struct Change {
    pub gained: Vec<Held>,
    pub lost: Vec<Held>,
}

/// One member's leases within one scope.
pub(crate) struct Leases {
    schema: &'static str,
    scope: String,
    member: Uuid,
    slots: i32,
    times: LeaseTimes,
    held: BTreeMap<i32, i64>,
    renewed: Option<Instant>,
}

impl Leases {
    /// No leases yet, of `slots` slots in `scope`.
    pub fn new(schema: &'static str, scope: String, slots: i32, times: LeaseTimes) -> Self {
        Self { schema, scope, member: Uuid::now_v7(), slots, times, held: BTreeMap::new(), renewed: None }
    }

    /// When the next renewal should be sent.
    pub fn renew_at(&self) -> Instant {
        self.renewed.map_or_else(Instant::now, |at| at + self.times.renew_every)
    }

    /// Whether a renewal should be sent now.
    pub fn due(&self) -> bool {
        self.renew_at() <= Instant::now()
    }

    /// Whether the leases can no longer be trusted: another member may hold them.
    pub fn lapsed(&self) -> bool {
        self.renewed.is_none_or(|at| at + self.times.trusted() <= Instant::now())
    }

    /// Renews, gives back, and takes what is free, in one round trip that ends before the trust does.
    pub async fn renew(&mut self, conn: &mut PgConnection, sharing: Sharing) -> Result<Change, sqlx::Error> {
        let sent = Instant::now();
        let renewal = sqlx::query_as("select slot, term from platform.renew_leases($1, $2, $3, $4, $5, $6)")
            .bind(self.schema)
            .bind(&self.scope)
            .bind(self.member)
            .bind(self.slots)
            .bind(PgInterval::try_from(self.times.ttl).map_err(sqlx::Error::Encode)?)
            .bind(sharing == Sharing::GiveBackSurplus)
            .fetch_all(conn);
        // While leases are held, an answer must come before they can no longer be trusted.
        let deadline = self.renewed.unwrap_or(sent) + self.times.trusted();
        let rows: Vec<(i32, i64)> = tokio::time::timeout_at(deadline, renewal).await.map_err(|_| lease_timeout())??;
        let now: BTreeMap<i32, i64> = rows.into_iter().collect();
        let change = Change { gained: missing_from(&self.held, &now), lost: missing_from(&now, &self.held) };
        self.held = now;
        self.renewed = Some(sent);
        Ok(change)
    }

    /// Whether the database still counts every slot as ours, and lets nobody take it over before the transaction ends.
    pub async fn fence(&self, tx: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let sql = format!(
            "select slot from \"{}\".lease where scope = $1 and holder = $2 and slot = any($3) and term = any($4) for share",
            self.schema
        );
        let (slots, terms): (Vec<i32>, Vec<i64>) = self.held.iter().map(|(slot, term)| (*slot, *term)).unzip();
        let ours = sqlx::query(AssertSqlSafe(sql))
            .bind(&self.scope)
            .bind(self.member)
            .bind(slots)
            .bind(terms)
            .fetch_all(tx)
            .await?;
        Ok(!self.held.is_empty() && ours.len() == self.held.len())
    }

    /// Gives everything back, so that others need not wait.
    pub async fn release(&mut self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.forget();
        sqlx::query("select platform.release_leases($1, $2, $3)")
            .bind(self.schema)
            .bind(&self.scope)
            .bind(self.member)
            .execute(conn)
            .await?;
        Ok(())
    }

    /// Trusts nothing any more; the next renewal reports everything as gained.
    pub fn forget(&mut self) {
        self.held.clear();
        self.renewed = None;
    }
}

/// The entries of `present` that `known` does not have with the same term.
fn missing_from(known: &BTreeMap<i32, i64>, present: &BTreeMap<i32, i64>) -> Vec<Held> {
    let fresh = present.iter().filter(|(slot, term)| known.get(slot) != Some(term));
    fresh.map(|(&slot, &term)| Held { slot, term }).collect()
}

fn lease_timeout() -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "a lease could not be renewed in time"))
}

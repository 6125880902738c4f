//! A transaction that can see one tenant's rows and no other's.
//!
//! Owns the beginning and the end of every transaction of a request: the tenant is set for the transaction only
//! (row-level security reads it), in the same round trip that begins it. Must never set anything for the session.
//!
//! sqlx's own `Transaction` is not used because it cannot say how many rows its beginning changed; the idempotency
//! claim rides there. The price: `Connection::begin` on the inner connection must not be called (no savepoints).

use std::ops::{Deref, DerefMut};

use kernel::TenantId;
use sqlx::{AssertSqlSafe, Executor, PgConnection, PgPool, Postgres, pool::PoolConnection};

/// A transaction of one tenant. Dropping it without [`TenantTx::commit`] rolls back.
#[derive(Debug)]
pub struct TenantTx {
    /// `None` once the transaction has ended.
    conn: Option<PoolConnection<Postgres>>,
}

impl TenantTx {
    /// Begins, in one round trip.
    pub async fn begin(pool: &PgPool, tenant: &TenantId) -> Result<Self, sqlx::Error> {
        let (tx, _) = Self::begin_with(pool, format!("begin; {}", set_tenant(tenant))).await?;
        Ok(tx)
    }

    /// Begins for reading only, in one round trip: every statement sees the same snapshot rules, and none can write.
    pub async fn read(pool: &PgPool, tenant: &TenantId) -> Result<Self, sqlx::Error> {
        let (tx, _) = Self::begin_with(pool, format!("begin read only; {}", set_tenant(tenant))).await?;
        Ok(tx)
    }

    /// Begins with several statements in one round trip; says how many rows they changed.
    ///
    /// `statements` must begin with `begin` and must be built from text that needs no quoting.
    pub(crate) async fn begin_with(pool: &PgPool, statements: String) -> Result<(Self, u64), sqlx::Error> {
        let mut tx = Self { conn: Some(pool.acquire().await?) };
        let changed = (&mut *tx).execute(sqlx::raw_sql(AssertSqlSafe(statements))).await?.rows_affected();
        Ok((tx, changed))
    }

    /// Makes everything done here visible and durable.
    ///
    /// PostgreSQL answers `commit` in a failed transaction with a rollback and no error. Any other statement in the same
    /// round trip is refused there, so a command that went on after a failed statement is told that it has no effect.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        (&mut *self).execute(sqlx::raw_sql("set local quoin.tenant = ''; commit")).await?;
        self.conn = None;
        Ok(())
    }

    /// Undoes everything done here, and waits until that is done.
    pub async fn rollback(mut self) -> Result<(), sqlx::Error> {
        (&mut *self).execute("rollback").await?;
        self.conn = None;
        Ok(())
    }
}

/// A tenant id is a DNS label: it needs no quoting, and its own type is the proof.
pub(crate) fn set_tenant(tenant: &TenantId) -> String {
    format!("set local quoin.tenant = '{tenant}'")
}

impl Deref for TenantTx {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.conn.as_deref().expect("a transaction keeps its connection until it ends")
    }
}

impl DerefMut for TenantTx {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.conn.as_deref_mut().expect("a transaction keeps its connection until it ends")
    }
}

impl Drop for TenantTx {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            conn.close_on_drop();
            return;
        };
        runtime.spawn(async move {
            if let Err(error) = conn.execute("rollback").await {
                tracing::debug!(%error, "a transaction could not be rolled back; its connection is closed");
                conn.close_on_drop();
            }
        });
    }
}

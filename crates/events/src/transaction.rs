//! Begins transactions, whatever becomes of whoever wanted one.

use sqlx::{PgPool, Postgres, Transaction};
use tracing::Instrument;

/// Begins a transaction. If the caller is dropped meanwhile, it is begun to the end and rolled back.
///
/// `Pool::begin` of sqlx 0.9, dropped between `BEGIN` and its answer, gives the connection back to the pool within a
/// transaction that nobody knows of: what is written next waits for somebody else's commit, and keeps its locks until then.
pub(crate) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let beginning = async move { pool.begin().await };
    tokio::spawn(beginning.in_current_span()).await.unwrap_or_else(|ended| Err(sqlx::Error::Io(ended.into())))
}

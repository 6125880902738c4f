//! Forgets answers that are too old to be asked for again.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgPool};
use tokio_util::sync::CancellationToken;

/// How long an answer can be repeated, in days.
const RETENTION_DAYS: i32 = 90;

/// Rows deleted at once: short transactions, little to undo.
const BATCH_ROWS: i64 = 1_000;

/// Time between two looks when nothing is left to delete.
const PAUSE: Duration = Duration::from_mins(10);

/// Deletes old records of `service` until stopped. `pool` connects as `<service>_work`, which sees all tenants' records.
pub async fn run_idempotency_sweeper(pool: PgPool, service: &'static str, stop: CancellationToken) {
    loop {
        let pause = match sweep(&pool, service).await {
            Ok(deleted) if deleted == BATCH_ROWS.unsigned_abs() => Duration::ZERO,
            Ok(_) => PAUSE,
            Err(error) => {
                tracing::warn!(service, %error, "old idempotency records could not be deleted");
                PAUSE
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

async fn sweep(pool: &PgPool, service: &str) -> Result<u64, sqlx::Error> {
    // Quoted: `order` is a word of SQL.
    let table = format!(r#""{service}".idempotency_record"#);
    let statement = format!(
        "delete from {table} where (tenant_id, route, key_hash) in (select tenant_id, route, key_hash from {table} \
         where created_at < now() - make_interval(days => $1) order by created_at limit $2 for update skip locked)"
    );
    let deleted = sqlx::query(AssertSqlSafe(statement))
        .bind(RETENTION_DAYS)
        .bind(BATCH_ROWS)
        .execute(pool)
        .await?
        .rows_affected();
    metrics::counter!("idempotency_records_swept_total", "service" => service.to_owned()).increment(deleted);
    Ok(deleted)
}

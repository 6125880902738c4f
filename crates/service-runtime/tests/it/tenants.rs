//! One tenant's transaction sees that tenant's rows, on every path into and out of the pool.

use service_runtime::TenantTx;
use sqlx::{PgConnection, PgPool};

use crate::counters::{database, pool_of, tenant};

async fn put(tx: &mut PgConnection, tenant_name: &str, counter: &str) -> Result<(), sqlx::Error> {
    sqlx::query("insert into catalog.counter (tenant_id, name, value, version) values ($1, $2, 1, 1)")
        .bind(tenant_name)
        .bind(counter)
        .execute(tx)
        .await?;
    Ok(())
}

async fn visible(conn: &mut PgConnection) -> Vec<String> {
    let rows: Vec<(String,)> =
        sqlx::query_as("select name from catalog.counter order by name").fetch_all(conn).await.unwrap();
    rows.into_iter().map(|(name,)| name).collect()
}

async fn seeded(pool: &PgPool) {
    for name in ["acme", "other"] {
        let mut tx = TenantTx::begin(pool, &tenant(name)).await.unwrap();
        put(&mut tx, name, &format!("of-{name}")).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_tenant_sees_only_its_own_rows_and_writes_no_others() {
    let (_database, pool) = database().await;
    seeded(&pool).await;
    let mut tx = TenantTx::begin(&pool, &tenant("acme")).await.unwrap();
    assert_eq!(visible(&mut tx).await, ["of-acme"]);
    let stolen = sqlx::query("update catalog.counter set value = 9 where name = 'of-other'").execute(&mut *tx).await;
    assert_eq!(stolen.unwrap().rows_affected(), 0);
    let planted = put(&mut tx, "other", "planted").await.unwrap_err();
    assert_eq!(planted.as_database_error().unwrap().code().unwrap(), "42501");
}

#[tokio::test]
async fn without_a_tenant_nothing_is_visible_and_nothing_can_be_written() {
    let (_database, pool) = database().await;
    seeded(&pool).await;
    let mut conn = pool.acquire().await.unwrap();
    assert!(visible(&mut conn).await.is_empty());
    assert!(put(&mut conn, "acme", "x").await.is_err());
    assert!(put(&mut conn, "", "x").await.is_err());
}

#[tokio::test]
async fn the_tenant_does_not_outlive_its_transaction_on_a_reused_connection() {
    let (database, pool) = database().await;
    seeded(&pool).await;
    let one = pool_of(&database, "catalog_serve", 1);
    for end in ["commit", "rollback", "drop"] {
        let tx = TenantTx::begin(&one, &tenant("acme")).await.unwrap();
        match end {
            "commit" => tx.commit().await.unwrap(),
            "rollback" => tx.rollback().await.unwrap(),
            _ => drop(tx),
        }
        let mut conn = one.acquire().await.unwrap();
        assert!(visible(&mut conn).await.is_empty(), "after {end}");
    }
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_its_connection_is_usable() {
    let (database, _pool) = database().await;
    let one = pool_of(&database, "catalog_serve", 1);
    for _ in 0..20 {
        let mut tx = TenantTx::begin(&one, &tenant("acme")).await.unwrap();
        put(&mut tx, "acme", "ghost").await.unwrap();
        drop(tx);
    }
    let mut tx = TenantTx::begin(&one, &tenant("acme")).await.unwrap();
    assert!(visible(&mut tx).await.is_empty());
}

#[tokio::test]
async fn a_transaction_that_is_cancelled_in_a_statement_leaves_the_pool_usable() {
    let (database, _pool) = database().await;
    let one = pool_of(&database, "catalog_serve", 1);
    let slow = async {
        let mut tx = TenantTx::begin(&one, &tenant("acme")).await.unwrap();
        put(&mut tx, "acme", "ghost").await.unwrap();
        sqlx::query("select pg_sleep(0.3)").execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), slow).await.is_err());
    let mut tx = TenantTx::begin(&one, &tenant("acme")).await.unwrap();
    assert!(visible(&mut tx).await.is_empty());
}

#[tokio::test]
async fn a_commit_after_a_failed_statement_is_an_error_not_a_silent_rollback() {
    let (_database, pool) = database().await;
    let mut tx = TenantTx::begin(&pool, &tenant("acme")).await.unwrap();
    put(&mut tx, "acme", "kept").await.unwrap();
    assert!(sqlx::query("select 1 / 0").execute(&mut *tx).await.is_err());
    let refused = tx.commit().await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "25P02");
    let mut tx = TenantTx::begin(&pool, &tenant("acme")).await.unwrap();
    assert!(visible(&mut tx).await.is_empty());
}

#[tokio::test]
async fn a_reading_transaction_cannot_write() {
    let (_database, pool) = database().await;
    let mut tx = TenantTx::read(&pool, &tenant("acme")).await.unwrap();
    let refused = put(&mut tx, "acme", "x").await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "25006");
}

#[tokio::test]
async fn the_service_role_cannot_lift_the_isolation() {
    let (_database, pool) = database().await;
    for escape in [
        "alter table catalog.counter disable row level security",
        "drop policy tenant_isolation on catalog.counter",
        "set row_security = off; select * from catalog.counter",
        "set role postgres",
        "truncate catalog.counter",
        "create table catalog.mine ()",
        "create table public.mine ()",
    ] {
        assert!(sqlx::raw_sql(escape).execute(&pool).await.is_err(), "{escape}");
    }
}

#[tokio::test]
async fn a_table_without_a_tenant_cannot_be_isolated_by_mistake() {
    let (database, _pool) = database().await;
    let admin = PgPool::connect(&database.admin_url()).await.unwrap();
    for columns in ["id uuid", "tenant_id text", "tenant_id uuid not null"] {
        let statements = format!("create table catalog.odd ({columns}); select platform.isolate_tenant('catalog.odd')");
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&admin).await.unwrap_err();
        assert!(refused.to_string().contains("tenant_id text not null"), "{refused}");
    }
}

//! Pools of connections: which are opened before anybody asks.

use std::time::Duration;

use dev_stack::test::TestDatabase;
use service_runtime::{DatabaseConfig, Settings, pool, warm_pool};
use sqlx::{Connection, PgConnection};
use tokio::time::{sleep, timeout};

fn config(database: &TestDatabase) -> (secrecy::SecretString, DatabaseConfig) {
    let runtime = Settings::load(&[], None).and_then(|settings| settings.runtime()).expect("defaults");
    (database.admin_url().into(), DatabaseConfig { max_connections: 4, warm_connections: 3, ..runtime.database })
}

async fn until(holds: impl Fn() -> bool) {
    let poll = async {
        while !holds() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), poll).await.expect("it does not come to that");
}

#[tokio::test]
async fn a_warm_pool_opens_its_connections_unasked_and_replaces_what_breaks() {
    let database = dev_stack::test::database(&["platform"]).await.expect("a test database");
    let (url, config) = config(&database);
    let warm = warm_pool(&url, "warm", &config).expect("a pool");
    until(|| warm.num_idle() == 3).await;
    let mut admin = PgConnection::connect(&database.admin_url()).await.expect("the server answers");
    let end = "select pg_terminate_backend(pid) from pg_stat_activity \
               where application_name = 'warm' and datname = current_database()";
    sqlx::query(end).execute(&mut admin).await.expect("they are ended");
    // Those that are broken fail whoever gets them, once.
    while sqlx::query("select 1").execute(&warm).await.is_err() {}
    let all: Vec<_> = futures::future::join_all((0..3).map(|_| warm.acquire())).await;
    drop(all);
    // What was opened for a caller in the meantime comes on top.
    until(|| warm.num_idle() >= 3).await;
}

#[tokio::test]
async fn a_warm_pool_is_never_larger_than_it_may_be() {
    let database = dev_stack::test::database(&["platform"]).await.expect("a test database");
    let (url, config) = config(&database);
    let warm = warm_pool(&url, "warm", &DatabaseConfig { max_connections: 2, ..config }).expect("a pool");
    until(|| warm.num_idle() == 2).await;
    assert_eq!((warm.size(), warm.options().get_max_connections()), (2, 2));
}

#[tokio::test]
async fn a_pool_opens_nothing_before_it_is_asked() {
    let database = dev_stack::test::database(&["platform"]).await.expect("a test database");
    let (url, config) = config(&database);
    let cold = pool(&url, "cold", &config).expect("a pool");
    sqlx::query("select 1").execute(&cold).await.expect("it answers");
    assert_eq!(cold.size(), 1);
}

//! The stack itself, on real servers. Whether they are containers or processes is decided as for any other test.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use dev_stack::{Component, Need, Stack, StackRequest, test};
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long a condition may take to come true on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::test]
async fn tests_share_their_servers() -> Result<()> {
    let first = (test::postgres().await?, test::redis().await?, test::kafka().await?);
    assert_eq!(first, (test::postgres().await?, test::redis().await?, test::kafka().await?));
    Ok(())
}

#[tokio::test]
async fn a_test_database_is_migrated_and_belongs_to_one_test() -> Result<()> {
    let (mine, other) = tokio::try_join!(test::database(&["platform"]), test::database(&["platform"]))?;
    assert_ne!(mine.name(), other.name());

    let mut connection = PgConnection::connect(&mine.admin_url()).await?;
    let applied: (i64,) =
        sqlx::query_as("select count(*) from platform.schema_migrations").fetch_one(&mut connection).await?;
    assert!(applied.0 > 0, "the platform's migrations were applied");
    sqlx::query("create table public.mine (id integer)").execute(&mut connection).await?;

    let mut elsewhere = PgConnection::connect(&other.admin_url()).await?;
    let seen: (bool,) =
        sqlx::query_as("select to_regclass('public.mine') is not null").fetch_one(&mut elsewhere).await?;
    assert!(!seen.0, "another test sees nothing of it");
    Ok(())
}

#[tokio::test]
async fn a_service_role_logs_in_without_owning_anything() -> Result<()> {
    let database = test::whole_database().await?;
    let mut connection = PgConnection::connect(&database.service_url("catalog_serve")).await?;
    let powers: (bool, bool) =
        sqlx::query_as("select rolsuper, rolbypassrls from pg_roles where rolname = current_user")
            .fetch_one(&mut connection)
            .await?;
    assert_eq!(powers, (false, false));
    let refused = sqlx::query("create table catalog.intruder (id integer)").execute(&mut connection).await;
    assert!(refused.is_err(), "a service role must not be able to create tables");
    Ok(())
}

#[tokio::test]
async fn a_dropped_test_database_is_gone() -> Result<()> {
    let database = test::database(&["platform"]).await?;
    let name = database.name().to_owned();
    // A connection left open, as a test that failed would leave it.
    let _open = PgConnection::connect(&database.admin_url()).await?;
    drop(database);
    let mut connection = PgConnection::connect(test::postgres().await?).await?;
    let left: (bool,) = sqlx::query_as("select exists(select 1 from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await?;
    assert!(!left.0);
    Ok(())
}

#[tokio::test]
async fn a_server_comes_back_at_the_same_address() -> Result<()> {
    let redis = test::own(Component::Redis).await?;
    let url = redis.url().to_owned();
    assert!(answers(&url).await);

    redis.stop().await?;
    assert!(!answers(&url).await, "a stopped server must not answer");

    redis.start().await?;
    assert_eq!(redis.url(), url);
    assert!(answers(&url).await);
    Ok(())
}

#[tokio::test]
async fn a_frozen_server_accepts_and_says_nothing() -> Result<()> {
    let redis = test::own(Component::Redis).await?;
    redis.freeze().await?;
    assert!(TcpStream::connect(address(redis.url())).is_ok(), "the port must stay open");
    assert!(!answers(redis.url()).await, "a frozen server must not answer");
    redis.thaw().await?;
    assert!(answers(redis.url()).await);
    Ok(())
}

#[tokio::test]
async fn a_stack_starts_only_what_was_asked_for_and_leaves_nothing() -> Result<()> {
    let request = StackRequest { postgres: Need::No, kafka: Need::No, ..StackRequest::for_development() };
    let stack = Stack::start(request).await?;
    assert!(stack.postgres_url().is_err());
    assert!(stack.kafka_brokers().is_none());
    let url = stack.redis_url().context("Redis was asked for")?.to_owned();
    assert!(answers(&url).await);
    assert_eq!(stack.describe().len(), 1);

    stack.stop().await?;
    assert!(!answers(&url).await);
    Ok(())
}

/// The child process below is killed without a chance to clean up; only the keeper can end its server.
#[tokio::test]
async fn a_killed_owner_leaves_no_server_behind() -> Result<()> {
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "owner_of_one_redis", "--nocapture"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let url = first_url(&mut owner)?;
    assert!(answers(&url).await);
    owner.kill()?;
    owner.wait()?;
    let killed = Instant::now();
    while answers(&url).await {
        ensure!(killed.elapsed() < LIMIT, "the server outlived its owner");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Not a test: the process that the test above kills.
#[tokio::test]
#[ignore = "run as a child process by a_killed_owner_leaves_no_server_behind"]
async fn owner_of_one_redis() -> Result<()> {
    let redis = test::own(Component::Redis).await?;
    println!("serving {}", redis.url());
    std::future::pending().await
}

fn first_url(owner: &mut Child) -> Result<String> {
    let output = BufReader::new(owner.stdout.take().context("its output is piped")?);
    for line in output.lines() {
        if let Some((_, url)) = line?.split_once("serving ") {
            return Ok(url.to_owned());
        }
    }
    bail!("the owner ended without a server")
}

/// Whether a Redis answers a PING within half a second.
async fn answers(url: &str) -> bool {
    let ping = async {
        let mut stream = tokio::net::TcpStream::connect(address(url)).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        std::io::Result::Ok(&answer == b"+PONG")
    };
    matches!(tokio::time::timeout(Duration::from_millis(500), ping).await, Ok(Ok(true)))
}

fn address(url: &str) -> &str {
    url.strip_prefix("redis://").unwrap_or(url)
}

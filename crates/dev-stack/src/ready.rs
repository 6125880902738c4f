//! Asking a server whether it answers, in its own protocol, without the clients that only one crate each may name.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sqlx::{Connection, PgConnection};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::component::Component;

/// How long a server may take from its start to its first answer. A cold JVM on a busy two-core machine needs most of it.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How long one question may take.
pub(crate) const PROBE_LIMIT: Duration = Duration::from_secs(3);
/// Pause between two questions.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

/// Waits until the server answers; gives up at [`START_LIMIT`] or as soon as `dead` knows that it never will.
pub(crate) async fn wait(
    component: Component,
    host: &str,
    port: u16,
    mut dead: impl FnMut() -> Option<String>,
) -> Result<()> {
    let started = Instant::now();
    loop {
        let Err(error) = probe(component, host, port).await else { return Ok(()) };
        if let Some(reason) = dead() {
            bail!("{component} ended instead of starting: {reason}");
        }
        if started.elapsed() > START_LIMIT {
            return Err(error.context(format!("{component} did not answer within {} s", START_LIMIT.as_secs())));
        }
        sleep(PROBE_PAUSE).await;
    }
}

/// One question: does the server at this address do its work?
pub(crate) async fn probe(component: Component, host: &str, port: u16) -> Result<()> {
    let question = async {
        match component {
            Component::Postgres => probe_postgres(&component.url(host, port)).await,
            Component::Redis => probe_redis(host, port).await,
            Component::Kafka => probe_kafka(host, port).await,
        }
    };
    timeout(PROBE_LIMIT, question)
        .await
        .with_context(|| format!("{component} gave no answer within {} s", PROBE_LIMIT.as_secs()))?
}

async fn probe_postgres(url: &str) -> Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::query("select 1").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

async fn probe_redis(host: &str, port: u16) -> Result<()> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    ensure!(&answer == b"+PONG", "Redis answered {:?}", String::from_utf8_lossy(&answer));
    Ok(())
}

/// A Metadata request (key 3, version 1, no topics), whose answer begins with the number of brokers ready for work: a
/// broker that is still starting lists none, although its port is open.
async fn probe_kafka(host: &str, port: u16) -> Result<()> {
    const REQUEST: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0];
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(&REQUEST).await?;
    let _size = stream.read_i32().await?;
    let _correlation = stream.read_i32().await?;
    let brokers = stream.read_i32().await?;
    ensure!(brokers > 0, "the Kafka broker is not ready yet");
    Ok(())
}

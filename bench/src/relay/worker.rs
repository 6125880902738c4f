//! A relay in a process of its own, so that its CPU and its memory can be told from everybody else's.
//!
//! It ends when its standard input does. On its standard output it says what was acknowledged, a line a batch: the time in
//! microseconds since 1970, then how many events, or the number of each, which travels as its correlation id.

use std::{fmt::Write as _, io::Write as _, str::FromStr, sync::Arc};

use anyhow::Result;
use async_trait::async_trait;
use events::{Envelope, PublishError, Publisher, Relay, RelayConfig};
use events_kafka::KafkaPublisher;
use kernel::{Clock, SystemClock};
use sqlx::{
    Connection, PgConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{io::AsyncReadExt, sync::Notify};
use tokio_util::sync::CancellationToken;

use super::{
    Kind,
    ground::{SCHEMA, TOPIC},
    rival,
};

/// Name of the relay's connection, by which its backend is found.
pub const CONNECTION: &str = "bench-relay";

/// Which relay runs where.
#[derive(clap::Args)]
pub struct Options {
    /// The product's, or the rival.
    #[arg(long)]
    pub kind: Kind,
    /// Database with both outboxes.
    #[arg(long)]
    pub database_url: String,
    /// Kafka.
    #[arg(long)]
    pub brokers: String,
    /// Before the topic's name.
    #[arg(long)]
    pub prefix: String,
    /// Most events published at once.
    #[arg(long)]
    pub batch: u16,
    /// What is said of each batch.
    #[arg(long)]
    pub say: Say,
}

/// What is said of each acknowledged batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Say {
    /// How many events it had.
    Count,
    /// The number of each event.
    Numbers,
}

impl Say {
    /// As it is given on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Numbers => "numbers",
        }
    }
}

/// Relays until standard input ends.
pub async fn run(options: &Options) -> Result<()> {
    let stop = CancellationToken::new();
    let stopper = stop.clone();
    tokio::spawn(async move {
        tokio::io::stdin().read_to_end(&mut Vec::new()).await.ok();
        stopper.cancel();
    });
    let kafka = KafkaPublisher::new(&options.brokers, &options.prefix)?;
    let publisher = Arc::new(Outspoken { kafka, say: options.say });
    let database = PgConnectOptions::from_str(&options.database_url)?.application_name(CONNECTION);
    match options.kind {
        Kind::Ours => {
            let pool = PgPoolOptions::new().max_connections(1).connect_with(database).await?;
            // Nobody hints: the writers are another process, as where `quoin serve` and `quoin work` are two.
            let hint = Arc::new(Notify::new());
            let config = RelayConfig { batch: options.batch, ..RelayConfig::default() };
            Relay::new(pool, SCHEMA, TOPIC, publisher, hint, config).run(stop).await;
            Ok(())
        }
        Kind::Rival => {
            let mut database = PgConnection::connect_with(&database).await?;
            rival::run(&mut database, publisher, options.batch, stop).await
        }
    }
}

/// The product's publisher, which says what was acknowledged.
struct Outspoken {
    kafka: KafkaPublisher,
    say: Say,
}

#[async_trait]
impl Publisher for Outspoken {
    async fn publish(&self, topic: &str, batch: &[Envelope]) -> Result<(), PublishError> {
        self.kafka.publish(topic, batch).await?;
        let mut line = SystemClock.now().timestamp_micros().to_string();
        match self.say {
            Say::Count => write!(line, " {}", batch.len()),
            Say::Numbers => batch
                .iter()
                .filter_map(|event| event.correlation_id.as_deref())
                .try_for_each(|number| write!(line, " {number}")),
        }
        .and_then(|()| writeln!(line))
        .map_err(|error| PublishError(error.into()))?;
        std::io::stdout().lock().write_all(line.as_bytes()).map_err(|error| PublishError(error.into()))
    }
}

//! The connections of one pool.
//!
//! Owns connecting, the time budget of every command, the breaker, and what is measured. Redis may be absent at start and at
//! any time after: connecting goes on in the background for ever, and a command without a connection fails at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cache_engine::{StoreError, store::Pool};
use cache_ports::{is_budget_spent, spend_budget};
use fred::{
    clients::{Client, WithOptions},
    error::{Error, ErrorKind},
    interfaces::{ClientLike, EventInterface, LuaInterface},
    types::{
        Builder, FromValue, Value,
        config::{Options, ReconnectPolicy, UnresponsiveConfig},
        scripts::Script,
    },
};
use metrics::counter;
use tokio::sync::broadcast::error::RecvError;

use crate::{
    breaker::Breaker,
    cluster,
    config::{self, InvalidRedisConfig, RedisConfig},
    meters::{Meters, Operation},
    silence::Silence,
    survey::ServerFacts,
};

/// How long a connection attempt, and the commands that set it up, may take.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A connection whose answers stay away that long is given up and made anew: by [`Silence`] while commands keep coming, by the
/// library after the last one.
const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(2);
/// How often that is looked at.
const UNRESPONSIVE_CHECK: Duration = Duration::from_millis(500);
/// Waits between connection attempts grow between these, with jitter.
const RECONNECT_MIN_MS: u32 = 50;
const RECONNECT_MAX_MS: u32 = 2_000;
const RECONNECT_JITTER_MS: u32 = 100;
/// Commands that fail are never sent a second time: a lost answer does not mean that nothing happened. Following a key that
/// moved is no second time: the first server has only said where to go.
const ATTEMPTS: u32 = 1;
/// How long a client that had to be started again waits before.
const RESTART_PAUSE: Duration = Duration::from_millis(100);

/// What the breaker may keep from Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A read, a fill, a lock, a count: help that can be left out.
    Help,
    /// An invalidation, or giving a lock back: always sent.
    Always,
}

struct Connection {
    client: WithOptions<Client>,
    silence: Silence,
}

/// See the module.
pub(crate) struct Connections {
    name: Pool,
    clustered: bool,
    clients: Vec<Connection>,
    began: Instant,
    next: AtomicUsize,
    breaker: Breaker,
    slow: Duration,
    meters: Meters,
}

impl Connections {
    /// Starts connecting, and does not wait for it.
    pub(crate) fn connect(name: Pool, config: &RedisConfig) -> Result<Arc<Self>, InvalidRedisConfig> {
        let mut server = config::parse(config, name)?;
        // The default gives up for ever when the first attempt fails.
        server.fail_fast = false;
        let clustered = server.server.is_clustered();
        let attempts = if clustered { ATTEMPTS + cluster::REDIRECTIONS } else { ATTEMPTS };
        let mut builder = Builder::from_config(server);
        let (timeout, buffer) = (config.timeout, config.command_buffer);
        be_patient(&mut builder, timeout);
        builder.with_connection_config(|connection| {
            connection.max_command_attempts = attempts;
            connection.max_redirections = cluster::REDIRECTIONS;
            connection.max_command_buffer_len = buffer;
        });
        let wanted = if name == Pool::Content { config.content_connections.max(1) } else { 1 };
        let mut clients = Vec::with_capacity(wanted);
        for _ in 0..wanted {
            let client = builder.build().map_err(|_| InvalidRedisConfig::Url { pool: name.as_str() })?;
            watch(name, &client);
            keep_running(name, &client);
            // Failing fast is also what keeps a command whose answer was lost from being sent again.
            let options =
                Options { fail_fast: true, timeout: Some(timeout), max_attempts: Some(attempts), ..Options::default() };
            clients.push(Connection { client: client.with_options(&options), silence: Silence::new() });
        }
        let slow = timeout / 2;
        Ok(Arc::new(Self {
            name,
            clustered,
            clients,
            began: Instant::now(),
            next: AtomicUsize::new(0),
            breaker: Breaker::new(),
            slow,
            meters: Meters::of(name),
        }))
    }

    /// A connection, one that stands if there is one.
    fn connection(&self) -> &Connection {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let all = self.clients.len();
        let mut in_turn = (0..all).map(|step| &self.clients[(first + step) % all]);
        let standing = in_turn.find(|connection| connection.client.is_connected());
        standing.unwrap_or(&self.clients[first % all])
    }

    /// Runs one command within the budget, unless the breaker sheds it, or the request has waited for nothing already.
    pub(crate) async fn run<R>(
        &self,
        operation: Operation,
        urgency: Urgency,
        command: impl AsyncFnOnce(&WithOptions<Client>) -> Result<R, Error>,
    ) -> Result<R, StoreError> {
        if urgency == Urgency::Help && (is_budget_spent() || !self.breaker.admits()) {
            return Err(StoreError::BreakerOpen);
        }
        let (began, Connection { client, silence }) = (Instant::now(), self.connection());
        let outcome = command(client).await;
        if outcome.as_ref().is_err_and(is_of_another_command) {
            self.make_anew(client, operation, "mixed up");
        }
        let outcome = outcome.map_err(|error| reason(&error));
        let timed_out = matches!(outcome, Err(StoreError::TimedOut));
        if timed_out {
            spend_budget();
        }
        if !timed_out || !client.is_connected() {
            silence.broken();
        } else if silence.goes_on(self.began.elapsed(), UNRESPONSIVE_AFTER) {
            self.make_anew(client, operation, "silent");
        }
        let took = began.elapsed();
        if self.breaker.note(outcome.is_ok() && took < self.slow) {
            self.meters.shed_ratio.set(self.breaker.shed_ratio());
        }
        self.meters.took(operation, took);
        if let Err(why) = &outcome {
            self.meters.failed(operation, *why);
        }
        outcome
    }

    /// Makes a connection anew that does not get well again by itself: once replies and commands have lost each other, every
    /// later reply is another command's too, and where nothing comes any more, nothing will.
    fn make_anew(&self, client: &WithOptions<Client>, operation: Operation, why: &'static str) {
        let (pool, operation, client) = (self.name.as_str(), operation.as_str(), client.clone());
        tracing::warn!(pool, operation, why, "a Redis connection is made anew");
        counter!("cache_connections_renewed_total", "pool" => pool, "why" => why).increment(1);
        // Where that fails, the client is connecting already.
        tokio::spawn(async move { client.force_reconnection().await });
    }

    /// Runs a script by its hash; loads it first where Redis has forgotten it.
    pub(crate) async fn script<R: FromValue>(
        &self,
        operation: Operation,
        urgency: Urgency,
        script: &Script,
        keys: Vec<String>,
        arguments: Vec<Value>,
    ) -> Result<R, StoreError> {
        self.run(operation, urgency, async |client: &WithOptions<Client>| {
            let first = client.evalsha(script.sha1().clone(), keys.clone(), arguments.clone()).await;
            match first {
                Err(error) if error.details().starts_with("NOSCRIPT") => {
                    let (Some(text), Some(key)) = (script.lua(), keys.first()) else { return Err(error) };
                    cluster::load_script(client, text, key).await?;
                    client.evalsha(script.sha1().clone(), keys, arguments).await
                }
                answered => answered,
            }
        })
        .await
    }

    /// What its server says about itself; of a cluster, all primaries together.
    pub(crate) async fn facts(&self) -> Result<ServerFacts, StoreError> {
        self.run(Operation::Info, Urgency::Help, async |client: &WithOptions<Client>| {
            if !self.clustered {
                return Ok(ServerFacts::parse(&client.info::<String>(None).await?));
            }
            let mut together: Option<ServerFacts> = None;
            for primary in client.active_connections() {
                let facts = ServerFacts::parse(&client.with_cluster_node(primary).info::<String>(None).await?);
                together = Some(together.map_or_else(|| facts.clone(), |known| known.and(facts.clone())));
            }
            Ok(together.unwrap_or_default())
        })
        .await
    }

    /// Whether keys may lie on different servers.
    pub(crate) const fn is_clustered(&self) -> bool {
        self.clustered
    }

    /// Whether a connection stands.
    pub(crate) fn is_connected(&self) -> bool {
        self.clients.iter().any(|connection| connection.client.is_connected())
    }

    /// The pool's name.
    pub(crate) const fn name(&self) -> Pool {
        self.name
    }

    /// The share of calls shed now.
    pub(crate) fn shed_ratio(&self) -> f64 {
        self.breaker.shed_ratio()
    }

    /// Closes the connections.
    pub(crate) async fn close(&self) {
        for connection in &self.clients {
            // A connection that cannot be closed in order is closed by the end of the process.
            let _ = connection.client.quit().await;
        }
    }
}

/// Connects, and starts the client again if its task ends before it was closed: the library gives up for ever when a
/// redirection leads to a server that it has not met yet.
fn keep_running(name: Pool, client: &Client) {
    let client = client.clone();
    tokio::spawn(async move {
        while let Ok(Err(error)) = client.connect().await {
            tracing::warn!(pool = name.as_str(), %error, "the Redis client stopped and is started again");
            tokio::time::sleep(RESTART_PAUSE).await;
        }
    });
}

/// How every connection is made and kept: connecting goes on for ever, and a command may take `timeout`.
pub(crate) fn be_patient(builder: &mut Builder, timeout: Duration) {
    builder
        .with_performance_config(|performance| performance.default_command_timeout = timeout)
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT_TIMEOUT;
            connection.internal_command_timeout = CONNECT_TIMEOUT;
            connection.max_command_attempts = ATTEMPTS;
            connection.tcp.nodelay = Some(true);
            connection.unresponsive =
                UnresponsiveConfig { max_timeout: Some(UNRESPONSIVE_AFTER), interval: UNRESPONSIVE_CHECK };
        });
    let mut policy = ReconnectPolicy::new_exponential(0, RECONNECT_MIN_MS, RECONNECT_MAX_MS, 2);
    policy.set_jitter(RECONNECT_JITTER_MS);
    builder.set_policy(policy);
}

/// Says when connections come and go. The library's own callbacks end silently once they lag; a raw receiver does not.
fn watch(name: Pool, client: &Client) {
    let (mut connected, mut failed) = (client.reconnect_rx(), client.error_rx());
    let pool = name.as_str();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                event = connected.recv() => match event {
                    Ok(_) => {
                        tracing::info!(pool, "Redis is connected");
                        counter!("cache_connections_total", "pool" => pool).increment(1);
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
                event = failed.recv() => match event {
                    Ok((error, _)) => {
                        // Attempts repeat for as long as Redis is away; one line each would drown the log.
                        tracing::debug!(pool, %error, "the connection to Redis failed");
                        counter!("cache_connection_failures_total", "pool" => pool).increment(1);
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break,
                },
            }
        }
    });
}

/// Whether an answer came that this command cannot have: of another type, or none of the protocol at all.
fn is_of_another_command(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Parse | ErrorKind::Protocol | ErrorKind::NotFound)
}

/// What an error of the client means to the engine.
fn reason(error: &Error) -> StoreError {
    match error.kind() {
        ErrorKind::Timeout => StoreError::TimedOut,
        ErrorKind::IO
        | ErrorKind::Canceled
        | ErrorKind::Routing
        | ErrorKind::Cluster
        | ErrorKind::Backpressure
        | ErrorKind::Tls => StoreError::Unavailable,
        ErrorKind::Unknown if error.details().starts_with("Client is not") => StoreError::Unavailable,
        _ => StoreError::Refused,
    }
}

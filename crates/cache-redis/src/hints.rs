//! Hints over Redis's Pub/Sub.
//!
//! Owns the connection that listens, and what is said when it may have missed something. Redis forgets a message as soon as it has
//! handed it on, and cuts off a listener that is too slow: everything here is about noticing that. The client library's own
//! callbacks and its automatic resubscription end silently once they lag; raw receivers say so. Must never keep a message back.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cache_engine::{
    hints::{HINT_CHANNEL, Heard, HintBus, Unpublished},
    store::Pool,
};
use fred::{
    clients::{Client, Pipeline, WithOptions},
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    types::{Builder, RespVersion, Value, config::Config},
};
use tokio::{
    sync::broadcast::{self, error::RecvError},
    time::{MissedTickBehavior, interval},
};

use crate::{
    config::{self, InvalidRedisConfig, RedisConfig},
    connections::{self, Connections, Urgency},
    meters::Operation,
    store::RedisStore,
};

/// Messages that may wait for the engine, and for this task, before one of them lags.
const CAPACITY: usize = 4_096;
/// The listening connection has nothing to send: a question this often shows whether anybody is still there.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// After so many questions without a message in between, the channel is asked for again. Each engine hears its own beat every
/// second. The library reports a subscription as made once it is sent, so this is how one that Redis refused is noticed.
const QUIET_QUESTIONS: u32 = 4;

/// See the module.
pub struct RedisHints {
    publishing: Arc<Connections>,
    server: Config,
    channel: String,
}

impl RedisHints {
    /// A bus that publishes over the store's connections of the hints pool and listens over one of its own. Returns at once,
    /// whether Redis is there or not.
    pub fn beside(store: &RedisStore, config: &RedisConfig) -> Result<Self, InvalidRedisConfig> {
        let mut server = config::parse(config, Pool::Hints)?;
        server.fail_fast = false;
        // Only in this version a connection that listens may also be asked whether it lives.
        server.version = RespVersion::RESP3;
        let channel = [&config.key_prefix, HINT_CHANNEL].concat();
        Ok(Self { publishing: store.hints_pool(), server, channel })
    }
}

#[async_trait]
impl HintBus for RedisHints {
    async fn publish(&self, messages: &[Bytes]) -> Result<(), Unpublished> {
        let publish = async |client: &WithOptions<Client>| {
            let pipeline = Pipeline::from(client.clone());
            for message in messages {
                let () = pipeline.publish(self.channel.as_str(), message.clone()).await?;
            }
            pipeline.all::<Vec<Value>>().await
        };
        self.publishing.run(Operation::Publish, Urgency::Always, publish).await.map(drop).map_err(|_| Unpublished)
    }

    fn subscribe(&self) -> broadcast::Receiver<Heard> {
        let (to_engine, heard) = broadcast::channel(CAPACITY);
        let mut builder = Builder::from_config(self.server.clone());
        connections::be_patient(&mut builder, connections::CONNECT_TIMEOUT);
        builder.with_performance_config(|performance| performance.broadcast_channel_capacity = CAPACITY);
        // A client that cannot be built leaves a closed receiver, which is never trusted.
        if let Ok(client) = builder.build() {
            tokio::spawn(listen(client, self.channel.clone(), to_engine));
        }
        heard
    }
}

/// Hands messages on for as long as somebody takes them.
async fn listen(client: Client, channel: String, to_engine: broadcast::Sender<Heard>) {
    let (mut messages, mut connected, mut failed) = (client.message_rx(), client.reconnect_rx(), client.error_rx());
    let connecting = client.connect();
    let mut ask = interval(ASK_EVERY);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut quiet = 0;
    loop {
        // A lost or new connection is told before what may still wait from the one before it.
        let heard = tokio::select! {
            biased;
            event = connected.recv() => match event {
                Ok(_) | Err(RecvError::Lagged(_)) => {
                    subscribe(&client, &channel).await;
                    Heard::Interrupted
                }
                Err(RecvError::Closed) => break,
            },
            event = failed.recv() => match event {
                Ok(_) | Err(RecvError::Lagged(_)) => Heard::Interrupted,
                Err(RecvError::Closed) => break,
            },
            message = messages.recv() => match message {
                Ok(message) => {
                    quiet = 0;
                    let Some(bytes) = message.value.into_bytes() else { continue };
                    Heard::Message(bytes)
                }
                Err(RecvError::Lagged(_)) => Heard::Lagged,
                Err(RecvError::Closed) => break,
            },
            _ = ask.tick() => {
                if to_engine.receiver_count() == 0 {
                    break;
                }
                quiet += 1;
                if quiet < QUIET_QUESTIONS || !client.is_connected() {
                    look_after(&client);
                    continue;
                }
                quiet = 0;
                subscribe(&client, &channel).await;
                Heard::Interrupted
            }
        };
        if to_engine.send(heard).is_err() {
            break;
        }
    }
    // A connection that cannot be closed in order is closed by dropping it.
    let _ = client.quit().await;
    connecting.abort();
}

async fn subscribe(client: &Client, channel: &str) {
    if let Err(error) = client.subscribe(channel.to_owned()).await {
        // Asked for again for as long as nothing is heard; one line each would drown the log.
        tracing::debug!(%error, "the channel of hints cannot be asked for");
    }
}

/// Asks without waiting: when the answer stays away the client gives the connection up and makes a new one.
fn look_after(client: &Client) {
    let client = client.clone();
    tokio::spawn(async move { client.ping::<()>(None).await });
}

//! A wire between a client and a Redis that misbehaves when it is told to, as the dice of a seed fall.
//!
//! Owns the faults and the two directions of each connection; where one message ends is in `resp`. It knows the protocol's
//! framing and nothing of what is said, except which commands carry data: setting up a connection always works.

mod resp;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// What happens to a command or its reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The reply comes later.
    Delay(Duration),
    /// Executed; the connection breaks instead of the reply.
    Cut,
    /// Executed; nothing comes over this connection any more, and it stays open.
    Blackhole,
    /// Executed; this reply is lost, so that the next one is taken for it.
    DropReply,
    /// Sent twice; answered once.
    Twice,
    /// The reply changes places with the next one on the connection.
    Swap,
    /// Not executed; this error is the reply, for example `OOM command not allowed`.
    Refuse(&'static str),
}

/// How long a reply waits for the next one to change places with.
const SWAP_WAIT: Duration = Duration::from_millis(20);
/// Commands that carry data.
const DATA: [&[u8]; 5] = [b"EVALSHA", b"GET", b"SET", b"MGET", b"PTTL"];
/// Commands after which messages come unasked.
const LISTENING: [&[u8]; 4] = [b"SUBSCRIBE", b"PSUBSCRIBE", b"SSUBSCRIBE", b"MONITOR"];

/// See the module. Ends when it is dropped.
pub struct Wire {
    port: u16,
    manner: Arc<Manner>,
    accepting: JoinHandle<()>,
}

struct Manner {
    fault: Mutex<Option<(Fault, u16)>>,
    dice: Mutex<fastrand::Rng>,
    struck: AtomicU64,
}

impl Manner {
    fn draw(&self, command: &[u8]) -> Option<Fault> {
        let (fault, per_mille) = (*lock(&self.fault))?;
        // Only a script can be unknown.
        let scripts_alone = matches!(fault, Fault::Refuse(why) if why.starts_with("NOSCRIPT"));
        let struck: &[&[u8]] = if scripts_alone { &DATA[..1] } else { &DATA };
        if !struck.iter().any(|name| command.eq_ignore_ascii_case(name)) || lock(&self.dice).u16(0..1_000) >= per_mille
        {
            return None;
        }
        self.struck.fetch_add(1, Ordering::Relaxed);
        Some(fault)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    /// A wire to the Redis at `url`, without faults for now.
    pub async fn to(url: &str, seed: u64) -> Result<Self> {
        let server = url.strip_prefix("redis://").context("a plain Redis URL")?.trim_end_matches('/').to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let dice = Mutex::new(fastrand::Rng::with_seed(seed));
        let manner = Arc::new(Manner { fault: Mutex::new(None), dice, struck: AtomicU64::new(0) });
        let shared = Arc::clone(&manner);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, manner) = (server.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    // A connection that ends badly is one more thing a client must bear.
                    let _ = connect(client, &server, manner).await;
                });
            }
        });
        Ok(Self { port, manner, accepting })
    }

    /// Where a client finds it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// From now on so many of a thousand data commands meet this fault.
    pub fn misbehave(&self, fault: Fault, per_mille: u16) {
        *lock(&self.manner.fault) = Some((fault, per_mille));
    }

    /// From now on nothing is wrong.
    pub fn behave(&self) {
        *lock(&self.manner.fault) = None;
    }

    /// How many commands have met a fault.
    pub fn struck(&self) -> u64 {
        self.manner.struck.load(Ordering::Relaxed)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What becomes of the next reply.
enum Next {
    Pass,
    Swallow,
    Says(Fault),
    /// From here on messages come unasked: everything passes.
    Open,
}

async fn connect(client: TcpStream, server: &str, manner: Arc<Manner>) -> Result<()> {
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let (order, replies) = mpsc::unbounded_channel();
    tokio::select! {
        ended = commands(from_client, to_server, manner, order) => ended,
        ended = answers(from_server, to_client, replies) => ended,
    }
}

/// From the client to the server.
async fn commands(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    manner: Arc<Manner>,
    order: mpsc::UnboundedSender<Next>,
) -> Result<()> {
    let mut buffer = Vec::new();
    loop {
        while let Some(length) = resp::message(&buffer) {
            let message: Vec<u8> = buffer.drain(..length).collect();
            let name = resp::command(&message).unwrap_or_default();
            if LISTENING.iter().any(|listening| name.eq_ignore_ascii_case(listening)) {
                order.send(Next::Open)?;
                server.write_all(&message).await?;
                server.write_all(&buffer).await?;
                copy(&mut client, &mut server).await?;
                return Ok(());
            }
            match manner.draw(name) {
                None => {
                    order.send(Next::Pass)?;
                    server.write_all(&message).await?;
                }
                Some(fault @ Fault::Refuse(_)) => order.send(Next::Says(fault))?,
                Some(Fault::Twice) => {
                    order.send(Next::Pass)?;
                    order.send(Next::Swallow)?;
                    server.write_all(&[&message[..], &message[..]].concat()).await?;
                }
                Some(fault) => {
                    order.send(Next::Says(fault))?;
                    server.write_all(&message).await?;
                }
            }
        }
        if client.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}

/// Replies of the server, one at a time.
struct Replies {
    server: OwnedReadHalf,
    buffer: Vec<u8>,
}

impl Replies {
    async fn one(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(length) = resp::message(&self.buffer) {
                return Ok(self.buffer.drain(..length).collect());
            }
            anyhow::ensure!(self.server.read_buf(&mut self.buffer).await? > 0, "the server has closed");
        }
    }
}

/// From the server to the client, in the order of the commands.
async fn answers(
    server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    mut order: mpsc::UnboundedReceiver<Next>,
) -> Result<()> {
    let mut replies = Replies { server, buffer: Vec::new() };
    while let Some(next) = order.recv().await {
        match next {
            Next::Pass => client.write_all(&replies.one().await?).await?,
            Next::Swallow | Next::Says(Fault::DropReply) => drop(replies.one().await?),
            Next::Says(Fault::Delay(pause)) => {
                let reply = replies.one().await?;
                sleep(pause).await;
                client.write_all(&reply).await?;
            }
            Next::Says(Fault::Swap) => {
                let reply = replies.one().await?;
                if let Ok(Some(Next::Pass | Next::Says(Fault::Swap))) = timeout(SWAP_WAIT, order.recv()).await {
                    client.write_all(&replies.one().await?).await?;
                }
                client.write_all(&reply).await?;
            }
            Next::Says(Fault::Refuse(why)) => client.write_all(format!("-{why}\r\n").as_bytes()).await?,
            Next::Says(Fault::Cut) => {
                replies.one().await?;
                return Ok(());
            }
            Next::Says(Fault::Blackhole) => loop {
                replies.one().await?;
            },
            Next::Says(Fault::Twice) => {}
            Next::Open => {
                client.write_all(&replies.buffer).await?;
                copy(&mut replies.server, &mut client).await?;
                return Ok(());
            }
        }
    }
    Ok(())
}

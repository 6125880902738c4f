//! A Redis Cluster of local processes, for tests that need one: nodes that share the slots, replicas, and spare members that
//! hold nothing yet.
//!
//! Owns how the nodes are started and brought together, with the cluster's own commands and none of its tools. Every wait is
//! bounded. Must never know what is kept in it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::component::Component;
use crate::keeper::Lifetime;
use crate::ready::PROBE_LIMIT;
use crate::redis;
use crate::server::{Server, free_port};

/// Slots of every Redis Cluster.
const SLOTS: usize = 16_384;
/// How long the nodes may take to agree.
const AGREEMENT_LIMIT: Duration = Duration::from_mins(1);
/// Pause between two looks at whether they do.
const AGREEMENT_PAUSE: Duration = Duration::from_millis(50);

/// What a cluster is made of.
#[derive(Debug, Clone, Copy)]
pub struct ClusterShape {
    /// Nodes that share the slots.
    pub primaries: usize,
    /// Replicas of each of them.
    pub replicas: usize,
    /// Members without slots.
    pub spares: usize,
    /// How long a node may be silent before the others call it dead.
    pub node_timeout: Duration,
}

/// A running cluster; its nodes end with this value. The primaries come first, then their replicas, then the spares.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Server>,
    shape: ClusterShape,
}

impl RedisCluster {
    /// Starts the nodes, brings them together and returns when every one of them sees the whole cluster.
    pub async fn start(shape: ClusterShape) -> Result<Self> {
        let count = shape.primaries * (1 + shape.replicas) + shape.spares;
        let mut nodes = Vec::with_capacity(count);
        for _ in 0..count {
            nodes.push(start_node(shape.node_timeout).await?);
        }
        let cluster = Self { nodes, shape };
        cluster.share_slots().await?;
        cluster.introduce().await?;
        cluster.attach_replicas().await?;
        cluster.until_agreed().await?;
        Ok(cluster)
    }

    /// A URL that names every node.
    pub fn url(&self) -> String {
        let address = |node: &Server| format!("{}:{}", node.address().0, node.address().1);
        let others: Vec<String> = self.nodes[1..].iter().map(|node| format!("node={}", address(node))).collect();
        format!("redis-cluster://{}?{}", address(&self.nodes[0]), others.join("&"))
    }

    /// The nodes, to stop one and start it again.
    pub fn nodes(&self) -> &[Server] {
        &self.nodes
    }

    /// Gives one node a command and returns its answer as text; an error of the node is an error.
    pub async fn ask(&self, node: usize, command: &str) -> Result<String> {
        let port = self.nodes[node].address().1;
        timeout(PROBE_LIMIT, ask(port, command))
            .await
            .with_context(|| format!("node {node} gave no answer to {command}"))?
            .with_context(|| format!("node {node}: {command}"))
    }

    /// Waits until every node sees all others and all slots served.
    pub async fn until_agreed(&self) -> Result<()> {
        let all = format!("cluster_known_nodes:{}\r", self.nodes.len());
        let covered = format!("cluster_slots_ok:{SLOTS}\r");
        for node in 0..self.nodes.len() {
            self.until(node, "CLUSTER INFO", |info| {
                info.contains("cluster_state:ok\r") && info.contains(&all) && info.contains(&covered)
            })
            .await?;
        }
        for node in self.replica_nodes() {
            self.until(node, "INFO replication", |info| info.contains("master_link_status:up")).await?;
        }
        Ok(())
    }

    /// Asks a node until its answer is as wanted.
    pub async fn until(&self, node: usize, command: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            let answer = self.ask(node, command).await;
            if answer.as_ref().is_ok_and(|answer| wanted(answer)) {
                return Ok(());
            }
            if began.elapsed() > AGREEMENT_LIMIT {
                bail!("node {node} still says to {command}: {answer:?}");
            }
            sleep(AGREEMENT_PAUSE).await;
        }
    }

    async fn share_slots(&self) -> Result<()> {
        let share = SLOTS.div_ceil(self.shape.primaries);
        for primary in 0..self.shape.primaries {
            let (first, last) = (primary * share, ((primary + 1) * share).min(SLOTS) - 1);
            self.ask(primary, &format!("CLUSTER ADDSLOTSRANGE {first} {last}")).await?;
        }
        // Distinct epochs from the start spare the nodes from settling who is who.
        for node in 0..self.nodes.len() {
            self.ask(node, &format!("CLUSTER SET-CONFIG-EPOCH {}", node + 1)).await?;
        }
        Ok(())
    }

    async fn introduce(&self) -> Result<()> {
        for node in 1..self.nodes.len() {
            let (host, port) = self.nodes[node].address();
            let bus = self.ask(node, "CONFIG GET cluster-port").await?;
            let bus = bus.lines().last().unwrap_or_default();
            self.ask(0, &format!("CLUSTER MEET {host} {port} {bus}")).await?;
        }
        let all = format!("cluster_known_nodes:{}\r", self.nodes.len());
        for node in 0..self.nodes.len() {
            self.until(node, "CLUSTER INFO", |info| info.contains(&all)).await?;
        }
        Ok(())
    }

    async fn attach_replicas(&self) -> Result<()> {
        for replica in self.replica_nodes() {
            let primary = (replica - self.shape.primaries) / self.shape.replicas;
            let id = self.ask(primary, "CLUSTER MYID").await?;
            // Refused for as long as the node has only heard of its primary and not met it.
            self.until(replica, &format!("CLUSTER REPLICATE {id}"), |answer| answer == "OK").await?;
        }
        Ok(())
    }

    fn replica_nodes(&self) -> std::ops::Range<usize> {
        let ClusterShape { primaries, replicas, .. } = self.shape;
        primaries..primaries * (1 + replicas)
    }
}

async fn start_node(node_timeout: Duration) -> Result<Server> {
    let mut last = None;
    // Somebody else may take a port between choosing and binding it.
    for _ in 0..3 {
        let (port, bus) = (free_port()?, free_port()?);
        let launch = redis::launch_node(port, bus, node_timeout)?;
        match Server::launched(Component::Redis, port, launch, &Lifetime::Owned).await {
            Ok(server) => return Ok(server),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no port was free")?)
}

/// One inline command and its answer: a line, a number, a text, or a flat list as lines.
async fn ask(port: u16, command: &str) -> Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    stream.write_all(format!("{command}\r\n").as_bytes()).await?;
    let head = line(&mut stream).await?;
    let Some(count) = head.strip_prefix('*') else { return value(&mut stream, &head).await };
    let mut lines = Vec::new();
    for _ in 0..count.parse::<usize>()? {
        let head = line(&mut stream).await?;
        lines.push(value(&mut stream, &head).await?);
    }
    Ok(lines.join("\n"))
}

async fn value(stream: &mut BufReader<TcpStream>, head: &str) -> Result<String> {
    let (kind, rest) = head.split_at_checked(1).context("an empty answer")?;
    ensure!(kind != "-", "refused: {rest}");
    if kind != "$" {
        return Ok(rest.to_owned());
    }
    let mut text = vec![0; rest.parse::<usize>()? + 2];
    stream.read_exact(&mut text).await?;
    text.truncate(text.len() - 2);
    Ok(String::from_utf8(text)?)
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

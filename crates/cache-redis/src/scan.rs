//! Walking over the keys in Redis: SCAN, never KEYS, one node after the other.
//!
//! Owns the cursor's meaning and the pattern Redis is given. A pattern may match more than was meant; what is not in scope is
//! left out here. Must never ask for more than one bounded step at a time.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cache_engine::{
    KeyScan, StoreError,
    frame::HEADER_BYTES,
    scan::{Glimpse, Page, Position},
    store::Workload,
};
use cache_ports::key::Scope;
use fred::{
    clients::{Client, Pipeline, WithOptions},
    error::Error,
    interfaces::{ClientLike, KeysInterface},
    types::{
        Value,
        config::{Options, Server},
    },
};

use crate::{connections::Urgency, meters::Operation, store::RedisStore};

/// Where a walk over one node begins and ends.
const START: &str = "0";
/// Answers for one place: the first bytes, how many there are, and their life.
const GLIMPSE_FIELDS: usize = 3;

#[async_trait]
impl KeyScan for RedisStore {
    async fn scan(&self, scope: &Scope<'_>, from: Position, steps: u32) -> Result<Page, StoreError> {
        let pattern = format!("{}{}", literally(self.prefix()), scope.pattern());
        let cursor = if from.cursor.is_empty() { START.to_owned() } else { from.cursor };
        let scan = async |client: &WithOptions<Client>| {
            let nodes = nodes(client);
            let count = Some(steps.max(1));
            let at = Options { cluster_node: nodes.get(from.node).cloned(), ..client.options().clone() };
            let answer: Value = client.with_options(&at).scan_page(cursor, pattern, count, None).await?;
            let (next, keys): (String, Vec<String>) = answer.convert()?;
            Ok::<_, Error>((next, keys, nodes.len()))
        };
        let pool = self.pool(scope.keyspace.workload);
        let (next, keys, nodes) = pool.run(Operation::Scan, Urgency::Help, scan).await?;
        let keys = keys.into_iter().filter_map(|key| key.strip_prefix(self.prefix()).map(str::to_owned));
        let next = match next.as_str() {
            START if from.node + 1 < nodes => Some(Position { node: from.node + 1, cursor: String::new() }),
            START => None,
            _ => Some(Position { node: from.node, cursor: next }),
        };
        Ok(Page { keys: keys.filter(|key| scope.covers(key)).collect(), next })
    }

    async fn glimpse(&self, workload: Workload, keys: &[&str]) -> Result<Vec<Option<Glimpse>>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let glimpse = async |client: &WithOptions<Client>| {
            let pipeline = Pipeline::from(client.clone());
            for key in &keys {
                let () = pipeline.getrange(key, 0, HEADER_BYTES - 1).await?;
                let () = pipeline.strlen(key).await?;
                let () = pipeline.pttl(key).await?;
            }
            pipeline.all::<Vec<Value>>().await
        };
        let answers = self.pool(workload).run(Operation::Glimpse, Urgency::Help, glimpse).await?;
        if answers.len() != GLIMPSE_FIELDS * keys.len() {
            return Err(StoreError::Refused);
        }
        Ok(answers.chunks_exact(GLIMPSE_FIELDS).map(seen).collect())
    }

    async fn unlink(&self, workload: Workload, keys: &[&str]) -> Result<u64, StoreError> {
        if keys.is_empty() {
            return Ok(0);
        }
        let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        // One command a key: keys of several objects lie in several slots of a cluster.
        let unlink = async |client: &WithOptions<Client>| {
            let pipeline = Pipeline::from(client.clone());
            for key in &keys {
                let () = pipeline.unlink(key).await?;
            }
            pipeline.all::<Vec<u64>>().await
        };
        Ok(self.pool(workload).run(Operation::Unlink, Urgency::Help, unlink).await?.into_iter().sum())
    }
}

/// The nodes that hold keys, in an order that every page sees the same; none where there is but one.
fn nodes(client: &WithOptions<Client>) -> Vec<Server> {
    let mut nodes = if client.is_clustered() { client.active_connections() } else { Vec::new() };
    nodes.sort_unstable();
    nodes
}

/// A length of zero is a key that is gone: nothing here ever writes an empty value.
fn seen(answers: &[Value]) -> Option<Glimpse> {
    let head = answers.first().and_then(|head| head.clone().convert::<Bytes>().ok())?;
    let len = answers.get(1).and_then(Value::as_u64).filter(|len| *len > 0)?;
    let life = answers.get(2).and_then(Value::as_i64)?;
    let remaining = match u64::try_from(life) {
        Ok(millis) => Some(Duration::from_millis(millis)),
        Err(_) if life == -1 => None,
        Err(_) => Some(Duration::ZERO),
    };
    Some(Glimpse { head, len, remaining })
}

/// The text as a pattern that matches only itself.
fn literally(text: &str) -> String {
    let special = |c: char| matches!(c, '*' | '?' | '[' | ']' | '\\' | '^');
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_widens_no_pattern() {
        assert_eq!(literally("sys-1:"), "sys-1:");
        assert_eq!(literally("a*[b]\\?"), "a\\*\\[b\\]\\\\\\?");
    }
}

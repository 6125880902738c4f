//! What an auditor asks the services: what the authority says now about a key that lies in a cache.
//!
//! Owns the way of asking, one witness a keyspace. A witness reuses the loader of the cached read, so that there is no second
//! statement and no second way of building the value. Must never read through a cache.

use std::{future::Future, sync::Arc};

use kernel::Version;
use serde::Serialize;

use crate::{
    key::ReadKey,
    keyspace::Keyspace,
    read::{BoxFuture, LoadError, Loaded},
};

/// What the authority says now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It exists.
    Found {
        /// In this version.
        version: Version,
        /// As it would be cached, JSON.
        payload: Vec<u8>,
    },
    /// It does not exist.
    Absent,
}

type Answering<T> = Arc<dyn Fn(ReadKey) -> BoxFuture<'static, Result<T, LoadError>> + Send + Sync>;

/// Who can say what the keys of one keyspace should hold.
#[derive(Clone)]
pub struct Witness {
    keyspace: &'static Keyspace,
    truth: Answering<Truth>,
    newest: Option<Answering<Option<Version>>>,
    covers: Arc<dyn Fn(&ReadKey) -> bool + Send + Sync>,
}

impl Witness {
    /// A witness for `keyspace` that loads what a key names, given what it needs for that: `Witness::of(&OFFERING,
    /// pool.clone(), |pool, key| async move { … })`.
    pub fn of<C, T, F, Fut>(keyspace: &'static Keyspace, context: C, ask: F) -> Self
    where
        C: Clone + Send + Sync + 'static,
        T: Serialize,
        F: Fn(C, ReadKey) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Loaded<T>, LoadError>> + Send + 'static,
    {
        let truth = move |key: ReadKey| -> BoxFuture<'static, Result<Truth, LoadError>> {
            let loading = ask(context.clone(), key);
            Box::pin(async move {
                Ok(match loading.await? {
                    Loaded::Found { value, version } => Truth::Found { version, payload: serde_json::to_vec(&value)? },
                    Loaded::Absent => Truth::Absent,
                })
            })
        };
        Self { keyspace, truth: Arc::new(truth), newest: None, covers: Arc::new(|_| true) }
    }

    /// It also knows the newest version of the object a key names, where each version has a key of its own.
    #[must_use]
    pub fn knowing_newest<C, F, Fut>(mut self, context: C, ask: F) -> Self
    where
        C: Clone + Send + Sync + 'static,
        F: Fn(C, ReadKey) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Version>, LoadError>> + Send + 'static,
    {
        self.newest = Some(Arc::new(move |key| Box::pin(ask(context.clone(), key))));
        self
    }

    /// It knows only some keys of the keyspace: where several services write one, each knows its own.
    #[must_use]
    pub fn covering(mut self, covers: impl Fn(&ReadKey) -> bool + Send + Sync + 'static) -> Self {
        self.covers = Arc::new(covers);
        self
    }

    /// The keyspace.
    pub const fn keyspace(&self) -> &'static Keyspace {
        self.keyspace
    }

    /// Whether it can be asked about this key.
    pub fn covers(&self, key: &ReadKey) -> bool {
        (self.covers)(key)
    }

    /// Whether it knows newest versions.
    pub const fn knows_newest(&self) -> bool {
        self.newest.is_some()
    }

    /// What the authority says now.
    pub async fn truth(&self, key: ReadKey) -> Result<Truth, LoadError> {
        (self.truth)(key).await
    }

    /// The newest version of the object that the key names; `None` when it has none, or nobody knows.
    pub async fn newest(&self, key: ReadKey) -> Result<Option<Version>, LoadError> {
        match &self.newest {
            Some(ask) => ask(key).await,
            None => Ok(None),
        }
    }
}

//! Edits of a quote's draft that are not saved yet: kept for the one who makes them, so that a reload loses nothing.
//!
//! Owns the port; the keyspace and its key are in `keyspaces`. What is kept here is a client's input, nothing more: it counts
//! only once it is saved, and is checked then like any request. Must never hold a subject in the clear.

pub mod keyspaces;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use kernel::{QuoteId, TenantId, Version};
use serde::{Deserialize, Serialize};

use crate::UserKey;

/// Edits that wait to be saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnsavedEdits {
    /// The version of the quote they were made on; saving them over another one is refused.
    pub base_version: Version,
    /// The revision.
    pub revision_no: u32,
    /// When they were sent.
    pub buffered_at: DateTime<Utc>,
    /// The edits, as the client sent them.
    pub edits: serde_json::Value,
}

/// Whose edits of which quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftOwner {
    /// Who sent them.
    pub user: UserKey,
    /// The quote.
    pub quote: QuoteId,
}

/// What is known about unsaved edits.
#[derive(Debug, Clone, PartialEq)]
pub enum Unsaved {
    /// These wait.
    Kept(KeptEdits),
    /// None do.
    Nothing,
    /// The store does not say: they may still be there when it is back.
    Away,
}

/// Edits as they were found.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptEdits {
    /// The edits.
    pub edits: UnsavedEdits,
    /// How long they are still kept.
    pub remaining: Duration,
    /// What the store knows them by.
    pub mark: DraftMark,
}

/// What the store knows kept edits by: newer ones have another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftMark(pub Vec<u8>);

/// The buffer of unsaved edits.
#[async_trait]
pub trait DraftBuffer: Send + Sync {
    /// Keeps edits in the place of earlier ones; answers for how long. Nothing means that they are not kept, and have to be
    /// saved at once.
    async fn keep(&self, tenant: &TenantId, owner: DraftOwner, edits: &UnsavedEdits) -> Option<Duration>;

    /// What waits to be saved.
    async fn unsaved(&self, tenant: &TenantId, owner: DraftOwner) -> Unsaved;

    /// Forgets the edits with this mark, and no newer ones. Best effort: what stays ends by itself.
    async fn forget(&self, tenant: &TenantId, owner: DraftOwner, mark: &DraftMark);
}

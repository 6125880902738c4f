//! The writing operations as values, so that one can be dropped, kept for later or done twice.
//!
//! Owns their owned forms and their replies. Must never decide which of them is lied about.

use std::time::Duration;

use kernel::Version;

use crate::{
    frame::HEADER_BYTES,
    store::{
        ByteStore, CountReply, CountRequest, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest,
        LeaseToken, Place, RateAlgorithm, StoreError,
    },
};

/// One writing operation.
#[derive(Debug, Clone)]
pub(super) enum Write {
    Lease(LeaseRequest),
    Fill { token: LeaseToken, version: Version, frame: Vec<u8>, ttl: Duration },
    Abandon(LeaseToken),
    Invalidate { at_least: Version, ttl: Duration },
    Discard(Box<[u8; HEADER_BYTES]>),
    Put { frame: Vec<u8>, ttl: Duration },
    Acquire { token: LeaseToken, ttl: Duration },
    Release(LeaseToken),
    Count(Vec<Count>),
}

/// One limit to count against.
#[derive(Debug, Clone)]
pub(super) struct Count {
    pub key: String,
    pub algorithm: RateAlgorithm,
    pub limit: u32,
    pub window: Duration,
    pub cost: u32,
    pub shadow: bool,
}

/// What a writing operation answers.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    Lease(LeaseReply),
    Fill(FillReply),
    Invalidate(InvalidateReply),
    Nothing,
    Yes(bool),
    Counts(Vec<CountReply>),
}

impl Count {
    pub fn of(request: &CountRequest<'_>) -> Self {
        Self {
            key: request.key.to_owned(),
            algorithm: request.algorithm,
            limit: request.limit,
            window: request.window,
            cost: request.cost,
            shadow: request.shadow,
        }
    }

    fn request(&self) -> CountRequest<'_> {
        CountRequest {
            key: &self.key,
            algorithm: self.algorithm,
            limit: self.limit,
            window: self.window,
            cost: self.cost,
            shadow: self.shadow,
        }
    }

    fn untouched(&self) -> CountReply {
        let remaining = self.limit.saturating_sub(self.cost);
        CountReply { allowed: true, remaining, retry_after: Duration::ZERO, reset_after: self.window }
    }
}

impl Write {
    /// Does it.
    pub async fn perform(&self, store: &dyn ByteStore, at: Place<'_>) -> Result<Reply, StoreError> {
        Ok(match self {
            Self::Lease(request) => Reply::Lease(store.lease(at, *request).await?),
            Self::Fill { token, version, frame, ttl } => {
                let request = FillRequest { token: *token, version: *version, frame, ttl: *ttl };
                Reply::Fill(store.fill(at, request).await?)
            }
            Self::Abandon(token) => {
                store.abandon(at, *token).await?;
                Reply::Nothing
            }
            Self::Invalidate { at_least, ttl } => Reply::Invalidate(store.invalidate(at, *at_least, *ttl).await?),
            Self::Discard(header) => {
                store.discard(at, header).await?;
                Reply::Nothing
            }
            Self::Put { frame, ttl } => {
                store.put(at, frame, *ttl).await?;
                Reply::Nothing
            }
            Self::Acquire { token, ttl } => Reply::Yes(store.acquire(at, *token, *ttl).await?),
            Self::Release(token) => Reply::Yes(store.release(at, *token).await?),
            Self::Count(counts) => {
                let requests: Vec<_> = counts.iter().map(Count::request).collect();
                Reply::Counts(store.count(&requests).await?)
            }
        })
    }

    /// What it would answer had it been done, for one that is dropped.
    pub fn as_if_done(&self) -> Reply {
        match self {
            Self::Lease(_) => Reply::Lease(LeaseReply::Granted { at_least: Version::ZERO }),
            Self::Fill { .. } => Reply::Fill(FillReply::Stored),
            Self::Invalidate { .. } => Reply::Invalidate(InvalidateReply::Tombstoned),
            Self::Abandon(_) | Self::Discard(_) | Self::Put { .. } => Reply::Nothing,
            Self::Acquire { .. } | Self::Release(_) => Reply::Yes(true),
            Self::Count(counts) => Reply::Counts(counts.iter().map(Count::untouched).collect()),
        }
    }

    /// Whether Redis runs it as a script.
    pub const fn is_script(&self) -> bool {
        !matches!(self, Self::Put { .. } | Self::Acquire { .. })
    }

    /// Whether Redis needs memory for it.
    pub const fn needs_memory(&self) -> bool {
        !matches!(self, Self::Abandon(_) | Self::Discard(_) | Self::Release(_))
    }

    /// The same kind of operation, whose replies can be mixed up.
    pub const fn is_like(&self, reply: &Reply) -> bool {
        matches!(
            (self, reply),
            (Self::Lease(_), Reply::Lease(_))
                | (Self::Fill { .. }, Reply::Fill(_))
                | (Self::Invalidate { .. }, Reply::Invalidate(_))
        )
    }

    /// The frame it puts, if it puts one that can be read.
    pub fn frame(&self) -> Option<&[u8]> {
        match self {
            Self::Fill { frame, .. } | Self::Put { frame, .. } => Some(frame),
            _ => None,
        }
    }
}

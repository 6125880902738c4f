//! What is measured of every command.
//!
//! Owns the names. Handles are made once a pool: looking one up by its labels costs more than the rest of a command's way in
//! this process.

use std::time::Duration;

use cache_engine::{StoreError, store::Pool};
use metrics::{Gauge, Histogram, counter, gauge, histogram};

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Read,
    ReadMany,
    Lease,
    Fill,
    Abandon,
    Invalidate,
    Discard,
    Put,
    Acquire,
    Release,
    Count,
    Publish,
    CounterAdd,
    CounterSum,
    CounterTake,
    CounterRank,
    CounterTop,
    StreamAppend,
    StreamRead,
    StreamTake,
    StreamAcknowledge,
    Info,
    Scan,
    Glimpse,
    Unlink,
}

impl Operation {
    /// In the order of their declaration.
    const ALL: [Self; 25] = [
        Self::Read,
        Self::ReadMany,
        Self::Lease,
        Self::Fill,
        Self::Abandon,
        Self::Invalidate,
        Self::Discard,
        Self::Put,
        Self::Acquire,
        Self::Release,
        Self::Count,
        Self::Publish,
        Self::CounterAdd,
        Self::CounterSum,
        Self::CounterTake,
        Self::CounterRank,
        Self::CounterTop,
        Self::StreamAppend,
        Self::StreamRead,
        Self::StreamTake,
        Self::StreamAcknowledge,
        Self::Info,
        Self::Scan,
        Self::Glimpse,
        Self::Unlink,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::ReadMany => "read_many",
            Self::Lease => "lease",
            Self::Fill => "fill",
            Self::Abandon => "abandon",
            Self::Invalidate => "invalidate",
            Self::Discard => "discard",
            Self::Put => "put",
            Self::Acquire => "acquire",
            Self::Release => "release",
            Self::Count => "count",
            Self::Publish => "publish",
            Self::CounterAdd => "counter_add",
            Self::CounterSum => "counter_sum",
            Self::CounterTake => "counter_take",
            Self::CounterRank => "counter_rank",
            Self::CounterTop => "counter_top",
            Self::StreamAppend => "stream_append",
            Self::StreamRead => "stream_read",
            Self::StreamTake => "stream_take",
            Self::StreamAcknowledge => "stream_acknowledge",
            Self::Info => "info",
            Self::Scan => "scan",
            Self::Glimpse => "glimpse",
            Self::Unlink => "unlink",
        }
    }
}

/// The meters of one pool.
pub(crate) struct Meters {
    pool: &'static str,
    seconds: [Histogram; Operation::ALL.len()],
    pub(crate) shed_ratio: Gauge,
}

impl Meters {
    pub(crate) fn of(pool: Pool) -> Self {
        let pool = pool.as_str();
        let seconds = Operation::ALL
            .map(|operation| histogram!("cache_command_seconds", "pool" => pool, "operation" => operation.as_str()));
        Self { pool, seconds, shed_ratio: gauge!("cache_breaker_shed_ratio", "pool" => pool) }
    }

    /// A command was answered, or given up, after that long.
    pub(crate) fn took(&self, operation: Operation, took: Duration) {
        self.seconds[operation as usize].record(took);
    }

    /// A command failed. Failures are rare: their handles are looked up.
    pub(crate) fn failed(&self, operation: Operation, why: StoreError) {
        let reason = match why {
            StoreError::Unavailable => "unavailable",
            StoreError::TimedOut => "timeout",
            StoreError::BreakerOpen => "breaker_open",
            StoreError::Refused => "refused",
        };
        counter!("cache_command_errors_total", "pool" => self.pool, "operation" => operation.as_str(), "reason" => reason)
            .increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_finds_its_own_meter() {
        for (position, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, position, "{}", operation.as_str());
        }
    }
}

//! The scripts, with the hashes Redis knows them by.
//!
//! Owns their text. The decisions in them are those of cache-engine's `protocol` and `counting`, and the same contract suite and
//! model run both. Must never be evaluated as free text: they are loaded once and called by hash.

#[cfg(test)]
mod mutations;

use fred::types::scripts::Script;

/// One of each.
pub(crate) struct Scripts {
    pub(crate) lease: Script,
    pub(crate) fill: Script,
    pub(crate) invalidate: Script,
    pub(crate) abandon: Script,
    pub(crate) discard: Script,
    pub(crate) release: Script,
    pub(crate) count: Script,
    pub(crate) counter_add: Script,
    pub(crate) counter_take: Script,
    pub(crate) counter_rank: Script,
    pub(crate) stream_append: Script,
    pub(crate) stream_read: Script,
    pub(crate) stream_take: Script,
}

const PRELUDE: &str = include_str!("scripts/prelude.lua");

impl Scripts {
    pub(crate) fn new() -> Self {
        Self::read(str::to_owned)
    }

    /// The scripts from their texts as `read` gives them.
    fn read(read: impl Fn(&'static str) -> String) -> Self {
        let (prelude, clock) = (read(PRELUDE), read(include_str!("scripts/count_clock.lua")));
        let script = |body| Script::from_lua(read(body));
        let after = |first: &str, body| Script::from_lua(format!("{first}{}", read(body)));
        Self {
            lease: after(&prelude, include_str!("scripts/lease.lua")),
            fill: after(&prelude, include_str!("scripts/fill.lua")),
            invalidate: after(&prelude, include_str!("scripts/invalidate.lua")),
            abandon: after(&prelude, include_str!("scripts/abandon.lua")),
            discard: script(include_str!("scripts/discard.lua")),
            release: script(include_str!("scripts/release.lua")),
            count: after(&clock, include_str!("scripts/count.lua")),
            counter_add: script(include_str!("scripts/counter_add.lua")),
            counter_take: script(include_str!("scripts/counter_take.lua")),
            counter_rank: script(include_str!("scripts/counter_rank.lua")),
            stream_append: script(include_str!("scripts/stream_append.lua")),
            stream_read: script(include_str!("scripts/stream_read.lua")),
            stream_take: script(include_str!("scripts/stream_take.lua")),
        }
    }
}

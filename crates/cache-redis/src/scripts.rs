//! The scripts, with the hashes Redis knows them by.
//!
//! Owns their text. The decisions in them are those of cache-engine's `protocol` and `counting`, and the same contract suite and
//! model run both. Must never be evaluated as free text: they are loaded once and called by hash.

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
        let with_prelude = |body: &str| Script::from_lua(format!("{PRELUDE}{body}"));
        Self {
            lease: with_prelude(include_str!("scripts/lease.lua")),
            fill: with_prelude(include_str!("scripts/fill.lua")),
            invalidate: with_prelude(include_str!("scripts/invalidate.lua")),
            abandon: with_prelude(include_str!("scripts/abandon.lua")),
            discard: Script::from_lua(include_str!("scripts/discard.lua")),
            release: Script::from_lua(include_str!("scripts/release.lua")),
            count: Script::from_lua(concat!(
                include_str!("scripts/count_clock.lua"),
                include_str!("scripts/count.lua")
            )),
            counter_add: Script::from_lua(include_str!("scripts/counter_add.lua")),
            counter_take: Script::from_lua(include_str!("scripts/counter_take.lua")),
            counter_rank: Script::from_lua(include_str!("scripts/counter_rank.lua")),
            stream_append: Script::from_lua(include_str!("scripts/stream_append.lua")),
            stream_read: Script::from_lua(include_str!("scripts/stream_read.lua")),
            stream_take: Script::from_lua(include_str!("scripts/stream_take.lua")),
        }
    }
}

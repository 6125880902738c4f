//! Counting in buckets: tokens that come back evenly, and a level that drains evenly.

use super::{Count, Rule, reply};
use crate::store::CountReply;

pub(super) fn tokens(current: Option<Count>, rule: Rule, now_us: u64) -> (CountReply, Count) {
    let full = rule.full();
    let level = match current {
        Some(Count::Tokens { level, at_us, .. }) => {
            // No longer than a window, after which the bucket is full whatever was in it.
            let since_us = now_us.saturating_sub(at_us).min(rule.window_us);
            full.min(level + since_us * rule.limit)
        }
        _ => full,
    };
    let wanted = rule.cost * rule.window_us;
    let allowed = wanted <= level;
    let after = if allowed { level - wanted } else { level };
    let reset_us = (full - after).div_ceil(rule.limit);
    let retry_us = wanted.saturating_sub(level).div_ceil(rule.limit);
    let count = Count::Tokens { level: after, at_us: now_us, full_us: now_us + reset_us };
    (reply(allowed, after / rule.window_us, retry_us, reset_us), count)
}

/// The generic cell rate algorithm.
pub(super) fn cells(current: Option<Count>, rule: Rule, now_us: u64) -> (CountReply, Count) {
    let full = rule.full();
    let backlog = match current {
        // Never more than a full bucket: the store's clock may have gone back.
        Some(Count::Empty { at_us, part }) => {
            full.min(at_us.saturating_sub(now_us).min(rule.window_us) * rule.limit + part)
        }
        _ => 0,
    };
    let wanted = backlog + rule.cost * rule.window_us;
    let allowed = wanted <= full;
    let after = if allowed { wanted } else { backlog };
    let retry_us = wanted.saturating_sub(full).div_ceil(rule.limit);
    let count = Count::Empty { at_us: now_us + after / rule.limit, part: after % rule.limit };
    (reply(allowed, (full - after) / rule.window_us, retry_us, after.div_ceil(rule.limit)), count)
}

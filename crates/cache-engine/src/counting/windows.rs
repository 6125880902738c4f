//! Counting in windows: fixed, and sliding over two.

use super::{Count, Rule, reply};
use crate::store::CountReply;

pub(super) fn fixed(current: Option<Count>, rule: Rule, now_us: u64) -> (CountReply, Count) {
    let (taken, ends_us) = match current {
        // A window never ends later than one that began now: the store's clock may have gone back.
        Some(Count::Fixed { taken, ends_us }) => (taken, ends_us.min(now_us + rule.window_us)),
        _ => (0, now_us + rule.window_us),
    };
    let allowed = taken + rule.cost <= rule.limit;
    let after = if allowed { taken + rule.cost } else { taken };
    let left_us = ends_us - now_us;
    (reply(allowed, rule.limit - after, left_us, left_us), Count::Fixed { taken: after, ends_us })
}

pub(super) fn sliding(current: Option<Count>, rule: Rule, now_us: u64) -> (CountReply, Count) {
    let window_us = rule.window_us;
    let (previous, taken, began_us) = match current {
        Some(Count::Sliding { previous, taken, began_us, .. }) => {
            let began_us = began_us.min(now_us);
            if now_us < began_us + window_us { (previous, taken, began_us) } else { (taken, 0, began_us + window_us) }
        }
        _ => (0, 0, now_us),
    };
    let elapsed_us = now_us - began_us;
    let fading = previous * (window_us - elapsed_us);
    let allowed = fading + (taken + rule.cost) * window_us <= rule.full();
    let after = if allowed { taken + rule.cost } else { taken };
    let left = rule.full().saturating_sub(fading + after * window_us);
    let reset_us = match (after, previous) {
        (0, 0) => 0,
        (0, _) => window_us - elapsed_us,
        _ => 2 * window_us - elapsed_us,
    };
    let retry_us = if allowed { 0 } else { wait_us(previous, taken, rule, elapsed_us) };
    let count = Count::Sliding { previous, taken: after, began_us, ends_us: began_us + 2 * window_us };
    (reply(allowed, left / window_us, retry_us, reset_us), count)
}

/// How long a refused request waits for enough of the window before, or of this one once it is the one before, to fade.
fn wait_us(previous: u64, taken: u64, rule: Rule, elapsed_us: u64) -> u64 {
    let Rule { limit, window_us, cost } = rule;
    if taken + cost <= limit {
        // It would pass if there were nothing before it, so `previous` is not zero.
        let may_still_weigh = (limit - taken - cost) * window_us / previous.max(1);
        (window_us - elapsed_us).saturating_sub(may_still_weigh)
    } else if cost <= limit {
        let may_still_weigh = (limit - cost) * window_us / taken.max(1);
        2 * window_us - elapsed_us - may_still_weigh.min(window_us)
    } else {
        2 * window_us - elapsed_us
    }
}

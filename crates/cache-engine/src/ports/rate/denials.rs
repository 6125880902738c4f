//! What the store refused, until it might not: an exhausted caller who keeps asking costs no round trip.
//!
//! A limit that refuses a cost now refuses the same cost, or a higher one, until the time it named: others can only take more
//! in between. So answering from here is never looser than asking, and stricter only after the store has lost its counts.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::time::Instant;

use crate::store::{CountReply, CountRequest};

/// Most refusals remembered; more are simply asked about again.
const MOST: usize = 10_000;

/// One refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Denial {
    /// The cost that was refused.
    cost: u32,
    /// Until then it is refused again.
    pub(super) until: Instant,
    /// When all of the limit is available again.
    pub(super) resets: Instant,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Denials(Mutex<HashMap<Box<str>, Denial>>);

impl Denials {
    /// The refusal that answers `wanted`, and which of them it refuses: the one that lasts longest.
    pub(super) fn of(&self, wanted: &[CountRequest<'_>], now: Instant) -> Option<(usize, Denial)> {
        let denials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if denials.is_empty() {
            return None;
        }
        let refused = |(at, request): (usize, &CountRequest<'_>)| {
            let denial = denials.get(request.key)?;
            (!request.shadow && request.cost >= denial.cost && now < denial.until).then_some((at, *denial))
        };
        wanted.iter().enumerate().filter_map(refused).max_by_key(|(_, denial)| denial.until)
    }

    /// Remembers what was refused. `asked` is before the store was asked, so that nothing is remembered for too long.
    pub(super) fn note(&self, wanted: &[CountRequest<'_>], replies: &[CountReply], asked: Instant) {
        let refused = || wanted.iter().zip(replies).filter(|(request, reply)| !reply.allowed && !request.shadow);
        if refused().next().is_none() {
            return;
        }
        let mut denials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (request, reply) in refused() {
            if denials.len() >= MOST {
                denials.retain(|_, denial| denial.until > asked);
            }
            if denials.len() < MOST {
                let denial =
                    Denial { cost: request.cost, until: asked + reply.retry_after, resets: asked + reply.reset_after };
                denials.insert(request.key.into(), denial);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cache_ports::RateAlgorithm;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn request(key: &str, cost: u32) -> CountRequest<'_> {
        CountRequest { key, algorithm: RateAlgorithm::TokenBucket, limit: 9, window: SECOND, cost, shadow: false }
    }

    fn refused_for(retry_after: Duration) -> CountReply {
        CountReply { allowed: false, remaining: 0, retry_after, reset_after: SECOND }
    }

    #[test]
    fn the_same_cost_is_refused_until_the_time_that_was_named_and_a_smaller_one_is_asked_about() {
        let (denials, now) = (Denials::default(), Instant::now());
        denials.note(&[request("k", 3)], &[refused_for(SECOND / 2)], now);
        assert!(denials.of(&[request("other", 9), request("k", 3)], now).is_some_and(|(at, _)| at == 1));
        assert!(denials.of(&[request("k", 4)], now + SECOND / 3).is_some());
        assert_eq!(denials.of(&[request("k", 2)], now), None);
        assert_eq!(denials.of(&[request("k", 9)], now + SECOND / 2), None);
        assert_eq!(denials.of(&[request("other", 9)], now), None);
    }

    #[test]
    fn a_shadow_is_never_a_refusal() {
        let (denials, now) = (Denials::default(), Instant::now());
        let shadow = CountRequest { shadow: true, ..request("k", 1) };
        denials.note(&[shadow], &[refused_for(SECOND)], now);
        assert_eq!(denials.of(&[request("k", 1)], now), None);
        denials.note(&[request("k", 1)], &[refused_for(SECOND)], now);
        assert_eq!(denials.of(&[shadow], now), None);
    }

    #[test]
    fn their_number_is_bounded_and_old_ones_make_room() {
        let (denials, now) = (Denials::default(), Instant::now());
        for number in 0..2 * MOST {
            denials.note(&[request(&format!("{number}"), 1)], &[refused_for(SECOND)], now);
        }
        assert_eq!(denials.0.lock().unwrap().len(), MOST);
        denials.note(&[request("late", 1)], &[refused_for(SECOND)], now + 2 * SECOND);
        assert!(denials.of(&[request("late", 1)], now + 2 * SECOND).is_some());
    }
}

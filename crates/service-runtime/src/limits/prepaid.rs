//! Requests paid for in advance: a busy caller asks the shared counter once for many requests.
//!
//! What passes was taken from the shared limit, a tenth of a second before it passed at most: over any time `t` no more than
//! the limit allows in `t` and that tenth. A batch is as large as what the caller used
//! in the last tenth of a second, doubled at most: who is quiet takes one at a time, and little is taken in vain.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::RateNote;

/// How long a batch may be spent; what is left then is lost.
const VALIDITY: Duration = Duration::from_millis(100);

/// What one bearer has paid for.
#[derive(Debug, Default)]
pub(crate) struct Prepaid(Mutex<Batch>);

#[derive(Debug, Default)]
struct Batch {
    left: u32,
    size: u32,
    paid: Option<(Instant, RateNote)>,
}

impl Prepaid {
    /// Spends one request that is paid for, or says how many to pay for next, at most `most`.
    pub(super) fn spend(&self, now: Instant, most: u32) -> Result<RateNote, u32> {
        let mut batch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Batch { left, size, paid } = &mut *batch;
        let Some((at, note)) = paid else { return Err(1) };
        let valid = now.saturating_duration_since(*at) < VALIDITY;
        if valid && *left > 0 {
            *left -= 1;
            let mut note = note.clone();
            note.decision.remaining = note.decision.remaining.saturating_add(*left);
            return Ok(note);
        }
        let used = *size - *left;
        Err(if valid { used.saturating_mul(2) } else { used }.clamp(1, most.max(1)))
    }

    /// Keeps a batch of `size` requests, one of which is spent already.
    pub(super) fn fill(&self, now: Instant, size: u32, note: &RateNote) {
        let mut batch = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *batch = Batch { left: size - 1, size, paid: Some((now, note.clone())) };
    }
}

#[cfg(test)]
mod tests {
    use cache_ports::RateDecision;
    use proptest::prelude::*;

    use super::*;

    fn note() -> RateNote {
        let decision = RateDecision {
            allowed: true,
            policy: "user-reads".into(),
            limit: 1_000,
            remaining: 10,
            retry_after: Duration::ZERO,
            reset_after: Duration::ZERO,
            degraded: false,
        };
        RateNote { decision, policy_field: None }
    }

    /// Sends a request at each of `times` (milliseconds); returns how often the counter was asked and for how many in all.
    fn run(times: impl IntoIterator<Item = u64>, most: u32) -> (u32, u32) {
        let (prepaid, start) = (Prepaid::default(), Instant::now());
        let (mut asked, mut paid) = (0, 0);
        for time in times {
            let now = start + Duration::from_millis(time);
            if let Err(size) = prepaid.spend(now, most) {
                asked += 1;
                paid += size;
                prepaid.fill(now, size, &note());
            }
        }
        (asked, paid)
    }

    #[test]
    fn under_steady_load_nine_of_ten_requests_need_no_counter() {
        let (asked, paid) = run(0..10_000, 1_000);
        assert!(asked <= 1_000, "asked {asked} times for 10,000 requests");
        assert!(paid <= 20_000, "paid for {paid}");
    }

    #[test]
    fn a_quiet_caller_pays_for_one_at_a_time() {
        assert_eq!(run((0..60).map(|second| second * 1_000), 1_000), (60, 60));
    }

    #[test]
    fn a_small_limit_stays_exact() {
        assert_eq!(run(0..500, 1), (500, 500));
    }

    proptest! {
        #[test]
        fn every_request_is_paid_for_and_little_is_paid_in_vain(gaps in prop::collection::vec(0u64..300, 1..200)) {
            let times: Vec<u64> = gaps.iter().scan(0, |time, gap| { *time += gap; Some(*time) }).collect();
            let (_, paid) = run(times.iter().copied(), 64);
            let sent = u32::try_from(times.len()).unwrap();
            prop_assert!(paid >= sent);
            // A batch is at most double of what was used before it.
            prop_assert!(paid <= 3 * sent, "{paid} paid for {sent}");
        }
    }
}

//! When a failed delivery is tried again.

use std::time::Duration;

/// Doublings after which the cap is certainly reached.
const MOST_DOUBLINGS: u32 = 24;

/// The bounds of pauses.
#[derive(Debug, Clone, Copy)]
pub struct Pauses {
    /// The longest pause after the first failure.
    pub base: Duration,
    /// The longest pause of all.
    pub cap: Duration,
}

/// The pause after the `attempts`-th attempt failed. `chance` is from 0 to 1: pauses lie between half of their ceiling and
/// all of it, so that receivers are not met by everybody at once when they come back. What the receiver asked for
/// (`Retry-After`) is honoured up to the cap, and never shortens a pause.
pub fn pause(attempts: u32, pauses: Pauses, asked: Option<Duration>, chance: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(MOST_DOUBLINGS);
    let ceiling = pauses.base.saturating_mul(1 << doublings).min(pauses.cap);
    let own = ceiling.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
    own.max(asked.unwrap_or_default().min(pauses.cap))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAUSES: Pauses = Pauses { base: Duration::from_secs(2), cap: Duration::from_hours(1) };

    #[test]
    fn pauses_grow_from_a_second_to_an_hour() {
        assert_eq!(pause(1, PAUSES, None, 0.0), Duration::from_secs(1));
        assert_eq!(pause(1, PAUSES, None, 1.0), Duration::from_secs(2));
        assert_eq!(pause(5, PAUSES, None, 1.0), Duration::from_secs(32));
        assert_eq!(pause(u32::MAX, PAUSES, None, 1.0), Duration::from_hours(1));
    }

    #[test]
    fn the_receivers_wish_lengthens_a_pause_up_to_the_cap() {
        let asked = |seconds| pause(1, PAUSES, Some(Duration::from_secs(seconds)), 0.0);
        assert_eq!(asked(0), Duration::from_secs(1));
        assert_eq!(asked(90), Duration::from_secs(90));
        assert_eq!(asked(86_400), Duration::from_hours(1));
    }

    proptest! {
        #[test]
        fn a_pause_stays_between_its_bounds(attempts in any::<u32>(), asked in proptest::option::of(any::<u64>()), chance in 0.0..=1.0) {
            let pause = pause(attempts, PAUSES, asked.map(Duration::from_secs), chance);
            prop_assert!(pause >= PAUSES.base / 2 && pause <= PAUSES.cap);
        }
    }
}

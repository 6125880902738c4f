//! Looking after the way of facts: what waits in an outbox, what is published again, what a consumer has parked, which
//! callbacks are served, which lists are made again.
//!
//! Owns what the commands say. How facts travel, and what may be repeated, is decided in `events`.

pub mod callbacks;
pub mod outbox;
pub mod parked;
pub mod rebuild;
pub mod reconcile;

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

/// The age of something, for people: the two largest units.
struct Age(TimeDelta);

impl Age {
    fn at(now: DateTime<Utc>, since: DateTime<Utc>) -> Self {
        Self((now - since).max(TimeDelta::zero()))
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(age) = self;
        match (age.num_days(), age.num_hours() % 24, age.num_minutes() % 60, age.num_seconds() % 60) {
            (0, 0, 0, seconds) => write!(f, "{seconds} s"),
            (0, 0, minutes, seconds) => write!(f, "{minutes} min {seconds} s"),
            (0, hours, minutes, _) => write!(f, "{hours} h {minutes} min"),
            (days, hours, _, _) => write!(f, "{days} d {hours} h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_shows_its_two_largest_units() {
        let shown = |seconds| Age(TimeDelta::seconds(seconds)).to_string();
        assert_eq!(shown(59), "59 s");
        assert_eq!(shown(61), "1 min 1 s");
        assert_eq!(shown(2 * 3_600 + 59), "2 h 0 min");
        assert_eq!(shown(25 * 3_600), "1 d 1 h");
        let now = DateTime::UNIX_EPOCH;
        assert_eq!(Age::at(now, now + TimeDelta::seconds(5)).to_string(), "0 s", "clocks differ");
    }
}

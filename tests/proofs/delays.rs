//! Delays of many, told by a few.

use std::{fmt, time::Duration};

/// Many delays, shortest first.
pub struct Delays(Vec<Duration>);

impl Delays {
    pub fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What so many in a hundred do not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(place).copied().unwrap_or_default()
    }
}

impl fmt::Display for Delays {
    /// The columns p50, p99 and longest of a table, in milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |delay: Duration| delay.as_secs_f64() * 1_000.0;
        let (middle, late, last) = (self.percentile(50), self.percentile(99), self.percentile(100));
        write!(f, "{:.1} | {:.1} | {:.1}", ms(middle), ms(late), ms(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_delays_that_were_measured() {
        let delays = Delays::of((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(delays.to_string(), "100.0 | 198.0 | 200.0");
        assert_eq!(Delays::of(Vec::new()).to_string(), "0.0 | 0.0 | 0.0");
    }
}

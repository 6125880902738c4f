//! How many records one transaction takes: as many as a consumer gets done soon.
//!
//! What a process has in hand when it dies is done again from the start. Were that always the whole backlog, processes that
//! die again and again would never get through it. And whoever takes a partition over waits for the transaction its former
//! holder has open.

use std::time::Duration;

use crate::lease::LeaseTimes;

/// Records of a process's first transaction: few enough to be committed whatever happens next.
const FIRST: usize = 16;

/// Longest a transaction should last. Others wait for its locks, and vacuum for its end.
const LONGEST: Duration = Duration::from_secs(1);

/// Follows the time transactions take.
#[derive(Debug)]
pub(crate) struct Pace {
    most: usize,
    longest: Duration,
    records: usize,
}

impl Pace {
    /// At most `most` records, in half the time between two renewals of a lease: leases are renewed between transactions.
    pub fn new(most: usize, lease: LeaseTimes) -> Self {
        let most = most.max(1);
        Self { most, longest: LONGEST.min(lease.renew_every / 2), records: FIRST.min(most) }
    }

    /// How many the next one should take.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// A transaction of so many records took so long. Halves at once what was too much, and doubles what was little.
    pub fn took(&mut self, records: usize, time: Duration) {
        if time > self.longest {
            self.records = (records / 2).max(1);
        } else if records >= self.records && time <= self.longest / 4 {
            self.records = (self.records * 2).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(most: usize) -> Pace {
        Pace::new(most, LeaseTimes { ttl: Duration::from_secs(3), renew_every: Duration::from_secs(1) })
    }

    #[test]
    fn it_settles_where_a_transaction_takes_less_than_half_a_renewal() {
        for micros_each in [1, 300, 5_000, 40_000, 3_000_000] {
            let mut pace = pace(500);
            let each = Duration::from_micros(micros_each);
            let spent: Vec<Duration> = (0..40)
                .map(|_| {
                    let time = each * u32::try_from(pace.records()).unwrap();
                    pace.took(pace.records(), time);
                    time
                })
                .collect();
            let (last, longest) = (spent[39], Duration::from_millis(500).max(each));
            assert!(last <= longest, "{micros_each} µs each: {last:?}");
            assert!(pace.records() == 500 || last > longest / 8 || pace.records() == 1, "{micros_each} µs: {pace:?}");
        }
    }

    #[test]
    fn few_records_say_nothing_about_more() {
        let mut pace = pace(500);
        pace.took(3, Duration::from_millis(1));
        assert_eq!(pace.records(), FIRST);
        assert_eq!(Pace::new(4, LeaseTimes::default()).records(), 4);
    }
}

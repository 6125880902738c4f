//! How workers share their work: the section `[leases]`.

use std::time::Duration;

use anyhow::ensure;
use events::LeaseTimes;
use serde::Deserialize;

/// Renewals that must fit into a lease, so that one that is late or lost costs nothing.
const RENEWALS_IN_A_LEASE: u64 = 2;

/// Of shard groups of outboxes and of partitions of topics.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leases {
    /// How long a worker that died keeps what it worked on, in milliseconds.
    pub ttl_ms: u64,
    /// How often a living one renews, in milliseconds.
    pub renew_every_ms: u64,
}

impl Leases {
    /// The times, or what is wrong with them.
    pub fn times(self) -> anyhow::Result<LeaseTimes> {
        let (ttl, renew) = (self.ttl_ms, self.renew_every_ms);
        ensure!(
            renew > 0 && renew.saturating_mul(RENEWALS_IN_A_LEASE) <= ttl,
            "leases.ttl_ms is {ttl} and leases.renew_every_ms is {renew}: a lease must last {RENEWALS_IN_A_LEASE} renewals"
        );
        Ok(LeaseTimes { ttl: Duration::from_millis(ttl), renew_every: Duration::from_millis(renew) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_defaults_are_those_of_the_library() {
        let (configured, library) = (Config::load(None).unwrap().leases.times().unwrap(), LeaseTimes::default());
        assert_eq!((configured.ttl, configured.renew_every), (library.ttl, library.renew_every));
    }

    #[test]
    fn a_lease_that_is_not_renewed_in_time_stops_the_start() {
        for (ttl_ms, renew_every_ms) in [(1_000, 501), (1_000, 0), (0, 0)] {
            let error = Leases { ttl_ms, renew_every_ms }.times().unwrap_err().to_string();
            assert!(error.contains("leases.ttl_ms"), "{error}");
        }
        assert!(Leases { ttl_ms: 1_000, renew_every_ms: 500 }.times().is_ok());
    }
}

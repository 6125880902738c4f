//! What an answer says about limits: the `RateLimit` and `RateLimit-Policy` fields (draft-ietf-httpapi-ratelimit-headers).

use cache_ports::{RateDecision, RatePolicy};
use http::HeaderValue;

/// What is left of the limit that decided, and seconds until all of it is available again.
pub(crate) fn rate_limit(decision: &RateDecision) -> Option<HeaderValue> {
    let reset_secs = decision.reset_after.as_secs() + u64::from(decision.reset_after.subsec_nanos() > 0);
    HeaderValue::try_from(format!("\"{}\";r={};t={reset_secs}", decision.policy, decision.remaining)).ok()
}

/// The quotas of all policies a request was checked against. A window that is no whole number of seconds is left out, because
/// the field has no word for it; a shadow refuses nobody and is not told.
pub(super) fn rate_limit_policy<'a>(policies: impl Iterator<Item = &'a RatePolicy>) -> Option<HeaderValue> {
    let quota = |policy: &RatePolicy| {
        let window = match (policy.window.as_secs(), policy.window.subsec_nanos()) {
            (secs, 0) => format!(";w={secs}"),
            _ => String::new(),
        };
        format!("\"{}\";q={}{window}", policy.name, policy.limit)
    };
    let quotas: Vec<String> = policies.filter(|policy| !policy.shadow).map(quota).collect();
    if quotas.is_empty() { None } else { HeaderValue::try_from(quotas.join(", ")).ok() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cache_ports::RateAlgorithm;

    use super::*;

    #[test]
    fn every_quota_is_told_but_a_shadows() {
        let policy = |name: &str, ms| RatePolicy::new(name, RateAlgorithm::Gcra, 5, Duration::from_millis(ms));
        let shadow = RatePolicy { shadow: true, ..policy("dark", 1000) };
        let policies = [policy("minute", 60_000), shadow, policy("odd", 1_500)];
        assert_eq!(rate_limit_policy(policies.iter()).unwrap(), "\"minute\";q=5;w=60, \"odd\";q=5");
        assert_eq!(rate_limit_policy([].into_iter()), None);
    }

    #[test]
    fn a_part_of_a_second_is_told_as_a_whole_one() {
        let decision = RateDecision {
            allowed: true,
            policy: "minute".into(),
            limit: 5,
            remaining: 3,
            retry_after: Duration::ZERO,
            reset_after: Duration::from_millis(2_001),
            degraded: false,
        };
        assert_eq!(rate_limit(&decision).unwrap(), "\"minute\";r=3;t=3");
    }
}

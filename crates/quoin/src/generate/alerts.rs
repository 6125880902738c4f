//! `deploy/observability/rules.yaml`: what Prometheus computes and when it calls somebody.
//!
//! Owns the list of alerts. What differs between keyspaces and pools comes from the registry, so that a new keyspace is watched
//! from its first day. An alert names the section of docs/operations.md that says what to do.

use std::fmt::Write;

use cache_ports::{
    keyspace::{Keyspace, OnUnavailable, Pool},
    registry,
};

/// Somebody is called at once, or looks at it in working hours.
#[derive(Debug, Clone, Copy)]
enum Severity {
    Page,
    Ticket,
}

/// One alert.
struct Alert {
    name: &'static str,
    /// The PromQL expression that is true while it burns.
    when: String,
    /// How long it must be true.
    lasting: &'static str,
    severity: Severity,
    /// The one keyspace it is about; several alerts may share a name then.
    keyspace: Option<&'static str>,
    summary: String,
    /// The heading of docs/operations.md that says what to do.
    section: &'static str,
}

/// A ratio computed once for dashboards and alerts.
const RECORDED: [(&str, &str); 4] = [
    (
        "keyspace:cache_hit_ratio:rate5m",
        "sum by (keyspace) (rate(cache_hits_total[5m])) / \
         (sum by (keyspace) (rate(cache_hits_total[5m])) + sum by (keyspace) (rate(cache_misses_total[5m])))",
    ),
    (
        "pool:cache_command_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (pool, le) (rate(cache_command_seconds_bucket[5m])))",
    ),
    (
        "consumer:quoin_consumer_settled_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (consumer, le) (rate(quoin_consumer_settled_seconds_bucket[5m])))",
    ),
    (
        "keyspace:cache_invalidation_lag_seconds:p99_5m",
        "histogram_quantile(0.99, sum by (keyspace, le) (rate(cache_invalidation_lag_seconds_bucket[5m])))",
    ),
];

/// The file.
pub fn rules_yaml() -> String {
    let mut out = String::from(
        "# Generated from the keyspace registry by `quoin generate`; do not edit.\n\
         groups:\n  - name: quoin-recorded\n    rules:\n",
    );
    for (record, expression) in RECORDED {
        // Writing to a String cannot fail.
        let _ = write!(out, "      - record: {record}\n        expr: {expression}\n");
    }
    for (group, alerts) in [
        ("quoin-cache", cache()),
        ("quoin-keyspaces", keyspaces()),
        ("quoin-flow", flow()),
        ("quoin-callbacks", callbacks()),
    ] {
        let _ = write!(out, "  - name: {group}\n    rules:\n");
        for alert in alerts {
            alert.write(&mut out);
        }
    }
    out
}

impl Alert {
    fn write(&self, out: &mut String) {
        let severity = match self.severity {
            Severity::Page => "page",
            Severity::Ticket => "ticket",
        };
        let keyspace = self.keyspace.map(|name| format!(", keyspace: {name}")).unwrap_or_default();
        let anchor = self.section.to_lowercase().replace(' ', "-");
        let _ = write!(
            out,
            "      - alert: {}\n        expr: {}\n        for: {}\n        labels: {{ severity: {severity}{keyspace} }}\n        \
             annotations:\n          summary: \"{}\"\n          runbook: docs/operations.md#{anchor}\n",
            self.name, self.when, self.lasting, self.summary
        );
    }
}

/// Of the cache as a whole. None of these makes an answer wrong.
fn cache() -> Vec<Alert> {
    let kept: Vec<_> = Pool::ALL.into_iter().filter(|pool| !pool.tolerates_eviction()).map(Pool::as_str).collect();
    vec![
        Alert {
            name: "CacheAway",
            when: "cache_breaker_shed_ratio > 0.5".into(),
            lasting: "5m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "Redis is away or slow for the pool {{ $labels.pool }}; the authority answers".into(),
            section: "Redis is down",
        },
        Alert {
            name: "CacheForeignValue",
            when: "sum by (keyspace) (increase(cache_misses_total{reason=~\"tenant|identity\"}[10m])) > 0".into(),
            lasting: "0m",
            severity: Severity::Page,
            keyspace: None,
            summary: "A value of another tenant or key lay under a key of {{ $labels.keyspace }} and was rejected"
                .into(),
            section: "The cache disagrees",
        },
        Alert {
            name: "CacheEvictsWhatShouldStay",
            when: format!("increase(cache_redis_evictions_total{{pool=~\"{}\"}}[10m]) > 0", kept.join("|")),
            lasting: "0m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "Redis evicted keys of the pool {{ $labels.pool }}, which should stay".into(),
            section: "Redis evicts what should stay",
        },
        Alert {
            name: "CacheMayEvictWhatShouldStay",
            when: "cache_redis_eviction_hazard == 1".into(),
            lasting: "15m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "The server of the pool {{ $labels.pool }} evicts at its limit of memory".into(),
            section: "Redis evicts what should stay",
        },
        Alert {
            name: "CacheMemoryNotTrusted",
            when: "cache_in_memory_bypassed == 1".into(),
            lasting: "5m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "{{ $labels.instance }} does not hear hints for {{ $labels.keyspace }} and reads Redis each time"
                .into(),
            section: "Hints do not arrive",
        },
        Alert {
            name: "CacheInvalidatesLate",
            when: "keyspace:cache_invalidation_lag_seconds:p99_5m > 1".into(),
            lasting: "10m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "Keys of {{ $labels.keyspace }} are dropped more than a second after the commit".into(),
            section: "Facts arrive late",
        },
    ]
}

/// Of single keyspaces, by what they declare.
fn keyspaces() -> Vec<Alert> {
    registry::all().flat_map(|keyspace| [served_too_old(keyspace), overloaded(keyspace)]).flatten().collect()
}

/// A value older than its declared end was served: the one alert that says a bound was broken.
fn served_too_old(keyspace: &Keyspace) -> Option<Alert> {
    keyspace.loading?;
    let jitter = 1.0 + f64::from(keyspace.ttl.jitter_percent) / 100.0;
    let end = keyspace.ttl.hard.as_secs_f64() * jitter;
    // The next bucket's bound: a value between the two cannot be told from one at the bound.
    let bound = service_runtime::telemetry::AGE_BUCKETS.into_iter().find(|bound| *bound >= end)?;
    let name = keyspace.name;
    Some(Alert {
        name: "CacheServedTooOld",
        when: format!(
            "sum(increase(cache_served_age_seconds_count{{keyspace=\"{name}\"}}[10m])) - \
             sum(increase(cache_served_age_seconds_bucket{{keyspace=\"{name}\",le=\"{bound}\"}}[10m])) > 0.5"
        ),
        lasting: "0m",
        severity: Severity::Page,
        keyspace: Some(name),
        summary: format!("{name} served a value older than its end of {} s", end.ceil()),
        section: "The cache disagrees",
    })
}

/// Loads were refused because too many ran at once.
fn overloaded(keyspace: &Keyspace) -> Option<Alert> {
    let limits = keyspace.loading?;
    matches!(keyspace.on_unavailable, OnUnavailable::FallBackToAuthority | OnUnavailable::RecomputeGuarded).then(|| {
        let name = keyspace.name;
        Alert {
            name: "CacheAuthorityOverloaded",
            when: format!("sum(rate(cache_authority_overloads_total{{keyspace=\"{name}\"}}[5m])) > 0"),
            lasting: "2m",
            severity: Severity::Page,
            keyspace: Some(name),
            summary: format!("{name}: more than {} loads at once in a process; requests get 503", limits.at_once),
            section: "Redis is down",
        }
    })
}

/// Of callbacks to integrators.
fn callbacks() -> Vec<Alert> {
    vec![
        Alert {
            name: "CallbacksFallBehind",
            when: "max by (service) (quoin_webhook_oldest_waiting_seconds) > 900".into(),
            lasting: "5m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "A callback of {{ $labels.service }} has not got an event for more than a quarter of an hour"
                .into(),
            section: "An integrator does not get his events",
        },
        Alert {
            name: "CallbackSuspended",
            when: "max by (service) (quoin_webhook_suspended_subscriptions) > 0".into(),
            lasting: "15m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "Callbacks of {{ $labels.service }} are suspended; their events wait".into(),
            section: "An integrator does not get his events",
        },
    ]
}

/// Of facts on their way, and of the requests.
fn flow() -> Vec<Alert> {
    vec![
        Alert {
            name: "FactsDoNotLeave",
            when: "max by (service) (quoin_relay_oldest_unpublished_seconds) > 60".into(),
            lasting: "2m",
            severity: Severity::Page,
            keyspace: None,
            summary: "The oldest unpublished fact of {{ $labels.service }} is more than a minute old".into(),
            section: "Kafka is down",
        },
        Alert {
            name: "FactsArriveLate",
            when: "sum by (consumer) (quoin_consumer_lag_records) > 10000".into(),
            lasting: "5m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "{{ $labels.consumer }} is more than 10,000 records behind".into(),
            section: "Facts arrive late",
        },
        Alert {
            name: "FactParked",
            when: "max by (consumer) (quoin_consumer_parked_keys) > 0".into(),
            lasting: "5m",
            severity: Severity::Page,
            keyspace: None,
            summary: "{{ $labels.consumer }} holds keys it cannot apply".into(),
            section: "An event is parked",
        },
        Alert {
            name: "FactGone",
            when: "increase(quoin_republish_answers_total{outcome=\"missing\"}[1h]) > 0".into(),
            lasting: "0m",
            severity: Severity::Ticket,
            keyspace: None,
            summary: "Somebody misses a fact that the outbox of {{ $labels.service }} does not have any more".into(),
            section: "An event is parked",
        },
        Alert {
            name: "FactsDiverge",
            when: "max by (service, kind) (quoin_divergence_events) > 0".into(),
            lasting: "0m",
            severity: Severity::Page,
            keyspace: None,
            summary: "Outbox and log of {{ $labels.service }} diverge: {{ $labels.kind }}".into(),
            section: "Facts diverge",
        },
        Alert {
            name: "AnswersFail",
            when: "sum(rate(http_request_duration_seconds_count{status=\"5xx\"}[5m])) / \
                   sum(rate(http_request_duration_seconds_count[5m])) > 0.01"
                .into(),
            lasting: "5m",
            severity: Severity::Page,
            keyspace: None,
            summary: "More than one request in a hundred fails".into(),
            section: "PostgreSQL is down",
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loaded_keyspace_has_its_own_bound() {
        let text = rules_yaml();
        for keyspace in registry::all().filter(|keyspace| keyspace.loading.is_some()) {
            let line = format!("cache_served_age_seconds_count{{keyspace=\"{}\"}}", keyspace.name);
            assert!(text.contains(&line), "{}", keyspace.name);
        }
    }

    #[test]
    fn every_alert_leads_to_a_section_that_exists() {
        let operations = include_str!("../../../../docs/operations.md");
        for alert in cache().into_iter().chain(keyspaces()).chain(flow()) {
            assert!(operations.contains(&format!("### {}\n", alert.section)), "{}: {}", alert.name, alert.section);
        }
    }
}

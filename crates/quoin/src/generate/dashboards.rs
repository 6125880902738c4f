//! `deploy/observability/*.json`: Grafana's dashboards.
//!
//! Owns which question each panel answers. Pools and keyspaces are labels, so the panels hold for those to come.

use serde_json::{Value, json};

/// Panels in a row of Grafana's grid of 24 columns.
const COLUMNS: usize = 3;
const WIDTH: usize = 24 / COLUMNS;
const HEIGHT: usize = 8;

/// One graph: its title, which is a question; Grafana's unit; the expression; the label a line is named by.
type Panel = (&'static str, &'static str, &'static str, &'static str);

/// What the cache does.
const CACHE: [Panel; 16] = [
    ("How much does it help?", "percentunit", "keyspace:cache_hit_ratio:rate5m", "{{keyspace}}"),
    ("Which tier answers?", "ops", "sum by (tier) (rate(cache_hits_total[5m]))", "{{tier}}"),
    ("Why does it miss?", "ops", "sum by (reason) (rate(cache_misses_total[5m]))", "{{reason}}"),
    ("How slow is Redis (p99)?", "s", "pool:cache_command_seconds:p99_5m", "{{pool}}"),
    ("What fails?", "ops", "sum by (pool, reason) (rate(cache_command_errors_total[5m]))", "{{pool}} {{reason}}"),
    ("How much does the breaker keep back?", "percentunit", "max by (pool) (cache_breaker_shed_ratio)", "{{pool}}"),
    (
        "What does the authority bear?",
        "ops",
        "sum by (keyspace) (rate(cache_authority_loads_total[5m]))",
        "{{keyspace}}",
    ),
    (
        "How long does a load take (p99)?",
        "s",
        "histogram_quantile(0.99, sum by (keyspace, le) (rate(cache_authority_load_seconds_bucket[5m])))",
        "{{keyspace}}",
    ),
    (
        "How old is what is served (p99)?",
        "s",
        "histogram_quantile(0.99, sum by (keyspace, le) (rate(cache_served_age_seconds_bucket[5m])))",
        "{{keyspace}}",
    ),
    (
        "How long after a commit are keys dropped (p99)?",
        "s",
        "keyspace:cache_invalidation_lag_seconds:p99_5m",
        "{{keyspace}}",
    ),
    ("What became of fills?", "ops", "sum by (outcome) (rate(cache_fills_total[5m]))", "{{outcome}}"),
    ("How full is Redis?", "bytes", "max by (pool) (cache_redis_memory_bytes)", "{{pool}}"),
    ("What does Redis evict?", "ops", "max by (pool) (rate(cache_redis_evictions_total[5m]))", "{{pool}}"),
    (
        "Who waits for another's load?",
        "ops",
        "sum by (keyspace) (rate(cache_single_flight_waits_total[5m]))",
        "{{keyspace}}",
    ),
    (
        "Which part of its reads has a keyspace's hottest key?",
        "percentunit",
        "max by (keyspace) (cache_hottest_key_share)",
        "{{keyspace}}",
    ),
    ("Who is slowed down?", "ops", "sum by (policy) (rate(cache_rate_limited_total[5m]))", "{{policy}}"),
];

/// What becomes of requests and facts.
const FLOW: [Panel; 9] = [
    ("What is asked?", "reqps", "sum by (status) (rate(http_request_duration_seconds_count[5m]))", "{{status}}"),
    (
        "How long does it take (p99)?",
        "s",
        "histogram_quantile(0.99, sum by (method, le) (rate(http_request_duration_seconds_bucket[5m])))",
        "{{method}}",
    ),
    ("What is turned away?", "ops", "rate(http_requests_shed_total[5m])", "{{instance}}"),
    (
        "How old is the oldest unpublished fact?",
        "s",
        "max by (service) (quoin_relay_oldest_unpublished_seconds)",
        "{{service}}",
    ),
    (
        "How long from commit to log (p99)?",
        "s",
        "histogram_quantile(0.99, sum by (service, le) (rate(quoin_relay_delay_seconds_bucket[5m])))",
        "{{service}}",
    ),
    ("How far are consumers behind?", "none", "sum by (consumer) (quoin_consumer_lag_records)", "{{consumer}}"),
    ("What is parked?", "none", "max by (consumer) (quoin_consumer_parked_keys)", "{{consumer}}"),
    (
        "What do orders' tasks do?",
        "ops",
        "sum by (kind, outcome) (rate(order_tasks_total[5m]))",
        "{{kind}} {{outcome}}",
    ),
    ("Which commands came twice?", "ops", "sum by (from) (rate(idempotency_replays_total[5m]))", "{{from}}"),
];

/// The dashboards, by file name.
pub fn all() -> [(&'static str, Value); 2] {
    [
        ("cache.json", dashboard("quoin-cache", "quoin: cache", &CACHE)),
        ("flow.json", dashboard("quoin-flow", "quoin: flow", &FLOW)),
    ]
}

fn dashboard(uid: &str, title: &str, panels: &[Panel]) -> Value {
    json!({
        "uid": uid,
        "title": title,
        "tags": ["quoin"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": { "from": "now-1h", "to": "now" },
        "templating": { "list": [{ "name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus" }] },
        "panels": panels.iter().enumerate().map(graph).collect::<Vec<_>>(),
    })
}

fn graph((at, (title, unit, expression, legend)): (usize, &Panel)) -> Value {
    json!({
        "id": at + 1,
        "type": "timeseries",
        "title": title,
        "datasource": { "type": "prometheus", "uid": "${source}" },
        "gridPos": { "x": at % COLUMNS * WIDTH, "y": at / COLUMNS * HEIGHT, "w": WIDTH, "h": HEIGHT },
        "fieldConfig": { "defaults": { "unit": unit, "min": 0 }, "overrides": [] },
        "targets": [{ "refId": "A", "expr": expression, "legendFormat": legend }],
    })
}

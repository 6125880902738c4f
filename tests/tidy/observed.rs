//! Alerts and dashboards ask only for metrics that the code has.

use std::collections::BTreeSet;

use crate::tree::{files, report};

/// What the names of our metrics begin with.
const FAMILIES: [&str; 6] = ["cache_", "quoin_", "http_", "order_", "idempotency_", "auth_"];
/// What Prometheus adds to a histogram's name.
const ADDED: [&str; 3] = ["_bucket", "_count", "_sum"];

#[test]
fn alerts_and_dashboards_ask_for_metrics_that_exist() {
    let code: String = files("crates", &[".rs"]).into_iter().map(|file| file.text).collect();
    let mut asked = 0;
    let mut broken = BTreeSet::new();
    for file in files("deploy/observability", &[".yaml", ".json"]) {
        // A colon joins the words of a recorded name, which is Prometheus's own.
        let words = file.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        for word in words.filter(|word| FAMILIES.iter().any(|family| word.starts_with(family)) && !word.contains(':')) {
            asked += 1;
            let name = ADDED.iter().find_map(|added| word.strip_suffix(added)).unwrap_or(word);
            if !code.contains(&format!("\"{name}\"")) {
                broken.insert(format!("{}: {name}", file.path));
            }
        }
    }
    assert!(asked > 50, "only {asked} names were found: the search is broken");
    report("every metric that is asked for is recorded somewhere", &broken.into_iter().collect::<Vec<_>>());
}

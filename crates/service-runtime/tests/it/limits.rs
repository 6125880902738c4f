//! Rate limits: counted by verified identity, told in headers, refused with a time to wait.

use serde_json::json;
use service_runtime::{
    Limits, LimitsConfig, Role, ServiceState,
    testing::{TestReply, TestService},
};

use crate::counters::{Counters, router, tenant, with_cache};

/// Limits as they are written in configuration.
fn config(policies: serde_json::Value) -> LimitsConfig {
    let config = json!({
        "enabled": true,
        "processes": 1,
        "subjects": { "quote": ["/catalog/v1/counters/{name}"], "customer_account": ["?cursor"] },
        "classes": { "counting": ["POST /catalog/v1/counters/{name}/increments"] },
        "policies": policies,
    });
    serde_json::from_value(config).expect("settings")
}

fn policy(algorithm: &str, limit: u32, window_ms: u32, dimensions: &[&str]) -> serde_json::Value {
    json!({ "algorithm": algorithm, "limit": limit, "window_ms": window_ms, "dimensions": dimensions })
}

async fn limited(counters: &Counters, policies: serde_json::Value) -> TestService {
    let mut parts = counters.identity.service_parts("catalog", counters.pool.clone(), with_cache());
    parts.limits = Limits::new(&config(policies)).expect("they are usable");
    TestService::start(router(ServiceState::new(parts)), &counters.identity).await
}

/// How many of `count` requests to each path pass, one after the other.
async fn passing(service: &TestService, subject: &str, paths: &[&str], count: usize) -> Vec<usize> {
    let client = service.client(&tenant("acme"), subject, &[Role::CatalogAdmin]);
    let mut passed = vec![0; paths.len()];
    for _ in 0..count {
        for (at, path) in paths.iter().enumerate() {
            let (method, path) = path.split_once(' ').expect("a method and a path");
            let reply = match method {
                "POST" => client.post(path, &json!({ "stepSize": 1 })).send().await,
                _ => client.get(path).send().await,
            };
            passed[at] += usize::from(reply.status != 429);
        }
    }
    passed
}

#[tokio::test]
async fn a_user_above_his_limit_waits_and_another_does_not() {
    let counters = Counters::start(with_cache()).await;
    let service = limited(
        &counters,
        json!({
            "tenant_reads": policy("token-bucket", 1_000, 1_000, &["tenant"]),
            "user_reads": policy("leaky-bucket", 5, 1_000, &["user"]),
        }),
    )
    .await;
    let keeper = service.client(&tenant("acme"), "keeper", &[Role::Buyer]);
    let replies = futures::future::join_all((0..40).map(|_| keeper.get("/catalog/v1/counters").send())).await;
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    // Five at once, and one more for each fifth of a second the test may take.
    assert!((5..40).contains(&passed), "{passed} passed");
    let refused: &TestReply = replies.iter().find(|reply| reply.status != 200).unwrap();
    assert_eq!(refused.expect_problem(429, "rate-limited")["retryAfterSeconds"], 1);
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.header("ratelimit").starts_with("\"user_reads\";r=0;t="), "{:?}", refused.headers);
    assert_eq!(refused.header("ratelimit-policy"), "\"tenant_reads\";q=1000;w=1, \"user_reads\";q=5;w=1");
    let other = service.client(&tenant("acme"), "user-2", &[Role::Buyer]);
    let reply = other.get("/catalog/v1/counters").send().await.expect(200);
    assert!(reply.header("ratelimit").starts_with("\"user_reads\";r="), "{:?}", reply.headers);
}

#[tokio::test]
async fn paying_in_advance_never_lets_more_through_than_the_limit() {
    let counters = Counters::start(with_cache()).await;
    let service = limited(&counters, json!({ "user_reads": policy("leaky-bucket", 200, 1_000, &["user"]) })).await;
    let started = std::time::Instant::now();
    // Several tokens of one user: each pays for itself, all from the same limit.
    let clients: Vec<_> = (0..4).map(|_| service.client(&tenant("acme"), "keeper", &[])).collect();
    let calls = clients.iter().flat_map(|client| (0..200).map(|_| client.get("/catalog/v1/counters?limit=1").send()));
    let replies = futures::future::join_all(calls).await;
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    let allowed = 200.0 * (1.0 + started.elapsed().as_secs_f64());
    assert!(passed >= 150, "{passed} passed");
    assert!(f64::from(u32::try_from(passed).unwrap()) <= allowed + 1.0, "{passed} passed, {allowed} allowed");
    assert!(replies.iter().any(|reply| reply.status == 429));
}

/// Windows of ten minutes, so that nothing comes back while the test runs.
#[tokio::test]
async fn every_dimension_counts_its_own_requests_together() {
    let counters = Counters::start(with_cache()).await;
    let (one, other, list) = ("GET /catalog/v1/counters/a", "GET /catalog/v1/counters/b", "GET /catalog/v1/counters");
    let post = "POST /catalog/v1/counters/a/increments";
    let cases: [(&[&str], &[&str], &[usize]); 7] = [
        (&["tenant"], &[one, list], &[2, 2]),
        (&["route"], &[one, other, list], &[2, 2, 4]),
        // The path names it; a list is not about one.
        (&["quote"], &[one, other, list], &[4, 4, 6]),
        // The same id in another spelling is the same.
        (&["quote"], &["GET /catalog/v1/counters/a", "GET /catalog/v1/counters/%61"], &[2, 2]),
        (&["customer-account"], &["GET /catalog/v1/counters?cursor=x", "GET /catalog/v1/counters?cursor=y"], &[4, 4]),
        (&["user", "route"], &[one, post], &[4, 4]),
        (&["client"], &[one, other], &[2, 2]),
    ];
    for (dimensions, paths, expected) in cases {
        let service = limited(&counters, json!({ "four": policy("sliding-window", 4, 600_000, dimensions) })).await;
        assert_eq!(passing(&service, "keeper", paths, 6).await, expected, "{dimensions:?} {paths:?}");
    }
}

#[tokio::test]
async fn a_policy_is_for_its_methods_routes_and_classes() {
    let counters = Counters::start(with_cache()).await;
    let (one, list, post) =
        ("GET /catalog/v1/counters/a", "GET /catalog/v1/counters", "POST /catalog/v1/counters/a/increments");
    let narrowed = |dimensions: &[&str], by: serde_json::Value| {
        let mut narrowed = policy("fixed-window", 4, 600_000, dimensions);
        narrowed.as_object_mut().unwrap().extend(by.as_object().unwrap().clone());
        json!({ "four": narrowed })
    };
    let all = 6;
    for (policies, expected) in [
        (narrowed(&["tenant"], json!({ "methods": "writes" })), [all, all, 4]),
        (narrowed(&["tenant"], json!({ "methods": "reads" })), [2, 2, all]),
        (narrowed(&["tenant"], json!({ "routes": ["GET /catalog/v1/counters"] })), [all, 4, all]),
        (narrowed(&["tenant"], json!({ "routes": ["* /catalog/v1/counters/*"] })), [2, all, 2]),
        (narrowed(&["user", "expensive-operation"], json!({ "classes": ["counting"] })), [all, all, 4]),
        (narrowed(&["tenant"], json!({ "cost": 2, "methods": "writes" })), [all, all, 2]),
        (narrowed(&["tenant"], json!({ "shadow": true })), [all, all, all]),
        (narrowed(&["tenant"], json!({ "enabled": false })), [all, all, all]),
    ] {
        let described = policies.to_string();
        let service = limited(&counters, policies).await;
        assert_eq!(passing(&service, "keeper", &[one, list, post], all).await, expected, "{described}");
    }
}

#[tokio::test]
async fn a_shadow_is_told_to_nobody() {
    let counters = Counters::start(with_cache()).await;
    let mut dark = policy("fixed-window", 1, 600_000, &["user"]);
    dark["shadow"] = true.into();
    let service = limited(&counters, json!({ "dark": dark })).await;
    let keeper = service.client(&tenant("acme"), "keeper", &[Role::Buyer]);
    for _ in 0..3 {
        let reply = keeper.get("/catalog/v1/counters").send().await.expect(200);
        assert!(!reply.headers.contains_key("ratelimit") && !reply.headers.contains_key("ratelimit-policy"));
    }
}

#[test]
fn a_policy_that_cannot_mean_what_it_says_stops_the_start() {
    let changed = |with: serde_json::Value| {
        let mut written = policy("fixed-window", 4, 1_000, &["user"]);
        written.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        Limits::new(&config(json!({ "p": written }))).unwrap_err().to_string()
    };
    for (with, says) in [
        (json!({ "limit": 0 }), "limits.policies.p.limit: 0 is not between 1 and 4503599627"),
        (
            json!({ "limit": 60_000, "window_ms": 86_400_000 }),
            "limits.policies.p.limit: 60000 is not between 1 and 52124",
        ),
        (json!({ "window_ms": 0 }), "limits.policies.p.window_ms: 0 is not between 1 and 86400000, a day"),
        (json!({ "cost": 5 }), "limits.policies.p.cost: 5 is not between 1 and the limit, 4: nothing would pass"),
        (json!({ "dimensions": [] }), "limits.policies.p.dimensions: at least one is needed"),
        (json!({ "dimensions": ["user", "user"] }), "limits.policies.p.dimensions: one of them is named twice"),
        (json!({ "dimensions": ["expensive-operation"] }), "limits.policies.p.dimensions: `expensive-operation` needs"),
        (
            json!({ "classes": ["none"] }),
            "limits.policies.p.classes: there is no class `none` in limits.classes, which has [counting]",
        ),
        (json!({ "routes": ["POST"] }), "limits.policies.p.routes: `POST` is not a method and a path"),
    ] {
        let said = changed(with);
        assert!(said.starts_with(says), "{said}");
    }
    let mut without_subjects = config(json!({ "p": policy("fixed-window", 4, 1_000, &["quote"]) }));
    without_subjects.subjects.quote.clear();
    let said = Limits::new(&without_subjects).unwrap_err().to_string();
    assert!(said.starts_with("limits.policies.p.dimensions: limits.subjects.quote says nowhere"), "{said}");
    let many: serde_json::Map<_, _> =
        (0..17).map(|n| (format!("p{n}"), policy("fixed-window", 4, 1_000, &["user"]))).collect();
    let said = Limits::new(&config(many.into())).unwrap_err().to_string();
    assert!(said.starts_with("limits.policies: 17 are in force; one request is checked against 16"), "{said}");
    assert!(serde_json::from_value::<LimitsConfig>(json!({ "enabled": true, "processes": 1, "policy": {} })).is_err());
}

//! Rate limits: counted by verified identity, told in headers, refused with a time to wait.

use service_runtime::{Limits, LimitsConfig, Role, ServiceState, testing::TestService};

use crate::counters::{Counters, router, tenant, with_cache};

#[tokio::test]
async fn a_user_above_his_limit_waits_and_another_does_not() {
    let counters = Counters::start(with_cache()).await;
    let mut parts = counters.identity.service_parts("catalog", counters.pool.clone(), with_cache());
    parts.limits = Limits::new(&LimitsConfig {
        enabled: true,
        tenant_reads_per_sec: 1_000,
        tenant_writes_per_sec: 1_000,
        user_reads_per_sec: 5,
        user_writes_per_sec: 5,
    });
    let service = TestService::start(router(ServiceState::new(parts)), &counters.identity).await;
    let keeper = service.client(&tenant("acme"), "keeper", &[Role::Buyer]);
    let replies = futures::future::join_all((0..40).map(|_| keeper.get("/catalog/v1/counters").send())).await;
    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    // Five at once, and one more for each fifth of a second the test may take.
    assert!((5..40).contains(&passed), "{passed} passed");
    let refused = replies.iter().find(|reply| reply.status != 200).unwrap();
    assert_eq!(refused.expect_problem(429, "rate-limited")["retryAfterSeconds"], 1);
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.header("ratelimit").starts_with("\"user-reads\";r=0;t="), "{:?}", refused.headers);
    assert_eq!(refused.header("ratelimit-policy"), "\"user-reads\";q=5;w=1");
    let other = service.client(&tenant("acme"), "user-2", &[Role::Buyer]);
    let reply = other.get("/catalog/v1/counters").send().await.expect(200);
    assert!(reply.header("ratelimit").starts_with("\"user-reads\";r="), "{:?}", reply.headers);
}

#[tokio::test]
async fn paying_in_advance_never_lets_more_through_than_the_limit() {
    let counters = Counters::start(with_cache()).await;
    let mut parts = counters.identity.service_parts("catalog", counters.pool.clone(), with_cache());
    parts.limits = Limits::new(&LimitsConfig {
        enabled: true,
        tenant_reads_per_sec: 200,
        tenant_writes_per_sec: 1,
        user_reads_per_sec: 200,
        user_writes_per_sec: 1,
    });
    let service = TestService::start(router(ServiceState::new(parts)), &counters.identity).await;
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

//! The same command again: one effect, one answer, whatever the cache remembers and however many come at once.

use std::time::Duration;

use kernel::ContentHash;
use serde_json::json;
use service_runtime::{Role, run_idempotency_sweeper, testing::TestReply};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::counters::{Counters, pool_of, tenant, with_cache, without_cache};

const INCREMENTS: &str = "/catalog/v1/counters/a/increments";

async fn increment(counters: &Counters, tenant_name: &str, key: &str) -> TestReply {
    counters.client(tenant_name).post(INCREMENTS, &json!({"stepSize": 1})).key(key).send().await
}

/// What must be the same in a repetition.
fn answer(reply: &TestReply) -> (u16, String, String, String, String) {
    let header = |name| reply.header(name).to_owned();
    (reply.status.as_u16(), reply.text(), header("etag"), header("location"), header("content-type"))
}

#[tokio::test]
async fn a_repeated_command_has_one_effect_and_the_same_answer() {
    for caches in [with_cache(), without_cache()] {
        let counters = Counters::start(caches).await;
        let first = increment(&counters, "acme", "k").await.expect(201);
        assert_eq!(first.header("idempotency-replayed"), "");
        assert_eq!(first.version(), 1);
        for _ in 0..3 {
            let again = increment(&counters, "acme", "k").await;
            assert_eq!(answer(&again), answer(&first));
            assert_eq!(again.header("idempotency-replayed"), "true");
        }
        assert_eq!(counters.value("acme", "a").await, 1);
    }
}

#[tokio::test]
async fn a_remembered_answer_needs_no_database() {
    let counters = Counters::start(with_cache()).await;
    let first = increment(&counters, "acme", "k").await.expect(201);
    let key_hash = ContentHash::of_bytes(b"k");
    while counters.caches.idempotency.done(&tenant("acme"), "counter.increment", &key_hash).await.is_none() {
        tokio::task::yield_now().await;
    }
    counters.pool.close().await;
    assert_eq!(answer(&increment(&counters, "acme", "k").await), answer(&first));
    increment(&counters, "acme", "another").await.expect_problem(503, "temporarily-unavailable");
}

#[tokio::test]
async fn without_a_key_a_command_simply_runs() {
    let counters = Counters::start(with_cache()).await;
    for _ in 0..2 {
        let _ = counters.client("acme").post(INCREMENTS, &json!({"stepSize": 1})).send().await.expect(201);
    }
    assert_eq!(counters.value("acme", "a").await, 2);
}

#[tokio::test]
async fn a_key_used_for_another_request_is_refused() {
    for caches in [with_cache(), without_cache()] {
        let counters = Counters::start(caches).await;
        let _ = increment(&counters, "acme", "k").await.expect(201);
        let client = counters.client("acme");
        let other_body = client.post(INCREMENTS, &json!({"stepSize": 2})).key("k").send().await;
        other_body.expect_problem(422, "idempotency-key-reused");
        let other_path =
            client.post("/catalog/v1/counters/b/increments", &json!({"stepSize": 1})).key("k").send().await;
        other_path.expect_problem(422, "idempotency-key-reused");
        let other_subject = counters.service.client(&tenant("acme"), "user-2", &[Role::CatalogAdmin]);
        let stolen = other_subject.post(INCREMENTS, &json!({"stepSize": 1})).key("k").send().await;
        stolen.expect_problem(422, "idempotency-key-reused");
        assert_eq!(counters.value("acme", "a").await + counters.value("acme", "b").await, 1);
    }
}

#[tokio::test]
async fn field_order_and_white_space_do_not_make_another_request() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    let send =
        |body: &'static str| client.request(http::Method::POST, INCREMENTS).body("application/json", body).key("k");
    let first = send(r#"{"stepSize":1,"refuse":false}"#).send().await.expect(201);
    let again = send(r#"{ "refuse": false, "stepSize": 1 }"#).send().await;
    assert_eq!(answer(&again), answer(&first));
}

#[tokio::test]
async fn tenants_do_not_share_keys() {
    let counters = Counters::start(with_cache()).await;
    for name in ["acme", "other"] {
        let reply = increment(&counters, name, "k").await.expect(201);
        assert_eq!(reply.header("idempotency-replayed"), "");
        assert_eq!(counters.value(name, "a").await, 1);
    }
}

#[tokio::test]
async fn a_refused_command_leaves_no_record_and_no_effect() {
    let counters = Counters::start(with_cache()).await;
    let client = counters.client("acme");
    let refused = client.post(INCREMENTS, &json!({"stepSize": 1, "refuse": true})).key("k").send().await;
    refused.expect_problem(409, "refused");
    assert_eq!(counters.value("acme", "a").await, 0);
    // The key is free again, even for another body.
    let _ = increment(&counters, "acme", "k").await.expect(201);
    assert_eq!(counters.value("acme", "a").await, 1);
}

#[tokio::test]
async fn a_hundred_at_once_have_one_effect_and_one_answer() {
    let counters = Counters::start(without_cache()).await;
    let replies = futures::future::join_all((0..100).map(|_| increment(&counters, "acme", "k"))).await;
    let first = replies.iter().find(|reply| reply.header("idempotency-replayed").is_empty()).unwrap();
    let fresh = replies.iter().filter(|reply| reply.header("idempotency-replayed").is_empty()).count();
    assert_eq!(fresh, 1);
    for reply in &replies {
        assert_eq!(answer(reply), answer(first));
    }
    assert_eq!(counters.value("acme", "a").await, 1);
}

#[tokio::test]
async fn a_repetition_waits_for_the_first_and_takes_over_when_that_is_refused() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    let body = json!({"stepSize": 1, "refuse": true, "pauseMs": 300});
    let (first, second) =
        tokio::join!(client.post(INCREMENTS, &body).key("k").send(), client.post(INCREMENTS, &body).key("k").send());
    first.expect_problem(409, "refused");
    second.expect_problem(409, "refused");
    assert_eq!(counters.value("acme", "a").await, 0);
}

#[tokio::test]
async fn a_repetition_of_a_command_that_runs_too_long_is_told_to_come_back() {
    let counters = Counters::start(without_cache()).await;
    let client = counters.client("acme");
    let slow = json!({"stepSize": 1, "pauseMs": 4_000});
    let first = client.post(INCREMENTS, &slow).key("k").send();
    let second = async {
        until_claimed(&counters).await;
        client.post(INCREMENTS, &slow).key("k").send().await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!(second.expect_problem(409, "idempotency-key-in-progress")["retryable"], true);
    assert_eq!(second.header("retry-after"), "1");
    let first = first.expect(201);
    let later = client.post(INCREMENTS, &slow).key("k").send().await;
    assert_eq!(answer(&later), answer(&first));
    assert_eq!(counters.value("acme", "a").await, 1);
}

/// Waits until some transaction has inserted into the records.
async fn until_claimed(counters: &Counters) {
    let admin = PgPool::connect(&counters.database.admin_url()).await.unwrap();
    let claimed = "select exists(select from pg_locks where relation = 'catalog.idempotency_record'::regclass
                    and mode = 'RowExclusiveLock')";
    while !sqlx::query_scalar::<_, bool>(claimed).fetch_one(&admin).await.unwrap() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_failure_after_the_command_rolls_back_effect_and_record_together() {
    let counters = Counters::start(without_cache()).await;
    let admin = PgPool::connect(&counters.database.admin_url()).await.unwrap();
    // The completing update is refused by the database, as if it had died there.
    sqlx::raw_sql("alter table catalog.idempotency_record add constraint broken check (status is null)")
        .execute(&admin)
        .await
        .unwrap();
    increment(&counters, "acme", "k").await.expect_problem(500, "internal-error");
    assert_eq!(counters.value("acme", "a").await, 0);
    sqlx::raw_sql("alter table catalog.idempotency_record drop constraint broken").execute(&admin).await.unwrap();
    let _ = increment(&counters, "acme", "k").await.expect(201);
    assert_eq!(counters.value("acme", "a").await, 1);
}

#[tokio::test]
async fn old_records_are_swept_and_recent_ones_stay() {
    let counters = Counters::start(without_cache()).await;
    for key in ["old", "recent"] {
        let _ = increment(&counters, "acme", key).await.expect(201);
    }
    let admin = PgPool::connect(&counters.database.admin_url()).await.unwrap();
    sqlx::query(
        "update catalog.idempotency_record set created_at = now() - interval '91 days' where key_hash = sha256('old')",
    )
    .execute(&admin)
    .await
    .unwrap();
    let stop = CancellationToken::new();
    let sweeper =
        tokio::spawn(run_idempotency_sweeper(pool_of(&counters.database, "catalog_work", 1), "catalog", stop.clone()));
    let count = "select count(*) from catalog.idempotency_record";
    while sqlx::query_scalar::<_, i64>(count).fetch_one(&admin).await.unwrap() == 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    sweeper.await.unwrap();
    assert_eq!(increment(&counters, "acme", "recent").await.header("idempotency-replayed"), "true");
    assert_eq!(increment(&counters, "acme", "old").await.header("idempotency-replayed"), "");
}

//! Who may have what: the policy, the answers by it, and what commands make of it.

use std::{sync::Arc, time::Duration};

use cache_engine::{Engine, EngineConfig, NoStore};
use serde_json::{Value, json};
use service_runtime::{
    Role,
    testing::{TestClient, TestReply},
};

use crate::{
    events,
    world::{World, line, new_quote, offering},
};

const POLICY: &str = "/quote/v1/eligibility-policy";
const CHECKS: &str = "/quote/v1/eligibility-checks";

/// Offering 1 is for businesses, offering 2 not for sale in France.
fn rules() -> Value {
    json!([
        { "code": "for-business", "text": "For businesses only", "effect": "allow",
          "customers": { "segments": ["business"] }, "offeringIds": [offering(1)] },
        { "code": "not-in-france", "text": "Not for sale in France", "effect": "exclude",
          "customers": { "countries": ["FR"] }, "offeringIds": [offering(2)] },
    ])
}

fn policy(rules: &Value) -> Value {
    json!({ "otherwise": "eligible", "rules": rules })
}

async fn put(world: &World, version: u64, body: &Value) -> TestReply {
    world.client(Role::CatalogAdmin).request("PUT".parse().unwrap(), POLICY).if_match(version).json(body).send().await
}

async fn customer(world: &World, external_id: &str, more: &Value) -> String {
    import(&world.rep(), external_id, more).await
}

async fn import(client: &TestClient, external_id: &str, more: &Value) -> String {
    let mut item = json!({ "externalId": external_id, "name": external_id });
    item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let body = json!({ "items": [item] });
    let done = client.post("/quote/v1/imports/customers", &body).send().await.expect(200).value();
    done["items"][0]["customerId"].as_str().unwrap().to_owned()
}

fn question(customer: &str, offerings: &[u128]) -> Value {
    json!({ "customerId": customer, "offeringIds": offerings.iter().map(|n| offering(*n)).collect::<Vec<_>>() })
}

async fn ask(world: &World, customer: &str, offerings: &[u128]) -> TestReply {
    world.buyer().post(CHECKS, &question(customer, offerings)).send().await.expect(200)
}

fn verdicts(report: &Value) -> Vec<bool> {
    report["items"].as_array().unwrap().iter().map(|item| item["eligible"].as_bool().unwrap()).collect()
}

async fn hear(world: &World) {
    events::hear(world, "quote.eligibility").await;
}

#[tokio::test]
async fn without_a_policy_everything_is_eligible() {
    let world = World::new().await;
    let reply = world.rep().get(POLICY).send().await.expect(200);
    assert_eq!((reply.version(), &reply.value()["rules"]), (0, &json!([])));
    let someone = customer(&world, "C1", &json!({})).await;
    let report = ask(&world, &someone, &[1, 2]).await.value();
    assert_eq!((verdicts(&report), &report["policyVersion"]), (vec![true, true], &json!(0)));
}

#[tokio::test]
async fn a_policy_decides_gives_reasons_and_is_read_once() {
    let world = World::new().await;
    assert_eq!(put(&world, 0, &policy(&rules())).await.expect(200).version(), 1);
    let french = customer(&world, "C1", &json!({ "segment": "private", "country": "FR" })).await;
    let first = ask(&world, &french, &[1, 2, 3]).await;
    assert_eq!(first.headers["cache-status"], "quoin; fwd=miss");
    let report = first.value();
    assert_eq!(verdicts(&report), [false, false, true]);
    let reasons: Vec<&Value> = (0..3).map(|n| &report["items"][n]["reasons"][0]["code"]).collect();
    assert_eq!(reasons, [&json!("for-business"), &json!("not-in-france"), &Value::Null]);
    // Changed behind the service's back: only a cache still knows what was said.
    world.tamper("update quote.customer set segment = 'business', country = 'GB'").await;
    let again = ask(&world, &french, &[3, 1]).await;
    assert!(again.headers["cache-status"].to_str().unwrap().starts_with("quoin; hit"));
    assert!(again.headers.contains_key("age"));
    assert_eq!(verdicts(&again.value()), [true, false]);
    assert_eq!(again.value()["items"][1], report["items"][0], "a hit says what a miss said");
    assert!(report["generatedAt"].is_string());
}

#[tokio::test]
async fn facts_from_another_replica_make_older_verdicts_unacceptable() {
    let world = World::new().await;
    let elsewhere = world.replica(Engine::new(Arc::new(NoStore), EngineConfig::default()).caches()).await;
    let admin = elsewhere.client(&world.tenant, "admin", &[Role::TenantAdmin]);
    let put = async |version, body: &Value| {
        admin.request("PUT".parse().unwrap(), POLICY).if_match(version).json(body).send().await.expect(200);
    };
    put(0, &policy(&rules())).await;
    let someone = import(&admin, "C1", &json!({ "segment": "private" })).await;
    assert_eq!(verdicts(&ask(&world, &someone, &[1]).await.value()), [false]);
    import(&admin, "C1", &json!({ "segment": "business" })).await;
    assert_eq!(verdicts(&ask(&world, &someone, &[1]).await.value()), [false], "still cached");
    hear(&world).await;
    assert_eq!(verdicts(&ask(&world, &someone, &[1]).await.value()), [true]);
    put(1, &json!({ "otherwise": "notEligible", "rules": [] })).await;
    assert_eq!(verdicts(&ask(&world, &someone, &[1]).await.value()), [true], "still cached");
    // All facts come again, the oldest first: only the new one says anything.
    hear(&world).await;
    assert_eq!(verdicts(&ask(&world, &someone, &[1]).await.value()), [false]);
}

#[tokio::test]
async fn a_replica_that_changes_a_customer_need_not_wait_for_the_event() {
    let world = World::new().await;
    put(&world, 0, &policy(&rules())).await.expect(200);
    let someone = customer(&world, "C1", &json!({ "segment": "private" })).await;
    assert_eq!(verdicts(&ask(&world, &someone, &[1]).await.value()), [false]);
    customer(&world, "C1", &json!({ "segment": "business" })).await;
    let seen = async { while verdicts(&ask(&world, &someone, &[1]).await.value()) != [true] {} };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("the pointer's minute is not waited for");
}

#[tokio::test]
async fn a_new_policy_is_a_new_version_with_one_event_and_the_old_one_stays_readable() {
    let world = World::new().await;
    put(&world, 0, &policy(&rules())).await.expect(200);
    let someone = customer(&world, "C1", &json!({ "segment": "private" })).await;
    assert_eq!(verdicts(&ask(&world, &someone, &[1]).await.value()), [false]);
    let body = json!({ "otherwise": "notEligible", "rules": [] });
    let put_again = || async {
        let client = world.client(Role::CatalogAdmin);
        client.request("PUT".parse().unwrap(), POLICY).if_match(1).key("again").json(&body).send().await
    };
    assert_eq!(put_again().await.expect(200).version(), 2);
    let replayed = put_again().await.expect(200);
    assert_eq!((replayed.version(), replayed.headers.contains_key("idempotency-replayed")), (2, true));
    assert_eq!(world.count("select count(*) from quote.outbox where event_type = 'PolicyChanged'").await, 2);
    let old = world.rep().get(&format!("{POLICY}/versions/1")).send().await.expect(200).value();
    assert_eq!(old["rules"].as_array().unwrap().len(), 2);
    let reply = world.buyer().post(CHECKS, &question(&someone, &[1, 3])).header("min-version", "2").send().await;
    let report = reply.expect(200).value();
    assert_eq!((verdicts(&report), &report["policyVersion"]), (vec![false, false], &json!(2)));
    assert_eq!(report["items"][1]["reasons"][0]["code"], "no-rule-allows");
    let changed = sqlx::query("update quote.eligibility_policy set otherwise = 'eligible'");
    let serve = sqlx::PgPool::connect(&world.database.service_url("quote_serve")).await.unwrap();
    changed.execute(&serve).await.expect_err("a version is written once");
}

#[tokio::test]
async fn a_bad_policy_or_question_names_the_field_and_changes_nothing() {
    let world = World::new().await;
    let someone = customer(&world, "C1", &json!({})).await;
    let before = world.digest().await;
    let with = |change: fn(&mut Value)| {
        let mut body = policy(&rules());
        change(&mut body["rules"][1]);
        body
    };
    let cases = [
        (with(|rule| rule["code"] = json!("for-business")), "/rules/1/code"),
        (with(|rule| rule["code"] = json!("")), "/rules/1/code"),
        (with(|rule| rule["effect"] = json!("maybe")), "/rules/1/effect"),
        (with(|rule| rule["customers"]["minMonths"] = json!(2_000)), "/rules/1/customers/minMonths"),
        (with(|rule| rule["customers"]["segments"] = json!([""])), "/rules/1/customers/segments"),
        (with(|rule| rule["validFrom"] = json!("+10000-01-01T00:00:00Z")), "/rules/1/validFrom"),
        (with(|rule| rule["validUntil"] = json!("-0001-01-01T00:00:00Z")), "/rules/1/validUntil"),
        (with(|rule| rule["customers"]["age"] = json!(1)), "/rules/1/customers/age"),
        (with(|rule| rule["offeringIds"] = json!(["x"])), "/rules/1/offeringIds/0"),
        (
            with(|rule| {
                rule["validFrom"] = json!("2026-02-01T00:00:00Z");
                rule["validUntil"] = json!("2026-01-01T00:00:00Z");
            }),
            "/rules/1/validUntil",
        ),
        (json!({ "otherwise": "perhaps", "rules": [] }), "/otherwise"),
    ];
    for (body, pointer) in cases {
        let reply = put(&world, 0, &body).await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer]);
    }
    put(&world, 7, &policy(&rules())).await.expect_problem(412, "precondition-failed");
    let unconditional = world.client(Role::CatalogAdmin).request("PUT".parse().unwrap(), POLICY);
    unconditional.json(&policy(&rules())).send().await.expect_problem(428, "precondition-required");
    world
        .rep()
        .request("PUT".parse().unwrap(), POLICY)
        .if_match(0)
        .json(&policy(&rules()))
        .send()
        .await
        .expect_problem(403, "forbidden");
    world.buyer().get(POLICY).send().await.expect_problem(403, "forbidden");

    let many: Vec<u128> = (1..=65).collect();
    let questions = [
        (question(&someone, &[]), "/offeringIds"),
        (question(&someone, &many), "/offeringIds"),
        (question(&someone, &[1, 1]), "/offeringIds/1"),
        (question(&offering(9).to_string(), &[1]), "/customerId"),
    ];
    for (body, pointer) in questions {
        let reply = world.buyer().post(CHECKS, &body).send().await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer]);
    }
    world
        .client(Role::FulfilmentAgent)
        .post(CHECKS, &question(&someone, &[1]))
        .send()
        .await
        .expect_problem(403, "forbidden");
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn another_tenants_policy_and_customers_are_unknown() {
    let world = World::new().await;
    put(&world, 0, &policy(&rules())).await.expect(200);
    let someone = customer(&world, "C1", &json!({})).await;
    ask(&world, &someone, &[1]).await;
    let stranger = world.service.client(&"other".parse().unwrap(), "admin", &[Role::TenantAdmin]);
    assert_eq!(stranger.get(POLICY).send().await.expect(200).version(), 0);
    stranger.get(&format!("{POLICY}/versions/1")).send().await.expect_problem(404, "not-found");
    stranger.get(&format!("{POLICY}/versions/x")).send().await.expect_problem(404, "not-found");
    let reply = stranger.post(CHECKS, &question(&someone, &[1])).send().await;
    reply.expect_problem(422, "invalid-request");
    assert_eq!(reply.pointers(), ["/customerId"]);
    let own = stranger.request("PUT".parse().unwrap(), POLICY).if_match(0).json(&policy(&json!([])));
    assert_eq!(own.send().await.expect(200).version(), 1, "versions count per tenant");
    let serve = sqlx::PgPool::connect(&world.database.service_url("quote_serve")).await.unwrap();
    for table in ["eligibility_policy", "active_eligibility_policy"] {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from quote.{table}"));
        let seen: i64 = sqlx::query_scalar(sql).fetch_one(&serve).await.unwrap();
        assert_eq!(seen, 0, "{table} without a tenant");
    }
}

#[tokio::test]
async fn submit_and_accept_ask_the_tables_and_refuse_with_every_line_and_reason() {
    let world = World::new().await;
    let someone = customer(&world, "C1", &json!({ "segment": "business", "country": "FR" })).await;
    let mut body = new_quote(&[line(1, "1"), line(2, "1"), line(3, "1")]);
    body["customerId"] = json!(someone);
    let drafted = world.rep().post("/quote/v1/quotes", &body).send().await.expect(201).value();
    let priced = crate::world::Quote(drafted).then(&world.rep(), "price").await;
    put(&world, 0, &policy(&rules())).await.expect(200);
    let before = world.digest().await;
    let refused = priced.send(&world.rep(), "submit").await;
    refused.expect_problem(409, "not-eligible");
    assert_eq!(refused.pointers(), ["/items/1/offeringId"]);
    let problem = refused.value();
    assert_eq!((&problem["errors"][0]["code"], &problem["policyVersion"]), (&json!("not-in-france"), &json!(1)));
    assert_eq!(world.digest().await, before);

    put(&world, 1, &policy(&json!([]))).await.expect(200);
    let presented = priced.then(&world.rep(), "submit").await.then(&world.rep(), "present").await;
    assert_eq!(verdicts(&ask(&world, &someone, &[2]).await.value()), [true], "and the cache knows it");
    put(&world, 2, &policy(&rules())).await.expect(200);
    let before = world.digest().await;
    presented.accept(&world.buyer(), "one").await.expect_problem(409, "not-eligible");
    assert_eq!(world.digest().await, before);
    put(&world, 3, &policy(&json!([]))).await.expect(200);
    presented.accept(&world.buyer(), "two").await.expect(200);
}

#[tokio::test]
async fn a_quote_for_nobody_in_particular_meets_no_condition() {
    let world = World::new().await;
    put(&world, 0, &policy(&rules())).await.expect(200);
    let priced = world.priced("1").await;
    priced.send(&world.rep(), "submit").await.expect_problem(409, "not-eligible");
}

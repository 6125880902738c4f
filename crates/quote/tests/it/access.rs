//! How deep a discount somebody may approve: the policy, revocations, and what commands make of both.

use quote::commands::{self, Actor};
use serde_json::{Value, json};
use service_runtime::{
    Role, TenantTx,
    auth::Roles,
    testing::{TestClient, TestReply},
};

use crate::world::{Quote, World};

pub const POLICY: &str = "/quote/v1/access-policy";

/// Approvers up to `percent`, and ann, whoever she is, up to 50.
pub fn policy(percent: &str) -> Value {
    json!({
        "roles": [{ "role": "approver", "maxDiscountPercent": percent }],
        "subjects": [{ "subject": "ann", "maxDiscountPercent": "50" }],
    })
}

pub async fn put(world: &World, version: u64, body: &Value) -> TestReply {
    let admin = world.client(Role::TenantAdmin);
    admin.request("PUT".parse().unwrap(), POLICY).if_match(version).json(body).send().await
}

pub fn path_of(subject: &str) -> String {
    format!("/quote/v1/access-revocations/{subject}")
}

pub async fn revoke(admin: &TestClient, subject: &str) -> TestReply {
    admin.put(&path_of(subject), &json!({ "reason": "left" })).send().await
}

pub async fn restore(admin: &TestClient, subject: &str) -> TestReply {
    admin.request("DELETE".parse().unwrap(), &path_of(subject)).send().await
}

async fn approve(quote: &Quote, who: &TestClient, key: &str) -> TestReply {
    quote.with_key(who, "approve", key, &json!({})).await
}

#[tokio::test]
async fn a_discount_beyond_the_limit_is_refused_with_both_figures_and_nothing_is_written() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    put(&world, 0, &policy("29.9999")).await.expect(200);
    let before = world.digest().await;
    let refused = approve(&quote, &world.named("bob", Role::Approver), "b").await;
    refused.expect_problem(403, "approval-limit-exceeded");
    let problem = refused.value();
    assert_eq!((&problem["maxDiscountPercent"], &problem["discountPercent"]), (&json!("29.9999"), &json!("30")));
    assert_eq!(problem["policyVersion"], 1);
    // An administrator may do much, and approve what he is granted: here nothing.
    let refused = approve(&quote, &world.named("boss", Role::TenantAdmin), "t").await;
    refused.expect_problem(403, "approval-limit-exceeded");
    assert_eq!(refused.value()["maxDiscountPercent"], "0");
    assert_eq!(world.digest().await, before);
    quote.with_key(&world.named("bob", Role::Approver), "reject", "r", &json!({ "comment": "no" })).await.expect(200);
}

#[tokio::test]
async fn at_the_limit_an_approval_passes_and_a_name_may_be_granted_more_than_its_role() {
    let world = World::new().await;
    let (one, other) = (world.in_approval().await, world.in_approval().await);
    put(&world, 0, &policy("30")).await.expect(200);
    approve(&one, &world.named("bob", Role::Approver), "b").await.expect(200);
    put(&world, 1, &policy("10")).await.expect(200);
    approve(&other, &world.named("bob", Role::Approver), "c").await.expect_problem(403, "approval-limit-exceeded");
    // A grant makes nobody an approver.
    approve(&other, &world.named("ann", Role::DealDesk), "d").await.expect_problem(403, "forbidden");
    approve(&other, &world.named("ann", Role::Approver), "a").await.expect(200);
}

#[tokio::test]
async fn whoever_is_revoked_decides_nothing_until_somebody_else_restores_him() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    let (admin, bob) = (world.client(Role::TenantAdmin), world.named("bob", Role::Approver));
    let revoked = revoke(&admin, "bob").await.expect(200);
    let shown = revoked.value();
    assert_eq!((revoked.version(), &shown["revoked"], &shown["changedBy"]), (1, &json!(true), &json!("tenantAdmin")));
    let before = world.digest().await;
    let refused = approve(&quote, &bob, "b1").await;
    refused.expect_problem(403, "access-revoked");
    assert_eq!(refused.value()["revokedAt"], shown["changedAt"]);
    let refused = quote.with_key(&bob, "reject", "b2", &json!({ "comment": "no" })).await;
    refused.expect_problem(403, "access-revoked");
    assert_eq!(revoke(&admin, "bob").await.expect(200).value(), shown, "revoked again he stays so since then");
    assert_eq!(world.digest().await, before);

    revoke(&admin, "tenantAdmin").await.expect(200);
    restore(&admin, "tenantAdmin").await.expect_problem(403, "own-revocation");
    let restored = restore(&admin, "bob").await.expect(200);
    assert_eq!((restored.version(), &restored.value()["revoked"]), (2, &json!(false)));
    restore(&admin, "bob").await.expect_problem(404, "not-found");
    approve(&quote, &bob, "b3").await.expect(200);
    let facts = "select count(*) from quote.outbox where event_type in ('AccessRevoked', 'AccessRestored')";
    assert_eq!(world.count(facts).await, 3, "one event a change");
    let named = format!("{facts} and convert_from(payload, 'UTF8') like '%bob%'");
    assert_eq!(world.count(&named).await, 0, "and no name in it");
}

/// A revocation that is not committed yet holds up whoever would be refused by it, and then refuses him.
#[tokio::test]
async fn an_approval_waits_for_a_revocation_under_way() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    let mut tx = TenantTx::begin(&world.work, &world.tenant).await.unwrap();
    let actor = Actor { roles: Roles::from(Role::TenantAdmin), ..Actor::service(world.tenant.clone()) };
    commands::revoke_access(&mut tx, &actor, &"bob".parse().unwrap(), "left".to_owned()).await.unwrap();
    let bob = world.named("bob", Role::Approver);
    let approval = tokio::spawn(async move { approve(&quote, &bob, "b").await });
    let waiting =
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while world.count(waiting).await == 0 && !approval.is_finished() {
        tokio::task::yield_now().await;
    }
    tx.commit().await.unwrap();
    approval.await.unwrap().expect_problem(403, "access-revoked");
}

#[tokio::test]
async fn a_new_policy_is_a_new_version_with_one_event_and_its_repetition_the_first_answer() {
    let world = World::new().await;
    let admin = world.client(Role::TenantAdmin);
    let shown = || admin.get(POLICY).send();
    let none = shown().await.expect(200);
    assert_eq!((none.version(), &none.value()["roles"], &none.value()["subjects"]), (0, &json!([]), &json!([])));
    put(&world, 0, &policy("30")).await.expect(200);
    let again = || admin.request("PUT".parse().unwrap(), POLICY).if_match(1).key("again").json(&policy("25.5")).send();
    assert_eq!(again().await.expect(200).version(), 2);
    assert_eq!(again().await.expect(200).header("idempotency-replayed"), "true");
    let read = shown().await.expect(200);
    assert_eq!((read.version(), &read.value()["roles"]), (2, &policy("25.5")["roles"]));
    assert_eq!(read.value()["subjects"], policy("25.5")["subjects"]);
    assert_eq!(world.count("select count(*) from quote.outbox where event_type = 'AccessPolicyChanged'").await, 2);
    let serve = sqlx::PgPool::connect(&world.database.service_url("quote_serve")).await.unwrap();
    for sql in [
        "update quote.access_policy set created_by = 'nobody'",
        "update quote.access_grant set max_discount_percent = 100",
        "delete from quote.access_grant",
        "update quote.access_revocation set revoked = false",
        "delete from quote.access_revocation",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&serve).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn bad_input_names_the_field_and_changes_nothing() {
    let world = World::new().await;
    let before = world.digest().await;
    let role =
        |role: &str, limit: Value| json!({ "roles": [{ "role": role, "maxDiscountPercent": limit }], "subjects": [] });
    let subject =
        |subject: &str| json!({ "roles": [], "subjects": [{ "subject": subject, "maxDiscountPercent": "5" }] });
    let twice = |list: &str| {
        let mut body = policy("30");
        let first = body[list][0].clone();
        body[list].as_array_mut().unwrap().push(first);
        body
    };
    let cases = [
        (role("approver", json!("100.01")), "/roles/0/maxDiscountPercent"),
        (role("approver", json!("-1")), "/roles/0/maxDiscountPercent"),
        (role("approver", json!("1.00001")), "/roles/0/maxDiscountPercent"),
        (role("approver", json!(30)), "/roles/0/maxDiscountPercent"),
        (role("emperor", json!("30")), "/roles/0/role"),
        (subject(""), "/subjects/0/subject"),
        (subject(&"x".repeat(201)), "/subjects/0/subject"),
        (twice("roles"), "/roles/1/role"),
        (twice("subjects"), "/subjects/1/subject"),
        (json!({ "roles": [] }), "/subjects"),
        (json!({ "roles": [], "subjects": [], "colour": "red" }), "/colour"),
    ];
    for (body, pointer) in cases {
        let reply = put(&world, 0, &body).await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), [pointer], "{body}");
    }
    put(&world, 7, &policy("30")).await.expect_problem(412, "precondition-failed");
    let admin = world.client(Role::TenantAdmin);
    admin.put(POLICY, &policy("30")).send().await.expect_problem(428, "precondition-required");
    for body in [json!({}), json!({ "reason": "" }), json!({ "reason": "x".repeat(2_001) })] {
        let reply = admin.put(&path_of("bob"), &body).send().await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), ["/reason"], "{body}");
    }
    for nobody in ["x".repeat(201), "a%00b".to_owned(), "%FF".to_owned()] {
        revoke(&admin, &nobody).await.expect_problem(404, "not-found");
        restore(&admin, &nobody).await.expect_problem(404, "not-found");
    }
    for role in [Role::Approver, Role::CatalogAdmin, Role::DealDesk] {
        let other = world.client(role);
        other.get(POLICY).send().await.expect_problem(403, "forbidden");
        other.put(POLICY, &policy("30")).if_match(0).send().await.expect_problem(403, "forbidden");
        revoke(&other, "bob").await.expect_problem(403, "forbidden");
        restore(&other, "bob").await.expect_problem(403, "forbidden");
    }
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn another_tenants_policy_and_revocations_are_nobodys_business() {
    let world = World::new().await;
    put(&world, 0, &policy("30")).await.expect(200);
    revoke(&world.client(Role::TenantAdmin), "bob").await.expect(200);
    let other = "other".parse().unwrap();
    let stranger = world.service.client(&other, "admin", &[Role::TenantAdmin]);
    assert_eq!(stranger.get(POLICY).send().await.expect(200).version(), 0);
    restore(&stranger, "bob").await.expect_problem(404, "not-found");
    let namesake = world.service.client(&other, "bob", &[Role::Approver]);
    let profile = namesake.get("/quote/v1/access-profile").send().await.expect(200).value();
    assert_eq!(profile, json!({ "policyVersion": 0, "mayApprove": true, "revoked": false }));
    assert_eq!(revoke(&stranger, "bob").await.expect(200).version(), 1, "versions count per tenant");
    let serve = sqlx::PgPool::connect(&world.database.service_url("quote_serve")).await.unwrap();
    for table in ["access_policy", "access_grant", "active_access_policy", "access_revocation"] {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from quote.{table}"));
        let seen: i64 = sqlx::query_scalar(sql).fetch_one(&serve).await.unwrap();
        assert_eq!(seen, 0, "{table} without a tenant");
    }
}

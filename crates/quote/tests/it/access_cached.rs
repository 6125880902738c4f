//! What the caller may approve, through the cache: fresh after a revocation, never with roles his token does not carry.

use std::{sync::Arc, time::Duration};

use cache_engine::{Engine, EngineConfig, NoStore};
use cache_ports::{UserKey, access::keyspaces::access_profile_key};
use kernel::Version;
use serde_json::{Value, json};
use service_runtime::{
    Role,
    testing::{TestClient, TestReply, TestService},
};

use crate::{
    access::{POLICY, policy, put, restore, revoke},
    events,
    world::World,
};

const PROFILE: &str = "/quote/v1/access-profile";

async fn profile(who: &TestClient) -> TestReply {
    who.get(PROFILE).send().await.expect(200)
}

fn is_hit(reply: &TestReply) -> bool {
    reply.header("cache-status").starts_with("quoin; hit")
}

/// A replica to which the cache is out of reach: what it does, the others learn from events alone.
async fn cut_off(world: &World) -> (TestService, TestClient) {
    let replica = world.replica(Engine::new(Arc::new(NoStore), EngineConfig::default()).caches()).await;
    let admin = replica.client(&world.tenant, "admin", &[Role::TenantAdmin]);
    (replica, admin)
}

fn limits(profile: &Value) -> (&Value, &Value) {
    (&profile["mayApprove"], &profile["maxDiscountPercent"])
}

#[tokio::test]
async fn a_profile_is_read_once_says_its_age_and_follows_the_policy_it_names() {
    let world = World::new().await;
    let (ann, bob) = (world.named("ann", Role::Approver), world.named("bob", Role::Approver));
    let open = profile(&ann).await.value();
    assert_eq!(open, json!({ "policyVersion": 0, "mayApprove": true, "revoked": false }));
    put(&world, 0, &policy("30")).await.expect(200);
    let by_first = |who: &TestClient| who.get(PROFILE).header("min-version", "1").send();
    let first = by_first(&ann).await.expect(200);
    assert_eq!(
        (first.header("cache-status"), limits(&first.value())),
        ("quoin; fwd=miss", (&json!(true), &json!("50")))
    );
    // Changed behind the service's back: only a cache still knows what was said.
    world.tamper("update quote.access_grant set max_discount_percent = 1").await;
    let again = profile(&ann).await;
    assert!(is_hit(&again) && again.headers.contains_key("age"));
    assert_eq!(again.value(), first.value(), "a hit says what a miss said");
    assert_eq!(limits(&profile(&bob).await.value()), (&json!(true), &json!("1")), "a profile of his own");
}

#[tokio::test]
async fn a_cached_profile_gives_nobody_a_role_his_token_no_longer_carries() {
    let world = World::new().await;
    let body = json!({ "subjects": [], "roles": [
        { "role": "approver", "maxDiscountPercent": "20" }, { "role": "dealDesk", "maxDiscountPercent": "60" },
    ] });
    put(&world, 0, &body).await.expect(200);
    let with = |roles: &[Role]| world.service.client(&world.tenant, "ann", roles);
    let both = profile(&with(&[Role::Approver, Role::DealDesk])).await;
    assert_eq!(limits(&both.value()), (&json!(true), &json!("60")));
    for (roles, expected) in
        [(&[Role::Approver][..], (json!(true), json!("20"))), (&[Role::DealDesk], (json!(false), json!("0")))]
    {
        let reply = profile(&with(roles)).await;
        assert!(is_hit(&reply), "the same entry serves whatever the roles are");
        assert_eq!(limits(&reply.value()), (&expected.0, &expected.1), "{roles:?}");
    }
}

#[tokio::test]
async fn a_cached_profile_is_dropped_by_the_event_of_a_revocation_and_of_a_return() {
    let world = World::new().await;
    put(&world, 0, &policy("30")).await.expect(200);
    let (_replica, admin) = cut_off(&world).await;
    let bob = world.named("bob", Role::Approver);
    let revoked = async || profile(&bob).await.value()["revoked"].clone();
    assert_eq!(revoked().await, false);
    let since = revoke(&admin, "bob").await.expect(200).value()["changedAt"].clone();
    assert_eq!(revoked().await, false, "still cached");
    events::hear(&world, "quote.access").await;
    let shown = profile(&bob).await.value();
    assert_eq!((&shown["revokedAt"], limits(&shown)), (&since, (&json!(false), &json!("0"))));
    restore(&admin, "bob").await.expect(200);
    assert_eq!(revoked().await, true, "still cached");
    // All facts come again, the oldest first: only the new one says anything.
    events::hear(&world, "quote.access").await;
    assert_eq!(limits(&profile(&bob).await.value()), (&json!(true), &json!("30")));
}

/// Policies and subjects are different aggregates, so their facts come in any order.
#[tokio::test]
async fn a_revocation_is_seen_by_a_reader_who_has_not_heard_of_the_policy_it_was_made_under() {
    let world = World::new().await;
    put(&world, 0, &policy("30")).await.expect(200);
    let (_replica, admin) = cut_off(&world).await;
    let bob = world.named("bob", Role::Approver);
    assert_eq!(profile(&bob).await.value()["policyVersion"], 1);
    admin.put(POLICY, &policy("20")).if_match(1).send().await.expect(200);
    revoke(&admin, "bob").await.expect(200);
    assert_eq!(profile(&bob).await.value()["policyVersion"], 1, "nothing was heard yet");
    events::hear_only(&world, "quote.access", "AccessRevoked").await;
    let shown = profile(&bob).await.value();
    assert_eq!((&shown["policyVersion"], &shown["revoked"]), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn a_replica_that_revokes_need_not_wait_for_the_event() {
    let world = World::new().await;
    let bob = world.named("bob", Role::Approver);
    assert_eq!(profile(&bob).await.value()["revoked"], false);
    revoke(&world.client(Role::TenantAdmin), "bob").await.expect(200);
    let seen = async { while profile(&bob).await.value()["revoked"] != true {} };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("the profile's five minutes are not waited for");
}

#[tokio::test]
async fn nobodys_name_is_in_the_cache() {
    let world = World::new().await;
    put(&world, 0, &policy("30")).await.expect(200);
    let name = "ann.of.accounting@example.com";
    profile(&world.named(name, Role::Approver)).await;
    let key = access_profile_key(&world.tenant, &UserKey::of(&world.tenant, name), Version::FIRST).text();
    let stored = world.store.peek(&key).expect("the profile is kept").bytes;
    let text = String::from_utf8_lossy(&stored).into_owned();
    assert!(text.contains("roleLimits"), "it is readable: {text}");
    for secret in ["ann", "accounting", "example"] {
        assert!(!key.contains(secret) && !text.contains(secret), "{key} {text}");
    }
}

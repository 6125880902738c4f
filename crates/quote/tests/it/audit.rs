//! What the quote service caches, beside its tables.

use std::{sync::Arc, time::Duration};

use cache_engine::{
    Engine, EngineConfig, NoStore,
    audit::{AuditRules, Auditor, inspection::Extent, report::Report, verdict::Mismatch},
};
use cache_ports::{access::keyspaces::ACCESS_PROFILE, keyspace::Service, quote::keyspaces::QUOTE_SUMMARY, registry};
use quote::State;
use service_runtime::{
    Role,
    testing::{TestIdentity, TestService},
};
use sqlx::PgPool;

use crate::{
    access::{policy, put, revoke},
    world::{Quote, World},
};

/// Audits with the rights of a worker, and removes what is wrong.
async fn audited(world: &World) -> Report {
    let keyspaces: Vec<_> = registry::audited_by(Service::Quote).collect();
    let runtime = TestIdentity::new().service_state(quote::SERVICE, world.work.clone(), world.caches.clone());
    let witnesses = quote::witnesses(&State::new(runtime, world.config.clone()));
    let rules = AuditRules { grace: Duration::ZERO, repair: true };
    let auditor = Auditor::new(world.store.clone(), world.store.clone(), keyspaces.clone(), witnesses, rules);
    auditor.inspect(&keyspaces, None, Extent::All, |_| ()).await.expect("the store answers")
}

async fn read(world: &World, quote: &Quote) -> Quote {
    Quote(world.rep().get(&quote.path()).send().await.expect(200).value())
}

#[tokio::test]
async fn a_summary_of_every_state_agrees_with_the_tables() {
    let world = World::new().await;
    for quote in [world.draft("1").await, world.in_approval().await, world.presented("3").await] {
        read(&world, &quote).await;
    }
    let report = audited(&world).await;
    assert_eq!(report.mismatches(), 0, "{:?}", report.findings);
    assert_eq!(report.of(&QUOTE_SUMMARY).unwrap().checked(), 3);
}

/// A revoked approver and one who is not, by name and by role: what is cached about each follows from his hash alone.
#[tokio::test]
async fn a_profile_agrees_with_the_tables_and_one_that_was_planted_does_not() {
    let world = World::new().await;
    put(&world, 0, &policy("30")).await.expect(200);
    revoke(&world.client(Role::TenantAdmin), "bob").await.expect(200);
    let people = [world.named("ann", Role::Approver), world.named("bob", Role::Approver)];
    for who in &people {
        who.get("/quote/v1/access-profile").header("min-version", "1").send().await.expect(200);
    }
    let report = audited(&world).await;
    assert_eq!((report.mismatches(), report.of(&ACCESS_PROFILE).unwrap().checked()), (0, 2), "{:?}", report.findings);
    world.tamper("update quote.access_grant set max_discount_percent = 10 where subject = 'ann'").await;
    let report = audited(&world).await;
    let wrong = &report.of(&ACCESS_PROFILE).unwrap().wrong;
    assert_eq!((wrong.get(&Mismatch::OtherContent), report.remaining()), (Some(&1), 0), "{:?}", report.findings);
}

/// Another replica of the service, to which the cache is out of reach: it can drop nothing after its commits.
async fn cut_off(world: &World) -> TestService {
    let identity = TestIdentity::new();
    let caches = Engine::new(Arc::new(NoStore), EngineConfig::default()).caches();
    let serve = PgPool::connect(&world.database.service_url("quote_serve")).await.unwrap();
    let runtime = identity.service_state(quote::SERVICE, serve, caches);
    TestService::start(quote::router(State::new(runtime, world.config.clone())), &identity).await
}

/// Nobody consumes the events here, and who made the change could not reach the cache: the auditor is what notices.
#[tokio::test]
async fn a_summary_whose_event_was_lost_is_found_and_the_next_read_is_right() {
    let world = World::new().await;
    let draft = world.draft("1").await;
    read(&world, &draft).await;
    let replica = cut_off(&world).await;
    let rep = replica.client(&world.tenant, Role::SalesRep.name(), &[Role::SalesRep]);
    let priced = draft.then(&rep, "price").await;
    assert_eq!(read(&world, &draft).await.version(), draft.version(), "until the event comes");
    let report = audited(&world).await;
    let wrong = &report.of(&QUOTE_SUMMARY).unwrap().wrong;
    assert_eq!((wrong.get(&Mismatch::StaleVersion), report.remaining()), (Some(&1), 0), "{:?}", report.findings);
    assert_eq!(read(&world, &draft).await.0, priced.0);
}

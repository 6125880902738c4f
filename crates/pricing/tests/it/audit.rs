//! What pricing caches, beside its tables.

use std::{sync::Arc, time::Duration};

use cache_engine::{
    Engine, EngineConfig, NoStore,
    audit::{AuditRules, Auditor, inspection::Extent, report::Report, verdict::Mismatch},
};
use cache_ports::{
    keyspace::Service,
    pricing::keyspaces::{FINAL_PRICE, PRICE_BOOK, PRICE_BOOK_VERSION, PRICE_PREVIEW},
    registry,
};
use service_runtime::{
    Role,
    testing::{TestIdentity, TestService},
};
use sqlx::PgPool;
use uuid::Uuid;

use crate::world::{World, book, item, preview, replace, request, seal, simple, text};

/// Audits with the rights of a worker, and removes what is wrong.
async fn audited(world: &World) -> Report {
    let keyspaces: Vec<_> = registry::audited_by(Service::Pricing).collect();
    let pool = PgPool::connect(&world.database.service_url("pricing_work")).await.unwrap();
    let runtime = TestIdentity::new().service_state(pricing::SERVICE, pool, world.caches.clone());
    let witnesses = pricing::witnesses(&pricing::State::new(runtime, pricing::Config::default()));
    let rules = AuditRules { grace: Duration::ZERO, repair: true };
    let auditor = Auditor::new(world.store.clone(), world.store.clone(), keyspaces.clone(), witnesses, rules);
    auditor.inspect(&keyspaces, None, Extent::All, |_| ()).await.expect("the store answers")
}

/// A book, its pointer, a preview and a sealed price, all read once.
async fn warmed() -> (World, serde_json::Value) {
    let world = World::new().await;
    let list = world.price_book(&[simple(1, "10.00")]).await;
    let asked = request(&list, &[item(1, "3")]);
    preview(&world.seller(), &asked).await.expect(200);
    let sealed = seal(&world.seller(), Uuid::now_v7(), 1, &asked).await;
    let path = format!("/pricing/v1/price-results/{}", text(&sealed.value(), "/priceResultId"));
    world.seller().get(&path).send().await.expect(200);
    (world, asked)
}

#[tokio::test]
async fn what_is_cached_agrees_with_the_tables() {
    let (world, _) = warmed().await;
    let report = audited(&world).await;
    assert_eq!(report.mismatches(), 0, "{:?}", report.findings);
    for keyspace in [&PRICE_BOOK, &PRICE_BOOK_VERSION, &PRICE_PREVIEW, &FINAL_PRICE] {
        assert_eq!(report.of(keyspace).unwrap().checked(), 1, "{}", keyspace.name);
    }
}

/// Another process changes the book, tells no cache, and nobody consumes its event: invalidation is switched off, and the
/// auditor is what notices.
#[tokio::test]
async fn a_pointer_whose_event_was_lost_is_found_and_the_next_preview_is_right() {
    let (world, asked) = warmed().await;
    let identity = TestIdentity::new();
    let pool = PgPool::connect(&world.database.service_url("pricing_serve")).await.unwrap();
    let without = Engine::new(Arc::new(NoStore), EngineConfig::default()).caches();
    let state =
        pricing::State::new(identity.service_state(pricing::SERVICE, pool, without), pricing::Config::default());
    let other = TestService::start(pricing::router(state), &identity).await;
    let keeper = other.client(&world.tenant, "keeper", &[Role::CatalogAdmin]);
    replace(&keeper, "list", 1, &book(&[simple(1, "20.00")])).await.expect(200);
    let price = async || text(&preview(&world.seller(), &asked).await.expect(200).value(), "/totals/net/amount");
    assert_eq!(price().await, "30.00", "until the event comes");
    let report = audited(&world).await;
    assert_eq!(report.of(&PRICE_BOOK_VERSION).unwrap().wrong.get(&Mismatch::StaleVersion), Some(&1));
    assert_eq!((report.mismatches(), report.remaining()), (1, 0), "{:?}", report.findings);
    assert_eq!(price().await, "60.00");
}

#[tokio::test]
async fn another_content_under_the_right_version_is_found_by_its_fields_and_without_its_values() {
    let (world, _) = warmed().await;
    world.tamper("update pricing.price_book_version set name = 'something else'").await;
    let report = audited(&world).await;
    assert_eq!(report.of(&PRICE_BOOK).unwrap().wrong.get(&Mismatch::OtherContent), Some(&1), "{:?}", report.findings);
    let fields: Vec<&str> = report.findings[0].fields.iter().map(|field| field.path.as_str()).collect();
    assert_eq!(fields, ["/name"]);
    assert!(!format!("{:?}", report.findings).contains("something else"));
    assert_eq!(audited(&world).await.mismatches(), 0, "it was removed");
}

#[tokio::test]
async fn a_copy_of_a_price_that_does_not_exist_is_found() {
    let (world, _) = warmed().await;
    world.tamper("update pricing.price_result set revision_no = 2").await;
    let report = audited(&world).await;
    assert_eq!(
        report.of(&FINAL_PRICE).unwrap().wrong.get(&Mismatch::ShouldNotExist),
        Some(&1),
        "{:?}",
        report.findings
    );
}

//! What inventory caches, beside its tables.

use std::time::Duration;

use cache_engine::{
    audit::{AuditRules, Auditor, Pass, inspection::Extent, report::Report},
    sweep::{SweepRules, Sweeper},
};
use cache_ports::{
    inventory::keyspaces::{STOCK_ITEM, STOCK_VERSION, stock_item_key},
    keyspace::Service,
    registry,
};
use kernel::Version;
use serde_json::json;

use crate::world::{World, line};

async fn audited(world: &World) -> Report {
    let keyspaces: Vec<_> = registry::audited_by(Service::Inventory).collect();
    let witnesses = inventory::witnesses(&world.work_state().await);
    let rules = AuditRules { grace: Duration::ZERO, repair: false };
    let auditor = Auditor::new(world.store.clone(), world.store.clone(), keyspaces.clone(), witnesses, rules);
    auditor.inspect(&keyspaces, None, Extent::All, |_| ()).await.expect("the store answers")
}

#[tokio::test]
async fn what_is_cached_agrees_with_the_tables_and_superseded_versions_are_swept() {
    let world = World::start().await;
    let product = world.product("10").await;
    let read = async || {
        let path = format!("/inventory/v1/products/{product}/stock?consistency=bounded");
        world.buyer().get(&path).send().await.expect(200);
    };
    read().await;
    let report = audited(&world).await;
    assert_eq!(report.mismatches(), 0, "{:?}", report.findings);
    assert_eq!(report.of(&STOCK_ITEM).map(cache_engine::audit::report::Tally::checked), Some(1));
    assert!(report.of(&STOCK_VERSION).is_some());

    world.reserve("order-1", json!([line("a", product, "1")])).await.expect(201);
    world.caches.inventory.stock_changed(&world.tenant, product, Version::new(2)).await.unwrap();
    read().await;
    let report = audited(&world).await;
    let items = report.of(&STOCK_ITEM).unwrap();
    assert_eq!((items.checked(), items.passed.get(&Pass::Superseded)), (1, Some(&1)), "{:?}", report.findings);

    let rules = SweepRules { min_age: Duration::ZERO, keys_per_sec: 1_000_000, dry_run: false };
    let witnesses = inventory::witnesses(&world.work_state().await);
    let swept = Sweeper::new(world.store.clone(), witnesses, rules).sweep(|_, _| ()).await.unwrap();
    assert_eq!((swept.len(), swept[0].1.seen, swept[0].1.removed), (1, 2, 1));
    let lies = |version| stock_item_key(&world.tenant, product, Version::new(version)).text();
    assert!(world.store.peek(&lies(1)).is_none() && world.store.peek(&lies(2)).is_some());
}

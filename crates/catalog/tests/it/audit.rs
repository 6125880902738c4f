//! What the catalog caches, beside its tables.

use std::time::Duration;

use cache_engine::{
    audit::{AuditRules, Auditor, inspection::Extent, report::Report, verdict::Mismatch},
    frame::{self, Content, Life},
};
use cache_ports::{
    catalog::keyspaces::{ACTIVE_PUBLICATION, MISSING_OFFERING, OFFERING, SEARCH_PAGE, missing_offering_key},
    keyspace::Service,
    registry,
};
use catalog::{State, config::Config};
use kernel::{OfferingId, Version};
use serde_json::{Value, json};
use service_runtime::testing::TestIdentity;

use crate::support::{Catalog, import, pool, publish, simple, text};

/// Audits with the rights of a worker.
async fn audited(catalog: &Catalog) -> Report {
    let keyspaces: Vec<_> = registry::audited_by(Service::Catalog).collect();
    let work = pool(&catalog.database.service_url("catalog_work"), 2).await;
    let runtime = TestIdentity::new().service_state(catalog::SERVICE, work, catalog.caches.clone());
    let witnesses = catalog::witnesses(&State::new(runtime, Config::default()));
    let rules = AuditRules { grace: Duration::ZERO, repair: true };
    let auditor = Auditor::new(catalog.store.clone(), catalog.store.clone(), keyspaces.clone(), witnesses, rules);
    auditor.inspect(&keyspaces, None, Extent::All, |_| ()).await.expect("the store answers")
}

struct Warmed {
    catalog: Catalog,
    publication: Value,
    offering: String,
}

/// One of everything that is cached.
async fn warmed() -> Warmed {
    let catalog = Catalog::start().await;
    let offering =
        text(&import(&catalog.editor(), json!([simple("A", "a")])).await["items"][0], "offeringId").to_owned();
    let publication = publish(&catalog.editor(), "one").await;
    let offerings = format!("/catalog/v1/publications/{}/offerings", text(&publication, "id"));
    let buyer = catalog.buyer();
    buyer.get(&format!("{offerings}/{offering}")).send().await.expect(200);
    buyer.get(&format!("{offerings}/{}", OfferingId::generate())).send().await.expect(404);
    buyer.get(&format!("{offerings}?q=a")).send().await.expect(200);
    buyer.get("/catalog/v1/publications/active").send().await.expect(200);
    Warmed { catalog, publication, offering }
}

#[tokio::test]
async fn what_is_cached_agrees_with_the_tables() {
    let Warmed { catalog, .. } = warmed().await;
    let report = audited(&catalog).await;
    assert_eq!(report.mismatches(), 0, "{:?}", report.findings);
    for keyspace in [&OFFERING, &MISSING_OFFERING, &ACTIVE_PUBLICATION, &SEARCH_PAGE] {
        assert_eq!(report.of(keyspace).unwrap().checked(), 1, "{}", keyspace.name);
    }
}

#[tokio::test]
async fn an_absence_of_what_exists_is_found() {
    let Warmed { catalog, publication, offering } = warmed().await;
    let (publication, offering) = (text(&publication, "id").parse().unwrap(), offering.parse().unwrap());
    let key = missing_offering_key(&catalog.tenant, publication, offering).text();
    let whole = Life::drawn(&MISSING_OFFERING);
    let keyspace = &MISSING_OFFERING;
    let lie = Content { keyspace, key: &key, version: Version::ZERO, life: whole, generated_at_ms: 0, payload: None };
    catalog.store.plant(&key, frame::write(&lie).unwrap().into(), Some(whole.hard));
    let report = audited(&catalog).await;
    let wrong = &report.of(&MISSING_OFFERING).unwrap().wrong;
    assert_eq!(wrong.get(&Mismatch::ShouldExist), Some(&1), "{:?}", report.findings);
    assert!(catalog.store.peek(&key).is_none(), "it was removed");
}

/// Another process publishes, tells only its own caches, and nobody consumes its event: invalidation is switched off, and the
/// auditor is what notices.
#[tokio::test]
async fn a_pointer_whose_event_was_lost_is_found() {
    let Warmed { catalog, .. } = warmed().await;
    let other = catalog.replica().await;
    import(&other.editor(), json!([simple("B", "b")])).await;
    let second = publish(&other.editor(), "two").await;
    let active = async || {
        let shown = catalog.buyer().get("/catalog/v1/publications/active").send().await.expect(200);
        text(&shown.value(), "publicationId").to_owned()
    };
    assert_ne!(active().await, text(&second, "id"), "until the event comes");
    let report = audited(&catalog).await;
    let wrong = &report.of(&ACTIVE_PUBLICATION).unwrap().wrong;
    assert_eq!((wrong.get(&Mismatch::StaleVersion), report.remaining()), (Some(&1), 0), "{:?}", report.findings);
    assert_eq!(active().await, text(&second, "id"));
}

//! Warming after an activation: by queue and lock, by whoever is there, and by nobody when Redis is away.

use std::sync::Arc;

use cache_ports::{LockAttempt, LockKey, counters::LiveCount, streams::WarmTask};
use catalog::{State, events::WarmReaction, warming};
use events::{Guard, Reaction};
use kernel::ContentHash;
use serde_json::json;

use crate::support::{Catalog, import, publish, simple, text, three};

async fn served_from(catalog: &Catalog, publication: &str, offering: &str) -> String {
    let path = format!("/catalog/v1/publications/{publication}/offerings/{offering}");
    catalog.buyer().get(&path).send().await.expect(200).header("cache-status").to_owned()
}

async fn activated(catalog: &Catalog, worker: &State, publication: &str) {
    let reaction = WarmReaction(worker.clone());
    assert_eq!(reaction.guard("CatalogPublicationActivated"), Guard::StateCarrying);
    assert_eq!(reaction.guard("OfferingChanged"), Guard::Ignore);
    let mut event = crate::facts::activated(catalog, 1);
    event.data = json!({"publicationId": publication, "name": "one", "contentHash": "ab".repeat(32),
        "previousPublicationId": null})
    .to_string()
    .into();
    reaction.committed(&event).await.expect("no event waits for warming");
}

#[tokio::test]
async fn what_was_put_in_force_is_loaded_before_anybody_asks() {
    let catalog = Catalog::start().await;
    let (publication, ids) = three(&catalog).await;
    let worker = catalog.worker(2).await;
    // One that people look at comes first; then as many by name as there is room for.
    catalog.caches.counters.count(&catalog.tenant, LiveCount::OfferingViews, ids[2].parse().unwrap());
    catalog.caches.counters.flush().await;
    activated(&catalog, &worker, &publication).await;
    assert_eq!(warming::round(&worker, "one").await.unwrap(), 2);
    assert_eq!(warming::round(&worker, "one").await.unwrap(), 0, "each task is done once");
    for (offering, expected) in [(&ids[2], "hit"), (&ids[0], "hit"), (&ids[1], "miss")] {
        let status = served_from(&catalog, &publication, offering).await;
        assert!(status.contains(expected), "{offering}: {status}");
    }
}

/// As when a consumer begins with old facts.
#[tokio::test]
async fn what_is_no_longer_in_force_is_not_warmed() {
    let catalog = Catalog::start().await;
    let (publication, _) = three(&catalog).await;
    import(&catalog.editor(), json!([simple("A", "another name")])).await;
    let successor = text(&publish(&catalog.editor(), "two").await, "id").to_owned();
    let worker = catalog.worker(3).await;
    for (publication, expected) in [(publication, 0), (successor, 3)] {
        activated(&catalog, &worker, &publication).await;
        assert_eq!(warming::round(&worker, "one").await.unwrap(), expected);
    }
}

#[tokio::test]
async fn what_another_loads_now_is_left_to_it() {
    let catalog = Catalog::start().await;
    let (publication, ids) = three(&catalog).await;
    let worker = catalog.worker(1).await;
    activated(&catalog, &worker, &publication).await;
    let task = WarmTask { publication_id: publication.parse().unwrap(), offering_id: ids[0].parse().unwrap() };
    let key = LockKey::CacheWarm { tenant: catalog.tenant.clone(), key_hash: ContentHash::of_json(&task).unwrap() };
    let lock = catalog.caches.locks.try_acquire(key, std::time::Duration::from_secs(5)).await;
    assert!(matches!(lock, LockAttempt::Granted(_)));
    assert_eq!(warming::round(&worker, "one").await.unwrap(), 1);
    let status = served_from(&catalog, &publication, &ids[0]).await;
    assert!(status.contains("miss"), "{status}");
}

#[tokio::test]
async fn two_workers_share_the_queue() {
    let catalog = Catalog::start().await;
    let (publication, ids) = three(&catalog).await;
    let (one, other) = (catalog.worker(3).await, catalog.worker(3).await);
    activated(&catalog, &one, &publication).await;
    let (first, second) = tokio::join!(warming::round(&one, "one"), warming::round(&other, "other"));
    assert_eq!(first.unwrap() + second.unwrap(), 3);
    for offering in &ids {
        assert!(served_from(&catalog, &publication, offering).await.contains("hit"));
    }
}

#[tokio::test]
async fn without_a_store_an_activation_goes_on_and_nothing_is_warmed() {
    let catalog = Catalog::without_cache().await;
    let (publication, ids) = three(&catalog).await;
    let worker = catalog.worker(3).await;
    activated(&catalog, &worker, &publication).await;
    assert_eq!(warming::round(&worker, "one").await.unwrap(), 0);
    assert!(served_from(&catalog, &publication, &ids[0]).await.contains("miss"));
}

#[tokio::test]
async fn the_worker_finds_the_tenants_whose_catalog_changed_and_no_others() {
    let catalog = Catalog::start().await;
    three(&catalog).await;
    let worker = catalog.worker(3).await;
    let found = async || {
        let mut conn = worker.runtime.pool.acquire().await.unwrap();
        catalog::store::warming::recently_activated(&mut conn, 9).await.unwrap()
    };
    assert_eq!(found().await, std::slice::from_ref(&catalog.tenant));
    let long_ago = "update catalog.active_publication set activated_at = now() - interval '2 days'";
    sqlx::query(long_ago).execute(&catalog.admin).await.unwrap();
    assert!(found().await.is_empty());
    let names: Vec<_> =
        catalog::reactions(&worker).iter().map(|reaction: &Arc<dyn Reaction>| reaction.consumer()).collect();
    assert_eq!(names, ["catalog.active-publication", "catalog.warming", "catalog.webhooks"]);
}

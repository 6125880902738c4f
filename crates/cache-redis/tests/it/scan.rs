//! Walking over a real Redis, and the auditor on it.

use std::{sync::Arc, time::Duration};

use cache_engine::{
    KeyScan, StoreError,
    audit::{AuditRules, Auditor, inspection::Extent, patrol::Patrol},
    contract::{Subject, audit, content, new_tenant, scan, until},
    scan::Position,
};
use cache_ports::{inventory::keyspaces as inventory, key::Scope};
use cache_redis::RedisStore;
use dev_stack::{Component, test::own};
use kernel::{ProductId, Version};

use cache_redis::contract::{RedisSubject, config};

async fn subject() -> RedisSubject {
    RedisSubject::at(dev_stack::test::redis().await.expect("a Redis for tests")).await
}

#[tokio::test]
async fn a_walk_meets_all_keys_in_scope_and_no_others() {
    let subject = subject().await;
    scan::a_walk_meets_all_keys_in_scope_and_no_others(&subject, subject.redis()).await;
}

#[tokio::test]
async fn a_glimpse_shows_size_head_and_life() {
    let subject = subject().await;
    scan::a_glimpse_shows_size_head_and_life(&subject, subject.redis()).await;
}

#[tokio::test]
async fn what_is_unlinked_is_gone() {
    let subject = subject().await;
    scan::what_is_unlinked_is_gone(&subject, subject.redis()).await;
}

#[tokio::test]
async fn every_lie_is_found_under_its_kind_and_repaired() {
    let subject = subject().await;
    audit::every_lie_is_found_under_its_kind_and_repaired(&subject, subject.redis()).await;
}

/// Two installations share a server: each walks over its own keys only.
#[tokio::test]
async fn another_installations_keys_are_not_met() {
    let (one, other) = (subject().await, subject().await);
    let (tenant, product) = (new_tenant(), ProductId::generate());
    let key = inventory::stock_item_key(&tenant, product, Version::FIRST).text();
    one.plant(content(&key), b"x", Some(Duration::from_mins(1))).await;
    let scope = Scope { keyspace: &inventory::STOCK_ITEM, tenant: Some(&tenant) };
    assert_eq!(scan::walk(&*one.redis(), &scope, 500).await.0.len(), 1);
    assert_eq!(scan::walk(&*other.redis(), &scope, 500).await.0.len(), 0);
}

#[tokio::test]
async fn an_audit_ends_when_redis_stops_and_goes_on_when_it_is_back() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let store = Arc::new(RedisStore::connect(&config(redis.url())).expect("a Redis URL"));
    until("a connection of every pool", async || store.state().iter().all(|pool| pool.connected)).await;
    let driver = audit::compared()[0];
    let auditor = || {
        let rules = AuditRules { grace: Duration::ZERO, repair: true };
        Auditor::new(store.clone(), store.clone(), vec![driver.keyspace], Vec::new(), rules)
    };
    let mut patrol = Patrol::of(auditor(), 5);
    until("a round", async || patrol.round().await.is_ok()).await;
    redis.stop().await.expect("it stops");
    let ended = auditor().inspect(&[driver.keyspace], None, Extent::All, |_| ()).await;
    assert!(ended.is_err(), "{ended:?}");
    assert!(patrol.round().await.is_err());
    let scope = Scope { keyspace: driver.keyspace, tenant: None };
    let away = store.scan(&scope, Position::default(), 10).await;
    assert!(matches!(away, Err(StoreError::Unavailable | StoreError::TimedOut | StoreError::BreakerOpen)), "{away:?}");
    redis.start().await.expect("it starts");
    until("a round", async || patrol.round().await.is_ok()).await;
}

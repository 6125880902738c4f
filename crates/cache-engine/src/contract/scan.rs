//! Walking over keys: all of them are met, nothing else is, and what is removed is gone.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use cache_ports::{
    catalog::keyspaces as catalog,
    inventory::keyspaces as inventory,
    key::Scope,
    keyspace::{Keyspace, Workload},
    order::keyspaces as order,
};
use kernel::{OfferingId, ProductId, PublicationId, TenantId, Version};

use super::{Subject, content, new_tenant};
use crate::scan::{KeyScan, Position};

/// Everything a walk over `scope` meets, and in how many pages.
pub async fn walk(scan: &dyn KeyScan, scope: &Scope<'_>, steps: u32) -> (BTreeSet<String>, usize) {
    let (mut met, mut pages) = (BTreeSet::new(), 0);
    let mut from = Some(Position::default());
    while let Some(position) = from {
        let page = scan.scan(scope, position, steps).await.expect("the store answers");
        met.extend(page.keys);
        pages += 1;
        from = page.next;
        assert!(pages < 100_000, "the walk ends");
    }
    (met, pages)
}

const LIFE: Option<Duration> = Some(Duration::from_mins(5));

fn scope<'a>(keyspace: &'static Keyspace, tenant: Option<&'a TenantId>) -> Scope<'a> {
    Scope { keyspace, tenant }
}

/// A walk meets every live key of its keyspace and tenant, page by page, and no other.
pub async fn a_walk_meets_all_keys_in_scope_and_no_others(subject: &dyn Subject, scan: Arc<dyn KeyScan>) {
    let (tenant, other) = (new_tenant(), new_tenant());
    let product = ProductId::generate();
    let mut expected = BTreeSet::new();
    for version in 1..=300 {
        let key = inventory::stock_item_key(&tenant, product, Version::new(version)).text();
        subject.plant(content(&key), b"x", LIFE).await;
        expected.insert(key);
    }
    let foreign = inventory::stock_item_key(&other, product, Version::FIRST).text();
    let neighbour = inventory::stock_version_key(&tenant, product).text();
    // Matches the pattern of the keyspace, and is none of its keys.
    let garbage = format!("inventory:{tenant}:product:{product}:v1:v2");
    for key in [&foreign, &neighbour, &garbage] {
        subject.plant(content(key), b"x", LIFE).await;
    }
    let (met, pages) = walk(&*scan, &scope(&inventory::STOCK_ITEM, Some(&tenant)), 50).await;
    assert_eq!(met, expected);
    assert!(pages > 1, "one page is no walk");
    let (everybodys, _) = walk(&*scan, &scope(&inventory::STOCK_ITEM, None), 500).await;
    assert!(everybodys.is_superset(&expected) && everybodys.contains(&foreign));
    assert!(!everybodys.contains(&garbage) && !everybodys.contains(&neighbour));
    let (nothing, _) = walk(&*scan, &scope(&order::ORDER_SUMMARY, Some(&tenant)), 500).await;
    assert_eq!(nothing, BTreeSet::new());
}

/// What is seen of a place without reading it is what lies there.
pub async fn a_glimpse_shows_size_head_and_life(subject: &dyn Subject, scan: Arc<dyn KeyScan>) {
    let tenant = new_tenant();
    let key = |which| {
        let publication = PublicationId::generate();
        catalog::offering_key(&tenant, publication, OfferingId::generate(), which).text()
    };
    let (long, short, endless, missing) = (key("a"), key("b"), key("c"), key("d"));
    subject.plant(content(&long), &[7; 1_000], LIFE).await;
    subject.plant(content(&short), b"short", LIFE).await;
    subject.plant(content(&endless), b"endless", None).await;
    let keys = [long.as_str(), &short, &endless, &missing];
    let seen = scan.glimpse(Workload::Catalog, &keys).await.expect("the store answers");
    let [Some(long), Some(short), Some(endless), None] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((long.len, long.head.len()), (1_000, crate::frame::HEADER_BYTES));
    assert_eq!((short.len, &short.head[..]), (5, &b"short"[..]));
    assert_eq!(endless.remaining, None);
    assert!(long.remaining.is_some_and(|life| life > Duration::ZERO && Some(life) <= LIFE));
    assert_eq!(scan.glimpse(Workload::Catalog, &[]).await, Ok(Vec::new()));
}

/// What is removed is gone, and only that.
pub async fn what_is_unlinked_is_gone(subject: &dyn Subject, scan: Arc<dyn KeyScan>) {
    let (tenant, product) = (new_tenant(), ProductId::generate());
    let key = |version| inventory::stock_item_key(&tenant, product, Version::new(version)).text();
    let keys: Vec<String> = (1..=4).map(key).collect();
    for key in &keys[..3] {
        subject.plant(content(key), b"x", LIFE).await;
    }
    let gone = [keys[0].as_str(), &keys[1], &keys[3]];
    assert_eq!(scan.unlink(Workload::Catalog, &gone).await, Ok(2), "the fourth was never there");
    assert!(subject.peek(content(&keys[0])).await.is_none());
    assert!(subject.peek(content(&keys[2])).await.is_some());
    assert_eq!(scan.unlink(Workload::Catalog, &[]).await, Ok(0));
}

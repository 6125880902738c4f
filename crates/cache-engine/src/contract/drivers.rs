//! One driver a keyspace: how its port is called, whatever its value type.

use std::time::Duration;

use cache_ports::{
    BoxFuture, CacheUnavailable, Caches, ReadError, ReadResult, ServedFrom, UserKey,
    access::keyspaces as access,
    catalog::keyspaces as catalog,
    eligibility::{Asked, EligibilityVerdict, keyspaces as eligibility},
    inventory::keyspaces as inventory,
    keyspace::{Coherence, Keyspace},
    order::keyspaces as order,
    pricing::keyspaces as pricing,
    quote::keyspaces as quote,
};
use kernel::{ContentHash, TenantId, Version};
use serde::Serialize;
use uuid::Uuid;

use super::{authority::Authority, samples};
use crate::store::Place;

/// What a read gave, whatever its type.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The version; none when the object does not exist.
    pub version: Option<Version>,
    /// Which tier answered.
    pub source: Option<ServedFrom>,
    /// How old the answer was.
    pub age: Duration,
    /// The value, as JSON.
    pub value: serde_json::Value,
    /// The bytes ready to be sent.
    pub json: Option<serde_json::Value>,
}

type Reading = fn(Caches, TenantId, u8, Option<Version>, Authority) -> BoxFuture<'static, Result<Outcome, ReadError>>;
/// How a port is told that an object changed.
pub type Invalidating = fn(Caches, TenantId, u8, Version) -> BoxFuture<'static, Result<(), CacheUnavailable>>;

/// How one keyspace is used. Its keys are numbered by a small integer.
#[derive(Clone, Copy)]
pub struct Driver {
    /// The keyspace.
    pub keyspace: &'static Keyspace,
    /// The key of an object.
    pub key: fn(&TenantId, u8) -> String,
    /// Reads an object through its port.
    pub read: Reading,
    /// Tells its port that the object changed; only where events invalidate.
    pub invalidate: Option<Invalidating>,
}

impl Driver {
    /// Where an object lies.
    pub const fn place<'a>(&self, key: &'a str) -> Place<'a> {
        Place { workload: self.keyspace.workload, key }
    }

    /// Reads object 1 and expects an answer.
    pub async fn get(&self, caches: &Caches, tenant: &TenantId, authority: &Authority) -> Outcome {
        self.get_at_least(caches, tenant, None, authority).await
    }

    /// Reads object 1 in at least that version and expects an answer.
    pub async fn get_at_least(
        &self,
        caches: &Caches,
        tenant: &TenantId,
        min: Option<u64>,
        authority: &Authority,
    ) -> Outcome {
        let read = (self.read)(caches.clone(), tenant.clone(), 1, min.map(Version::new), authority.clone());
        match read.await {
            Ok(outcome) => outcome,
            Err(error) => panic!("{}: {error}", self.keyspace.name),
        }
    }
}

fn outcome<T: Serialize>(answer: ReadResult<T>) -> Result<Outcome, ReadError> {
    let parse = |bytes: bytes::Bytes| serde_json::from_slice(&bytes).expect("the bytes to be sent are JSON");
    Ok(match answer? {
        None => {
            Outcome { version: None, source: None, age: Duration::ZERO, value: serde_json::Value::Null, json: None }
        }
        Some(served) => Outcome {
            version: Some(served.version),
            source: Some(served.source),
            age: served.age,
            value: serde_json::to_value(&*served.value).expect("a cached value is JSON"),
            json: served.json.map(parse),
        },
    })
}

fn id<T: From<Uuid>>(which: u8) -> T {
    Uuid::from_bytes([which; 16]).into()
}

const fn hash_of(which: u8) -> [u8; 32] {
    [which; 32]
}

/// In the key of a versioned keyspace; the value's own version is the authority's.
const KEYED: Version = Version::new(3);

macro_rules! read {
    ($make:path, |$caches:ident, $tenant:ident, $which:ident, $min:ident, $load:ident| $call:expr) => {
        |$caches, $tenant, $which, $min, authority| {
            Box::pin(async move {
                let _ = $min;
                let load = authority.load($make);
                let $load = &load;
                let $tenant = &$tenant;
                outcome($call.await)
            })
        }
    };
}

const fn same(version: Version) -> Version {
    version
}

/// A driver for every keyspace that is read through.
pub fn all() -> Vec<Driver> {
    let mut drivers = of_catalog_and_inventory();
    drivers.extend(of_pricing());
    drivers.extend(of_quote_and_order());
    drivers.extend(of_eligibility());
    drivers.extend(of_access());
    drivers
}

fn of_catalog_and_inventory() -> Vec<Driver> {
    vec![
        Driver {
            keyspace: &catalog::OFFERING,
            key: |tenant, which| catalog::offering_key(tenant, id(which), id(which), "en").text(),
            read: read!(samples::offering, |caches, tenant, which, min, load| {
                caches.catalog.offering(tenant, id(which), id(which), "en", load)
            }),
            invalidate: None,
        },
        Driver {
            keyspace: &catalog::ACTIVE_PUBLICATION,
            key: |tenant, _| catalog::active_publication_key(tenant).text(),
            read: read!(samples::active_publication, |caches, tenant, _which, min, load| {
                caches.catalog.active_publication(tenant, min, load)
            }),
            invalidate: Some(|caches, tenant, _, version| {
                Box::pin(async move { caches.catalog.publication_activated(&tenant, version).await })
            }),
        },
        Driver {
            keyspace: &catalog::SEARCH_PAGE,
            key: |tenant, which| catalog::search_page_key(tenant, id(which), ContentHash::from(hash_of(which))).text(),
            read: read!(samples::search_page, |caches, tenant, which, min, load| {
                caches.catalog.search_page(tenant, id(which), ContentHash::from(hash_of(which)), load)
            }),
            invalidate: None,
        },
        Driver {
            keyspace: &inventory::STOCK_ITEM,
            key: |tenant, which| inventory::stock_item_key(tenant, id(which), KEYED).text(),
            read: read!(samples::stock_item, |caches, tenant, which, min, load| {
                caches.inventory.item(tenant, id(which), KEYED, load)
            }),
            invalidate: None,
        },
        Driver {
            keyspace: &inventory::STOCK_VERSION,
            key: |tenant, which| inventory::stock_version_key(tenant, id(which)).text(),
            read: read!(same, |caches, tenant, which, min, load| {
                caches.inventory.version_pointer(tenant, id(which), min, load)
            }),
            invalidate: Some(|caches, tenant, which, version| {
                Box::pin(async move { caches.inventory.stock_changed(&tenant, id(which), version).await })
            }),
        },
    ]
}

fn of_pricing() -> Vec<Driver> {
    vec![
        Driver {
            keyspace: &pricing::PRICE_BOOK,
            key: |tenant, which| pricing::price_book_key(tenant, id(which), KEYED).text(),
            read: read!(samples::price_book, |caches, tenant, which, min, load| {
                caches.pricing.price_book(tenant, id(which), KEYED, load)
            }),
            invalidate: None,
        },
        Driver {
            keyspace: &pricing::PRICE_BOOK_VERSION,
            key: |tenant, which| pricing::price_book_version_key(tenant, id(which)).text(),
            read: read!(same, |caches, tenant, which, min, load| {
                caches.pricing.active_price_book_version(tenant, id(which), min, load)
            }),
            invalidate: Some(|caches, tenant, which, version| {
                Box::pin(async move { caches.pricing.price_book_updated(&tenant, id(which), version).await })
            }),
        },
        Driver {
            keyspace: &pricing::PRICE_PREVIEW,
            key: |tenant, which| {
                let hash = ContentHash::from(hash_of(which));
                pricing::preview_key(tenant, id(which), hash, hash).text()
            },
            read: read!(samples::price_preview, |caches, tenant, which, min, load| {
                let hash = ContentHash::from(hash_of(which));
                caches.pricing.preview(tenant, id(which), hash, hash, load)
            }),
            invalidate: None,
        },
        Driver {
            keyspace: &pricing::FINAL_PRICE,
            key: |tenant, which| pricing::final_price_key(tenant, id(which), 1, id(which)).text(),
            read: read!(samples::final_price, |caches, tenant, which, min, load| {
                caches.pricing.final_price(tenant, id(which), 1, id(which), load)
            }),
            invalidate: None,
        },
    ]
}

fn of_quote_and_order() -> Vec<Driver> {
    vec![
        Driver {
            keyspace: &quote::QUOTE_SUMMARY,
            key: |tenant, which| quote::quote_summary_key(tenant, id(which), 1).text(),
            read: read!(samples::quote_summary, |caches, tenant, which, min, load| {
                caches.quote.summary(tenant, id(which), 1, min, load)
            }),
            invalidate: Some(|caches, tenant, which, version| {
                Box::pin(async move { caches.quote.quote_changed(&tenant, id(which), 1, version).await })
            }),
        },
        Driver {
            keyspace: &order::ORDER_SUMMARY,
            key: |tenant, which| order::order_summary_key(tenant, id(which), KEYED).text(),
            read: read!(samples::order_summary, |caches, tenant, which, min, load| {
                caches.order.summary(tenant, id(which), KEYED, load)
            }),
            invalidate: None,
        },
        Driver {
            keyspace: &order::WORKFLOW_SUMMARY,
            key: |tenant, which| order::workflow_summary_key(tenant, id(which)).text(),
            read: read!(samples::workflow_summary, |caches, tenant, which, min, load| {
                caches.order.workflow(tenant, id(which), min, load)
            }),
            invalidate: Some(|caches, tenant, which, version| {
                Box::pin(async move { caches.order.order_changed(&tenant, id(which), version).await })
            }),
        },
    ]
}

fn of_eligibility() -> Vec<Driver> {
    vec![
        verdicts(
            &eligibility::ELIGIBLE,
            |tenant, which| eligibility::eligible_key(tenant, &asked(which, Version::ZERO), id(which)).text(),
            |caches, tenant, which, min, authority| Box::pin(verdict(caches, tenant, which, min, authority, true)),
        ),
        verdicts(
            &eligibility::NOT_ELIGIBLE,
            |tenant, which| eligibility::not_eligible_key(tenant, &asked(which, Version::ZERO), id(which)).text(),
            |caches, tenant, which, min, authority| Box::pin(verdict(caches, tenant, which, min, authority, false)),
        ),
        Driver {
            keyspace: &eligibility::ACTIVE_POLICY,
            key: |tenant, _| eligibility::active_policy_key(tenant).text(),
            read: read!(same, |caches, tenant, _which, min, load| {
                caches.eligibility.active_policy(tenant, min, load)
            }),
            invalidate: Some(|caches, tenant, _, version| {
                Box::pin(async move { caches.eligibility.policy_changed(&tenant, version).await })
            }),
        },
        Driver {
            keyspace: &eligibility::CUSTOMER_VERSION,
            key: |tenant, which| eligibility::customer_version_key(tenant, id(which)).text(),
            read: read!(same, |caches, tenant, which, min, load| {
                caches.eligibility.customer_version(tenant, id(which), min, load)
            }),
            invalidate: Some(|caches, tenant, which, version| {
                Box::pin(async move { caches.eligibility.customer_changed(&tenant, id(which), version).await })
            }),
        },
    ]
}

fn of_access() -> Vec<Driver> {
    vec![
        Driver {
            keyspace: &access::ACCESS_PROFILE,
            key: |tenant, which| access::access_profile_key(tenant, &user(which), KEYED).text(),
            read: read!(samples::access_profile, |caches, tenant, which, min, load| {
                caches.access.profile(tenant, &user(which), KEYED, min, load)
            }),
            invalidate: Some(|caches, tenant, which, version| {
                Box::pin(async move { caches.access.subject_changed(&tenant, &user(which), KEYED, version).await })
            }),
        },
        Driver {
            keyspace: &access::ACTIVE_ACCESS_POLICY,
            key: |tenant, _| access::active_access_policy_key(tenant).text(),
            read: read!(same, |caches, tenant, _which, min, load| { caches.access.active_policy(tenant, min, load) }),
            invalidate: Some(|caches, tenant, _, version| {
                Box::pin(async move { caches.access.policy_changed(&tenant, version).await })
            }),
        },
    ]
}

fn user(which: u8) -> UserKey {
    ContentHash::from(hash_of(which)).into()
}

const fn verdicts(keyspace: &'static Keyspace, key: fn(&TenantId, u8) -> String, read: Reading) -> Driver {
    Driver { keyspace, key, read, invalidate: None }
}

fn asked(which: u8, customer_version: Version) -> Asked {
    Asked { policy: KEYED, customer: id(which), customer_version }
}

/// One verdict, asked for as a batch of one.
async fn verdict(
    caches: Caches,
    tenant: TenantId,
    which: u8,
    min: Option<Version>,
    authority: Authority,
    eligible: bool,
) -> Result<Outcome, ReadError> {
    // As all samples, it says nothing about the object but its version.
    let load = authority.load(move |_| samples::verdict(id(1), eligible));
    let asked = asked(which, min.unwrap_or(Version::ZERO));
    let mut answers = caches.eligibility.verdicts(&tenant, asked, &[id(which)], &|_| load()).await;
    let answer: ReadResult<EligibilityVerdict> = answers.pop().expect("one was asked for");
    outcome(answer)
}

/// The drivers of keyspaces whose readers demand a version.
pub fn demanding() -> Vec<Driver> {
    let demands =
        |driver: &Driver| matches!(driver.keyspace.coherence, Coherence::EventInvalidated(_) | Coherence::Hybrid(_));
    all().into_iter().filter(demands).collect()
}

/// The drivers of keyspaces that events invalidate.
pub fn invalidated() -> Vec<(Driver, Invalidating)> {
    all().into_iter().filter_map(|driver| driver.invalidate.map(|invalidate| (driver, invalidate))).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_keyspace_that_is_loaded_has_a_driver() {
        let driven: Vec<_> = super::all().iter().map(|driver| driver.keyspace.name).collect();
        for keyspace in cache_ports::registry::all().filter(|keyspace| keyspace.loading.is_some()) {
            assert!(driven.contains(&keyspace.name), "{}", keyspace.name);
        }
    }
}

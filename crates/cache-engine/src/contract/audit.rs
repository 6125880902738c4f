//! Lies planted for the auditor: each is found under its own kind, counted, repaired, and the next read is right.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

use cache_ports::{Loaded, ServedFrom, Witness, keyspace::Audit, keyspace::Keyspace};
use kernel::{TenantId, Version};
use serde_json::{Value, json};

use super::{
    Subject,
    authority::Authority,
    drivers::{self, Driver},
    new_tenant, process,
};
use crate::{
    audit::{AuditRules, Auditor, inspection::Extent, report::Report, verdict::Mismatch},
    scan::KeyScan,
};

/// What the authority has, and what it had before.
pub const NOW: u64 = 9;
/// See [`NOW`].
pub const BEFORE: u64 = 5;
/// Below the version that the drivers put into numbered keys.
const BELOW_THE_KEY: u64 = 2;
/// An entry may live for only two seconds: on a busy machine it may be gone before it is looked at.
const ATTEMPTS: usize = 20;

/// What an authority says, by key.
#[derive(Clone, Default)]
pub struct Truths(Arc<Mutex<HashMap<String, (Version, Value)>>>);

impl Truths {
    /// It has this.
    pub fn say(&self, key: &str, version: u64, value: Value) {
        self.lock().insert(key.to_owned(), (Version::new(version), value));
    }

    /// It has no such thing.
    pub fn deny(&self, key: &str) {
        self.lock().remove(key);
    }

    /// The witness who repeats it.
    pub fn witness(&self, keyspace: &'static Keyspace) -> Witness {
        Witness::of(keyspace, self.clone(), |truths, key| async move {
            let known = truths.lock().get(&key.key().text()).cloned();
            Ok(Loaded::from_row(known.map(|(version, value)| (value, version))))
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Version, Value)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The drivers of keyspaces that are compared with their authority.
pub fn compared() -> Vec<Driver> {
    drivers::all().into_iter().filter(|driver| driver.keyspace.audit.asks_the_authority()).collect()
}

/// Fills object `which` as the engine does when the authority has `version`; the key, and what was filled.
pub async fn fill(
    subject: &dyn Subject,
    driver: &Driver,
    tenant: &TenantId,
    which: u8,
    version: u64,
) -> (String, Value) {
    let read = (driver.read)(process(subject), tenant.clone(), which, None, Authority::with(version));
    let value = read.await.expect("the authority answers").value;
    ((driver.key)(tenant, which), value)
}

/// The kinds of lies that are planted here.
const LIES: [Mismatch; 9] = [
    Mismatch::StaleVersion,
    Mismatch::UnknownVersion,
    Mismatch::OtherContent,
    Mismatch::ShouldNotExist,
    Mismatch::ShouldExist,
    Mismatch::OtherTenant,
    Mismatch::Undecodable,
    Mismatch::NoEndOfLife,
    Mismatch::LivesTooLong,
];

/// Plants a lie about object 1; `None` where a keyspace cannot tell it.
async fn plant(
    subject: &dyn Subject,
    truths: &Truths,
    driver: &Driver,
    tenant: &TenantId,
    lie: Mismatch,
) -> Option<String> {
    let filled = match lie {
        Mismatch::StaleVersion if driver.keyspace.numbered_by().is_some() => BELOW_THE_KEY,
        Mismatch::StaleVersion => BEFORE,
        Mismatch::UnknownVersion => NOW + 1,
        Mismatch::OtherContent if driver.keyspace.audit != Audit::Compared => return None,
        Mismatch::ShouldExist if driver.keyspace.ttl.negative.is_none() => return None,
        Mismatch::ShouldExist => 0,
        _ => NOW,
    };
    let (key, value) = fill(subject, driver, tenant, 1, filled).await;
    match lie {
        Mismatch::OtherContent => truths.say(&key, NOW, json!({ "other": true })),
        Mismatch::ShouldNotExist => truths.deny(&key),
        _ => truths.say(&key, NOW, value),
    }
    let at = driver.place(&key);
    let own = async || subject.peek(at).await.map_or_else(Vec::new, |stored| stored.bytes.to_vec());
    let whole = Some(driver.keyspace.ttl.hard);
    match lie {
        Mismatch::OtherTenant => {
            let (foreign, _) = fill(subject, driver, &new_tenant(), 1, NOW).await;
            let bytes =
                subject.peek(driver.place(&foreign)).await.map_or_else(Vec::new, |stored| stored.bytes.to_vec());
            subject.plant(at, &bytes, whole).await;
        }
        Mismatch::Undecodable => subject.plant(at, b"not a frame", whole).await,
        Mismatch::NoEndOfLife => subject.plant(at, &own().await, None).await,
        Mismatch::LivesTooLong => subject.plant(at, &own().await, Some(Duration::from_hours(48))).await,
        _ => {}
    }
    Some(key)
}

/// Plants a lie and audits, as often as it takes for the lie to live until it is looked at.
async fn audited(
    subject: &dyn Subject,
    scan: &Arc<dyn KeyScan>,
    driver: &Driver,
    lie: Mismatch,
    repair: bool,
) -> Option<(TenantId, String, Report)> {
    for _ in 0..ATTEMPTS {
        let (truths, tenant) = (Truths::default(), new_tenant());
        let key = plant(subject, &truths, driver, &tenant, lie).await?;
        // No grace: a second look follows the first at once.
        let rules = AuditRules { grace: Duration::ZERO, repair };
        let witnesses = vec![truths.witness(driver.keyspace)];
        let auditor = Auditor::new(subject.store(), scan.clone(), vec![driver.keyspace], witnesses, rules);
        let report = auditor.inspect(&[driver.keyspace], Some(&tenant), Extent::All, |_| ()).await;
        let report = report.expect("the store answers");
        if report.mismatches() > 0 {
            return Some((tenant, key, report));
        }
    }
    panic!("{}: {} was not found", driver.keyspace.name, lie.as_str());
}

/// See the module.
pub async fn every_lie_is_found_under_its_kind_and_repaired(subject: &dyn Subject, scan: Arc<dyn KeyScan>) {
    let mut told: BTreeMap<Mismatch, usize> = BTreeMap::new();
    for driver in compared() {
        for lie in LIES {
            let Some((_, key, found)) = audited(subject, &scan, &driver, lie, false).await else { continue };
            let what = format!("{}: {}", driver.keyspace.name, lie.as_str());
            let own = found.of(driver.keyspace).expect("it is audited");
            assert_eq!((own.mismatches(), own.wrong.get(&lie)), (1, Some(&1)), "{what}: {:?}", found.findings);
            assert_eq!((found.remaining(), found.findings[0].key.as_str()), (1, key.as_str()), "{what}");

            let Some((tenant, key, found)) = audited(subject, &scan, &driver, lie, true).await else { continue };
            assert_eq!((found.mismatches(), found.remaining()), (1, 0), "{what}");
            let next = driver.get(&process(subject), &tenant, &Authority::with(NOW)).await;
            assert_eq!((next.version, next.source), (Some(Version::new(NOW)), Some(ServedFrom::Authority)), "{what}");
            assert!(subject.peek(driver.place(&key)).await.is_some(), "{what}: what was read is kept");
            *told.entry(lie).or_default() += 1;
        }
    }
    assert_eq!(told.len(), LIES.len(), "some lies were never told: {told:?}");
}

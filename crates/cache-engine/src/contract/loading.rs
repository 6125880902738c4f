//! Loads: how many, by whom, and what becomes of them.

use std::time::Duration;

use cache_ports::{ReadError, ServedFrom};
use kernel::Version;

use super::{Subject, authority::Authority, drivers, new_tenant, process};

const READERS: usize = 50;

/// However many ask in one process.
pub async fn concurrent_misses_load_once(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::slow(3));
        let reads = (0..READERS).map(|_| {
            let (caches, tenant, authority) = (caches.clone(), tenant.clone(), authority.clone());
            tokio::spawn(async move { driver.get(&caches, &tenant, &authority).await })
        });
        for read in reads.collect::<Vec<_>>() {
            assert_eq!(read.await.expect("the reader ends").version, Some(Version::new(3)));
        }
        assert_eq!(authority.asked(), 1, "{}", driver.keyspace.name);
    }
}

/// The lease keeps the second process waiting for the first one's value.
pub async fn two_processes_load_once_between_them(subject: &dyn Subject) {
    let processes = [process(subject), process(subject)];
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::slow(3));
        let reads = (0..READERS).map(|reader| {
            let caches = processes[reader % processes.len()].clone();
            let (tenant, authority) = (tenant.clone(), authority.clone());
            tokio::spawn(async move { driver.get(&caches, &tenant, &authority).await })
        });
        for read in reads.collect::<Vec<_>>() {
            assert_eq!(read.await.expect("the reader ends").version, Some(Version::new(3)));
        }
        assert_eq!(authority.asked(), 1, "{}", driver.keyspace.name);
    }
}

/// The error reaches the caller; the next one need not wait for the lease to run out.
pub async fn a_failed_load_gives_the_lease_back(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let tenant = new_tenant();
        let failed = (driver.read)(caches.clone(), tenant.clone(), 1, None, Authority::failing()).await;
        match failed {
            Err(ReadError::Authority(error)) => {
                assert!(error.downcast_ref::<super::authority::Away>().is_some(), "{error}");
            }
            other => panic!("{}: {other:?}", driver.keyspace.name),
        }
        let key = (driver.key)(&tenant, 1);
        assert!(subject.peek(driver.place(&key)).await.is_none(), "{}", driver.keyspace.name);
        let next = driver.get(&caches, &tenant, &Authority::with(1)).await;
        assert_eq!(next.version, Some(Version::FIRST));
        assert_eq!(driver.get(&caches, &tenant, &Authority::with(1)).await.source, Some(ServedFrom::L2));
    }
}

/// All who wait get an error, and the next load runs.
pub async fn a_panicking_load_frees_its_key(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let tenant = new_tenant();
        let broken = (driver.read)(caches.clone(), tenant.clone(), 1, None, Authority::panicking()).await;
        assert!(matches!(broken, Err(ReadError::Authority(_))), "{}: {broken:?}", driver.keyspace.name);
        let next = driver.get(&caches, &tenant, &Authority::with(2)).await;
        assert_eq!(next.version, Some(Version::new(2)), "{}", driver.keyspace.name);
    }
}

/// The load belongs to all who wait, and to the cache.
pub async fn a_caller_who_leaves_does_not_stop_the_load(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::gated(3));
        let impatient = tokio::spawn({
            let (caches, tenant, authority) = (caches.clone(), tenant.clone(), authority.clone());
            async move { driver.get(&caches, &tenant, &authority).await }
        });
        authority.until_asked().await;
        impatient.abort();
        assert!(impatient.await.is_err_and(|ended| ended.is_cancelled()));
        authority.open();
        let patient = driver.get(&caches, &tenant, &authority).await;
        assert_eq!((patient.version, authority.asked()), (Some(Version::new(3)), 1), "{}", driver.keyspace.name);
    }
}

/// Nor does it leave anything behind.
pub async fn a_flush_in_the_middle_of_a_load_changes_no_answer(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, authority) = (new_tenant(), Authority::gated(3));
        let reading = tokio::spawn({
            let (caches, tenant, authority) = (caches.clone(), tenant.clone(), authority.clone());
            async move { driver.get(&caches, &tenant, &authority).await }
        });
        authority.until_asked().await;
        subject.flush().await;
        authority.open();
        assert_eq!(reading.await.expect("the reader ends").version, Some(Version::new(3)));
        let key = (driver.key)(&tenant, 1);
        assert!(subject.peek(driver.place(&key)).await.is_none(), "{}: a fill without its lease", driver.keyspace.name);
        let next = driver.get(&caches, &tenant, &authority).await;
        assert_eq!((next.version, next.source), (Some(Version::new(3)), Some(ServedFrom::Authority)));
    }
}

/// One more than that is told to come back.
pub async fn the_authority_is_asked_by_a_bounded_number(subject: &dyn Subject) {
    let caches = process(subject);
    let Some(driver) = drivers::all().into_iter().find(|driver| driver.keyspace.name == "order summary") else {
        panic!("there is such a keyspace")
    };
    let most = driver.keyspace.loading.map_or(0, |limits| limits.at_once);
    let (tenant, authority) = (new_tenant(), Authority::gated(3));
    let reads: Vec<_> = (0..=u8::try_from(most).expect("a small number"))
        .map(|which| {
            let read = (driver.read)(caches.clone(), tenant.clone(), which, None, authority.clone());
            tokio::spawn(read)
        })
        .collect();
    super::until("as many questions as allowed", async || authority.asked() == most as usize).await;
    // The one too many gives up by itself; only then may the others go on.
    super::until("a refusal", async || reads.iter().any(tokio::task::JoinHandle::is_finished)).await;
    assert_eq!(authority.asked(), most as usize);
    authority.open();
    let mut refused = 0;
    for read in reads {
        match read.await.expect("the reader ends") {
            Ok(outcome) => assert_eq!(outcome.version, Some(Version::new(3))),
            Err(ReadError::Overloaded { retry_after }) => {
                assert!(retry_after > Duration::ZERO);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(refused, 1);
}

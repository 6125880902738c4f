//! Invalidation through the engine.

use std::time::Duration;

use cache_ports::ServedFrom;
use kernel::Version;

use super::{Subject, authority::Authority, drivers, new_tenant, process};

/// Not another object's, not another tenant's; and a late event removes nothing.
pub async fn an_event_removes_exactly_its_key(subject: &dyn Subject) {
    let caches = process(subject);
    for (driver, invalidate) in drivers::invalidated() {
        let (tenant, other_tenant, name) = (new_tenant(), new_tenant(), driver.keyspace.name);
        let authority = Authority::with(3);
        let read = async |tenant: &kernel::TenantId, which: u8| {
            let read = (driver.read)(caches.clone(), tenant.clone(), which, None, authority.clone());
            read.await.expect("an answer").source
        };
        let objects = [(&tenant, 1), (&tenant, 2), (&other_tenant, 1)];
        for (tenant, which) in objects {
            read(tenant, which).await;
        }
        invalidate(caches.clone(), tenant.clone(), 1, Version::new(3)).await.expect("the store answers");
        assert_eq!(
            read(&tenant, 1).await,
            Some(ServedFrom::L2),
            "{name}: an event of the same version removes nothing"
        );
        authority.commit(4);
        invalidate(caches.clone(), tenant.clone(), 1, Version::new(4)).await.expect("the store answers");
        assert_eq!(read(&other_tenant, 1).await, Some(ServedFrom::L2), "{name}");
        if driver.keyspace.dimensions.len() > 1 {
            // The others have one key a tenant.
            assert_eq!(read(&tenant, 2).await, Some(ServedFrom::L2), "{name}");
        }
        assert_eq!(read(&tenant, 1).await, Some(ServedFrom::Authority), "{name}");
        assert_eq!(read(&tenant, 1).await, Some(ServedFrom::L2), "{name}");
    }
}

/// The reader gets what it read; nobody after it does.
pub async fn a_slow_reader_cannot_store_what_was_invalidated(subject: &dyn Subject) {
    for (driver, invalidate) in drivers::invalidated() {
        let (reader, writer) = (process(subject), process(subject));
        let tenant = new_tenant();
        let authority = Authority::gated(6);
        let slow = tokio::spawn({
            let (reader, tenant, authority) = (reader.clone(), tenant.clone(), authority.clone());
            async move { driver.get(&reader, &tenant, &authority).await }
        });
        authority.until_asked().await;
        authority.commit(7);
        invalidate(writer.clone(), tenant.clone(), 1, Version::new(7)).await.expect("the store answers");
        authority.open();
        assert_eq!(slow.await.expect("the reader ends").version, Some(Version::new(6)));
        let next = driver.get(&reader, &tenant, &authority).await;
        assert_eq!((next.version, next.source), (Some(Version::new(7)), Some(ServedFrom::Authority)));
        assert_eq!(driver.get(&writer, &tenant, &authority).await.version, Some(Version::new(7)));
    }
}

/// In the process that invalidates, a reader who comes afterwards starts a load of its own.
pub async fn nobody_joins_a_load_older_than_the_invalidation(subject: &dyn Subject) {
    for (driver, invalidate) in drivers::invalidated() {
        let (caches, tenant) = (process(subject), new_tenant());
        let before = Authority::gated(6);
        let slow = tokio::spawn({
            let (caches, tenant, before) = (caches.clone(), tenant.clone(), before.clone());
            async move { driver.get(&caches, &tenant, &before).await }
        });
        before.until_asked().await;
        invalidate(caches.clone(), tenant.clone(), 1, Version::new(7)).await.expect("the store answers");
        let after = driver.get(&caches, &tenant, &Authority::with(7)).await;
        assert_eq!(after.version, Some(Version::new(7)), "{}", driver.keyspace.name);
        before.open();
        slow.await.expect("the reader ends");
        let kept = driver.get(&caches, &tenant, &Authority::with(7)).await;
        assert_eq!((kept.version, kept.source), (Some(Version::new(7)), Some(ServedFrom::L2)));
    }
}

/// In a process that has only the tombstone to go by, a reader who comes afterwards does not take the old answer either.
pub async fn nobody_joins_a_load_that_another_process_made_old(subject: &dyn Subject) {
    /// For the reader to join the load under way; it cannot be seen from outside, and the answer is right without.
    const TIME_TO_JOIN: Duration = Duration::from_millis(50);
    for (driver, invalidate) in drivers::invalidated() {
        for (old, new) in [(Authority::gated(6), 7), (Authority::gated(0), 1)] {
            let (reader, writer) = (process(subject), process(subject));
            let tenant = new_tenant();
            let get = |authority: Authority| {
                let (reader, tenant) = (reader.clone(), tenant.clone());
                tokio::spawn(async move { driver.get(&reader, &tenant, &authority).await.version })
            };
            let slow = get(old.clone());
            old.until_asked().await;
            invalidate(writer, tenant.clone(), 1, Version::new(new)).await.expect("the store answers");
            let mut next = get(Authority::with(new));
            let early = tokio::time::timeout(TIME_TO_JOIN, &mut next).await.ok();
            old.open();
            slow.await.expect("the reader ends");
            let version = match early {
                Some(version) => version,
                None => next.await,
            };
            assert_eq!(version.expect("the reader ends"), Some(Version::new(new)), "{}", driver.keyspace.name);
        }
    }
}

/// A caller who has seen a version gets no older one, from the store or from a load under way.
pub async fn a_demanded_version_is_never_undercut(subject: &dyn Subject) {
    for driver in drivers::demanding() {
        let (caches, tenant) = (process(subject), new_tenant());
        let authority = Authority::with(3);
        driver.get(&caches, &tenant, &authority).await;
        authority.commit(5);
        let at_rest = driver.get(&caches, &tenant, &authority).await;
        assert_eq!((at_rest.version, at_rest.source), (Some(Version::new(3)), Some(ServedFrom::L2)));
        let demanded = driver.get_at_least(&caches, &tenant, Some(5), &authority).await;
        assert_eq!(demanded.version, Some(Version::new(5)), "{}", driver.keyspace.name);
        assert_eq!(driver.get(&caches, &tenant, &authority).await.version, Some(Version::new(5)), "and it is kept");

        let tenant = new_tenant();
        let old = Authority::gated(3);
        let slow = tokio::spawn({
            let (caches, tenant, old) = (caches.clone(), tenant.clone(), old.clone());
            async move { driver.get(&caches, &tenant, &old).await }
        });
        old.until_asked().await;
        let new = Authority::with(5);
        let demanding = tokio::spawn({
            let (caches, tenant, new) = (caches.clone(), tenant.clone(), new.clone());
            async move { driver.get_at_least(&caches, &tenant, Some(5), &new).await }
        });
        tokio::task::yield_now().await;
        old.open();
        slow.await.expect("the reader ends");
        let demanded = demanding.await.expect("the reader ends");
        assert_eq!(demanded.version, Some(Version::new(5)), "{}", driver.keyspace.name);
    }
}

/// "Does not exist" gives way to the first version.
pub async fn a_created_object_is_seen_after_its_event(subject: &dyn Subject) {
    let caches = process(subject);
    for (driver, invalidate) in drivers::invalidated() {
        let (tenant, authority) = (new_tenant(), Authority::without());
        assert_eq!(driver.get(&caches, &tenant, &authority).await.version, None);
        authority.commit(1);
        let remembers_absence = driver.keyspace.ttl.negative.is_some();
        let seen = driver.get(&caches, &tenant, &authority).await.version;
        assert_eq!(seen.is_none(), remembers_absence, "{}: remembered until the event comes", driver.keyspace.name);
        invalidate(caches.clone(), tenant.clone(), 1, Version::FIRST).await.expect("the store answers");
        assert_eq!(driver.get(&caches, &tenant, &authority).await.version, Some(Version::FIRST));
    }
}

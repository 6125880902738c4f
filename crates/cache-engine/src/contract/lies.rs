//! What a store may say that is not true.

use std::time::Duration;

use cache_ports::ServedFrom;
use kernel::Version;

use super::{
    Subject,
    authority::Authority,
    drivers::{self, Driver},
    new_tenant, process,
};
use crate::frame::{HEADER_BYTES, offset};

const LONG: Duration = Duration::from_secs(30);

/// The frame the engine itself keeps for object `which` of a new tenant.
async fn genuine(subject: &dyn Subject, driver: &Driver, which: u8) -> (kernel::TenantId, Vec<u8>) {
    let (caches, tenant) = (process(subject), new_tenant());
    let read = (driver.read)(caches, tenant.clone(), which, None, Authority::with(9));
    read.await.expect("the authority answers");
    let key = (driver.key)(&tenant, which);
    let stored = subject.peek(driver.place(&key)).await.expect("it is kept");
    (tenant, stored.bytes.to_vec())
}

/// Garbage, half a frame, a flipped bit, another tenant's value, another object's value, a value without end, a value too big:
/// the authority answers, and what it says takes the place.
pub async fn what_is_not_ours_is_rejected_and_replaced(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, own) = genuine(subject, &driver, 1).await;
        let (_, foreign) = genuine(subject, &driver, 1).await;
        let other_object = {
            let read = (driver.read)(caches.clone(), tenant.clone(), 2, None, Authority::with(9));
            read.await.expect("the authority answers");
            let key = (driver.key)(&tenant, 2);
            subject.peek(driver.place(&key)).await.expect("it is kept").bytes.to_vec()
        };
        let mut flipped = own.clone();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        let mut other_version = own.clone();
        other_version[offset::VERSION + 7] ^= 1;
        let mut too_big = own.clone();
        too_big.resize(HEADER_BYTES + driver.keyspace.size.max_bytes as usize * 2, b' ');
        let mut lies = vec![
            ("garbage", b"not a frame".to_vec(), Some(LONG)),
            ("a header and no more", own[..HEADER_BYTES].to_vec(), Some(LONG)),
            ("half a frame", own[..own.len() - 2].to_vec(), Some(LONG)),
            ("a flipped bit", flipped, Some(LONG)),
            ("another version in the header", other_version, Some(LONG)),
            ("another tenant's value", foreign, Some(LONG)),
            ("a value too big", too_big, Some(LONG)),
            ("a value without end", own.clone(), None),
        ];
        if driver.keyspace.dimensions.len() > 1 {
            lies.push(("another object's value", other_object, Some(LONG)));
        }
        let key = (driver.key)(&tenant, 1);
        for (lie, bytes, ttl) in lies {
            subject.plant(driver.place(&key), &bytes, ttl).await;
            let told = driver.get(&caches, &tenant, &Authority::with(5)).await;
            let context = format!("{}: {lie}", driver.keyspace.name);
            assert_eq!((told.version, told.source), (Some(Version::new(5)), Some(ServedFrom::Authority)), "{context}");
            let next = driver.get(&caches, &tenant, &Authority::with(6)).await;
            assert_eq!((next.version, next.source), (Some(Version::new(5)), Some(ServedFrom::L2)), "{context}");
        }
    }
}

/// Whole and of the right key, but more than the keyspace allows: a program with a larger limit wrote it.
pub async fn a_value_too_big_is_rejected_where_it_is_read(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, own) = genuine(subject, &driver, 1).await;
        let key = (driver.key)(&tenant, 1);
        let limit = driver.keyspace.size.max_bytes as usize;
        let mut payload = driver.get(&caches, &tenant, &Authority::with(9)).await.value.to_string().into_bytes();
        payload.resize(limit + 1, b' ');
        let packed = lz4_flex::block::compress_prepend_size(&payload);
        let mut too_big = own[..HEADER_BYTES + key.len()].to_vec();
        too_big.extend_from_slice(&packed);
        let body_len = u32::try_from(packed.len()).expect("a small frame").to_be_bytes();
        too_big[offset::BODY_LEN..offset::BODY_LEN + 4].copy_from_slice(&body_len);
        too_big[offset::FLAGS] = crate::frame::COMPRESSED;
        let sum = crate::frame::checksum(&too_big);
        too_big[offset::CHECKSUM..offset::CHECKSUM + 4].copy_from_slice(&sum.to_be_bytes());
        subject.plant(driver.place(&key), &too_big, Some(LONG)).await;
        let told = driver.get(&caches, &tenant, &Authority::with(10)).await;
        assert_eq!(
            (told.version, told.source),
            (Some(Version::new(10)), Some(ServedFrom::Authority)),
            "{}",
            driver.keyspace.name
        );
    }
}

/// A frame of another schema, its checksum right.
fn with_schema(mut frame: Vec<u8>, schema: u16) -> Vec<u8> {
    frame[offset::SCHEMA..offset::SCHEMA + 2].copy_from_slice(&schema.to_be_bytes());
    let sum = crate::frame::checksum(&frame);
    frame[offset::CHECKSUM..offset::CHECKSUM + 4].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Old and new programs share a store during a deployment: the old one neither serves nor replaces what it cannot read.
pub async fn a_newer_schema_is_left_alone(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, own) = genuine(subject, &driver, 1).await;
        let newer = with_schema(own, driver.keyspace.schema.current + 1);
        let key = (driver.key)(&tenant, 1);
        subject.plant(driver.place(&key), &newer, Some(LONG)).await;
        // The authority is ahead of that frame: by its version alone a fill would be let in.
        for version in 20..=21 {
            let told = driver.get(&caches, &tenant, &Authority::with(version)).await;
            assert_eq!((told.version, told.source), (Some(Version::new(version)), Some(ServedFrom::Authority)));
        }
        let left = subject.peek(driver.place(&key)).await.expect("it lies there");
        assert_eq!(left.bytes, newer, "{}", driver.keyspace.name);
    }
}

/// What nobody reads any more makes room.
pub async fn an_older_schema_is_replaced(subject: &dyn Subject) {
    let caches = process(subject);
    for driver in drivers::all() {
        let (tenant, own) = genuine(subject, &driver, 1).await;
        let older = with_schema(own, driver.keyspace.schema.oldest_readable - 1);
        let key = (driver.key)(&tenant, 1);
        subject.plant(driver.place(&key), &older, Some(LONG)).await;
        // The version in a frame of another schema still counts: nothing older may follow it.
        let told = driver.get(&caches, &tenant, &Authority::with(10)).await;
        assert_eq!((told.version, told.source), (Some(Version::new(10)), Some(ServedFrom::Authority)));
        let next = driver.get(&caches, &tenant, &Authority::with(11)).await;
        assert_eq!((next.version, next.source), (Some(Version::new(10)), Some(ServedFrom::L2)));
    }
}

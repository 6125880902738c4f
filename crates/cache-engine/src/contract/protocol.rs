//! The protocol of one key, on the store alone.

use std::time::Duration;

use kernel::{OfferingId, Version};

use super::{Subject, content, new_tenant, until};
use crate::{
    frame::{self, Content, Glance, Kind, Life, glance, offset},
    store::{ByteStore, FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest, LeaseToken},
};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(5);

/// A key nobody else uses.
fn new_key() -> String {
    let tenant = new_tenant();
    let publication = kernel::PublicationId::generate();
    cache_ports::catalog::keyspaces::offering_key(&tenant, publication, OfferingId::generate(), "en").text()
}

fn value(key: &str, version: Version) -> Vec<u8> {
    let keyspace = &cache_ports::catalog::keyspaces::OFFERING;
    let life = Life { soft: LONG, hard: LONG };
    let content = Content { keyspace, key, version, life, generated_at_ms: 0, payload: Some(b"{}") };
    frame::write(&content).expect("a small value fits")
}

async fn lease_over(store: &dyn ByteStore, key: &str, over: Option<u64>) -> (LeaseToken, LeaseReply) {
    let token = LeaseToken::unique();
    let request = LeaseRequest { token, ttl: LONG, over: over.map(Version::new) };
    (token, store.lease(content(key), request).await.expect("the store answers"))
}

async fn leased(store: &dyn ByteStore, key: &str, over: Option<u64>) -> (LeaseToken, Version) {
    match lease_over(store, key, over).await {
        (token, LeaseReply::Granted { at_least }) => (token, at_least),
        (_, other) => panic!("the lease is {other:?}"),
    }
}

async fn fill(store: &dyn ByteStore, key: &str, token: LeaseToken, version: u64) -> FillReply {
    let version = Version::new(version);
    let frame = value(key, version);
    let request = FillRequest { token, version, frame: &frame, ttl: LONG };
    store.fill(content(key), request).await.expect("the store answers")
}

async fn filled(store: &dyn ByteStore, key: &str, version: u64) {
    let (token, _) = leased(store, key, None).await;
    assert_eq!(fill(store, key, token, version).await, FillReply::Stored);
}

async fn invalidate(store: &dyn ByteStore, key: &str, version: u64, ttl: Duration) -> InvalidateReply {
    store.invalidate(content(key), Version::new(version), ttl).await.expect("the store answers")
}

/// Kind and version of what lies there.
async fn lying(store: &dyn ByteStore, key: &str) -> Option<(Kind, u64)> {
    let stored = store.read(content(key)).await.expect("the store answers")?;
    match glance(&stored.bytes) {
        Glance::Ours(header) => Some((header.kind, header.version.get())),
        other => panic!("{other:?} lies there"),
    }
}

/// Without a lease, or with somebody else's, nothing is put.
pub async fn a_fill_needs_its_lease(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    assert_eq!(fill(store, key, LeaseToken::unique(), 1).await, FillReply::LeaseLost);
    let (token, at_least) = leased(store, key, None).await;
    assert_eq!(at_least, Version::ZERO);
    assert_eq!(fill(store, key, LeaseToken::unique(), 1).await, FillReply::LeaseLost);
    assert_eq!(fill(store, key, token, 1).await, FillReply::Stored);
    let stored = store.read(content(key)).await.expect("the store answers").expect("it was filled");
    assert_eq!(stored.bytes, value(key, Version::FIRST));
    assert_eq!(fill(store, key, token, 2).await, FillReply::LeaseLost, "a lease is good for one fill");
}

/// The race this protocol exists for.
pub async fn an_old_fill_cannot_follow_an_invalidation(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    let (slow, _) = leased(store, key, None).await;
    assert_eq!(invalidate(store, key, 7, LONG).await, InvalidateReply::Tombstoned);
    assert_eq!(fill(store, key, slow, 6).await, FillReply::LeaseLost);
    let (behind, at_least) = leased(store, key, None).await;
    assert_eq!(at_least, Version::new(7));
    assert_eq!(fill(store, key, behind, 6).await, FillReply::OlderThanKnown);
    let (fresh, _) = leased(store, key, None).await;
    assert_eq!(fill(store, key, fresh, 7).await, FillReply::Stored);
    assert_eq!(lying(store, key).await, Some((Kind::Value, 7)));
}

/// A late event never evicts the fresh value.
pub async fn an_invalidation_of_the_same_version_changes_nothing(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    filled(store, key, 7).await;
    for late in [7, 6, 1] {
        assert_eq!(invalidate(store, key, late, LONG).await, InvalidateReply::NotOlder);
    }
    assert_eq!(lying(store, key).await, Some((Kind::Value, 7)));
    assert_eq!(invalidate(store, key, 9, LONG).await, InvalidateReply::Tombstoned);
    assert_eq!(invalidate(store, key, 8, LONG).await, InvalidateReply::NotOlder);
    assert_eq!(lying(store, key).await, Some((Kind::Tombstone, 9)));
}

/// One more miss, never staleness.
pub async fn a_lease_that_was_evicted_or_flushed_rejects_the_fill(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    let (token, _) = leased(store, key, None).await;
    subject.evict(content(key)).await;
    assert_eq!(fill(store, key, token, 1).await, FillReply::LeaseLost);
    let (token, _) = leased(store, key, None).await;
    subject.flush().await;
    assert_eq!(fill(store, key, token, 1).await, FillReply::LeaseLost);
    assert_eq!(lying(store, key).await, None);
}

/// Others wait, until it is given back or its time is over.
pub async fn a_lease_is_held_by_one_until_it_ends(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    let (token, _) = leased(store, key, None).await;
    assert_eq!(lease_over(store, key, None).await.1, LeaseReply::Held);
    store.abandon(content(key), LeaseToken::unique()).await.expect("the store answers");
    assert_eq!(lease_over(store, key, None).await.1, LeaseReply::Held);
    store.abandon(content(key), token).await.expect("the store answers");
    assert_eq!(lying(store, key).await, None);
    let request = LeaseRequest { token, ttl: SHORT, over: None };
    store.lease(content(key), request).await.expect("the store answers");
    until("the end of the lease", async || matches!(lease_over(store, key, None).await.1, LeaseReply::Granted { .. }))
        .await;
}

/// While one loads a newer value, all others read the old one.
pub async fn a_refresh_leaves_the_value_readable(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    filled(store, key, 3).await;
    assert_eq!(lease_over(store, key, None).await.1, LeaseReply::Present);
    let (token, at_least) = leased(store, key, Some(3)).await;
    assert_eq!(at_least, Version::new(3));
    assert_eq!(lying(store, key).await, Some((Kind::Value, 3)));
    assert_eq!(lease_over(store, key, Some(3)).await.1, LeaseReply::Held);
    assert_eq!(fill(store, key, token, 4).await, FillReply::Stored);
    assert_eq!(lease_over(store, key, Some(3)).await.1, LeaseReply::Present, "somebody has filled it in the meantime");
    let (token, _) = leased(store, key, Some(4)).await;
    store.abandon(content(key), token).await.expect("the store answers");
    assert_eq!(lying(store, key).await, Some((Kind::Value, 4)), "an unused lease takes no value with it");
}

/// A refresher that dies does not stop the next one, and the value's own life is not touched.
pub async fn a_lease_over_a_value_ends_before_the_value(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    filled(store, key, 3).await;
    let request = LeaseRequest { token: LeaseToken::unique(), ttl: SHORT, over: Some(Version::new(3)) };
    assert!(matches!(store.lease(content(key), request).await, Ok(LeaseReply::Granted { .. })));
    until("the end of the lease", async || {
        matches!(lease_over(store, key, Some(3)).await.1, LeaseReply::Granted { .. })
    })
    .await;
    let life = subject.peek(content(key)).await.and_then(|stored| stored.remaining).expect("the value lives");
    assert!(life <= LONG && life > LONG / 2, "{life:?}");
}

/// A value is never served longer because somebody wants to replace it.
pub async fn a_lease_does_not_lengthen_the_life_of_a_value(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    subject.plant(content(key), &value(key, Version::new(3)), Some(LONG / 10)).await;
    leased(store, key, Some(3)).await;
    let life = subject.peek(content(key)).await.and_then(|stored| stored.remaining).expect("the value lives");
    assert!(life <= LONG / 10, "{life:?}");
}

/// What is known about versions is not forgotten with a lease, and lives at least as long as one.
pub async fn a_tombstone_outlives_the_lease_taken_over_it(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    invalidate(store, key, 7, LONG).await;
    let request = LeaseRequest { token: LeaseToken::unique(), ttl: SHORT, over: None };
    assert_eq!(store.lease(content(key), request).await, Ok(LeaseReply::Granted { at_least: Version::new(7) }));
    until("the end of the lease", async || {
        let request = LeaseRequest { token: LeaseToken::unique(), ttl: SHORT, over: None };
        store.lease(content(key), request).await == Ok(LeaseReply::Granted { at_least: Version::new(7) })
    })
    .await;
    let key = &new_key();
    invalidate(store, key, 7, Duration::from_secs(1)).await;
    leased(store, key, None).await;
    let life = subject.peek(content(key)).await.and_then(|stored| stored.remaining).expect("it lies there");
    assert!(life > LONG / 2, "{life:?}");
}

/// So that the event of a creation replaces it.
pub async fn absence_is_older_than_any_version(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    let keyspace = &cache_ports::catalog::keyspaces::OFFERING;
    let life = Life { soft: LONG, hard: LONG };
    let content_of = Content { keyspace, key, version: Version::ZERO, life, generated_at_ms: 0, payload: None };
    let frame = frame::write(&content_of).expect("it fits");
    let (token, _) = leased(store, key, None).await;
    let request = FillRequest { token, version: Version::ZERO, frame: &frame, ttl: LONG };
    assert_eq!(store.fill(content(key), request).await, Ok(FillReply::Stored));
    assert_eq!(lying(store, key).await, Some((Kind::Negative, 0)));
    assert_eq!(invalidate(store, key, 1, LONG).await, InvalidateReply::Tombstoned);
    let (token, _) = leased(store, key, None).await;
    let request = FillRequest { token, version: Version::ZERO, frame: &frame, ttl: LONG };
    assert_eq!(store.fill(content(key), request).await, Ok(FillReply::OlderThanKnown));
}

/// Garbage protects nothing; what a newer program wrote is its own.
pub async fn garbage_gives_way_and_newer_formats_do_not(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    let mut of_no_kind = value(key, Version::new(5));
    of_no_kind[offset::KIND] = b'?';
    for garbage in [&b""[..], b"x", &[0xff; 200], &of_no_kind] {
        subject.plant(content(key), garbage, Some(LONG)).await;
        let (token, _) = leased(store, key, None).await;
        assert_eq!(fill(store, key, token, 1).await, FillReply::Stored);
        subject.plant(content(key), garbage, Some(LONG)).await;
        assert_eq!(invalidate(store, key, 1, LONG).await, InvalidateReply::Tombstoned);
    }
    let mut newer = value(key, Version::new(5));
    newer[2] = 2;
    subject.plant(content(key), &newer, Some(LONG)).await;
    let (token, reply) = lease_over(store, key, Some(5)).await;
    assert_eq!(reply, LeaseReply::Present);
    assert_eq!(fill(store, key, token, 6).await, FillReply::LeaseLost);
    let left = subject.peek(content(key)).await.expect("it lies there");
    assert_eq!(left.bytes, newer);
}

/// A tombstone that took its place in the meantime stays.
pub async fn only_the_frame_that_was_seen_is_discarded(subject: &dyn Subject) {
    let (store, key) = (&*subject.store(), &new_key());
    let seen = value(key, Version::new(3));
    let header = seen.first_chunk().expect("a frame has a header");
    filled(store, key, 4).await;
    store.discard(content(key), header).await.expect("the store answers");
    assert_eq!(lying(store, key).await, Some((Kind::Value, 4)));
    invalidate(store, key, 5, LONG).await;
    store.discard(content(key), header).await.expect("the store answers");
    store.discard(content(key), &frame::tombstone(Version::new(5))).await.expect("the store answers");
    assert_eq!(lying(store, key).await, Some((Kind::Tombstone, 5)));
    // One that differs only in its version, and one that differs only after the lease.
    for differs in [offset::VERSION, offset::CHECKSUM] {
        let mut successor = seen.clone();
        successor[differs] ^= 1;
        subject.plant(content(key), &successor, Some(LONG)).await;
        store.discard(content(key), header).await.expect("the store answers");
        assert_eq!(subject.peek(content(key)).await.map(|left| left.bytes), Some(successor.into()));
    }
    let key = &new_key();
    let seen = value(key, Version::new(3));
    filled(store, key, 3).await;
    leased(store, key, Some(3)).await;
    store.discard(content(key), seen.first_chunk().expect("a frame has a header")).await.expect("the store answers");
    assert_eq!(lying(store, key).await, None, "a lease over it does not keep it");
}

/// Versions are compared as eight bytes, not as floating-point numbers and not as text.
pub async fn versions_are_ordered_beyond_what_doubles_hold(subject: &dyn Subject) {
    let store = &*subject.store();
    let pairs = [
        (1 << 53, (1 << 53) + 1),
        (255, 256),
        (0x7f, 0x80),
        (u64::from(u32::MAX), u64::from(u32::MAX) + 1),
        (u64::MAX - 1, u64::MAX),
        (9, 10),
    ];
    for (older, newer) in pairs {
        let key = &new_key();
        invalidate(store, key, newer, LONG).await;
        assert_eq!(invalidate(store, key, older, LONG).await, InvalidateReply::NotOlder, "{older} < {newer}");
        let (token, at_least) = leased(store, key, None).await;
        assert_eq!(at_least, Version::new(newer));
        assert_eq!(fill(store, key, token, older).await, FillReply::OlderThanKnown, "{older} < {newer}");
        let (token, _) = leased(store, key, None).await;
        assert_eq!(fill(store, key, token, newer).await, FillReply::Stored);
    }
}

/// Also where some are missing.
pub async fn many_reads_come_back_in_order(subject: &dyn Subject) {
    let store = &*subject.store();
    let keys = [new_key(), new_key(), new_key()];
    filled(store, &keys[0], 1).await;
    filled(store, &keys[2], 3).await;
    let wanted: Vec<&str> = keys.iter().map(String::as_str).collect();
    let found = store.read_many(content("").workload, &wanted).await.expect("the store answers");
    let bytes: Vec<_> = found.iter().map(|stored| stored.as_ref().map(|stored| stored.bytes.to_vec())).collect();
    assert_eq!(bytes, [Some(value(&keys[0], Version::FIRST)), None, Some(value(&keys[2], Version::new(3)))]);
    assert!(found.iter().flatten().all(|stored| stored.remaining.is_some_and(|life| life <= LONG)));
}

/// No operation leaves a key that stays for ever.
pub async fn everything_written_has_an_end(subject: &dyn Subject) {
    let store = &*subject.store();
    let (leased_key, filled_key, buried_key, put_key) = (new_key(), new_key(), new_key(), new_key());
    leased(store, &leased_key, None).await;
    filled(store, &filled_key, 1).await;
    invalidate(store, &buried_key, 1, LONG).await;
    store.put(content(&put_key), &value(&put_key, Version::FIRST), LONG).await.expect("the store answers");
    for key in [leased_key, filled_key, buried_key, put_key] {
        let life = subject.peek(content(&key)).await.and_then(|stored| stored.remaining).expect("it has an end");
        assert!(life > Duration::ZERO && life <= LONG, "{life:?}");
    }
}

//! Streams: read from a place, shared by a group, trimmed, and over after a while.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use cache_ports::{
    UserKey,
    streams::{
        Notice, NoticeKind, StreamId, WarmTask,
        keyspaces::{self, NOTICE_ENTRIES, UI_NOTICES, WARM_QUEUE},
    },
};
use kernel::{OfferingId, PublicationId, QuoteId, Version};

use super::{Subject, new_tenant, process, until};
use crate::{
    Place,
    streams::{Reader, StreamBounds},
};

const BOUNDS: StreamBounds = StreamBounds { entries: 500, life: Duration::from_mins(5) };
/// Nobody in these cases is silent for so long.
const LONG: Duration = Duration::from_mins(5);
/// A server trims whole blocks of entries; its default block is this long.
const BLOCK: u32 = 100;

fn payloads(numbers: std::ops::Range<u32>) -> Vec<Bytes> {
    numbers.map(|number| Bytes::from(number.to_string())).collect()
}

const fn reader(name: &str) -> Reader<'_> {
    Reader { group: "workers", name }
}

fn task() -> WarmTask {
    WarmTask { publication_id: PublicationId::generate(), offering_id: OfferingId::generate() }
}

fn notice() -> Notice {
    let at = chrono::DateTime::UNIX_EPOCH;
    let quote_id = QuoteId::generate();
    Notice {
        kind: NoticeKind::QuoteApproved,
        quote_id,
        order_id: None,
        state: "approved".to_owned(),
        version: Version::FIRST,
        at,
    }
}

/// Each once, from any place on.
pub async fn a_stream_is_read_in_order_from_a_place(subject: &dyn Subject) {
    let (store, key) = (subject.store(), keyspaces::warm_queue_key(&new_tenant()).text());
    assert_eq!(store.streams().read_after(&key, StreamId::START, 9).await, Ok(Vec::new()));
    store.streams().append(&key, &payloads(0..3), BOUNDS).await.expect("the store answers");
    store.streams().append(&key, &payloads(3..5), BOUNDS).await.expect("the store answers");
    let all = store.streams().read_after(&key, StreamId::START, 9).await.expect("the store answers");
    let read: Vec<Bytes> = all.iter().map(|entry| entry.payload.clone()).collect();
    assert_eq!(read, payloads(0..5));
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id));
    let rest = store.streams().read_after(&key, all[2].id, 1).await.expect("the store answers");
    assert_eq!(rest, all[3..4]);
    assert_eq!(store.streams().read_after(&key, all[4].id, 9).await, Ok(Vec::new()));
}

/// Each entry to one of them; what is acknowledged is not given again.
pub async fn a_group_shares_the_entries(subject: &dyn Subject) {
    let (store, key) = (subject.store(), keyspaces::warm_queue_key(&new_tenant()).text());
    let take = async |name: &'static str, limit| {
        store.streams().take(&key, reader(name), LONG, limit).await.expect("the store answers")
    };
    assert!(take("one", 9).await.is_empty());
    assert_eq!(subject.life(Place { workload: WARM_QUEUE.workload, key: &key }).await, None, "asking makes no stream");
    store.streams().append(&key, &payloads(0..10), BOUNDS).await.expect("the store answers");
    let (mut given, mut turn) = (Vec::new(), 0);
    loop {
        let entries = take(["one", "other"][turn % 2], 3).await;
        if entries.is_empty() {
            break;
        }
        given.extend(entries);
        turn += 1;
    }
    let distinct: HashSet<_> = given.iter().map(|entry| entry.id).collect();
    assert_eq!((given.len(), distinct.len()), (10, 10));
    let ids: Vec<StreamId> = given.iter().map(|entry| entry.id).collect();
    store.streams().acknowledge(&key, "workers", &ids).await.expect("the store answers");
    let again = store.streams().take(&key, reader("other"), Duration::ZERO, 20).await;
    assert_eq!(again, Ok(Vec::new()), "what is acknowledged is never left lying");
}

/// A reader that died had not acknowledged.
pub async fn what_a_reader_left_is_given_to_another(subject: &dyn Subject) {
    let (store, key) = (subject.store(), keyspaces::warm_queue_key(&new_tenant()).text());
    store.streams().append(&key, &payloads(0..4), BOUNDS).await.expect("the store answers");
    let taken = store.streams().take(&key, reader("dead"), LONG, 3).await.expect("the store answers");
    assert_eq!(taken.len(), 3);
    store.streams().acknowledge(&key, "workers", &[taken[1].id]).await.expect("the store answers");
    let others = store.streams().take(&key, reader("alive"), LONG, 9).await.expect("the store answers");
    assert_eq!(others.len(), 1, "what was taken a moment ago is not left lying");
    let mut claimed = HashSet::new();
    until("the end of patience", async || {
        let patience = Duration::from_millis(20);
        let given = store.streams().take(&key, reader("third"), patience, 9).await.expect("the store answers");
        claimed.extend(given.iter().map(|entry| entry.id));
        claimed.len() >= 3
    })
    .await;
    assert_eq!(claimed, HashSet::from([taken[0].id, taken[2].id, others[0].id]), "all but what was acknowledged");
}

/// The newest are kept, and it all ends.
pub async fn a_stream_is_trimmed_and_ends(subject: &dyn Subject) {
    let (store, key) = (subject.store(), keyspaces::warm_queue_key(&new_tenant()).text());
    let bounds = StreamBounds { entries: 10, life: LONG };
    for round in 0..8 {
        store.streams().append(&key, &payloads(round * 50..(round + 1) * 50), bounds).await.expect("the store answers");
    }
    let kept = store.streams().read_after(&key, StreamId::START, 1_000).await.expect("the store answers");
    assert!(kept.len() >= 10 && kept.len() <= (10 + BLOCK) as usize, "{} are kept", kept.len());
    assert_eq!(kept.last().map(|entry| entry.payload.clone()), Some(Bytes::from("399")));
    let at = Place { workload: WARM_QUEUE.workload, key: &key };
    assert!(subject.life(at).await.is_some_and(|life| life <= LONG));
    let bounds = StreamBounds { life: Duration::from_millis(20), ..bounds };
    store.streams().append(&key, &payloads(400..401), bounds).await.expect("the store answers");
    until("the end of the stream", async || {
        store.streams().read_after(&key, StreamId::START, 9).await == Ok(Vec::new())
    })
    .await;
}

/// Through the port: each task to one worker, and again to another until somebody says it is done.
pub async fn a_warm_task_is_done_by_one_worker(subject: &dyn Subject) {
    let (one, other, tenant) = (process(subject).warm, process(subject).warm, new_tenant());
    let tasks = [task(), task(), task()];
    assert_eq!(one.take(&tenant, "w1", 9).await, Some(Vec::new()));
    assert!(one.enqueue(&tenant, &tasks).await);
    let first = one.take(&tenant, "w1", 2).await.expect("the store answers");
    let second = other.take(&tenant, "w2", 9).await.expect("the store answers");
    let taken: Vec<WarmTask> = first.iter().chain(&second).map(|taken| taken.task).collect();
    assert_eq!(taken, tasks);
    let receipts: Vec<StreamId> = first.iter().chain(&second).map(|taken| taken.receipt).collect();
    one.done(&tenant, &receipts).await;
    assert_eq!(other.take(&new_tenant(), "w2", 9).await, Some(Vec::new()));
    let key = keyspaces::warm_queue_key(&tenant).text();
    let left = subject.store().streams().take(&key, Reader { group: "warmers", name: "w3" }, Duration::ZERO, 9).await;
    assert_eq!(left, Ok(Vec::new()));
    let life = subject.life(Place { workload: WARM_QUEUE.workload, key: &key }).await;
    assert!(life.is_some_and(|life| life <= WARM_QUEUE.ttl.hard), "{life:?}");
}

/// To that user of that tenant alone, from where the user stopped reading.
pub async fn a_user_is_told_what_happened_since(subject: &dyn Subject) {
    let (one, other, tenant) = (process(subject).notices, process(subject).notices, new_tenant());
    let (sam, kim) = (UserKey::of(&tenant, "sam"), UserKey::of(&tenant, "kim"));
    let empty = one.after(&tenant, &sam, StreamId::START, 9).await.expect("the store answers");
    assert_eq!((empty.notices, empty.last), (Vec::new(), StreamId::START));
    let (first, second) = (notice(), notice());
    assert!(one.tell(&tenant, &sam, &first).await && other.tell(&tenant, &sam, &second).await);
    let page = other.after(&tenant, &sam, StreamId::START, 1).await.expect("the store answers");
    assert_eq!(page.notices, [first]);
    let page = other.after(&tenant, &sam, page.last, 9).await.expect("the store answers");
    assert_eq!(page.notices, [second]);
    let end = other.after(&tenant, &sam, page.last, 9).await.expect("the store answers");
    assert_eq!((end.notices.len(), end.last), (0, page.last));
    for (tenant, user) in [(tenant.clone(), kim), (new_tenant(), sam)] {
        let foreign = one.after(&tenant, &user, StreamId::START, 9).await.expect("the store answers");
        assert!(foreign.notices.is_empty());
    }
    let key = keyspaces::ui_notices_key(&tenant, &sam).text();
    assert!(!key.contains("sam"), "{key}");
    let life = subject.life(Place { workload: UI_NOTICES.workload, key: &key }).await;
    assert!(life.is_some_and(|life| life <= UI_NOTICES.ttl.hard), "{life:?}");
}

/// Skipped, and the place moves past it: it would be in the way for ever.
pub async fn entries_that_cannot_be_read_are_passed_over(subject: &dyn Subject) {
    let (caches, tenant, stranger) = (process(subject), new_tenant(), new_tenant());
    let sam = UserKey::of(&tenant, "sam");
    let (key, strangers) =
        (keyspaces::ui_notices_key(&tenant, &sam).text(), keyspaces::ui_notices_key(&stranger, &sam).text());
    let store = subject.store();
    // Written for another tenant, whole and well formed.
    assert!(caches.notices.tell(&stranger, &sam, &notice()).await);
    let foreign = store.streams().read_after(&strangers, StreamId::START, 1).await.expect("the store answers");
    let planted = [Bytes::from_static(b"garbage"), foreign[0].payload.clone()];
    let bounds = StreamBounds { entries: NOTICE_ENTRIES, life: LONG };
    store.streams().append(&key, &planted, bounds).await.expect("the store answers");
    let kept = notice();
    assert!(caches.notices.tell(&tenant, &sam, &kept).await);
    let page = caches.notices.after(&tenant, &sam, StreamId::START, 9).await.expect("the store answers");
    assert_eq!(page.notices, [kept]);
    let planted = caches.notices.after(&tenant, &sam, StreamId::START, 2).await.expect("the store answers");
    assert!(planted.notices.is_empty() && planted.last > StreamId::START, "{planted:?}");

    let queue = keyspaces::warm_queue_key(&tenant).text();
    store.streams().append(&queue, &[Bytes::from_static(b"garbage")], bounds).await.expect("the store answers");
    assert_eq!(caches.warm.take(&tenant, "w1", 9).await, Some(Vec::new()));
    let left = store.streams().take(&queue, Reader { group: "warmers", name: "w2" }, Duration::ZERO, 9).await;
    assert_eq!(left, Ok(Vec::new()), "it is acknowledged at once");
}

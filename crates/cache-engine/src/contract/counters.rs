//! Live counts: exact while nothing is lost, each unit moved once, and over after a day.

use std::{collections::HashMap, sync::Arc, time::Duration};

use cache_ports::{
    Caches,
    counters::{
        LiveCount, Tally,
        keyspaces::{self, LIVE_COUNTER, MOST_COUNTED, SHARDS},
    },
};
use kernel::TenantId;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Subject, new_tenant, process};
use crate::Place;

const WHAT: LiveCount = LiveCount::OfferingViews;
const LIFE: Duration = Duration::from_mins(5);

async fn sum(caches: &Caches, tenant: &TenantId, object: Uuid) -> Option<u64> {
    caches.counters.sum(tenant, WHAT, object).await
}

fn shares(tenant: &TenantId, object: Uuid) -> Vec<String> {
    (0..SHARDS).map(|shard| keyspaces::live_counter_key(tenant, WHAT, object, shard).text()).collect()
}

const fn place(key: &str) -> Place<'_> {
    Place { workload: LIVE_COUNTER.workload, key }
}

/// Over all processes, for each object and tenant apart.
pub async fn a_count_is_what_all_processes_counted(subject: &dyn Subject) {
    let (one, other) = (process(subject), process(subject));
    let (tenant, stranger, object, another) = (new_tenant(), new_tenant(), Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(sum(&one, &tenant, object).await, Some(0));
    for _ in 0..7 {
        one.counters.count(&tenant, WHAT, object);
        other.counters.count(&tenant, WHAT, object);
    }
    other.counters.count(&tenant, WHAT, another);
    for process in [&one, &other] {
        process.counters.flush().await;
    }
    assert_eq!((sum(&one, &tenant, object).await, sum(&other, &tenant, another).await), (Some(14), Some(1)));
    assert_eq!(sum(&one, &stranger, object).await, Some(0));
    // What was moved into the metrics is still shown.
    one.counters.flush().await;
    assert_eq!(sum(&one, &tenant, object).await, Some(14));
    let top = one.counters.most_counted(&tenant, WHAT, 1).await;
    assert_eq!(top, Some(vec![Tally { object, count: 14 }]));
    assert_eq!(one.counters.most_counted(&stranger, WHAT, 9).await, Some(Vec::new()));
}

/// Whoever gets a unit is the only one, and nobody gets less than all of them together.
pub async fn units_are_taken_once_however_many_take(subject: &dyn Subject) {
    const ADDERS: usize = 4;
    const ADDED: u64 = 60;
    let (store, tenant, object) = (subject.store(), new_tenant(), Uuid::now_v7());
    let shares = Arc::new(shares(&tenant, object));
    let mut adding = JoinSet::new();
    for adder in 0..ADDERS {
        let (store, shares) = (Arc::clone(&store), Arc::clone(&shares));
        adding.spawn(async move {
            for (unit, share) in (0..ADDED).zip(shares.iter().cycle().skip(adder)) {
                store.counters().add(share, 1 + unit % 3, LIFE).await.expect("the store answers");
            }
        });
    }
    let mut taking = JoinSet::new();
    for _ in 0..3 {
        let (store, shares) = (Arc::clone(&store), Arc::clone(&shares));
        taking.spawn(async move {
            let mut got = 0;
            for _ in 0..40 {
                got += store.counters().take(&shares).await.expect("the store answers").pending;
                tokio::task::yield_now().await;
            }
            got
        });
    }
    adding.join_all().await;
    let taken: u64 = taking.join_all().await.into_iter().sum();
    let rest = store.counters().take(&shares).await.expect("the store answers");
    let all = 2 * ADDED * ADDERS as u64;
    assert_eq!((taken + rest.pending, rest.total, rest.complete), (all, all, true));
    assert_eq!(store.counters().sum(&shares).await, Ok(all));
    assert_eq!(store.counters().take(&shares).await.map(|taken| taken.pending), Ok(0));
}

/// The greatest first, and only so many.
pub async fn the_most_counted_come_first_and_few_are_kept(subject: &dyn Subject) {
    let (store, tenant) = (subject.store(), new_tenant());
    let list = keyspaces::most_counted_key(&tenant, WHAT).text();
    for (member, total) in [("a", 5), ("b", 9), ("c", 1), ("a", 12), ("d", 7)] {
        store.counters().rank(&list, member, total, 3, LIFE).await.expect("the store answers");
    }
    let expected = [("a".to_owned(), 12), ("b".to_owned(), 9), ("d".to_owned(), 7)];
    assert_eq!(store.counters().top(&list, 9).await.as_deref(), Ok(&expected[..]));
    assert_eq!(store.counters().top(&list, 1).await.as_deref(), Ok(&expected[..1]));
    // A count that ended and began again is smaller, and is shown as it is.
    store.counters().rank(&list, "a", 8, 3, LIFE).await.expect("the store answers");
    let top: HashMap<_, _> = store.counters().top(&list, 9).await.expect("the store answers").into_iter().collect();
    assert_eq!(top["a"], 8);
}

/// Also what is counted all the time.
pub async fn a_count_ends_a_day_after_its_first_unit(subject: &dyn Subject) {
    let (caches, tenant, object) = (process(subject), new_tenant(), Uuid::now_v7());
    for _ in 0..2 {
        caches.counters.count(&tenant, WHAT, object);
        caches.counters.flush().await;
    }
    let mut lives = Vec::new();
    for share in shares(&tenant, object) {
        lives.extend(subject.life(place(&share)).await);
    }
    assert!(!lives.is_empty() && lives.iter().all(|life| *life <= LIVE_COUNTER.ttl.hard), "{lives:?}");
    let list = keyspaces::most_counted_key(&tenant, WHAT).text();
    let life = subject.life(place(&list)).await;
    assert!(life.is_some_and(|life| life <= MOST_COUNTED.ttl.hard), "{life:?}");

    let share = &shares(&tenant, Uuid::now_v7())[0];
    let store = subject.store();
    store.counters().add(share, 1, Duration::from_millis(400)).await.expect("the store answers");
    store.counters().add(share, 1, LIFE).await.expect("the store answers");
    assert!(subject.life(place(share)).await.is_none_or(|life| life < LIFE / 2), "a later unit lengthens nothing");
    super::until("the end of the count", async || store.counters().sum(std::slice::from_ref(share)).await == Ok(0))
        .await;
}

/// It begins again.
pub async fn a_flushed_store_counts_from_the_beginning(subject: &dyn Subject) {
    let (caches, tenant, object) = (process(subject), new_tenant(), Uuid::now_v7());
    caches.counters.count(&tenant, WHAT, object);
    caches.counters.flush().await;
    subject.flush().await;
    caches.counters.count(&tenant, WHAT, object);
    caches.counters.flush().await;
    assert_eq!(sum(&caches, &tenant, object).await, Some(1));
}

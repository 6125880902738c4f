//! Rebuilding the order list: what is wrong is found and gone, nobody sees half a list, and nothing that happens meanwhile is
//! lost.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

use async_trait::async_trait;
use events::{
    Delivery, Difference, DifferenceKind, Extent, Finish, InProcessBus, LeaseTimes, Partition, Publisher, Rebuild,
    RebuildError, Source, SourceError,
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    listing::{LEASE, Listing, left_over, named, outbox, projection, rebuild, rows, tamper, until},
    order_list::busy,
    world::World,
};

fn customer(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

async fn live_build(world: &World) -> i64 {
    world.count("select live_build::bigint from \"order\".projection where name = 'order-list'").await
}

fn found(differences: &[Difference]) -> Vec<(&'static str, DifferenceKind, u64)> {
    differences.iter().map(|difference| (difference.table, difference.kind, difference.rows)).collect()
}

#[tokio::test]
async fn a_rebuild_of_a_sound_list_finds_nothing_and_readers_see_the_same() {
    let world = World::new().await;
    let mut listing = Listing::start(&world);
    busy(&world).await;
    listing.tell(&world).await;
    listing.name(customer(77), 1, "Zimt").await;
    listing.caught_up(&world).await;
    let before = rows(&world).await;
    let compared = listing.rebuild(&world, Finish::Compare).await.unwrap();
    assert_eq!((found(&compared.differences), compared.wrong_rows(), compared.switched), (vec![], 0, false));
    assert_eq!((live_build(&world).await, left_over(&world).await), (1, 0), "only compared");
    let rebuilt = listing.rebuild(&world, Finish::Switch).await.unwrap();
    assert_eq!((found(&rebuilt.differences), rebuilt.rows, rebuilt.skipped), (vec![], 5, 0));
    let log = outbox(&world).await;
    let of_orders = log.iter().filter(|event| event.aggregate_type == "order").count();
    // And the customer's name.
    assert_eq!((rebuilt.read, rebuilt.applied), (log.len() as u64 + 1, of_orders as u64 + 1));
    assert_eq!((live_build(&world).await, left_over(&world).await), (3, 0));
    assert_eq!(rows(&world).await, before);
    // The consumer goes on in the new build.
    world.ordered(&[("1", "1.00")]).await;
    listing.tell(&world).await;
    listing.caught_up(&world).await;
    assert_eq!(rows(&world).await.len(), before.len() + 1);
    listing.stop().await;
}

#[tokio::test]
async fn wrong_missing_unknown_and_older_rows_are_named_and_gone_afterwards() {
    use DifferenceKind::{Content, Missing, Newer, Older, Unknown};
    let world = World::new().await;
    let mut listing = Listing::start(&world);
    busy(&world).await;
    listing.tell(&world).await;
    listing.name(customer(77), 2, "Zimt").await;
    listing.caught_up(&world).await;
    let before = rows(&world).await;
    let nth = |n: u32| {
        format!("(select order_id from \"order\".order_list where build = 1 order by order_id offset {n} limit 1)")
    };
    tamper(&world, &format!("update \"order\".order_list set total = 1 where order_id = {}", nth(0))).await;
    tamper(&world, &format!("update \"order\".order_list set version = 1 where order_id = {}", nth(1))).await;
    tamper(&world, &format!("update \"order\".order_list set version = 99 where order_id = {}", nth(2))).await;
    tamper(&world, &format!("delete from \"order\".order_list where order_id = {}", nth(3))).await;
    tamper(&world, "update \"order\".order_list_customer set customer_id = '00000000-0000-0000-0000-000000000001'")
        .await;
    let wrong = rows(&world).await;

    let compared = listing.rebuild(&world, Finish::Compare).await.unwrap();
    let expected = vec![
        ("order_list", Content, 1),
        ("order_list", Missing, 1),
        ("order_list", Newer, 1),
        ("order_list", Older, 1),
        ("order_list_customer", Missing, 1),
        ("order_list_customer", Unknown, 1),
    ];
    assert_eq!((found(&compared.differences), compared.wrong_rows(), compared.live_behind), (expected.clone(), 6, 0));
    let unknown = compared.differences.iter().find(|difference| difference.kind == Unknown).unwrap();
    assert_eq!(unknown.examples, ["acme:00000000-0000-0000-0000-000000000001"]);
    assert_eq!(rows(&world).await, wrong, "it was only compared");

    let rebuilt = listing.rebuild(&world, Finish::Switch).await.unwrap();
    assert_eq!(found(&rebuilt.differences), expected);
    assert_eq!(rows(&world).await, before);
    assert_eq!(listing.rebuild(&world, Finish::Compare).await.unwrap().differences, []);
    listing.stop().await;
}

#[tokio::test]
async fn what_the_consumer_has_not_read_yet_is_late_and_not_wrong() {
    let world = World::new().await;
    let mut listing = Listing::start(&world);
    busy(&world).await;
    listing.tell(&world).await;
    listing.caught_up(&world).await;
    let bus = listing.bus.clone();
    listing.stop().await;
    bus.publish("quoin.quote.v1", &[named("acme", customer(77), 1, "Zimt")]).await.unwrap();
    let compared = rebuild(&world, bus.source(), Finish::Compare).await.unwrap();
    assert_eq!(found(&compared.differences), [("order_list_customer", DifferenceKind::Missing, 1)]);
    assert_eq!((compared.live_behind, compared.wrong_rows()), (1, 0));
}

#[tokio::test]
async fn what_cannot_be_applied_is_passed_over_and_counted() {
    let world = World::new().await;
    let listing = Listing::start(&world);
    let mut broken = named("acme", customer(1), 1, "x");
    broken.data = "{}".into();
    listing.bus.publish("quoin.quote.v1", &[broken]).await.unwrap();
    listing.name(customer(1), 2, "Zimt").await;
    listing.name(customer(2), 1, "Salz").await;
    listing.caught_up(&world).await;
    let rebuilt = listing.rebuild(&world, Finish::Switch).await.unwrap();
    assert_eq!((rebuilt.skipped, rebuilt.applied, rebuilt.rows), (1, 2, 2));
    // The consumer parked the key with what came after; the rebuild has its newest state.
    assert_eq!(found(&rebuilt.differences), [("order_list_customer", DifferenceKind::Missing, 1)]);
    listing.stop().await;
}

#[tokio::test]
async fn a_rebuild_that_dies_half_way_leaves_rows_nobody_reads_and_the_next_removes_them() {
    let world = World::new().await;
    let listing = Listing::start(&world);
    let names: Vec<_> = (1..=1_200).map(|n| named("acme", customer(n), 1, "x")).collect();
    listing.bus.publish("quoin.quote.v1", &names).await.unwrap();
    listing.caught_up(&world).await;
    let before = rows(&world).await;
    assert_eq!(before.len(), 1_200);

    let half_way = Arc::new(Notify::new());
    let heard = Arc::clone(&half_way);
    // Longer than what is asserted before it lapses takes on a slow machine.
    let lease = LeaseTimes { ttl: Duration::from_secs(5), renew_every: Duration::from_secs(1) };
    let dying = Rebuild::new(world.work.clone(), "order", projection(), lease);
    tokio::select! {
        biased;
        () = half_way.notified() => {}
        ended = dying.run(listing.bus.source(), Finish::Switch, move |_, _| heard.notify_one()) => panic!("{ended:?}"),
    }
    assert_eq!((live_build(&world).await, rows(&world).await), (1, before.clone()));
    let left = left_over(&world).await;
    assert!((1..1_200).contains(&left), "{left} rows");
    let refused = listing.rebuild(&world, Finish::Switch).await;
    assert!(matches!(refused, Err(RebuildError::AlreadyRunning("order-list"))), "its lease still runs: {refused:?}");

    let again = AtomicBool::new(false);
    until("the lease has lapsed", async || {
        let ended = listing.rebuild(&world, Finish::Switch).await;
        again.store(
            ended.is_ok_and(|rebuilt| rebuilt.rows == 1_200 && rebuilt.differences.is_empty()),
            Ordering::Relaxed,
        );
        again.load(Ordering::Relaxed)
    })
    .await;
    assert_eq!((live_build(&world).await, left_over(&world).await), (3, 0));
    assert_eq!(rows(&world).await, before);
    listing.stop().await;
}

#[tokio::test]
async fn a_rebuild_that_is_dropped_anywhere_leaves_no_transaction_open() {
    const MOST_STEPS: usize = 200;
    let world = World::new().await;
    let listing = Listing::start(&world);
    listing.name(customer(1), 1, "Zimt").await;
    listing.caught_up(&world).await;
    let bus = listing.bus.clone();
    listing.stop().await;
    // What another role's session is doing is hidden; that it is within a transaction is not.
    let open = "select count(*) from pg_locks join pg_stat_activity using (pid) \
                where locktype = 'virtualxid' and datname = current_database() and pid <> pg_backend_pid()";
    let at_rest = async || world.work.num_idle() == usize::try_from(world.work.size()).unwrap_or(usize::MAX);
    let mut ended = false;
    for steps in 1..MOST_STEPS {
        // A connection that is ready: one that must be made first would take steps of its own.
        drop(world.work.acquire().await.unwrap());
        until("the connection is back in the pool", at_rest).await;
        let dying = Rebuild::new(world.work.clone(), "order", projection(), LEASE);
        let mut dying = Box::pin(dying.run(bus.source(), Finish::Switch, |_, _| ()));
        let mut left = steps;
        ended = poll_fn(|cx| match dying.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => {
                left -= 1;
                Poll::Pending
            }
        })
        .await;
        drop(dying);
        until("every connection is back in the pool", at_rest).await;
        assert_eq!(world.count(open).await, 0, "dropped after {steps} steps");
        if ended {
            break;
        }
        sqlx::raw_sql(
            "delete from \"order\".lease_member where scope = 'rebuild:order-list'; \
             update \"order\".lease set holder = null where scope = 'rebuild:order-list'",
        )
        .execute(&world.owner)
        .await
        .unwrap();
    }
    assert!(ended, "{MOST_STEPS} steps were not enough");
}

/// A reader that delivers nothing until it may.
struct Gated {
    inner: Box<dyn Source>,
    asked: Arc<Notify>,
    open: Arc<Notify>,
    is_open: bool,
}

impl Gated {
    fn new(bus: &InProcessBus) -> (Box<Self>, Arc<Notify>, Arc<Notify>) {
        let (asked, open) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let gated = Self { inner: bus.source(), asked: asked.clone(), open: open.clone(), is_open: false };
        (Box::new(gated), asked, open)
    }
}

#[async_trait]
impl Source for Gated {
    async fn log_id(&mut self) -> Result<String, SourceError> {
        self.inner.log_id().await
    }

    async fn partitions(&mut self, topic: &str) -> Result<Vec<Partition>, SourceError> {
        self.inner.partitions(topic).await
    }

    async fn extents(&mut self, partitions: &[Partition]) -> Result<Vec<Extent>, SourceError> {
        self.inner.extents(partitions).await
    }

    async fn assign(&mut self, from: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.inner.assign(from).await
    }

    async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, SourceError> {
        if !self.is_open {
            self.asked.notify_one();
            self.open.notified().await;
            self.is_open = true;
        }
        self.inner.next_batch(max, wait).await
    }

    async fn store_offsets(&mut self, next: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.inner.store_offsets(next).await
    }
}

#[tokio::test]
async fn a_second_rebuild_is_refused_while_one_runs_and_what_comes_meanwhile_is_in_the_list() {
    let world = Arc::new(World::new().await);
    let mut listing = Listing::start(&world);
    busy(&world).await;
    listing.tell(&world).await;
    listing.caught_up(&world).await;

    let (gated, asked, open) = Gated::new(&listing.bus);
    let rebuilding = tokio::spawn({
        let world = Arc::clone(&world);
        async move { rebuild(&world, gated, Finish::Switch).await }
    });
    asked.notified().await;
    let second = listing.rebuild(&world, Finish::Switch).await;
    assert!(matches!(second, Err(RebuildError::AlreadyRunning("order-list"))), "{second:?}");

    // The rebuild has noted where the log ends; the consumer applies what comes behind that.
    world.completed(&[("1", "10.00")]).await;
    listing.tell(&world).await;
    listing.name(customer(77), 1, "Zimt").await;
    listing.caught_up(&world).await;
    let before = rows(&world).await;
    open.notify_one();
    let rebuilt = rebuilding.await.unwrap().unwrap();
    assert_eq!((found(&rebuilt.differences), rebuilt.switched, rebuilt.live_behind), (vec![], true, 0));
    assert_eq!((rows(&world).await, left_over(&world).await), (before, 0));
    listing.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_applied_in_the_very_moment_of_a_switch_are_in_the_list() {
    const CUSTOMERS: u128 = 40;
    const VERSIONS: u64 = 60;
    let world = World::new().await;
    let listing = Listing::start(&world);
    let bus = listing.bus.clone();
    let publishing = tokio::spawn(async move {
        for version in 1..=VERSIONS {
            for n in 1..=CUSTOMERS {
                let name = format!("{n} in version {version}");
                bus.publish("quoin.quote.v1", &[named("acme", customer(n), version, &name)]).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    });
    let mut switches = 0;
    while !publishing.is_finished() || switches < 3 {
        let rebuilt = listing.rebuild(&world, Finish::Switch).await.unwrap();
        assert_eq!(rebuilt.wrong_rows(), 0, "{:?}", rebuilt.differences);
        switches += 1;
    }
    publishing.await.unwrap();
    listing.caught_up(&world).await;
    let rows = rows(&world).await;
    assert_eq!(rows.len(), usize::try_from(CUSTOMERS).unwrap());
    assert!(rows.iter().all(|row| row["version"] == VERSIONS), "{rows:?}");
    assert_eq!(listing.rebuild(&world, Finish::Compare).await.unwrap().differences, []);
    assert_eq!(left_over(&world).await, 0);
    listing.stop().await;
}

#[tokio::test]
async fn a_log_that_lost_its_beginning_or_is_another_one_is_refused() {
    let world = World::new().await;
    let listing = Listing::start(&world);
    listing.name(customer(1), 1, "Zimt").await;
    listing.caught_up(&world).await;
    let other = InProcessBus::new();
    let refused = rebuild(&world, other.source(), Finish::Switch).await;
    assert!(matches!(refused, Err(RebuildError::OtherLog { .. })), "{refused:?}");
    let refused = rebuild(&world, Box::new(Beheaded(listing.bus.source())), Finish::Switch).await;
    assert!(matches!(refused, Err(RebuildError::BeginningLost { first: 1, .. })), "{refused:?}");
    assert_eq!((live_build(&world).await, rows(&world).await.len()), (1, 1), "nothing was changed");
    listing.stop().await;
}

/// A log whose first record is gone.
struct Beheaded(Box<dyn Source>);

#[async_trait]
impl Source for Beheaded {
    async fn log_id(&mut self) -> Result<String, SourceError> {
        self.0.log_id().await
    }

    async fn partitions(&mut self, topic: &str) -> Result<Vec<Partition>, SourceError> {
        self.0.partitions(topic).await
    }

    async fn extents(&mut self, partitions: &[Partition]) -> Result<Vec<Extent>, SourceError> {
        let extents = self.0.extents(partitions).await?;
        Ok(extents.into_iter().map(|held| Extent { first: 1, next: held.next.max(1) }).collect())
    }

    async fn assign(&mut self, from: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.0.assign(from).await
    }

    async fn next_batch(&mut self, max: usize, wait: Duration) -> Result<Vec<Delivery>, SourceError> {
        self.0.next_batch(max, wait).await
    }

    async fn store_offsets(&mut self, next: &[(Partition, i64)]) -> Result<(), SourceError> {
        self.0.store_offsets(next).await
    }
}

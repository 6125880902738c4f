//! What the order service caches, beside its tables.

use std::{sync::Arc, time::Duration};

use cache_engine::{
    Engine, EngineConfig, NoStore,
    audit::{AuditRules, Auditor, Pass, inspection::Extent, report::Report, verdict::Mismatch},
    sweep::{SweepRules, Sweeper},
};
use cache_ports::{
    Witness, coordination::keyspaces::IDEMPOTENCY, keyspace::Service, order::keyspaces::ORDER_SUMMARY, registry,
};
use order::State;
use service_runtime::{idempotency_witness, testing::TestIdentity};
use sqlx::AssertSqlSafe;

use crate::world::World;

/// How often the end of a task that runs beside the request is looked for.
const ATTEMPTS: usize = 500;

/// What a worker can say; it has no cache at all.
fn witnesses(world: &World) -> Vec<Witness> {
    let caches = Engine::new(Arc::new(NoStore), EngineConfig::default()).caches();
    let runtime = TestIdentity::new().service_state(order::SERVICE, world.work.clone(), caches);
    let mut witnesses = order::witnesses(&State::new(runtime.clone(), world.config.clone()));
    witnesses.push(idempotency_witness(&runtime));
    witnesses
}

async fn audited(world: &World) -> Report {
    let keyspaces: Vec<_> = registry::audited_by(Service::Order).collect();
    let rules = AuditRules { grace: Duration::ZERO, repair: true };
    let auditor = Auditor::new(world.store.clone(), world.store.clone(), keyspaces.clone(), witnesses(world), rules);
    auditor.inspect(&keyspaces, None, Extent::All, |_| ()).await.expect("the store answers")
}

/// The answer of a command is remembered beside the request.
async fn audited_with_answers(world: &World, answers: u64) -> Report {
    for _ in 0..ATTEMPTS {
        let report = audited(world).await;
        if report.of(&IDEMPOTENCY).unwrap().checked() >= answers {
            return report;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the answer was never remembered");
}

#[tokio::test]
async fn summaries_and_remembered_answers_agree_with_the_tables() {
    let world = World::new().await;
    let order = world.ordered(&[("2", "20.00"), ("1.5", "7.25")]).await;
    world.read(&order).await;
    let report = audited_with_answers(&world, 1).await;
    assert_eq!(report.mismatches(), 0, "{:?}", report.findings);
    assert_eq!(report.of(&ORDER_SUMMARY).unwrap().checked(), 1);

    world.settle().await;
    world.read(&order).await;
    let report = audited(&world).await;
    let orders = report.of(&ORDER_SUMMARY).unwrap();
    assert_eq!((orders.checked(), orders.passed.get(&Pass::Superseded)), (1, Some(&1)), "{:?}", report.findings);
    let rules = SweepRules { min_age: Duration::ZERO, keys_per_sec: 1_000_000, dry_run: false };
    let swept = Sweeper::new(world.store.clone(), witnesses(&world), rules).sweep(|_, _| ()).await.unwrap();
    assert_eq!((swept[0].1.seen, swept[0].1.removed), (2, 1));
}

/// The worst a remembered answer could be: another one than the record has. It is found, and the repeat tells the truth.
#[tokio::test]
async fn a_remembered_answer_that_was_never_given_is_found() {
    let world = World::new().await;
    let quote = world.accepted(&[("1", "10.00")]);
    let first = world.order(quote, "k").await.expect(201);
    audited_with_answers(&world, 1).await;
    // The record is the truth: after this the remembered answer is a lie about it.
    let changed = "update \"order\".idempotency_record set location = '/order/v1/orders/another'";
    sqlx::raw_sql(AssertSqlSafe(changed.to_owned())).execute(&world.owner).await.unwrap();
    assert_eq!(world.order(quote, "k").await.header("location"), first.header("location"), "from the fast path");
    let report = audited(&world).await;
    let wrong = &report.of(&IDEMPOTENCY).unwrap().wrong;
    assert_eq!((wrong.get(&Mismatch::OtherContent), report.remaining()), (Some(&1), 0), "{:?}", report.findings);
    assert_eq!(report.findings[0].fields[0].path, "/location");
    assert_eq!(world.order(quote, "k").await.header("location"), "/order/v1/orders/another");
}

/// What another service remembers is not this one's to judge.
#[tokio::test]
async fn answers_of_other_services_are_left_to_them() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    audited_with_answers(&world, 1).await;
    let runtime = TestIdentity::new().service_state(
        "quote",
        world.work.clone(),
        Engine::new(Arc::new(NoStore), EngineConfig::default()).caches(),
    );
    let rules = AuditRules { grace: Duration::ZERO, repair: true };
    let strangers = vec![idempotency_witness(&runtime)];
    let auditor = Auditor::new(world.store.clone(), world.store.clone(), vec![&IDEMPOTENCY], strangers, rules);
    let report = auditor.inspect(&[&IDEMPOTENCY], None, Extent::All, |_| ()).await.expect("the store answers");
    let tally = report.of(&IDEMPOTENCY).unwrap();
    assert_eq!((tally.checked(), tally.passed.get(&Pass::NotOurs)), (0, Some(&1)), "{}", order.id());
}

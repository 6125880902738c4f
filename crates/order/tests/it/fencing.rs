//! A worker that lost its lease changes nothing; many workers do every task once.

use std::time::Duration;

use order::{
    commands::{Actor, Outcome, record_outcome},
    store::tasks::claim_tasks,
};
use service_runtime::TenantTx;

use crate::world::World;

fn actor(world: &World) -> Actor {
    Actor { tenant: world.tenant.clone(), subject: "test".to_owned(), correlation_id: None, causation_id: None }
}

#[tokio::test]
async fn a_result_that_comes_after_the_lease_was_taken_over_is_dropped() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    let claim = |lease| {
        let (world, lease) = (&world, Duration::from_millis(lease));
        async move {
            let mut tx = TenantTx::begin(&world.work, &world.tenant).await.unwrap();
            let claimed = claim_tasks(&mut tx, &world.tenant, "w", lease, 10).await.unwrap();
            tx.commit().await.unwrap();
            claimed
        }
    };
    let slow = claim(0).await[0];
    let taken_over = claim(60_000).await[0];
    assert_eq!((slow.id, slow.attempt, taken_over.attempt), (taken_over.id, 1, 2));
    assert!(claim(60_000).await.is_empty(), "it is held");

    let before = world.digest().await;
    let mut tx = TenantTx::begin(&world.work, &world.tenant).await.unwrap();
    assert!(!record_outcome(&mut tx, &actor(&world), &slow, &Outcome::Done).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.digest().await, before, "the late result has no effect");

    let mut tx = TenantTx::begin(&world.work, &world.tenant).await.unwrap();
    assert!(record_outcome(&mut tx, &actor(&world), &taken_over, &Outcome::Done).await.unwrap());
    assert!(!record_outcome(&mut tx, &actor(&world), &taken_over, &Outcome::Done).await.unwrap(), "and once is once");
    tx.commit().await.unwrap();
    assert_eq!(world.read(&order).await.state(), "inProgress");
}

#[tokio::test]
async fn a_task_that_is_being_taken_is_passed_over_not_waited_for() {
    let world = World::new().await;
    world.ordered(&[("1", "10.00")]).await;
    let (tenant, lease) = (&world.tenant, Duration::from_mins(1));
    let mut first = TenantTx::begin(&world.work, tenant).await.unwrap();
    assert_eq!(claim_tasks(&mut first, tenant, "first", lease, 10).await.unwrap().len(), 1);
    let mut second = TenantTx::begin(&world.work, tenant).await.unwrap();
    sqlx::raw_sql("set local lock_timeout = '1s'").execute(&mut *second).await.unwrap();
    assert!(claim_tasks(&mut second, tenant, "second", lease, 10).await.unwrap().is_empty());
    second.rollback().await.unwrap();
    first.commit().await.unwrap();
}

#[tokio::test]
async fn a_task_that_never_gives_a_result_falls_out_instead_of_killing_workers_for_ever() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    // Three workers take it and die.
    for _ in 0..3 {
        let mut tx = TenantTx::begin(&world.work, &world.tenant).await.unwrap();
        assert_eq!(claim_tasks(&mut tx, &world.tenant, "dies", Duration::ZERO, 10).await.unwrap().len(), 1);
        tx.commit().await.unwrap();
    }
    world.settle().await;
    let seen = world.read(&order).await;
    assert_eq!((seen.state(), seen.tasks()[0]), ("pending", ("reserve", "fallout")));
    assert!(world.neighbours.books().effects.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_runners_fulfil_many_orders_each_effect_once() {
    let world = World::new().await;
    let mut orders = Vec::new();
    for _ in 0..20 {
        orders.push(world.ordered(&[("1", "10.00")]).await);
    }
    let work = |name: &str| {
        let runner = world.runner(name);
        async move {
            let mut idle = 0;
            while idle < 3 {
                idle = if runner.round().await.unwrap() == 0 { idle + 1 } else { 0 };
            }
        }
    };
    tokio::join!(work("one"), work("two"), work("three"));
    world.settle().await;
    for order in &orders {
        assert_eq!(world.read(order).await.state(), "completed");
    }
    let effects = world.neighbours.books().effects.clone();
    for effect in ["held", "committed", "installed"] {
        assert_eq!(effects.iter().filter(|done| *done == effect).count(), 20, "{effect}");
    }
    assert_eq!(
        world.count("select count(*) from \"order\".task where attempt <> 1").await,
        0,
        "each task was taken once"
    );
    for (aggregate, events) in [("order", 80), ("task", 60)] {
        let sql = format!("select count(*) from \"order\".outbox where aggregate_type = '{aggregate}'");
        assert_eq!(world.count(&sql).await, events, "{aggregate}");
    }
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn one_runner_serves_every_tenant_with_an_identity_of_that_tenant() {
    let mut world = World::new().await;
    let ours = world.ordered(&[("1", "10.00")]).await;
    world.tenant = "other".parse().unwrap();
    let theirs = world.ordered(&[("1", "10.00")]).await;
    world.settle().await;
    assert_eq!(world.read(&theirs).await.state(), "completed");
    world.tenant = "acme".parse().unwrap();
    assert_eq!(world.read(&ours).await.state(), "completed");
    let mut tenants = world.neighbours.books().tenants.clone();
    tenants.dedup();
    tenants.sort();
    tenants.dedup();
    assert_eq!(tenants, ["acme", "other"], "inventory was asked with the tenant's own token");
}

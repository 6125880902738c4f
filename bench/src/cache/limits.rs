//! S9: a rate check with one to three policies beside a GET.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use cache_ports::{RateAlgorithm, RateCheck, RateDimension, RatePolicy, WithoutStore};

use super::{
    redis::Redis,
    table::{Line, Table},
    timing::per_second,
};

/// Many callers share packets; a single one waits for its own.
const WAYS: [(usize, &str); 2] = [(64, "S9, 64 tasks"), (1, "S9, 1 task")];
/// Never reached.
const LIMIT: u32 = 1_000_000;
/// Actors that are checked in turn.
const ACTORS: usize = 100;

/// One round.
pub async fn measure(redis: &Arc<Redis>, table: &mut Table, time: Duration) -> Result<()> {
    for (tasks, row) in WAYS {
        measure_with(redis, table, time, tasks, row).await?;
    }
    Ok(())
}

async fn measure_with(
    redis: &Arc<Redis>,
    table: &mut Table,
    time: Duration,
    tasks: usize,
    row: &'static str,
) -> Result<()> {
    let line = |what, floor| Line { row, what, unit: "calls/s", floor };
    let bare = Arc::clone(redis);
    let get = per_second(tasks, time, move |number| {
        let redis = Arc::clone(&bare);
        async move { redis.get(number).await }
    });
    table.add(line("fred, GET", None), get.await?);
    let policies: Arc<[RatePolicy; 3]> = Arc::new(["tenant", "user", "route"].map(policy));
    let actors: Arc<[String]> = (0..ACTORS).map(|number| format!("actor-{number}")).collect();
    let whats = ["rate check, 1 policy", "rate check, 2 policies", "rate check, 3 policies"];
    for (count, what) in (1..).zip(whats) {
        let (redis, policies, actors) = (Arc::clone(redis), Arc::clone(&policies), Arc::clone(&actors));
        let checks = per_second(tasks, time, move |number| {
            let (redis, policies, actors) = (Arc::clone(&redis), Arc::clone(&policies), Arc::clone(&actors));
            async move {
                let dimensions = [RateDimension::User, RateDimension::Tenant, RateDimension::Route];
                let check = |which: usize| RateCheck {
                    policy: &policies[which],
                    dimensions: &dimensions[which..=which],
                    actor: &actors[number % ACTORS],
                    route: "*",
                };
                let checks: Vec<RateCheck<'_>> = (0..count).map(check).collect();
                let decision =
                    redis.caches.rate.check(&redis.tenant, &checks, 1).await.context("nothing was checked")?;
                ensure!(decision.allowed && !decision.degraded, "not a shared count: {decision:?}");
                Ok(())
            }
        });
        table.add(line(what, Some("fred, GET")), checks.await?);
    }
    Ok(())
}

fn policy(name: &str) -> RatePolicy {
    RatePolicy {
        without_store: WithoutStore::Refuse,
        ..RatePolicy::new(name, RateAlgorithm::Gcra, LIMIT, Duration::from_secs(1))
    }
}

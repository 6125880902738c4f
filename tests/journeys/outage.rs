//! Redis stands still in the middle of a crowd of readers: nobody gets an error or a wrong answer, and it heals by itself.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use quoin::api::{Api, Credential, Endpoints, Person};
use serde_json::Value;
use system_tests::{Shop, System, Weather, shop::text, system::eventually};
use tokio::task::JoinSet;

use crate::PROGRAM;

const READERS: usize = 32;
/// Reads in each of three phases: before, while Redis stands still, after.
const READS: usize = 2_000;

/// What the crowd has got so far.
#[derive(Default)]
struct Tally {
    answers: AtomicUsize,
    from_authority: AtomicUsize,
}

/// A client that takes the first answer, whatever it is.
fn impatient(system: &System) -> Result<Api> {
    let person = Credential::issued(Person::new(&system.tenant, "seller", &["salesRep"]));
    Ok(Api::new(Arc::new(Endpoints::single(&system.deployment.url())), person, Duration::ZERO)?)
}

async fn read(api: &Api, path: &str) -> Result<(Value, bool)> {
    let answer = api.get(path).send::<Value>().await.with_context(|| path.to_owned())?;
    let hit = answer.header("cache-status").contains("hit");
    Ok((answer.value, hit))
}

/// Reads until the whole crowd has all its answers; the first error or difference ends it.
async fn reader(api: Api, known: Arc<Vec<(String, Value)>>, number: usize, tally: Arc<Tally>) -> Result<()> {
    for turn in number.. {
        if tally.answers.load(Ordering::SeqCst) >= 3 * READS {
            break;
        }
        let (path, expected) = &known[turn % known.len()];
        let (answer, hit) = read(&api, path).await?;
        ensure!(answer == *expected, "{path} answered {answer}");
        tally.answers.fetch_add(1, Ordering::SeqCst);
        tally.from_authority.fetch_add(usize::from(!hit), Ordering::SeqCst);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_standing_still_costs_a_crowd_of_readers_no_answer() -> Result<()> {
    const NEVER_REACHED: &str = "1000000";
    // Without memory of its own every read notices what Redis does.
    let settings = [
        ("QUOIN__CACHE__L1", "false"),
        ("QUOIN__LIMITS__POLICIES__TENANT_READS__LIMIT", NEVER_REACHED),
        ("QUOIN__LIMITS__POLICIES__USER_READS__LIMIT", NEVER_REACHED),
    ];
    let system = System::start_with(PROGRAM, Weather::OwnRedis, &settings).await?;
    let redis = system.redis.as_ref().context("a Redis of our own")?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let api = impatient(&system)?;
    let mut known = Vec::new();
    for name in ["lamp", "chair", "set", "delivery"] {
        let path =
            format!("/catalog/v1/publications/{}/offerings/{}", shop.publication, text(&shop.ids, &format!("/{name}")));
        known.push((path.clone(), read(&api, &path).await?.0));
    }
    let (known, tally) = (Arc::new(known), Arc::new(Tally::default()));
    let everything_hits = async || {
        eventually("every read is a hit", async || {
            let mut hits = 0;
            for (path, _) in known.iter() {
                hits += usize::from(read(&api, path).await?.1);
            }
            Ok((hits == known.len()).then_some(()))
        })
        .await
    };
    everything_hits().await?;

    let mut crowd = JoinSet::new();
    for number in 0..READERS {
        crowd.spawn(reader(api.clone(), Arc::clone(&known), number, Arc::clone(&tally)));
    }
    let reached = async |count: usize| {
        eventually("the crowd reads on", async || Ok((tally.answers.load(Ordering::SeqCst) >= count).then_some(())))
            .await
    };
    reached(READS).await?;
    let before = tally.from_authority.load(Ordering::SeqCst);
    redis.freeze().await?;
    reached(2 * READS).await?;
    let stopped = tally.from_authority.load(Ordering::SeqCst) - before;
    redis.thaw().await?;
    while let Some(ended) = crowd.join_next().await {
        ended??;
    }
    assert!(tally.answers.load(Ordering::SeqCst) >= 3 * READS);
    assert!(stopped > READS / 2, "only {stopped} of {READS} answers came from PostgreSQL while Redis stood still");
    everything_hits().await
}

//! The final test: the journeys of a whole shop, once without a cache and once for every lie a Redis can tell.
//!
//! Every answer and every row of PostgreSQL, the outbox included, must be the same; what the registry lets be shown late may
//! be what was true before, for as long as it says. `docs/final-test.md` is written by this run. For a longer one set
//! `QUOIN_FINAL_TEST_ROUNDS`; to write the page set `QUOIN_WRITE_PAGES=1`.

mod by_tenant;
mod journeys;
mod judge;
mod names;
mod page;
mod stage;
mod tables;
mod visitor;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use anyhow::{Result, bail};
use cache_engine::{
    ByteStore, Engine, EngineConfig, Guard, Guards, NoStore,
    contract::{
        MemorySubject, Subject,
        lying::{Lie, LyingStore},
    },
};
use cache_redis::contract::RedisSubject;
use dev_stack::{Component, test};
use futures::{StreamExt, stream};
use tokio::sync::OnceCell;

use crate::{
    by_tenant::ByTenant,
    journeys::Far,
    judge::{Difference, Score},
    stage::Stage,
    tables::Fact,
    visitor::{Tenants, Transcript, Visitor},
};

/// Tenants that live through the journeys at the same time.
const AT_ONCE: usize = 4;
/// Between two looks at tables that should not move any more.
const STILL: Duration = Duration::from_millis(150);

/// One run.
struct Run {
    tenants: Tenants,
    transcript: Transcript,
    facts: Vec<Fact>,
}

/// What one lie came to.
struct Outcome {
    lie: Lie,
    scores: Vec<(&'static str, Score)>,
    rows: usize,
    differences: Vec<String>,
    struck: u64,
    bypassed: u64,
}

/// What all the lies came to, and the keyspaces that their stores were asked for.
struct Told {
    outcomes: Vec<Outcome>,
    asked: BTreeSet<&'static str>,
}

/// The run all others are compared with.
static WITHOUT: OnceCell<Run> = OnceCell::const_new();

fn tenants(name: &str) -> Tenants {
    Tenants { shop: format!("shop-{name}"), other: format!("other-{name}") }
}

async fn live(stage: &Stage, tenants: Tenants, looks_around: bool, far: Far) -> Result<Run> {
    let visitor = Visitor::enter(stage, tenants.clone(), looks_around).await?;
    journeys::live(&visitor, far).await?;
    let transcript = visitor.leave();
    let mut facts = tables::facts(&stage.owner, &tenants).await?;
    loop {
        tokio::time::sleep(STILL).await;
        let now = tables::facts(&stage.owner, &tenants).await?;
        let still = tables::canonical(&facts, |_| None) == tables::canonical(&now, |_| None);
        facts = now;
        if still {
            return Ok(Run { tenants, transcript, facts });
        }
    }
}

async fn without_a_cache() -> Result<&'static Run> {
    WITHOUT
        .get_or_try_init(|| async {
            let config = EngineConfig { in_memory: false, ..EngineConfig::default() };
            let stage = Stage::over(Engine::new(Arc::new(NoStore), config)).await?;
            let run = live(&stage, tenants("without"), true, Far::ToTheEnd).await?;
            stage.end().await?;
            anyhow::Ok(run)
        })
        .await
}

/// What the lies are told about.
#[derive(Clone, Copy)]
enum Store<'a> {
    /// A Redis at this URL.
    Redis(&'a str),
    /// This process's memory, without some of the guards.
    Memory(Guards),
}

impl Store<'_> {
    const fn guards(self) -> Guards {
        match self {
            Self::Redis(_) => Guards::ALL,
            Self::Memory(guards) => guards,
        }
    }

    async fn subject(self) -> Arc<dyn Subject> {
        match self {
            Self::Redis(url) => Arc::new(RedisSubject::at(url).await),
            Self::Memory(guards) => Arc::new(MemorySubject::with_guards(guards)),
        }
    }
}

/// What is tried with each of some lies.
struct Trial<'a> {
    over: Store<'a>,
    lies: &'a [Lie],
    /// Of the dice.
    seed: u64,
    /// Whether the process keeps copies in its own memory as well.
    in_memory: bool,
    far: Far,
}

/// Lives through the journeys once for each lie. A journey that breaks is a difference like any other.
async fn lied_to(trial: Trial<'_>) -> Result<Told> {
    let Trial { over, lies, seed, in_memory, far } = trial;
    let without = without_a_cache().await?;
    let mut stores: HashMap<String, Arc<dyn ByteStore>> = HashMap::new();
    let mut liars = Vec::new();
    for lie in lies {
        let store = Arc::new(LyingStore::over(over.subject().await, *lie, seed));
        let tenants = tenants(&format!("{lie:?}").to_lowercase());
        stores.insert(tenants.shop.clone(), store.clone());
        stores.insert(tenants.other.clone(), store.clone());
        liars.push((store, tenants));
    }
    let config = EngineConfig { in_memory, ..EngineConfig::default() };
    let by_tenant = Arc::new(ByTenant::of_each(stores));
    let engine = Engine::with_guards(over.guards(), by_tenant.clone(), config);
    let stage = Stage::over(engine).await?;
    let runs = stream::iter(&liars)
        .map(|(store, tenants)| async {
            let outcome = live(&stage, tenants.clone(), false, far).await;
            judged(without, store, outcome, far)
        })
        .buffered(AT_ONCE);
    let outcomes = runs.collect().await;
    stage.end().await?;
    Ok(Told { outcomes, asked: by_tenant.asked() })
}

fn judged(without: &Run, store: &LyingStore, outcome: Result<Run>, far: Far) -> Outcome {
    let (lie, struck, bypassed) = (store.lie(), store.struck(), store.bypassed());
    let run = match outcome {
        Ok(run) => run,
        Err(error) => {
            let differences = vec![format!("{error:#}")];
            return Outcome { lie, scores: Vec::new(), rows: 0, differences, struck, bypassed };
        }
    };
    let (one, other) = ((&without.transcript, &without.tenants), (&run.transcript, &run.tenants));
    let (scores, pairs, differences) = judge::compare(one, other);
    let mut differences: Vec<String> = differences.into_iter().map(|Difference(text)| text).collect();
    if far == Far::ToTheEnd {
        differences.extend(judge::missing(&without.transcript, &run.transcript));
        differences.extend(tables::differing(&without.facts, &run.facts, &pairs));
    }
    Outcome { lie, scores, rows: run.facts.len(), differences, struck, bypassed }
}

/// So many throws of the dice hit any read.
const SEEDS: u64 = 20;
/// So many differences tell what is wrong; more would hide it.
const SHOWN: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn no_lie_changes_an_answer_or_a_row() -> Result<()> {
    let rounds = std::env::var("QUOIN_FINAL_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1_u64);
    let redis = test::own(Component::Redis).await?;
    for round in 1..=rounds {
        // In the first round every read meets the liar; a process's own memory joins in every other one.
        let in_memory = round % 2 == 0;
        let over = Store::Redis(redis.url());
        let trial = Trial { over, lies: &Lie::ALL, seed: round, in_memory, far: Far::ToTheEnd };
        let Told { outcomes, asked } = lied_to(trial).await?;
        println!("{}", page::matrix(&outcomes));
        for outcome in &outcomes {
            let name = outcome.lie.as_str();
            let shown: Vec<&String> = outcome.differences.iter().take(SHOWN).collect();
            assert!(outcome.differences.is_empty(), "{name}: {} differences: {shown:#?}", outcome.differences.len());
            // No journey asks for a lock that somebody holds; the contract suite does.
            assert!(outcome.struck > 0 || outcome.lie == Lie::LockTwice, "{name}: it never struck");
        }
        let old = |outcome: &Outcome| outcome.scores.iter().map(|(_, score)| score.old).sum::<usize>();
        let shown_late: usize = outcomes.iter().filter(|outcome| outcome.lie.may_show_old()).map(old).sum();
        assert!(shown_late > 0, "nothing was ever shown late: the lies about old values do not bite");
        if round == 1 {
            page::compare_or_write(&outcomes, &asked)?;
        }
    }
    Ok(())
}

/// A test that cannot fail proves nothing: with a guard switched off, the first of the same journeys must notice. How the
/// dice fall depends on who reads first, so a lie may need another seed to hit a read that matters.
async fn is_red_without(guard: Guard, lie: Lie) -> Result<()> {
    for seed in 1..=SEEDS {
        let over = Store::Memory(Guards::without(guard));
        let trial = Trial { over, lies: &[lie], seed, in_memory: false, far: Far::ToThePrices };
        let told = lied_to(trial).await?;
        if let Some(difference) = told.outcomes.iter().flat_map(|outcome| &outcome.differences).next() {
            println!("without the guard of {}, {}: {difference}", guard.as_str(), lie.as_str());
            return Ok(());
        }
    }
    bail!("nobody notices {} without the guard of {}", lie.as_str(), guard.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_guard_of_identity_the_final_test_is_red() -> Result<()> {
    is_red_without(Guard::Identity, Lie::AnotherTenant).await?;
    is_red_without(Guard::Identity, Lie::AnotherId).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_guard_of_demanded_versions_the_final_test_is_red() -> Result<()> {
    is_red_without(Guard::Demand, Lie::OldValue).await
}

//! The stale-read race: writers change objects and invalidate them while readers load slowly.
//!
//! A read is stale when it returns a version older than one whose invalidation was acknowledged before the read began. The
//! authority is in this process, so that this is known exactly: a version is read first and the slow part comes after it.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use cache_engine::{Engine, EngineConfig};
use cache_ports::{Caches, Loaded, Loading};
use hdrhistogram::Histogram;
use kernel::{PriceBookId, TenantId, Version};
use tokio::task::JoinSet;

use super::{
    redis::{connect, store},
    rival::CacheAside,
    timing::{micros, note, rate},
};
use crate::report::Spread;

const KEYS: usize = 256;
const READERS: usize = 64;
const WRITERS: usize = 4;
/// Engines over the same Redis, as processes have them.
const PROCESSES: usize = 2;
/// A load takes up to this long, at random, after it has read its version.
const SLOWEST_LOAD: Duration = Duration::from_millis(5);
/// A writer's pause between two changes.
const WRITE_PAUSE: Duration = Duration::from_millis(1);

/// Who races.
#[derive(Clone)]
enum Way {
    Guarded(Arc<[Caches]>, TenantId),
    Plain(CacheAside),
}

/// The authority, and what has been acknowledged.
struct World {
    keys: Vec<(PriceBookId, String)>,
    versions: Vec<AtomicU64>,
    acknowledged: Vec<AtomicU64>,
    loads: AtomicUsize,
    writes: AtomicUsize,
    unacknowledged: AtomicUsize,
}

impl World {
    fn new() -> Arc<Self> {
        let key = |_| (PriceBookId::generate(), format!("rival:{}", PriceBookId::generate()));
        Arc::new(Self {
            keys: (0..KEYS).map(key).collect(),
            versions: (0..KEYS).map(|_| AtomicU64::new(1)).collect(),
            acknowledged: (0..KEYS).map(|_| AtomicU64::new(0)).collect(),
            loads: AtomicUsize::new(0),
            writes: AtomicUsize::new(0),
            unacknowledged: AtomicUsize::new(0),
        })
    }

    async fn load(&self, key: usize) -> u64 {
        let version = self.versions[key].load(Ordering::SeqCst);
        self.loads.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(SLOWEST_LOAD.mul_f64(fastrand::f64())).await;
        version
    }
}

impl Way {
    async fn read(&self, world: &Arc<World>, process: usize, key: usize) -> Result<u64> {
        match self {
            Self::Plain(cache) => cache.read(&world.keys[key].1, world.load(key)).await,
            Self::Guarded(processes, tenant) => {
                let load = || -> Loading<Version> {
                    let world = Arc::clone(world);
                    Box::pin(async move {
                        let version = Version::new(world.load(key).await);
                        Ok(Loaded::Found { value: version, version })
                    })
                };
                let port = &processes[process].pricing;
                let served = port.active_price_book_version(tenant, world.keys[key].0, None, &load).await?;
                Ok(served.map_or(0, |served| served.version.get()))
            }
        }
    }

    async fn changed(&self, world: &World, process: usize, key: usize, version: u64) -> Result<()> {
        match self {
            Self::Plain(cache) => cache.changed(&world.keys[key].1).await,
            Self::Guarded(processes, tenant) => {
                let port = &processes[process].pricing;
                Ok(port.price_book_updated(tenant, world.keys[key].0, Version::new(version)).await?)
            }
        }
    }
}

/// What one reader saw.
struct Seen {
    reads: usize,
    stale: usize,
    failures: usize,
    micros: Histogram<u64>,
}

impl Seen {
    fn nothing() -> Result<Self> {
        Ok(Self { reads: 0, stale: 0, failures: 0, micros: micros()? })
    }
}

async fn reader(way: Way, world: Arc<World>, process: usize, until: Instant) -> Result<Seen> {
    let mut seen = Seen::nothing()?;
    while Instant::now() < until {
        let key = fastrand::usize(0..KEYS);
        let least = world.acknowledged[key].load(Ordering::SeqCst);
        let began = Instant::now();
        match way.read(&world, process, key).await {
            Ok(version) => seen.stale += usize::from(version < least),
            Err(_) => seen.failures += 1,
        }
        seen.reads += 1;
        note(&mut seen.micros, began.elapsed());
    }
    Ok(seen)
}

async fn writer(way: Way, world: Arc<World>, process: usize, until: Instant) -> Result<()> {
    while Instant::now() < until {
        let key = fastrand::usize(0..KEYS);
        let version = world.versions[key].fetch_add(1, Ordering::SeqCst) + 1;
        world.writes.fetch_add(1, Ordering::Relaxed);
        match way.changed(&world, process, key, version).await {
            Ok(()) => drop(world.acknowledged[key].fetch_max(version, Ordering::SeqCst)),
            Err(_) => drop(world.unacknowledged.fetch_add(1, Ordering::Relaxed)),
        }
        tokio::time::sleep(WRITE_PAUSE).await;
    }
    Ok(())
}

/// All rounds of one way.
struct Course {
    name: &'static str,
    way: Way,
    world: Arc<World>,
    seen: Seen,
    rates: Vec<f64>,
    stale_in_rounds: Vec<usize>,
}

impl Course {
    fn new(name: &'static str, way: Way) -> Result<Self> {
        let (world, seen) = (World::new(), Seen::nothing()?);
        Ok(Self { name, way, world, seen, rates: Vec::new(), stale_in_rounds: Vec::new() })
    }

    async fn round(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        let (mut readers, mut writers) = (JoinSet::new(), JoinSet::new());
        for number in 0..READERS {
            readers.spawn(reader(self.way.clone(), Arc::clone(&self.world), number % PROCESSES, until));
        }
        for number in 0..WRITERS {
            writers.spawn(writer(self.way.clone(), Arc::clone(&self.world), number % PROCESSES, until));
        }
        let (mut reads, mut stale) = (0, 0);
        while let Some(ended) = readers.join_next().await {
            let seen = ended??;
            reads += seen.reads;
            stale += seen.stale;
            self.seen.failures += seen.failures;
            self.seen.micros.add(seen.micros)?;
        }
        while let Some(ended) = writers.join_next().await {
            ended??;
        }
        self.seen.reads += reads;
        self.seen.stale += stale;
        self.rates.push(rate(reads, time));
        self.stale_in_rounds.push(stale);
        Ok(())
    }

    fn line(&self) -> Option<String> {
        let rates = Spread::of(self.rates.iter().copied())?;
        let world = &self.world;
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let hits = 1.0 - world.loads.load(Ordering::SeqCst) as f64 / self.seen.reads as f64;
        Some(format!(
            "| {} | {} | {:.0} [{:.0}..{:.0}] | {} | {} | **{}** {:?} | {:.1} % | {} | {} | {} |",
            self.name,
            self.seen.reads,
            rates.median,
            rates.min,
            rates.max,
            world.writes.load(Ordering::SeqCst),
            world.unacknowledged.load(Ordering::SeqCst),
            self.seen.stale,
            self.stale_in_rounds,
            hits * 100.0,
            self.seen.micros.value_at_quantile(0.5),
            self.seen.micros.value_at_quantile(0.99),
            self.seen.failures,
        ))
    }
}

/// Races both ways in turn and returns the table.
pub async fn run(url: &str, rounds: u32, time: Duration) -> Result<String> {
    let without_memory = EngineConfig { in_memory: false, ..EngineConfig::default() };
    let mut processes = Vec::with_capacity(PROCESSES);
    for _ in 0..PROCESSES {
        processes.push(Engine::new(Arc::new(store(url).await?), without_memory.clone()).caches());
    }
    let guarded = Way::Guarded(processes.into(), "race".parse()?);
    let plain = Way::Plain(CacheAside(connect(url).await?));
    let mut courses = [Course::new("plain cache-aside", plain)?, Course::new("through the port", guarded)?];
    for _ in 0..rounds {
        for course in &mut courses {
            course.round(time).await?;
        }
    }
    let mut text = format!(
        "Stale reads: {READERS} readers in {PROCESSES} processes' worth of engines, {WRITERS} writers, {KEYS} keys, loads of up to {} ms, {rounds} rounds of {} s each.\n\n\
         | what | reads | reads/s | writes | not acknowledged | stale [each round] | hits | p50 µs | p99 µs | failures |\n|---|---|---|---|---|---|---|---|---|---|\n",
        SLOWEST_LOAD.as_millis(),
        time.as_secs(),
    );
    for line in courses.iter().filter_map(Course::line) {
        let _ = writeln!(text, "{line}");
    }
    Ok(text + "\n")
}

//! FLUSHALL while many read: the authority is asked at most once per process, key and lease, never by the crowd.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cache_engine::contract::{new_tenant, over, until};
use cache_ports::{Caches, Loaded, Loading, ServedFrom};
use cache_redis::{RedisConfig, RedisStore};
use dev_stack::{Component, test::own};
use fred::interfaces::ClientLike;
use kernel::{PriceBookId, TenantId, Version};
use tokio::task::JoinSet;

use cache_redis::contract::{config, plain};

/// Engines over the same Redis, each with connections and single flight of its own, as processes have them.
const PROCESSES: usize = 4;
/// Readers of each key in each process.
const READERS: usize = 6;
const KEYS: usize = 4;
const FLUSHES: usize = 12;
/// A reader's pace; a load takes longer, so every reader arrives while it runs.
const PACE: Duration = Duration::from_millis(10);
const LOAD: Duration = Duration::from_millis(15);

fn version_of(key: usize) -> Version {
    Version::new(u64::try_from(key).expect("a small key") + 1)
}

/// Counts loads: how many there were of a key in all, and how many at the same time in one process.
#[derive(Default)]
struct Ledger {
    loads: Mutex<HashMap<usize, usize>>,
    running: Mutex<HashMap<(usize, usize), usize>>,
    most_at_once: AtomicUsize,
}

impl Ledger {
    fn load(self: &Arc<Self>, process: usize, key: usize) -> impl Fn() -> Loading<Version> + Send + Sync + use<> {
        let ledger = Arc::clone(self);
        move || {
            let ledger = Arc::clone(&ledger);
            Box::pin(async move {
                *ledger.loads.lock().expect("no reader panics").entry(key).or_default() += 1;
                let at_once = ledger.running(process, key, 1);
                ledger.most_at_once.fetch_max(at_once, Ordering::SeqCst);
                tokio::time::sleep(LOAD).await;
                ledger.running(process, key, -1);
                let version = version_of(key);
                Ok(Loaded::Found { value: version, version })
            })
        }
    }

    fn running(&self, process: usize, key: usize, change: isize) -> usize {
        let mut running = self.running.lock().expect("no reader panics");
        let count = running.entry((process, key)).or_default();
        *count = count.checked_add_signed(change).expect("a load ends once");
        *count
    }

    fn loads(&self) -> HashMap<usize, usize> {
        self.loads.lock().expect("no reader panics").clone()
    }
}

/// One process: its ports, and the ledger all processes share.
#[derive(Clone)]
struct Process {
    number: usize,
    caches: Caches,
    tenant: TenantId,
    books: [PriceBookId; KEYS],
    ledger: Arc<Ledger>,
}

impl Process {
    async fn read(&self, key: usize) -> ServedFrom {
        let load = self.ledger.load(self.number, key);
        let read = self.caches.pricing.active_price_book_version(&self.tenant, self.books[key], None, &load).await;
        let served = read.expect("a flush is no failure").expect("the authority has it");
        assert_eq!(served.version, version_of(key), "every answer is right");
        served.source
    }

    /// Reads one key until told to stop; returns how often it got an answer.
    async fn read_on(self, key: usize, stop: Arc<AtomicBool>) -> usize {
        let mut answers = 0;
        while !stop.load(Ordering::SeqCst) {
            self.read(key).await;
            answers += 1;
            tokio::time::sleep(PACE).await;
        }
        answers
    }
}

async fn everything_hits(processes: &[Process]) {
    for process in processes {
        for key in 0..KEYS {
            until("a hit", async || process.read(key).await == ServedFrom::L2).await;
        }
    }
}

async fn start_processes(url: &str) -> Vec<Process> {
    // Patient, because a load that goes on without Redis is not counted against the lease.
    let config = RedisConfig { timeout: Duration::from_secs(5), ..config(url) };
    let (tenant, ledger) = (new_tenant(), Arc::new(Ledger::default()));
    let books = [(); KEYS].map(|()| PriceBookId::generate());
    let mut processes = Vec::new();
    for number in 0..PROCESSES {
        let store = Arc::new(RedisStore::connect(&config).expect("a Redis URL"));
        until("a connection of every pool", async || store.state().iter().all(|pool| pool.connected)).await;
        let (tenant, ledger) = (tenant.clone(), Arc::clone(&ledger));
        processes.push(Process { number, caches: over(store, false), tenant, books, ledger });
    }
    processes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_at_peak_asks_the_authority_once_per_process_and_key() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let processes = start_processes(redis.url()).await;
    let (ledger, stop) = (Arc::clone(&processes[0].ledger), Arc::new(AtomicBool::new(false)));
    let mut readers = JoinSet::new();
    for process in &processes {
        for key in (0..KEYS).flat_map(|key| [key; READERS]) {
            readers.spawn(process.clone().read_on(key, Arc::clone(&stop)));
        }
    }
    everything_hits(&processes).await;

    let hands = plain(redis.url()).await;
    for strike in 0..FLUSHES {
        let before = ledger.loads();
        hands.flushall::<()>(false).await.expect("Redis answers");
        everything_hits(&processes).await;
        for (key, now) in ledger.loads() {
            let loads = now - before.get(&key).copied().unwrap_or_default();
            assert!((1..=PROCESSES).contains(&loads), "key {key} was loaded {loads} times after flush {strike}");
        }
    }

    stop.store(true, Ordering::SeqCst);
    let answers: usize = readers.join_all().await.into_iter().sum();
    let loads: usize = ledger.loads().values().sum();
    let windows = KEYS * (FLUSHES + 1);
    assert_eq!(ledger.most_at_once.load(Ordering::SeqCst), 1, "one load at a time in a process");
    assert!(loads < 2 * windows, "{loads} loads in {windows} windows: the lease keeps most processes from loading");
    assert!(answers > 10 * loads, "{answers} answers of {loads} loads: the readers are a crowd");
}

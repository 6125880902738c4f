//! hitbox beside our ports, for `bench cache`: reads the document on its input, keeps it under a thousand keys, and prints the
//! figure of its hits.
//!
//! A process of its own, because it cannot be built into the workspace (see `Cargo.toml`). It is timed by the very loops that
//! time ours, with as many worker threads and the same allocator.

#[path = "../../src/cache/timing.rs"]
#[expect(dead_code, reason = "the loops of `bench`, of which hits need two")]
mod timing;

use std::{
    cell::Cell,
    convert::Infallible,
    io::Read,
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use cache_ports::catalog::OfferingDocument;
use clap::{Parser, Subcommand};
use hitbox::{CacheStatus, backend::CacheBackend};
use hitbox_backend::format::JsonFormat;
use hitbox_fn::{Cache, KeyExtract, prelude::*};
use hitbox_moka::MokaBackend;
use hitbox_redis::{ConnectionMode, RedisBackend};
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many keys as `bench cache` reads in turn.
const KEYS: usize = 1_000;
/// Longer than any measurement.
const LIFE: Duration = Duration::from_mins(10);

/// Measures hits of hitbox for the document on the standard input, and prints one number.
#[derive(Parser)]
struct Options {
    /// Where the document lies.
    #[command(subcommand)]
    place: Where,
    /// Milliseconds the measurement lasts.
    #[arg(long, default_value_t = 1_000, global = true)]
    millis: u64,
}

#[derive(Subcommand)]
enum Where {
    /// In this process: prints nanoseconds a hit.
    Memory,
    /// In Redis: prints hits a second.
    Redis {
        /// Its address.
        #[arg(long)]
        url: String,
        /// Tasks that read at once.
        #[arg(long)]
        tasks: usize,
    },
}

/// What is cached: the product's value, as the macro needs it.
#[derive(Debug, Clone, Serialize, Deserialize, CacheableResponse)]
struct Offering {
    document: OfferingDocument,
}

/// What a key of the product's keyspace is made of.
#[derive(Debug, Clone)]
struct Key(usize);

impl KeyExtract for Key {
    fn extract(&self) -> Vec<KeyPart> {
        let part = |name, value| KeyPart::new(name, Some(value));
        vec![
            part("tenant", "bench".to_owned()),
            part("publication", "01890000-0000-7000-8000-000000000001".to_owned()),
            part("offering", format!("01890000-0000-7000-8000-{:012}", self.0)),
            part("locale", "en".to_owned()),
        ]
    }
}

static DOCUMENT: OnceLock<OfferingDocument> = OnceLock::new();

/// Only a miss comes here.
#[cached]
async fn offering(key: Key) -> Result<Offering, Infallible> {
    let document = DOCUMENT.get().cloned();
    Ok(Offering { document: document.unwrap_or_else(|| unreachable!("{key:?} is read after the document")) })
}

/// One read that has to find what was kept.
async fn hit<B: CacheBackend + Send + Sync + 'static>(cache: &Cache<B>, number: usize) -> Result<()> {
    let (Ok(found), context) = offering(Key(number % KEYS)).cache(cache).with_context().await;
    ensure!(context.status == CacheStatus::Hit, "a value was evicted");
    std::hint::black_box(found);
    Ok(())
}

async fn filled<B: CacheBackend + Send + Sync + 'static>(backend: B) -> Result<Cache<B>> {
    let cache = Cache::builder().backend(backend).policy(PolicyConfig::builder().ttl(LIFE).build()).build();
    for number in 0..KEYS {
        let Ok(_) = offering(Key(number)).cache(&cache).await;
        hit(&cache, number).await?;
    }
    Ok(cache)
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<()> {
    let options = Options::parse();
    let mut json = String::new();
    std::io::stdin().read_to_string(&mut json)?;
    let _ = DOCUMENT.set(serde_json::from_str(&json).context("the document on the standard input")?);
    let time = Duration::from_millis(options.millis);
    let figure = match options.place {
        Where::Memory => {
            let cache = filled(MokaBackend::builder().max_entries(KEYS as u64 * 10).build()).await?;
            let missed = Cell::new(false);
            let read = async |number| missed.set(missed.get() || hit(&cache, number).await.is_err());
            let nanos = timing::nanos_each(time, read).await;
            ensure!(!missed.get(), "a value was evicted");
            nanos
        }
        Where::Redis { url, tasks } => {
            // Its default, bincode, cannot read what leaves out empty fields.
            let backend = RedisBackend::builder().connection(ConnectionMode::single(url)).value_format(JsonFormat);
            let cache = Arc::new(filled(backend.build()?).await?);
            let read = move |number| {
                let cache = Arc::clone(&cache);
                async move { hit(&cache, number).await }
            };
            timing::per_second(tasks, time, read).await?
        }
    };
    println!("{figure}");
    Ok(())
}

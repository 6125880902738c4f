//! A read, a crowd, and a slow reader who comes too late, over the store in memory.
//! `cargo run -p cache-engine --example read_through`
//!
//! Owns nothing. The authority is a number that changes; the same calls work over Redis.

use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use cache_engine::{Engine, EngineConfig, MemoryStore};
use cache_ports::{Loaded, Loading, load};
use kernel::{PriceBookId, TenantId, Version};
use tokio::{sync::Semaphore, task::JoinSet};

/// Where the truth is: which version of a price book is the newest, and how often that was asked.
struct Authority {
    newest: AtomicU64,
    asked: AtomicUsize,
    /// Answers wait here, so that "slow" needs no clock.
    gate: Semaphore,
}

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn newest(authority: &Arc<Authority>) -> impl Fn() -> Loading<Version> + Send + Sync + use<> {
    let authority = Arc::clone(authority);
    load(move || {
        let authority = Arc::clone(&authority);
        async move {
            let version = Version::new(authority.newest.load(Ordering::SeqCst));
            authority.asked.fetch_add(1, Ordering::SeqCst);
            authority.gate.acquire().await?.forget();
            Ok::<_, tokio::sync::AcquireError>(Loaded::Found { value: version, version })
        }
    })
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let caches = Engine::new(Arc::new(MemoryStore::new()), EngineConfig::default()).caches();
    let (tenant, book): (TenantId, _) = ("acme".parse()?, PriceBookId::generate());
    let gate = Semaphore::new(1);
    let authority = Arc::new(Authority { newest: AtomicU64::new(6), asked: AtomicUsize::new(0), gate });

    // A crowd asks at once: the authority is asked by one of them.
    let mut crowd = JoinSet::new();
    for _ in 0..100 {
        let (caches, tenant, load) = (caches.clone(), tenant.clone(), newest(&authority));
        crowd.spawn(async move {
            let served = caches.pricing.active_price_book_version(&tenant, book, None, &load).await?;
            Outcome::Ok(served.map(|served| (served.version, served.source)))
        });
    }
    while let Some(answer) = crowd.join_next().await {
        answer??;
    }
    println!("100 readers, {} question to the authority", authority.asked.load(Ordering::SeqCst));

    // The price book changes, and a reader is in the middle of loading when it changes again.
    caches.pricing.price_book_updated(&tenant, book, Version::new(7)).await?;
    authority.newest.store(7, Ordering::SeqCst);
    let (slow_caches, slow_tenant, slow_load) = (caches.clone(), tenant.clone(), newest(&authority));
    let slow = tokio::spawn(async move {
        slow_caches.pricing.active_price_book_version(&slow_tenant, book, None, &slow_load).await
    });
    while authority.asked.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    authority.newest.store(8, Ordering::SeqCst);
    caches.pricing.price_book_updated(&tenant, book, Version::new(8)).await?;
    authority.gate.add_permits(10);
    let late = slow.await??.ok_or("it exists")?;
    let next = caches.pricing.active_price_book_version(&tenant, book, None, &newest(&authority)).await?;
    let next = next.ok_or("it exists")?;
    println!("the slow reader got version {} and could not store it; the next one got {}", late.version, next.version);
    assert_eq!((late.version, next.version), (Version::new(7), Version::new(8)));
    Ok(())
}

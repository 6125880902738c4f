//! Two engines over one Redis, as two processes have them: what one fills the other reads, what one invalidates neither serves.
//! `cargo run -p cache-redis --example two_processes -- redis://127.0.0.1:6379`
//!
//! Owns nothing. It also runs without Redis: then every answer comes from the authority, and no call fails.

use std::{error::Error, sync::Arc, time::Duration};

use cache_engine::{Engine, EngineConfig};
use cache_ports::{Caches, Loaded, Loading};
use cache_redis::{RedisConfig, RedisStore};
use kernel::{PriceBookId, TenantId, Version};

/// A loader for an authority that has this version.
fn having(version: u64) -> impl Fn() -> Loading<Version> + Send + Sync {
    move || {
        let version = Version::new(version);
        Box::pin(async move { Ok(Loaded::Found { value: version, version }) })
    }
}

fn process(url: &str) -> Result<(Caches, Arc<RedisStore>), Box<dyn Error>> {
    let config = RedisConfig { key_prefix: "example:".into(), ..RedisConfig::at(url) };
    // Returns at once, whether Redis is there or not.
    let store = Arc::new(RedisStore::connect(&config)?);
    Ok((Engine::new(store.clone(), EngineConfig::default()).caches(), store))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "redis://127.0.0.1:6379".into());
    let ((one, first), (other, second)) = (process(&url)?, process(&url)?);
    // Only to show hits from the first read on; a service does not wait.
    for _ in 0..100 {
        if [&first, &second].iter().all(|store| store.state().iter().all(|pool| pool.connected)) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (tenant, book): (TenantId, _) = ("acme".parse()?, PriceBookId::generate());
    let read = async |who: &str, caches: &Caches, authority: u64| {
        let served = caches.pricing.active_price_book_version(&tenant, book, None, &having(authority)).await?;
        let served = served.ok_or("it exists")?;
        println!("{who} reads version {} from {:?}", served.version, served.source);
        Ok::<_, Box<dyn Error>>(())
    };
    read("one  ", &one, 1).await?;
    read("other", &other, 1).await?;
    match one.pricing.price_book_updated(&tenant, book, Version::new(2)).await {
        Ok(()) => println!("one   has told Redis of version 2"),
        Err(unavailable) => println!("one   would tell Redis again later: {unavailable}"),
    }
    read("other", &other, 2).await?;
    read("one  ", &one, 2).await?;
    first.close().await;
    second.close().await;
    Ok(())
}

//! Plain cache-aside, as most programs write it: GET, on a miss load and SET, on a change DEL.
//!
//! It is here to be beaten. Nothing but the race may use it.

use anyhow::Result;
use fred::{clients::Client, interfaces::KeysInterface, types::Expiration};

/// Life of an entry, the same as the product's keyspace has.
const LIFE_SECONDS: i64 = 60;

/// See the module.
#[derive(Clone)]
pub struct CacheAside(pub Client);

impl CacheAside {
    /// The number under `key`, loaded and kept if it is not there.
    pub async fn read(&self, key: &str, load: impl Future<Output = u64>) -> Result<u64> {
        if let Some(found) = self.0.get::<Option<u64>, _>(key).await? {
            return Ok(found);
        }
        let loaded = load.await;
        let life = Some(Expiration::EX(LIFE_SECONDS));
        let () = self.0.set(key, loaded.to_string(), life, None, false).await?;
        Ok(loaded)
    }

    /// Removes what is under `key`.
    pub async fn changed(&self, key: &str) -> Result<()> {
        self.0.del::<i64, _>(key).await?;
        Ok(())
    }
}

//! One Redis, seen four ways: the bare client, the same client with the read's two commands, the store, and a port.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use cache_engine::{
    ByteStore, Engine, EngineConfig, Place,
    store::{FillReply, FillRequest, InvalidateReply, LeaseReply, LeaseRequest, LeaseToken, Workload},
};
use cache_ports::{
    Caches, Loaded, Loading, ServedFrom,
    catalog::{OfferingDocument, keyspaces::offering_key},
};
use cache_redis::{RedisConfig, RedisStore};
use fred::{
    clients::{Client, Pipeline},
    interfaces::{ClientLike, KeysInterface, LuaInterface},
    types::{Builder, Expiration, Value, config::Config, scripts::Script},
};
use kernel::{OfferingId, PublicationId, TenantId, Version};
use serde_json::json;

/// Keys that are read in turn.
pub const KEYS: usize = 1_000;
/// Makes an offering's document about 2 KiB, as in the product's benchmark.
const DESCRIPTION_BYTES: usize = 1_500;
/// Connections, for the bare client as for the store.
const CONNECTIONS: usize = 2;
/// Under measurement a slow answer is a figure and no reason to give up.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longer than any measurement.
const LIFE: Duration = Duration::from_mins(10);

/// See the module.
pub struct Redis {
    pub url: String,
    pub tenant: TenantId,
    pub caches: Caches,
    clients: Vec<Client>,
    next: AtomicUsize,
    store: RedisStore,
    publication: PublicationId,
    offerings: Vec<OfferingId>,
    keys: Vec<String>,
    /// Keys that are written: a write of a measurement is of no age that a reader would believe.
    written: Vec<String>,
    frame: Bytes,
    /// Where the bare client keeps the document as plain JSON.
    plain_keys: Vec<String>,
    read_script: Script,
    set_script: Script,
}

/// The document of every key. Its text is made of letters in no order, so that compression has little to win.
pub fn document() -> Result<OfferingDocument> {
    const ID: &str = "01890000-0000-7000-8000-000000000001";
    let mut letters = fastrand::Rng::with_seed(7);
    let description: String = (0..DESCRIPTION_BYTES).map(|_| letters.alphanumeric()).collect();
    Ok(serde_json::from_value(json!({
        "publicationId": ID, "id": ID, "name": "Fiber 1000", "kind": "simple", "stocked": true, "version": 3,
        "description": description,
        "lifecycleStatus": "active", "characteristics": [], "components": [], "prices": [],
    }))?)
}

/// A loader for [`document`].
pub fn loader(document: OfferingDocument) -> impl Fn() -> Loading<OfferingDocument> + Send + Sync + use<> {
    move || {
        let value = document.clone();
        Box::pin(async move { Ok(Loaded::Found { value, version: Version::new(3) }) })
    }
}

/// A plain connection.
pub async fn connect(url: &str) -> Result<Client> {
    let mut builder = Builder::from_config(Config::from_url(url)?);
    builder.with_connection_config(|connection| connection.tcp.nodelay = Some(true));
    let client = builder.build()?;
    client.init().await.context("connecting to Redis")?;
    Ok(client)
}

/// The store with its connections standing.
pub async fn store(url: &str) -> Result<RedisStore> {
    let config = RedisConfig { timeout: PATIENCE, content_connections: CONNECTIONS, ..RedisConfig::at(url) };
    let store = RedisStore::connect(&config)?;
    for _ in 0..1_000 {
        if store.state().iter().all(|pool| pool.connected) {
            return Ok(store);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bail!("Redis at {url} cannot be reached")
}

impl Redis {
    /// Connects, and puts a document under every key through the port.
    pub async fn filled(url: &str) -> Result<Self> {
        let mut clients = Vec::with_capacity(CONNECTIONS);
        for _ in 0..CONNECTIONS {
            clients.push(connect(url).await?);
        }
        let without_memory = EngineConfig { in_memory: false, ..EngineConfig::default() };
        let caches = Engine::new(Arc::new(store(url).await?), without_memory).caches();
        let tenant: TenantId = "bench".parse()?;
        let publication = PublicationId::generate();
        let offerings: Vec<OfferingId> = (0..KEYS).map(|_| OfferingId::generate()).collect();
        let key = |offering: &OfferingId| offering_key(&tenant, publication, *offering, "en").text();
        let keys: Vec<String> = offerings.iter().map(key).collect();
        let store = store(url).await?;
        let written = offerings.iter().map(|_| key(&OfferingId::generate())).collect();
        let plain_keys: Vec<String> = (0..KEYS).map(|number| format!("plain:{number}")).collect();
        let read_script = Script::from_lua("return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}");
        read_script.load(&clients[0]).await?;
        let set_script = Script::from_lua("redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1");
        set_script.load(&clients[0]).await?;
        let (next, frame) = (AtomicUsize::new(0), Bytes::new());
        let mut redis = Self {
            url: url.to_owned(),
            tenant,
            caches,
            clients,
            next,
            store,
            publication,
            offerings,
            keys,
            written,
            frame,
            plain_keys,
            read_script,
            set_script,
        };
        let json = Bytes::from(serde_json::to_vec(&document()?)?);
        for key in &redis.plain_keys {
            let () = redis.client().set(key, json.clone(), None, None, false).await?;
        }
        let load = loader(document()?);
        for offering in &redis.offerings {
            redis.caches.catalog.offering(&redis.tenant, publication, *offering, "en", &load).await?;
        }
        redis.frame = redis.client().get::<Option<Bytes>, _>(&redis.keys[0]).await?.context("it was put there")?;
        Ok(redis)
    }

    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        self.frame.len()
    }

    fn client(&self) -> &Client {
        &self.clients[self.next.fetch_add(1, Ordering::Relaxed) % CONNECTIONS]
    }

    fn place(&self, number: usize) -> Place<'_> {
        Place { workload: Workload::Catalog, key: &self.keys[number % KEYS] }
    }

    fn written(&self, number: usize) -> Place<'_> {
        Place { workload: Workload::Catalog, key: &self.written[number % KEYS] }
    }

    /// GET.
    pub async fn get(&self, number: usize) -> Result<()> {
        let found: Option<Bytes> = self.client().get(&self.keys[number % KEYS]).await?;
        ensure!(found.is_some(), "a value was evicted");
        Ok(())
    }

    /// GET of the plain document, and parse: what a plain typed cache does on a hit.
    pub async fn get_and_parse(&self, number: usize) -> Result<()> {
        let found: Option<Bytes> = self.client().get(&self.plain_keys[number % KEYS]).await?;
        std::hint::black_box(serde_json::from_slice::<OfferingDocument>(&found.context("a value was evicted")?)?);
        Ok(())
    }

    /// GET and PTTL in one pipeline.
    pub async fn get_and_life(&self, number: usize) -> Result<()> {
        let (pipeline, key) = (Pipeline::from(self.client().clone()), &self.keys[number % KEYS]);
        let () = pipeline.get(key).await?;
        let () = pipeline.pttl(key).await?;
        let (found, life): (Option<Bytes>, i64) = pipeline.all().await?;
        ensure!(found.is_some() && life > 0, "a value was evicted");
        Ok(())
    }

    /// GET and PTTL sent side by side.
    pub async fn get_beside_life(&self, number: usize) -> Result<()> {
        let (client, key) = (self.client(), &self.keys[number % KEYS]);
        let (found, life) = tokio::join!(client.get::<Option<Bytes>, _>(key), client.pttl::<i64, _>(key));
        ensure!(found?.is_some() && life? > 0, "a value was evicted");
        Ok(())
    }

    /// GET and PTTL in one script.
    pub async fn get_and_life_by_script(&self, number: usize) -> Result<()> {
        let (hash, keys) = (self.read_script.sha1().clone(), vec![self.keys[number % KEYS].as_str()]);
        let (found, life): (Option<Bytes>, i64) = self.client().evalsha(hash, keys, Vec::<String>::new()).await?;
        ensure!(found.is_some() && life > 0, "a value was evicted");
        Ok(())
    }

    /// The store's read.
    pub async fn store_read(&self, number: usize) -> Result<()> {
        ensure!(self.store.read(self.place(number)).await?.is_some(), "a value was evicted");
        Ok(())
    }

    /// The port's read: judged and decoded.
    pub async fn port_read(&self, number: usize) -> Result<()> {
        let load = || -> Loading<OfferingDocument> { Box::pin(async { Ok(Loaded::Absent) }) };
        let offering = self.offerings[number % KEYS];
        let read = self.caches.catalog.offering(&self.tenant, self.publication, offering, "en", &load);
        let served = read.await?.context("a value was evicted")?;
        ensure!(served.source == ServedFrom::L2, "served from {:?}", served.source);
        Ok(())
    }

    /// SET with a life.
    pub async fn set(&self, number: usize) -> Result<()> {
        let life = Some(Expiration::PX(i64::try_from(LIFE.as_millis())?));
        Ok(self.client().set(&self.written[number % KEYS], self.frame.clone(), life, None, false).await?)
    }

    /// SET with a life by a script that decides nothing: what is left of a guarded write when its guards are gone.
    pub async fn set_by_script(&self, number: usize) -> Result<()> {
        let (hash, key) = (self.set_script.sha1().clone(), self.written[number % KEYS].as_str());
        let life = Value::Integer(i64::try_from(LIFE.as_millis())?);
        let arguments = vec![Value::Bytes(self.frame.clone()), life];
        Ok(self.client().evalsha(hash, vec![key], arguments).await?)
    }

    /// DEL.
    pub async fn delete(&self, number: usize) -> Result<()> {
        self.client().del::<i64, _>(&self.written[number % KEYS]).await?;
        Ok(())
    }

    /// Takes the lease of an empty key.
    pub async fn lease(&self, number: usize) -> Result<()> {
        let request = LeaseRequest { token: token(number), ttl: LIFE, over: None };
        let reply = self.store.lease(self.written(number), request).await?;
        ensure!(matches!(reply, LeaseReply::Granted { .. }), "the lease was not granted: {reply:?}");
        Ok(())
    }

    /// Fills a leased key.
    pub async fn fill(&self, number: usize) -> Result<()> {
        let version = Version::new(3);
        let request = FillRequest { token: token(number), version, frame: &self.frame, ttl: LIFE };
        let reply = self.store.fill(self.written(number), request).await?;
        ensure!(reply == FillReply::Stored, "the fill was refused: {reply:?}");
        Ok(())
    }

    /// Invalidates a filled key.
    pub async fn invalidate(&self, number: usize) -> Result<()> {
        let reply = self.store.invalidate(self.written(number), Version::new(4), LIFE).await?;
        ensure!(reply == InvalidateReply::Tombstoned, "nothing was invalidated: {reply:?}");
        Ok(())
    }
}

/// The same for lease and fill of one key; never zero.
fn token(number: usize) -> LeaseToken {
    LeaseToken((number as u128 + 1).to_be_bytes())
}

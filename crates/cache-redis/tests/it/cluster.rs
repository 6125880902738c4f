//! The same contract on a cluster, and what only a cluster can do: lose a node, promote a replica, move a slot.

use std::{sync::Arc, time::Duration};

use cache_engine::{
    ByteStore, Place,
    contract::{Subject, authority::Authority, drivers, drivers::Driver, new_tenant, over, until},
    store::Workload,
};
use cache_ports::{Caches, ServedFrom};
use cache_redis::RedisStore;
use dev_stack::{ClusterShape, RedisCluster};
use fred::{interfaces::*, util::redis_keyslot};
use kernel::{TenantId, Version};
use tokio::sync::OnceCell;

use cache_redis::contract::{RedisSubject, config, plain};

/// Three nodes share the slots. Nothing is killed here: a patient time-out keeps a busy machine from calling a node dead.
const SHARED: ClusterShape =
    ClusterShape { primaries: 3, replicas: 0, spares: 0, node_timeout: Duration::from_secs(15) };

async fn subject() -> RedisSubject {
    static CLUSTER: OnceCell<RedisCluster> = OnceCell::const_new();
    let cluster = CLUSTER.get_or_try_init(|| RedisCluster::start(SHARED)).await.expect("a cluster of our own");
    RedisSubject::at(&cluster.url()).await
}

cache_engine::contract_suite!(subject);

async fn connect(cluster: &RedisCluster) -> (Arc<RedisStore>, Caches, String) {
    let config = config(&cluster.url());
    let store = Arc::new(RedisStore::connect(&config).expect("a cluster's URL"));
    until("a connection of every pool", async || store.state().iter().all(|pool| pool.connected)).await;
    let caches = over(store.clone(), false);
    (store, caches, config.key_prefix)
}

/// The driver of a keyspace that events invalidate.
fn driver() -> Driver {
    drivers::invalidated()[0].0
}

fn slot_of(prefix: &str, driver: &Driver, tenant: &TenantId) -> u16 {
    redis_keyslot(format!("{prefix}{}", (driver.key)(tenant, 1)).as_bytes())
}

/// A tenant whose object 1 lies in the slots of the given primary, of three.
fn tenant_on(primary: usize, prefix: &str) -> TenantId {
    let share = 16_384_usize.div_ceil(3);
    (0..10_000)
        .map(|_| new_tenant())
        .find(|tenant| usize::from(slot_of(prefix, &driver(), tenant)) / share == primary)
        .expect("slots are spread")
}

async fn hits(caches: &Caches, tenant: &TenantId, version: u64) {
    until("a hit", async || {
        let answer = driver().get(caches, tenant, &Authority::with(version)).await;
        assert_eq!(answer.version, Some(Version::new(version)));
        answer.source == Some(ServedFrom::L2)
    })
    .await;
}

#[tokio::test]
async fn a_script_goes_to_the_server_that_lacks_it() {
    let cluster = RedisCluster::start(SHARED).await.expect("a cluster of our own");
    let (_store, caches, prefix) = connect(&cluster).await;
    for round in 0..2_u64 {
        for primary in 0..3 {
            let (tenant, authority) = (tenant_on(primary, &prefix), Authority::with(round + 1));
            driver().get(&caches, &tenant, &authority).await;
            let hit = driver().get(&caches, &tenant, &authority).await;
            assert_eq!((hit.source, authority.asked()), (Some(ServedFrom::L2), 1), "round {round}, node {primary}");
        }
        // As after a restart: one server has forgotten its scripts, and only that one.
        cluster.ask(1, "SCRIPT FLUSH").await.expect("the node answers");
    }
}

#[tokio::test]
async fn many_keys_are_read_across_all_servers_in_order() {
    let subject = subject().await;
    let store: Arc<dyn ByteStore> = subject.store();
    let keys: Vec<String> = (0..60).map(|number| format!("many:{number}")).collect();
    for (number, key) in keys.iter().enumerate().filter(|(number, _)| number % 3 != 0) {
        let at = Place { workload: Workload::Catalog, key };
        store.put(at, number.to_string().as_bytes(), Duration::from_secs(30)).await.expect("it is put");
    }
    let asked: Vec<&str> = keys.iter().map(String::as_str).collect();
    let found = store.read_many(Workload::Catalog, &asked).await.expect("they are read");
    assert_eq!(found.len(), keys.len());
    for (number, stored) in found.into_iter().enumerate() {
        let expected = (number % 3 != 0).then(|| number.to_string().into_bytes());
        assert_eq!(stored.as_ref().map(|stored| stored.bytes.to_vec()), expected, "{number}");
        assert!(stored.is_none_or(|stored| stored.remaining.is_some_and(|left| !left.is_zero())), "{number}");
    }
}

#[tokio::test]
async fn a_node_killed_in_the_middle_changes_no_answer() {
    let shape = ClusterShape { node_timeout: Duration::from_secs(1), ..SHARED };
    let cluster = RedisCluster::start(shape).await.expect("a cluster of our own");
    let (_store, caches, _) = connect(&cluster).await;
    let tenants: Vec<TenantId> = (0..8).map(|_| new_tenant()).collect();
    for round in 0..6_u64 {
        if round == 2 {
            cluster.nodes()[1].stop().await.expect("it stops");
        }
        for driver in drivers::all() {
            for tenant in &tenants {
                let answer = driver.get(&caches, tenant, &Authority::with(3)).await;
                assert_eq!(answer.version, Some(Version::new(3)), "{} in round {round}", driver.keyspace.name);
            }
        }
    }
    cluster.nodes()[1].start().await.expect("it starts");
    cluster.until_agreed().await.expect("they agree again");
    for tenant in &tenants {
        hits(&caches, tenant, 3).await;
    }
}

#[tokio::test]
async fn a_promoted_replica_takes_over() {
    let shape = ClusterShape { primaries: 3, replicas: 1, spares: 0, node_timeout: Duration::from_secs(1) };
    let cluster = RedisCluster::start(shape).await.expect("a cluster of our own");
    let (_store, caches, prefix) = connect(&cluster).await;
    let tenant = tenant_on(0, &prefix);
    hits(&caches, &tenant, 3).await;
    cluster.nodes()[0].stop().await.expect("it stops");
    cluster.until(3, "ROLE", |role| role.starts_with("master")).await.expect("the replica is promoted");
    // The invalidation is retried, as a consumer would; from then on nothing older is served, whatever the failover lost.
    let (driver, invalidate) = drivers::invalidated()[0];
    until("an invalidation", async || {
        let answer = driver.get(&caches, &tenant, &Authority::with(3)).await;
        assert_eq!(answer.version, Some(Version::new(3)));
        invalidate(caches.clone(), tenant.clone(), 1, Version::new(4)).await.is_ok()
    })
    .await;
    hits(&caches, &tenant, 4).await;
}

#[tokio::test]
async fn a_slot_that_moves_is_followed() {
    let shape = ClusterShape { spares: 1, ..SHARED };
    let cluster = RedisCluster::start(shape).await.expect("a cluster of our own");
    let (_store, caches, prefix) = connect(&cluster).await;
    // Node 1 is known to the client; node 3 holds nothing yet, so the client has not met it.
    for target in [1, 3] {
        let tenant = tenant_on(0, &prefix);
        let authority = Authority::with(3);
        driver().get(&caches, &tenant, &authority).await;
        let slot = slot_of(&prefix, &driver(), &tenant);
        let ids = [0, target].map(async |node| cluster.ask(node, "CLUSTER MYID").await.expect("the node answers"));
        let [source_id, target_id] = ids;
        let (source_id, target_id) = (source_id.await, target_id.await);
        let tell = async |node: usize, command: String| cluster.ask(node, &command).await.expect("the node answers");
        tell(target, format!("CLUSTER SETSLOT {slot} IMPORTING {source_id}")).await;
        tell(0, format!("CLUSTER SETSLOT {slot} MIGRATING {target_id}")).await;
        let port = cluster.nodes()[target].url().rsplit(':').next().expect("a port").to_owned();
        let key = format!("{prefix}{}", (driver().key)(&tenant, 1));
        tell(0, format!("MIGRATE 127.0.0.1 {port} {key} 0 5000")).await;
        // Half moved: the old owner asks us to go on to the new one.
        let answer = driver().get(&caches, &tenant, &authority).await;
        assert_eq!(answer.version, Some(Version::new(3)));
        for node in [target, 0] {
            tell(node, format!("CLUSTER SETSLOT {slot} NODE {target_id}")).await;
        }
        until("a hit where the key lies now", async || {
            let answer = driver().get(&caches, &tenant, &authority).await;
            assert_eq!(answer.version, Some(Version::new(3)));
            answer.source == Some(ServedFrom::L2)
        })
        .await;
        let hands = plain(cluster.nodes()[target].url()).await;
        assert!(hands.exists::<bool, _>(key).await.expect("the node answers"), "the value is on node {target}");
    }
}

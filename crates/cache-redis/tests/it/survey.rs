//! What a server says about itself reaches the survey, and a server that may evict what must stay is noticed.

use std::sync::Arc;

use cache_engine::contract::until;
use cache_redis::{Pool, RedisConfig, RedisStore, eviction_hazards};
use dev_stack::{ClusterShape, Component, RedisCluster, test::own};
use fred::interfaces::{ConfigInterface, KeysInterface};

use cache_redis::contract::{config, plain};

async fn connected(config: &RedisConfig) -> Arc<RedisStore> {
    let store = Arc::new(RedisStore::connect(config).expect("a Redis URL"));
    until("all pools connected", async || store.state().iter().all(|pool| pool.connected)).await;
    store
}

#[tokio::test]
async fn an_evicting_server_is_a_hazard_until_it_keeps_what_it_has() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let hands = plain(redis.url()).await;
    hands.config_set("maxmemory", "64mb").await.expect("a limit");
    hands.config_set("maxmemory-policy", "allkeys-lfu").await.expect("a policy");
    hands.set::<(), _, _>("one", "value", None, None, false).await.expect("a key");

    let store = connected(&config(redis.url())).await;
    let survey = store.survey().await;
    assert_eq!(survey.len(), Pool::ALL.len(), "every pool's server answers");
    let facts = &survey[&Pool::Coordination];
    assert_eq!((facts.memory_limit_bytes, facts.policy.as_str(), facts.keys), (64 << 20, "allkeys-lfu", 1));
    assert!(facts.memory_bytes > 0 && !facts.run_id.is_empty());
    let hazards = eviction_hazards(&survey);
    assert_eq!(hazards.len(), 4, "rate limits, coordination, sessions and hints: {hazards:?}");

    hands.config_set("maxmemory-policy", "noeviction").await.expect("a policy");
    assert_eq!(eviction_hazards(&store.survey().await), []);
}

#[tokio::test]
async fn of_a_cluster_all_primaries_are_counted() {
    let shape = ClusterShape { primaries: 3, replicas: 0, spares: 0, node_timeout: std::time::Duration::from_secs(15) };
    let cluster = RedisCluster::start(shape).await.expect("a cluster of our own");
    let store = connected(&config(&cluster.url())).await;
    let hands = plain(&cluster.url()).await;
    for key in 0..30 {
        hands.set::<(), _, _>(format!("key-{key}"), "value", None, None, false).await.expect("a key");
    }
    let survey = store.survey().await;
    assert_eq!(survey[&Pool::Content].keys, 30);
}

#[tokio::test]
async fn a_server_that_is_away_is_left_out() {
    let redis = own(Component::Redis).await.expect("a Redis of our own");
    let store = RedisStore::connect(&config(redis.url())).expect("a Redis URL");
    drop(redis);
    assert!(store.survey().await.is_empty());
}

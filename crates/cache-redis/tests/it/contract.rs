//! The contract every store must keep.

use cache_redis::contract::RedisSubject;

async fn subject() -> RedisSubject {
    RedisSubject::at(dev_stack::test::redis().await.expect("a Redis for tests")).await
}

cache_engine::contract_suite!(subject);

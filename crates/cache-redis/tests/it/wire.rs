//! A real Redis behind a wire that misbehaves: what the client library makes of it changes no answer.

use std::{sync::Arc, time::Duration};

use cache_engine::contract::{drivers, liars, over, until};
use cache_redis::RedisStore;
use dev_stack::test::{Fault, Wire, redis};
use kernel::Version;

use cache_redis::contract::config;

/// The same dice every time.
const SEED: u64 = 0x0071_756f_696e;
/// So many schedules meet even the rarest fault.
const MOST_ROUNDS: usize = 20;

/// One that never changes under its key, one that events invalidate, one with a key for each object. That all of them are
/// read in the same way is seen elsewhere; here every strike costs a connection or a budget.
const KEYSPACES: [&str; 3] = ["catalog offering", "active publication pointer", "quote summary"];

/// Two processes behind one bad wire; a schedule for some keyspaces, then locks, limits and remembered answers.
async fn every_answer_is_right(what: &'static str, fault: Fault, per_mille: u16, may_show_old: bool) {
    let wire = Wire::to(redis().await.expect("a Redis for tests"), SEED).await.expect("a wire");
    let config = config(&wire.url());
    let stores = [(); 2].map(|()| Arc::new(RedisStore::connect(&config).expect("a Redis URL")));
    for store in &stores {
        until("a connection of every pool", async || store.state().iter().all(|pool| pool.connected)).await;
    }
    wire.misbehave(fault, per_mille);
    // How many commands a schedule sends depends on the machine; a rare fault may need another one.
    for _ in 0..MOST_ROUNDS {
        for driver in drivers::all().into_iter().filter(|driver| KEYSPACES.contains(&driver.keyspace.name)) {
            let processes = stores.each_ref().map(|store| over(store.clone(), false));
            liars::readers_and_writers(driver, what, may_show_old, processes).await;
        }
        liars::locks_limits_and_answers(what, &over(stores[0].clone(), false)).await;
        if wire.struck() > 0 {
            break;
        }
    }
    assert!(wire.struck() > 0, "{what}: it never struck");
    wire.behave();
    // Whatever it was, it leaves nothing behind: the next reads hit again.
    let driver = drivers::all()[0];
    until("a hit", async || {
        let (caches, tenant) = (over(stores[0].clone(), false), cache_engine::contract::new_tenant());
        let authority = cache_engine::contract::authority::Authority::with(1);
        driver.get(&caches, &tenant, &authority).await;
        driver.get(&caches, &tenant, &authority).await;
        authority.asked() == 1
    })
    .await;
}

#[tokio::test]
async fn answers_just_inside_and_outside_the_budget() {
    for millis in [49, 51, 500] {
        every_answer_is_right("a delayed reply", Fault::Delay(Duration::from_millis(millis)), 20, false).await;
    }
}

#[tokio::test]
async fn connections_that_break_in_the_middle() {
    every_answer_is_right("a broken connection", Fault::Cut, 20, false).await;
}

#[tokio::test]
async fn connections_over_which_nothing_comes_any_more() {
    every_answer_is_right("a silent connection", Fault::Blackhole, 2, false).await;
}

/// The client library forgives a silent connection for as long as commands keep coming.
#[tokio::test]
async fn a_connection_that_fell_silent_is_made_anew_under_constant_traffic() {
    let wire = Wire::to(redis().await.expect("a Redis for tests"), SEED).await.expect("a wire");
    let config = config(&wire.url());
    let store = Arc::new(RedisStore::connect(&config).expect("a Redis URL"));
    until("a connection of every pool", async || store.state().iter().all(|pool| pool.connected)).await;
    let driver = drivers::all().into_iter().find(|driver| driver.keyspace.name == KEYSPACES[1]).expect("a pointer");
    let invalidate = driver.invalidate.expect("events invalidate it");
    let (caches, tenant) = (over(store, false), cache_engine::contract::new_tenant());
    let arrives = async |version| invalidate(caches.clone(), tenant.clone(), 1, Version::new(version)).await.is_ok();
    wire.misbehave(Fault::Blackhole, 1_000);
    // Often enough to meet every connection of the pool.
    for _ in 0..4 * config.content_connections {
        assert!(!arrives(1).await, "nothing comes back");
    }
    wire.behave();
    // No pause between two tries is longer than a moment, so there is never a last command for the library to count from.
    until("an invalidation arrives", async || arrives(2).await).await;
}

/// Every later reply is taken for another command's until one cannot be: acknowledgements cannot be believed meanwhile.
#[tokio::test]
async fn replies_that_are_lost() {
    every_answer_is_right("a lost reply", Fault::DropReply, 5, true).await;
}

#[tokio::test]
async fn commands_that_arrive_twice() {
    every_answer_is_right("a doubled command", Fault::Twice, 500, false).await;
}

#[tokio::test]
async fn replies_that_change_places() {
    every_answer_is_right("swapped replies", Fault::Swap, 300, true).await;
}

#[tokio::test]
async fn errors_of_every_kind() {
    for why in [
        "NOSCRIPT No matching script. Please use EVAL.",
        "READONLY You can't write against a read only replica.",
        "LOADING Redis is loading the dataset in memory",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
        "MOVED 3999 127.0.0.1:1",
    ] {
        every_answer_is_right(why, Fault::Refuse(why), 400, false).await;
    }
}

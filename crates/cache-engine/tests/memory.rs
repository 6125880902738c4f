//! The store in memory keeps the contract, and the model notices when a guard is missing.

use std::future::{Future, ready};

use cache_engine::{
    Guard, Guards,
    contract::{
        MemorySubject,
        model::{World, all_interleavings},
    },
};

fn subject() -> impl Future<Output = MemorySubject> {
    ready(MemorySubject::default())
}

cache_engine::contract_suite!(subject, start_paused = true);

#[tokio::test]
async fn no_interleaving_leaves_an_old_value() {
    for world in [World::Forgetful, World::Lagging] {
        let count = all_interleavings(&MemorySubject::default(), world).await.expect("the invariant holds");
        assert!(count > 10_000, "{count}");
    }
}

/// A model that finds nothing when something is missing proves nothing when it is all there.
#[tokio::test]
async fn the_model_notices_each_missing_guard() {
    for (missing, world) in
        [(Guard::Lease, World::Forgetful), (Guard::Version, World::Lagging), (Guard::Tombstone, World::Lagging)]
    {
        let outcome = all_interleavings(&MemorySubject::with_guards(Guards::without(missing)), world).await;
        assert!(outcome.is_err(), "no interleaving shows that the {} guard is missing", missing.as_str());
    }
}

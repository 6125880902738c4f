//! What an auditor may ask inventory: the loaders of the cached reads, by key.
//!
//! Owns which loader answers for which keyspace. Must never build a value of its own.

use cache_ports::{Witness, inventory::keyspaces};

use crate::{
    State,
    queries::{load_item, load_version, newest_version},
};

/// One witness a keyspace.
pub fn witnesses(state: &State) -> Vec<Witness> {
    let pool = &state.runtime.pool;
    vec![
        // Stock is known in its newest version only: of an older one the auditor learns that it is superseded.
        Witness::of(&keyspaces::STOCK_ITEM, pool.clone(), |pool, key| async move {
            Ok(load_item(pool, key.tenant().clone(), key.id("productId")?).await?)
        })
        .knowing_newest(pool.clone(), |pool, key| async move {
            Ok(newest_version(&pool, key.tenant(), key.id("productId")?).await?)
        }),
        Witness::of(&keyspaces::STOCK_VERSION, pool.clone(), |pool, key| async move {
            Ok(load_version(pool, key.tenant().clone(), key.id("productId")?).await?)
        }),
    ]
}

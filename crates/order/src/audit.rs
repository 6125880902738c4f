//! What an auditor may ask the order service: the loaders of the cached reads, by key.
//!
//! Owns which loader answers for which keyspace. Must never build a value of its own.

use cache_ports::{Witness, order::keyspaces};

use crate::{
    State,
    queries::{from_database, newest_version, plan_from_database},
};

/// One witness a keyspace.
pub fn witnesses(state: &State) -> Vec<Witness> {
    let pool = &state.runtime.pool;
    vec![
        // An order is known in its newest version only: of an older one the auditor learns that it is superseded.
        Witness::of(&keyspaces::ORDER_SUMMARY, pool.clone(), |pool, key| async move {
            Ok(from_database(pool, key.tenant().clone(), key.id("orderId")?).await?)
        })
        .knowing_newest(pool.clone(), |pool, key| async move {
            Ok(newest_version(&pool, key.tenant(), key.id("orderId")?).await?)
        }),
        Witness::of(&keyspaces::WORKFLOW_SUMMARY, pool.clone(), |pool, key| async move {
            Ok(plan_from_database(pool, key.tenant().clone(), key.id("orderId")?).await?)
        }),
    ]
}

//! What an auditor may ask the catalog: the loaders of the cached reads, by key.
//!
//! Owns which loader answers for which keyspace. Must never build a value of its own.

use cache_ports::{Loaded, Witness, catalog::keyspaces};

use crate::{
    State,
    queries::{LOCALE, load_active, load_document},
};

/// One witness a keyspace.
pub fn witnesses(state: &State) -> Vec<Witness> {
    let pool = &state.runtime.pool;
    vec![
        Witness::of(&keyspaces::OFFERING, pool.clone(), |pool, key| async move {
            if key.text("locale")? != LOCALE {
                return Ok(Loaded::Absent);
            }
            let (publication, offering) = (key.id("publicationId")?, key.id("offeringId")?);
            Ok(load_document(pool, key.tenant().clone(), publication, offering).await?)
        }),
        Witness::of(&keyspaces::MISSING_OFFERING, pool.clone(), |pool, key| async move {
            let (publication, offering) = (key.id("publicationId")?, key.id("offeringId")?);
            Ok(load_document(pool, key.tenant().clone(), publication, offering).await?)
        }),
        Witness::of(&keyspaces::ACTIVE_PUBLICATION, pool.clone(), |pool, key| async move {
            Ok(load_active(pool, key.tenant().clone()).await?)
        }),
    ]
}

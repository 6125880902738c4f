//! What an auditor may ask pricing: the loaders of the cached reads, by key.
//!
//! Owns which loader answers for which keyspace. Must never build a value of its own. A preview has no witness: its key names
//! the request by a hash.

use cache_ports::{Loaded, Witness, pricing::keyspaces};
use kernel::Version;

use crate::{
    State,
    error::PricingError,
    queries::{load_active_version, load_display, load_price_book},
};

/// One witness a keyspace.
pub fn witnesses(state: &State) -> Vec<Witness> {
    let pool = &state.runtime.pool;
    vec![
        Witness::of(&keyspaces::PRICE_BOOK, pool.clone(), |pool, key| async move {
            let version = Version::new(key.number("version")?);
            Ok(load_price_book(pool, key.tenant().clone(), key.id("priceBookId")?, version).await?)
        })
        .knowing_newest(pool.clone(), |pool, key| async move {
            Ok(match load_active_version(pool, key.tenant().clone(), key.id("priceBookId")?).await? {
                Loaded::Found { version, .. } => Some(version),
                Loaded::Absent => None,
            })
        }),
        Witness::of(&keyspaces::PRICE_BOOK_VERSION, pool.clone(), |pool, key| async move {
            Ok(load_active_version(pool, key.tenant().clone(), key.id("priceBookId")?).await?)
        }),
        Witness::of(&keyspaces::FINAL_PRICE, state.clone(), |state, key| async move {
            let (quote, revision_no) = (key.id("quoteId")?, key.number("revisionNo")?);
            let loaded = match load_display(state, key.tenant().clone(), key.id("priceResultId")?).await {
                Err(PricingError::PriceResultNotFound) => Loaded::Absent,
                other => other?,
            };
            // The copy of another revision's price is somebody else's.
            Ok(match loaded {
                Loaded::Found { value, .. }
                    if (value.quote_id, u64::from(value.revision_no)) != (quote, revision_no) =>
                {
                    Loaded::Absent
                }
                loaded => loaded,
            })
        }),
    ]
}

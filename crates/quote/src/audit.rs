//! What an auditor may ask the quote service: the loaders of what is cached, by key.
//!
//! Owns which loader answers for which keyspace. Must never build a value of its own.

use cache_ports::{
    Witness,
    access::keyspaces as access,
    eligibility::keyspaces as eligibility,
    quote::{CURRENT_REVISION, keyspaces},
};
use kernel::Version;

use crate::{
    State,
    queries::{
        access as access_queries,
        eligibility::{active_version, customer_version},
        from_database,
    },
};

/// One witness a keyspace.
pub fn witnesses(state: &State) -> Vec<Witness> {
    let pool = &state.runtime.pool;
    vec![
        Witness::of(&keyspaces::QUOTE_SUMMARY, pool.clone(), |pool, key| async move {
            let revision_no = u32::try_from(key.number("revisionNo")?)?;
            let revision_no = (revision_no != CURRENT_REVISION).then_some(revision_no);
            Ok(from_database(pool, key.tenant().clone(), key.id("quoteId")?, revision_no).await?)
        }),
        Witness::of(&access::ACCESS_PROFILE, pool.clone(), |pool, key| async move {
            // The subject is only known by its hash here, as it is to the loader of the cached read.
            let (user, policy) = (key.hash("subjectHash")?.into(), Version::new(key.number("version")?));
            Ok(access_queries::profile_by_policy(pool, key.tenant().clone(), user, policy).await?)
        }),
        Witness::of(&access::ACTIVE_ACCESS_POLICY, pool.clone(), |pool, key| async move {
            Ok(access_queries::active_version(pool, key.tenant().clone()).await?)
        }),
        Witness::of(&eligibility::ACTIVE_POLICY, pool.clone(), |pool, key| async move {
            Ok(active_version(pool, key.tenant().clone()).await?)
        }),
        Witness::of(&eligibility::CUSTOMER_VERSION, pool.clone(), |pool, key| async move {
            Ok(customer_version(pool, key.tenant().clone(), key.id("customerId")?).await?)
        }),
    ]
}

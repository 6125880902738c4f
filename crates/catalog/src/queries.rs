//! Everything that reads, one function a question. Publications are read through the cache and nothing else is: a
//! publication never changes, and the working copy must be seen as it is.

use std::{future::ready, sync::Arc};

use cache_ports::{
    Loaded, ReadResult,
    catalog::{ActivePublication, OfferingDocument, SearchPage},
    counters::{LiveCount, Tally, keyspaces::RANKED},
    load,
};
use futures::{StreamExt, TryStreamExt, stream};
use kernel::{ContentHash, OfferingId, PriceId, PublicationId, SpecificationId, TenantId, Version};
use serde::Serialize;
use service_runtime::{Limit, TenantTx};
use sqlx::PgPool;

use crate::{
    State,
    error::CatalogError,
    model::{Offering, Price, Publication, Specification},
    rules::{
        configure::{self, Configuration, Documents, EffectiveConfiguration},
        search,
    },
    store,
};

/// Documents are not translated yet; every reader gets this language. The cache key has a place for others.
pub(crate) const LOCALE: &str = "en";

/// One specification of the working copy.
pub async fn specification(
    state: &State,
    tenant: &TenantId,
    id: SpecificationId,
) -> Result<Specification, CatalogError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let found = store::specifications::specification_by_id(&mut tx, tenant, id).await?;
    tx.commit().await?;
    found.ok_or(CatalogError::NotFound("specification"))
}

/// One offering of the working copy.
pub async fn offering(state: &State, tenant: &TenantId, id: OfferingId) -> Result<Offering, CatalogError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let found = store::offerings::offering_by_id(&mut tx, tenant, id).await?;
    tx.commit().await?;
    found.ok_or(CatalogError::NotFound("offering"))
}

/// One price of the working copy.
pub async fn price(state: &State, tenant: &TenantId, id: PriceId) -> Result<Price, CatalogError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let found = store::prices::price_by_id(&mut tx, tenant, id).await?;
    tx.commit().await?;
    found.ok_or(CatalogError::NotFound("price"))
}

/// Specifications after an id, one more than a page holds.
pub async fn specifications(
    state: &State,
    tenant: &TenantId,
    after: Option<SpecificationId>,
    external_id: Option<&str>,
    limit: Limit,
) -> Result<Vec<Specification>, CatalogError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let rows =
        store::specifications::select_specifications(&mut tx, tenant, after, external_id, limit.plus_one()).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Offerings after an id, one more than a page holds.
pub async fn offerings(
    state: &State,
    tenant: &TenantId,
    after: Option<OfferingId>,
    external_id: Option<&str>,
    limit: Limit,
) -> Result<Vec<Offering>, CatalogError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let rows = store::offerings::select_offerings(&mut tx, tenant, after, external_id, limit.plus_one()).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Prices after an id, one more than a page holds.
pub async fn prices(
    state: &State,
    tenant: &TenantId,
    after: Option<PriceId>,
    offering: Option<OfferingId>,
    limit: Limit,
) -> Result<Vec<Price>, CatalogError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let rows = store::prices::select_prices(&mut tx, tenant, after, offering, limit.plus_one()).await?;
    tx.commit().await?;
    Ok(rows)
}

/// Publications before a number, newest first, one more than a page holds; and which one is in force.
pub async fn publications(
    state: &State,
    tenant: &TenantId,
    before: Option<u64>,
    limit: Limit,
) -> Result<(Vec<Publication>, Option<PublicationId>), CatalogError> {
    let before = before.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX);
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let rows = store::publications::select_publications(&mut tx, tenant, before, limit.plus_one()).await?;
    let active = store::active::active_publication(&mut tx, tenant).await?;
    tx.commit().await?;
    Ok((rows, active.map(|(active, _)| active.publication_id)))
}

/// The publication buyers see now, from the cached pointer.
pub async fn active_publication(
    state: &State,
    tenant: &TenantId,
    min_version: Option<Version>,
) -> ReadResult<ActivePublication> {
    let start = || load_active(state.runtime.pool.clone(), tenant.clone());
    state.runtime.caches.catalog.active_publication(tenant, min_version, &load(start)).await
}

pub(crate) async fn load_active(pool: PgPool, tenant: TenantId) -> Result<Loaded<ActivePublication>, sqlx::Error> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let row = store::active::active_publication(&mut tx, &tenant).await?;
    tx.commit().await?;
    Ok(Loaded::from_row(row))
}

/// One offering as a publication froze it.
pub async fn frozen_offering(
    state: &State,
    tenant: &TenantId,
    publication: PublicationId,
    offering: OfferingId,
) -> ReadResult<OfferingDocument> {
    let start = || load_document(state.runtime.pool.clone(), tenant.clone(), publication, offering);
    state.runtime.caches.catalog.offering(tenant, publication, offering, LOCALE, &load(start)).await
}

pub(crate) async fn load_document(
    pool: PgPool,
    tenant: TenantId,
    publication: PublicationId,
    offering: OfferingId,
) -> Result<Loaded<OfferingDocument>, sqlx::Error> {
    let mut tx = TenantTx::read(&pool, &tenant).await?;
    let document = store::publications::document(&mut tx, &tenant, publication, offering).await?;
    tx.commit().await?;
    Ok(Loaded::immutable(document))
}

/// What a search asks for.
#[derive(Debug, Clone, Serialize)]
pub struct SearchRequest {
    /// Words as the user typed them.
    pub text: Option<String>,
    /// Exact category.
    pub category: Option<String>,
    /// Items on a page.
    pub limit: Limit,
    /// The last item of the page before.
    pub after: Option<OfferingId>,
}

/// A page of a publication's offerings, through the cache. `seal` turns the last item into a cursor.
pub async fn search_offerings(
    state: &State,
    tenant: &TenantId,
    publication: PublicationId,
    request: SearchRequest,
    seal: impl Fn(OfferingId) -> Option<String> + Clone + Send + Sync + 'static,
) -> Result<ReadResult<SearchPage>, CatalogError> {
    let hash = ContentHash::of_json(&request)?;
    let start = || load_page(state.clone(), tenant.clone(), publication, request.clone(), seal.clone());
    Ok(state.runtime.caches.catalog.search_page(tenant, publication, hash, &load(start)).await)
}

async fn load_page(
    state: State,
    tenant: TenantId,
    publication: PublicationId,
    request: SearchRequest,
    seal: impl Fn(OfferingId) -> Option<String>,
) -> Result<Loaded<SearchPage>, sqlx::Error> {
    let words = request.text.as_deref().and_then(search::tsquery);
    let search = store::publications::Search {
        words: words.as_deref(),
        category: request.category.as_deref(),
        after: request.after,
        limit: request.limit.plus_one(),
    };
    let mut tx = TenantTx::read(&state.runtime.pool, &tenant).await?;
    let mut items = store::publications::search_offerings(&mut tx, &tenant, publication, search).await?;
    let exists =
        !items.is_empty() || store::publications::publication_by_id(&mut tx, &tenant, publication).await?.is_some();
    tx.commit().await?;
    let size = request.limit.get() as usize;
    let more = items.len() > size;
    items.truncate(size);
    let next_cursor = items.last().filter(|_| more).and_then(|last| seal(last.id));
    let page = SearchPage { items, next_cursor, generated_at: state.runtime.clock.now() };
    Ok(Loaded::immutable(exists.then_some(page)))
}

/// An offering and what its publication calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The offering.
    pub id: OfferingId,
    /// Its name.
    pub name: String,
}

/// The offerings of a publication that people of the tenant looked at most lately, with about how often; `None` when the counts
/// cannot be read now.
pub async fn most_viewed(
    state: &State,
    tenant: &TenantId,
    publication: PublicationId,
    limit: Limit,
) -> Result<Option<Vec<(Named, u64)>>, CatalogError> {
    self::publication(state, tenant, publication).await?;
    let counters = &state.runtime.caches.counters;
    let Some(tallies) = counters.most_counted(tenant, LiveCount::OfferingViews, RANKED).await else { return Ok(None) };
    let named = |tally: Tally| async move {
        let served = frozen_offering(state, tenant, publication, tally.object.into()).await?;
        let name = |document: &OfferingDocument| Named { id: document.id, name: document.name.clone() };
        Ok::<_, CatalogError>(served.map(|served| (name(&served.value), tally.count)))
    };
    let reads = stream::iter(tallies).map(named).buffered(state.config.configuration_reads.max(1));
    let known = reads.try_filter_map(|found| ready(Ok(found)));
    Ok(Some(known.take(limit.get() as usize).try_collect().await?))
}

/// Judges a configuration by the frozen offerings it names. Fails with what is wrong, or if the publication is unknown.
pub async fn validate_configuration(
    state: &State,
    tenant: &TenantId,
    publication: PublicationId,
    configuration: &Configuration,
) -> Result<EffectiveConfiguration, CatalogError> {
    let mut documents = Documents::new();
    loop {
        let needed = configure::still_needed(configuration, &documents);
        if needed.is_empty() {
            break;
        }
        let read = |offering: OfferingId| async move {
            let served = frozen_offering(state, tenant, publication, offering).await?;
            Ok::<_, CatalogError>((offering, served.map(|served| Arc::clone(&served.value))))
        };
        let reads = stream::iter(needed).map(read).buffer_unordered(state.config.configuration_reads.max(1));
        documents.extend(reads.try_collect::<Vec<_>>().await?);
    }
    if documents.get(&configuration.offering_id).is_none_or(Option::is_none) {
        self::publication(state, tenant, publication).await?;
    }
    Ok(configure::validate(configuration, &documents)?)
}

/// One publication, and whether it is in force.
pub async fn publication(
    state: &State,
    tenant: &TenantId,
    id: PublicationId,
) -> Result<(Publication, bool), CatalogError> {
    let mut tx = TenantTx::read(&state.runtime.pool, tenant).await?;
    let found = store::publications::publication_by_id(&mut tx, tenant, id).await?;
    let active = store::active::active_publication(&mut tx, tenant).await?;
    tx.commit().await?;
    let publication = found.ok_or(CatalogError::NotFound("publication"))?;
    let in_force = active.is_some_and(|(active, _)| active.publication_id == id);
    Ok((publication, in_force))
}

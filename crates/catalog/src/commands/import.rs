//! Importing a batch by the tenant's own ids: all or nothing, and once.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::{offerings::write_offerings, prices::write_prices, specifications::write_specifications};
use crate::{
    error::{CatalogError, none_or_invalid},
    events::Occasion,
    model::tenant_namespace,
    rules::import::{self, Existing, ImportItem, Plan},
    store,
};

/// Plans a batch and writes what differs. With `dry_run` nothing is written.
///
/// Runs under the tenant's catalog lock, so two imports of one tenant come one after the other.
pub async fn import(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    items: &[ImportItem],
    mode: Mode,
) -> Result<Plan, CatalogError> {
    none_or_invalid(import::check(items))?;
    store::active::lock_pointer(conn, occasion.tenant).await?;
    let existing = existing(conn, occasion, items).await?;
    let plan = import::plan(items, &existing, tenant_namespace(occasion.tenant))?;
    if mode == Mode::Apply {
        write_specifications(conn, occasion, &plan.specifications).await?;
        write_offerings(conn, occasion, &plan.offerings).await?;
        write_prices(conn, occasion, &plan.prices).await?;
    }
    Ok(plan)
}

/// Whether an import writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Write what differs.
    Apply,
    /// Only say what would be written.
    DryRun,
}

/// What is there, locked: an edit that comes now waits, and then is told that its version is stale.
async fn existing(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    items: &[ImportItem],
) -> Result<Existing, CatalogError> {
    let tenant = occasion.tenant;
    let own: Vec<String> = items.iter().map(|item| item.external_id.clone()).collect();
    let components = items.iter().flat_map(|item| item.components.iter().flatten());
    let named: BTreeSet<String> =
        own.iter().cloned().chain(components.map(|component| component.external_id.clone())).collect();
    let named: Vec<String> = named.into_iter().collect();
    let offerings = store::offerings::lock_offerings_by_external_id(conn, tenant, &named).await?;
    let specifications = store::specifications::lock_specifications_by_external_id(conn, tenant, &own).await?;
    let ids: Vec<_> = offerings.iter().map(|offering| offering.id.uuid()).collect();
    let mut existing = Existing::default();
    for price in store::prices::lock_prices_of(conn, tenant, &ids).await? {
        existing.prices.entry(price.draft.offering_id).or_default().push(price);
    }
    let with_key = |external_id: &Option<String>| external_id.clone().unwrap_or_default();
    existing.offerings = offerings.into_iter().map(|one| (with_key(&one.draft.external_id), one)).collect();
    existing.specifications = specifications.into_iter().map(|one| (with_key(&one.draft.external_id), one)).collect();
    Ok(existing)
}

//! Writing prices.

use kernel::{PriceId, Version};
use sqlx::PgConnection;

use super::{must_be, must_be_legal, step};
use crate::{
    error::{CatalogError, none_or_invalid},
    events::{OUTBOX, Occasion},
    model::{Finding, Price, PriceDraft},
    rules::{draft, import::Change},
    store::{history, offerings, prices as store},
};

/// Creates a price of an offering of the same tenant.
pub async fn create_price(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    draft: PriceDraft,
) -> Result<Price, CatalogError> {
    let mut findings = draft::check_price(&draft);
    findings.extend(draft::check_initial_status(draft.lifecycle_status));
    if offerings::offering_by_id(conn, occasion.tenant, draft.offering_id).await?.is_none() {
        findings.push(Finding::new("/offeringId", "unknown-offering", "there is no such offering"));
    }
    none_or_invalid(findings)?;
    let id = PriceId::generate();
    write_prices(conn, occasion, &[Change { id, draft, version: Version::FIRST, before: None }]).await?;
    written(conn, occasion, id).await
}

/// Changes a price from the version the caller knows. `edit` makes the new draft of the old one; a draft that is the
/// same changes nothing.
pub async fn change_price<E: From<CatalogError>>(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    id: PriceId,
    expected: Version,
    edit: impl FnOnce(&PriceDraft) -> Result<PriceDraft, E>,
) -> Result<Price, E> {
    let before = store::lock_price(conn, occasion.tenant, id).await.map_err(CatalogError::from)?;
    let before = before.ok_or(CatalogError::NotFound("price"))?;
    must_be(expected, before.version)?;
    let draft = edit(&before.draft)?;
    if draft == before.draft {
        return Ok(before);
    }
    let status = before.draft.lifecycle_status;
    let mut findings = draft::check_price(&draft);
    findings.extend(draft::check_unchanged("/offeringId", Some(&before.draft.offering_id), Some(&draft.offering_id)));
    none_or_invalid(findings)?;
    must_be_legal(status, draft.lifecycle_status)?;
    let change = Change { id, draft, version: before.version.next(), before: Some(status) };
    write_prices(conn, occasion, &[change]).await?;
    Ok(written(conn, occasion, id).await?)
}

/// Writes planned changes with their history and events.
pub(super) async fn write_prices(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    changes: &[Change<PriceId, PriceDraft>],
) -> Result<(), CatalogError> {
    if !store::upsert_prices(conn, occasion.tenant, changes).await? {
        return Err(CatalogError::Contended);
    }
    let moved = |one: &Change<PriceId, PriceDraft>| {
        step("price", one.id.uuid(), one.version, one.before, one.draft.lifecycle_status)
    };
    let steps: Vec<_> = changes.iter().filter_map(moved).collect();
    history::insert_lifecycle_steps(conn, occasion.tenant, occasion.actor, &steps).await?;
    let event = |one: &Change<_, _>| occasion.price_changed(one.id, one.version, &one.draft);
    let events = changes.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    Ok(OUTBOX.append(conn, &events).await?)
}

/// The row as it stands now, with the database's own times.
async fn written(conn: &mut PgConnection, occasion: &Occasion<'_>, id: PriceId) -> Result<Price, CatalogError> {
    store::price_by_id(conn, occasion.tenant, id).await?.ok_or(CatalogError::NotFound("price"))
}

//! Writing offerings.

use kernel::{OfferingId, Version};
use sqlx::PgConnection;

use super::{must_be, must_be_legal, step};
use crate::{
    error::{CatalogError, none_or_invalid},
    events::{OUTBOX, Occasion},
    model::{Offering, OfferingDraft},
    rules::{draft, import::Change},
    store::{history, offerings as store},
};

/// Creates an offering.
pub async fn create_offering(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    draft: OfferingDraft,
) -> Result<Offering, CatalogError> {
    let mut findings = draft::check_offering(&draft);
    findings.extend(draft::check_initial_status(draft.lifecycle_status));
    none_or_invalid(findings)?;
    let id = OfferingId::generate();
    write_offerings(conn, occasion, &[Change { id, draft, version: Version::FIRST, before: None }]).await?;
    written(conn, occasion, id).await
}

/// Changes an offering from the version the caller knows. `edit` makes the new draft of the old one; a draft that is
/// the same changes nothing.
pub async fn change_offering<E: From<CatalogError>>(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    id: OfferingId,
    expected: Version,
    edit: impl FnOnce(&OfferingDraft) -> Result<OfferingDraft, E>,
) -> Result<Offering, E> {
    let before = store::lock_offering(conn, occasion.tenant, id).await.map_err(CatalogError::from)?;
    let before = before.ok_or(CatalogError::NotFound("offering"))?;
    must_be(expected, before.version)?;
    let draft = edit(&before.draft)?;
    if draft == before.draft {
        return Ok(before);
    }
    let status = before.draft.lifecycle_status;
    let mut findings = draft::check_offering(&draft);
    findings.extend(draft::check_unchanged(
        "/externalId",
        before.draft.external_id.as_ref(),
        draft.external_id.as_ref(),
    ));
    none_or_invalid(findings)?;
    must_be_legal(status, draft.lifecycle_status)?;
    let change = Change { id, draft, version: before.version.next(), before: Some(status) };
    write_offerings(conn, occasion, &[change]).await?;
    Ok(written(conn, occasion, id).await?)
}

/// Writes planned changes with their history and events.
pub(super) async fn write_offerings(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    changes: &[Change<OfferingId, OfferingDraft>],
) -> Result<(), CatalogError> {
    if !store::upsert_offerings(conn, occasion.tenant, changes).await? {
        return Err(CatalogError::Contended);
    }
    let moved = |one: &Change<OfferingId, OfferingDraft>| {
        step("offering", one.id.uuid(), one.version, one.before, one.draft.lifecycle_status)
    };
    let steps: Vec<_> = changes.iter().filter_map(moved).collect();
    history::insert_lifecycle_steps(conn, occasion.tenant, occasion.actor, &steps).await?;
    let event = |one: &Change<_, _>| occasion.offering_changed(one.id, one.version, &one.draft);
    let events = changes.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    Ok(OUTBOX.append(conn, &events).await?)
}

/// The row as it stands now, with the database's own times.
async fn written(conn: &mut PgConnection, occasion: &Occasion<'_>, id: OfferingId) -> Result<Offering, CatalogError> {
    store::offering_by_id(conn, occasion.tenant, id).await?.ok_or(CatalogError::NotFound("offering"))
}

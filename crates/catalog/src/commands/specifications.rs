//! Writing specifications.

use kernel::{SpecificationId, Version};
use sqlx::PgConnection;

use super::{must_be, must_be_legal, step};
use crate::{
    error::{CatalogError, none_or_invalid},
    events::{OUTBOX, Occasion},
    model::{Specification, SpecificationDraft},
    rules::{draft, import::Change},
    store::{history, specifications as store},
};

/// Creates a specification.
pub async fn create_specification(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    draft: SpecificationDraft,
) -> Result<Specification, CatalogError> {
    let mut findings = draft::check_specification(&draft);
    findings.extend(draft::check_initial_status(draft.lifecycle_status));
    none_or_invalid(findings)?;
    let id = SpecificationId::generate();
    write_specifications(conn, occasion, &[Change { id, draft, version: Version::FIRST, before: None }]).await?;
    written(conn, occasion, id).await
}

/// Changes a specification from the version the caller knows. `edit` makes the new draft of the old one; a draft that
/// is the same changes nothing.
pub async fn change_specification<E: From<CatalogError>>(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    id: SpecificationId,
    expected: Version,
    edit: impl FnOnce(&SpecificationDraft) -> Result<SpecificationDraft, E>,
) -> Result<Specification, E> {
    let before = store::lock_specification(conn, occasion.tenant, id).await.map_err(CatalogError::from)?;
    let before = before.ok_or(CatalogError::NotFound("specification"))?;
    must_be(expected, before.version)?;
    let draft = edit(&before.draft)?;
    if draft == before.draft {
        return Ok(before);
    }
    let status = before.draft.lifecycle_status;
    let mut findings = draft::check_specification(&draft);
    findings.extend(draft::check_unchanged(
        "/externalId",
        before.draft.external_id.as_ref(),
        draft.external_id.as_ref(),
    ));
    none_or_invalid(findings)?;
    must_be_legal(status, draft.lifecycle_status)?;
    let change = Change { id, draft, version: before.version.next(), before: Some(status) };
    write_specifications(conn, occasion, &[change]).await?;
    Ok(written(conn, occasion, id).await?)
}

/// Writes planned changes with their history and events.
pub(super) async fn write_specifications(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    changes: &[Change<SpecificationId, SpecificationDraft>],
) -> Result<(), CatalogError> {
    if !store::upsert_specifications(conn, occasion.tenant, changes).await? {
        return Err(CatalogError::Contended);
    }
    let moved = |one: &Change<SpecificationId, SpecificationDraft>| {
        step("specification", one.id.uuid(), one.version, one.before, one.draft.lifecycle_status)
    };
    let steps: Vec<_> = changes.iter().filter_map(moved).collect();
    history::insert_lifecycle_steps(conn, occasion.tenant, occasion.actor, &steps).await?;
    let event = |one: &Change<_, _>| occasion.specification_changed(one.id, one.version, &one.draft);
    let events = changes.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    Ok(OUTBOX.append(conn, &events).await?)
}

/// The row as it stands now, with the database's own times.
async fn written(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    id: SpecificationId,
) -> Result<Specification, CatalogError> {
    store::specification_by_id(conn, occasion.tenant, id).await?.ok_or(CatalogError::NotFound("specification"))
}

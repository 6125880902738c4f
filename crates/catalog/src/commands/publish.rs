//! Freezing the working copy into a publication, and putting a publication in force.

use kernel::{PublicationId, Version};
use sqlx::PgConnection;

use crate::{
    error::{CatalogError, none_or_invalid},
    events::{CatalogPublicationActivated, OUTBOX, Occasion},
    model::{Finding, Publication},
    rules::{
        draft,
        freeze::{self, FreezeError, Frozen},
    },
    store::{
        active::{self, Pointer},
        candidates, publications,
    },
};

/// A publication and how it came about.
#[derive(Debug, Clone)]
pub struct Published {
    /// The publication.
    pub publication: Publication,
    /// Whether it is in force now.
    pub active: bool,
    /// Whether it was there already, because the working copy has the same content.
    pub unchanged: bool,
    /// The version of the tenant's pointer.
    pub pointer_version: Version,
}

/// What to do with a publication once it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Leave it beside the one in force.
    Keep,
    /// Put it in force.
    Activate,
}

/// Checks the working copy and freezes it, under the tenant's catalog lock.
pub async fn publish(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    name: &str,
    then: Then,
) -> Result<Published, CatalogError> {
    none_or_invalid(check_name(name))?;
    let mut pointer = active::lock_pointer(conn, occasion.tenant).await?;
    let id = PublicationId::generate();
    let limit = i64::try_from(freeze::MAX_OFFERINGS).unwrap_or(i64::MAX).saturating_add(1);
    let candidates = candidates::select_candidates(conn, occasion.tenant, limit).await?;
    let frozen = freeze::freeze(candidates, id).map_err(|error| match error {
        FreezeError::Refused(findings) => CatalogError::Invalid(findings),
        FreezeError::NotCanonical(error) => error.into(),
    })?;
    let same = publications::publication_by_content(conn, occasion.tenant, frozen.content_hash).await?;
    let unchanged = same.is_some();
    let publication = match same {
        Some(publication) => publication,
        None => write(conn, occasion, pointer, id, name, &frozen).await?,
    };
    if then == Then::Activate {
        pointer.version = put_in_force(conn, occasion, pointer, &publication).await?;
        pointer.publication = Some(publication.id);
    }
    let active = pointer.publication == Some(publication.id);
    Ok(Published { publication, active, unchanged, pointer_version: pointer.version })
}

/// Puts a publication in force. Doing so again changes nothing.
pub async fn activate(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    id: PublicationId,
    expected: Option<Version>,
) -> Result<Published, CatalogError> {
    let publication = publications::publication_by_id(conn, occasion.tenant, id).await?;
    let publication = publication.ok_or(CatalogError::NotFound("publication"))?;
    let pointer = active::lock_pointer(conn, occasion.tenant).await?;
    if let Some(expected) = expected {
        super::must_be(expected, pointer.version)?;
    }
    let pointer_version = put_in_force(conn, occasion, pointer, &publication).await?;
    Ok(Published { publication, active: true, unchanged: pointer_version == pointer.version, pointer_version })
}

fn check_name(name: &str) -> Vec<Finding> {
    draft::check_label("/name", Some(name))
}

async fn write(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    pointer: Pointer,
    id: PublicationId,
    name: &str,
    frozen: &Frozen,
) -> Result<Publication, CatalogError> {
    let number = pointer.last_number + 1;
    let publication = publications::NewPublication {
        id,
        number,
        name,
        content_hash: frozen.content_hash,
        offerings: frozen.offerings.len(),
        actor: occasion.actor,
    };
    let publication = publications::insert_publication(conn, occasion.tenant, publication).await?;
    publications::insert_publication_offerings(conn, occasion.tenant, id, &frozen.offerings).await?;
    active::update_last_number(conn, occasion.tenant, number).await?;
    let event = occasion.published(id, number, name, frozen.content_hash, frozen.offerings.len())?;
    OUTBOX.append(conn, &[event]).await?;
    Ok(publication)
}

async fn put_in_force(
    conn: &mut PgConnection,
    occasion: &Occasion<'_>,
    pointer: Pointer,
    publication: &Publication,
) -> Result<Version, CatalogError> {
    if pointer.publication == Some(publication.id) {
        return Ok(pointer.version);
    }
    active::update_active(conn, occasion.tenant, publication.id, pointer, occasion.actor).await?;
    let version = pointer.version.next();
    let fact = CatalogPublicationActivated {
        publication_id: publication.id,
        name: publication.name.clone(),
        content_hash: publication.content_hash,
        previous_publication_id: pointer.publication,
    };
    OUTBOX.append(conn, &[occasion.activated(version, &fact)?]).await?;
    Ok(version)
}

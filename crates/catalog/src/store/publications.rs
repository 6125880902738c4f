//! `catalog.publication` and `catalog.publication_offering`: written once, read for ever.

use cache_ports::catalog::{OfferingDocument, OfferingKind, OfferingSummary};
use chrono::{DateTime, Utc};
use kernel::{ContentHash, OfferingId, PublicationId, TenantId};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    model::{FrozenOffering, Publication},
    words::Word,
};

struct Row {
    publication_id: Uuid,
    number: i64,
    name: String,
    content_hash: String,
    offering_count: i32,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Publication {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.publication_id.into(),
            number: u64::try_from(row.number).map_err(|_| super::unreadable("publication number"))?,
            name: row.name,
            content_hash: row.content_hash.parse().map_err(|_| super::unreadable("content hash"))?,
            offerings: u32::try_from(row.offering_count).map_err(|_| super::unreadable("offering count"))?,
            created_at: row.created_at,
        })
    }
}

macro_rules! select {
    ($rest:literal, $($arg:expr),*) => {
        sqlx::query_as!(
            Row,
            "select publication_id, number, name, content_hash, offering_count, created_at from catalog.publication "
                + $rest,
            $($arg),*
        )
    };
}

/// One publication.
pub async fn publication_by_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PublicationId,
) -> Result<Option<Publication>, sqlx::Error> {
    let row = select!("where tenant_id = $1 and publication_id = $2", tenant.as_str(), id.uuid());
    row.fetch_optional(conn).await?.map(Publication::try_from).transpose()
}

/// The publication with this content.
pub async fn publication_by_content(
    conn: &mut PgConnection,
    tenant: &TenantId,
    content_hash: ContentHash,
) -> Result<Option<Publication>, sqlx::Error> {
    let row = select!("where tenant_id = $1 and content_hash = $2", tenant.as_str(), content_hash.to_string());
    row.fetch_optional(conn).await?.map(Publication::try_from).transpose()
}

/// Up to `limit` publications before a number, newest first.
pub async fn select_publications(
    conn: &mut PgConnection,
    tenant: &TenantId,
    before: i64,
    limit: i64,
) -> Result<Vec<Publication>, sqlx::Error> {
    let rows =
        select!("where tenant_id = $1 and number < $2 order by number desc limit $3", tenant.as_str(), before, limit);
    rows.fetch_all(conn).await?.into_iter().map(Publication::try_from).collect()
}

/// A publication to be written.
#[derive(Debug, Clone, Copy)]
pub struct NewPublication<'a> {
    /// Its id.
    pub id: PublicationId,
    /// Its number within the tenant.
    pub number: i64,
    /// Its name.
    pub name: &'a str,
    /// The hash of its content.
    pub content_hash: ContentHash,
    /// How many offerings it holds.
    pub offerings: usize,
    /// Who made it.
    pub actor: &'a str,
}

/// Writes a publication; its documents follow.
pub async fn insert_publication(
    conn: &mut PgConnection,
    tenant: &TenantId,
    new: NewPublication<'_>,
) -> Result<Publication, sqlx::Error> {
    let count = i32::try_from(new.offerings).map_err(|error| sqlx::Error::Encode(error.into()))?;
    let row = sqlx::query_as!(
        Row,
        "insert into catalog.publication (tenant_id, publication_id, number, name, content_hash, offering_count, \
             created_by) values ($1, $2, $3, $4, $5, $6, $7) \
         returning publication_id, number, name, content_hash, offering_count, created_at",
        tenant.as_str(),
        new.id.uuid(),
        new.number,
        new.name,
        new.content_hash.to_string(),
        count,
        new.actor
    );
    row.fetch_one(conn).await?.try_into()
}

#[derive(Serialize)]
struct Written<'a> {
    offering_id: OfferingId,
    external_id: Option<&'a str>,
    name: &'a str,
    category: Option<&'a str>,
    kind: &'a str,
    stocked: bool,
    document: &'a OfferingDocument,
    document_hash: ContentHash,
}

/// Documents sent to PostgreSQL in one statement: some megabytes, never a gigabyte.
const DOCUMENTS_PER_STATEMENT: usize = 2_000;

/// Writes the documents of a publication.
pub async fn insert_publication_offerings(
    conn: &mut PgConnection,
    tenant: &TenantId,
    publication: PublicationId,
    frozen: &[FrozenOffering],
) -> Result<(), sqlx::Error> {
    for chunk in frozen.chunks(DOCUMENTS_PER_STATEMENT) {
        let rows: Vec<Written<'_>> = chunk.iter().map(written).collect();
        sqlx::query!(
            "insert into catalog.publication_offering (tenant_id, publication_id, offering_id, external_id, name, \
                 category, kind, stocked, document, document_hash) \
             select $1, $2, offering_id, external_id, name, category, kind, stocked, document, document_hash \
             from jsonb_to_recordset($3) as frozen (offering_id uuid, external_id text, name text, category text, \
                 kind text, stocked boolean, document jsonb, document_hash text)",
            tenant.as_str(),
            publication.uuid(),
            super::to_json(&rows)?
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

fn written(frozen: &FrozenOffering) -> Written<'_> {
    let document = &frozen.document;
    Written {
        offering_id: document.id,
        external_id: document.external_id.as_deref(),
        name: &document.name,
        category: document.category.as_deref(),
        kind: document.kind.word(),
        stocked: document.stocked,
        document,
        document_hash: frozen.hash,
    }
}

/// One offering of a publication.
pub async fn document(
    conn: &mut PgConnection,
    tenant: &TenantId,
    publication: PublicationId,
    offering: OfferingId,
) -> Result<Option<OfferingDocument>, sqlx::Error> {
    let document = sqlx::query_scalar!(
        "select document from catalog.publication_offering \
         where tenant_id = $1 and publication_id = $2 and offering_id = $3",
        tenant.as_str(),
        publication.uuid(),
        offering.uuid()
    );
    document.fetch_optional(conn).await?.map(super::from_json).transpose()
}

struct SummaryRow {
    offering_id: Uuid,
    external_id: Option<String>,
    name: String,
    category: Option<String>,
    kind: String,
    stocked: bool,
}

impl TryFrom<SummaryRow> for OfferingSummary {
    type Error = sqlx::Error;

    fn try_from(row: SummaryRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.offering_id.into(),
            external_id: row.external_id,
            name: row.name,
            category: row.category,
            kind: super::word::<OfferingKind>(&row.kind, "offering kind")?,
            stocked: row.stocked,
        })
    }
}

/// What a search asks for.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// Words, all of which must begin a word of the offering's text; PostgreSQL tsquery text.
    pub words: Option<&'a str>,
    /// Exact category.
    pub category: Option<&'a str>,
    /// The last item of the page before; its name is looked up, for a publication never changes.
    pub after: Option<OfferingId>,
    /// Items wanted.
    pub limit: i64,
}

/// A page of a publication's offerings in order of name (byte order), then id.
pub async fn search_offerings(
    conn: &mut PgConnection,
    tenant: &TenantId,
    publication: PublicationId,
    search: Search<'_>,
) -> Result<Vec<OfferingSummary>, sqlx::Error> {
    let rows = sqlx::query_as!(
        SummaryRow,
        "select offering_id, external_id, name, category, kind, stocked \
         from catalog.publication_offering \
         where tenant_id = $1 and publication_id = $2 \
           and ($3::text is null or search @@ to_tsquery('simple', $3)) \
           and ($4::text is null or category = $4) \
           and ($5::uuid is null or (name collate \"C\", offering_id) > ( \
             (select name from catalog.publication_offering \
              where tenant_id = $1 and publication_id = $2 and offering_id = $5) collate \"C\", $5)) \
         order by name collate \"C\", offering_id \
         limit $6",
        tenant.as_str(),
        publication.uuid(),
        search.words,
        search.category,
        search.after.map(OfferingId::uuid),
        search.limit
    );
    rows.fetch_all(conn).await?.into_iter().map(OfferingSummary::try_from).collect()
}

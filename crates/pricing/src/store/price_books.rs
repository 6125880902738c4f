//! Price books and the heads of their versions. Versions are inserted, never changed; the book row points at the newest.

use chrono::{DateTime, Utc};
use kernel::{ContentHash, Currency, PriceBookId, Rounding, TenantId, Version};
use sqlx::PgConnection;

use super::words;
use crate::model::{BookTerms, PriceBookDraft};

/// A price book under its row lock.
#[derive(Debug, Clone)]
pub struct LockedPriceBook {
    /// The price book.
    pub id: PriceBookId,
    /// Its active version.
    pub version: Version,
    /// Its currency, fixed when it was created.
    pub currency: Currency,
    /// The hash of the active version's content.
    pub content_hash: ContentHash,
}

/// A price book with the head of its active version.
#[derive(Debug, Clone)]
pub struct PriceBookHead {
    /// The price book.
    pub id: PriceBookId,
    /// The id in the tenant's own system.
    pub external_id: String,
    /// What it is called.
    pub name: String,
    /// The currency of every price in it.
    pub currency: Currency,
    /// How half a minor unit is rounded.
    pub rounding: Rounding,
    /// The active version.
    pub version: Version,
    /// The hash of its content.
    pub content_hash: ContentHash,
    /// How many entries it has.
    pub entry_count: u32,
    /// When the active version was stored.
    pub updated_at: DateTime<Utc>,
}

/// Locks a price book until the transaction ends: its version can only be raised by one writer at a time.
///
/// Two statements: a join under the lock would be evaluated with the versions seen before the wait for it.
pub async fn lock_price_book(
    conn: &mut PgConnection,
    tenant: &TenantId,
    external_id: &str,
) -> Result<Option<LockedPriceBook>, sqlx::Error> {
    let book = sqlx::query!(
        "select id, version, currency from pricing.price_book where tenant_id = $1 and external_id = $2 for update",
        tenant.as_str(),
        external_id,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(book) = book else { return Ok(None) };
    let content_hash = sqlx::query_scalar!(
        "select content_hash from pricing.price_book_version
         where tenant_id = $1 and price_book_id = $2 and version = $3",
        tenant.as_str(),
        book.id,
        book.version,
    )
    .fetch_one(conn)
    .await?;
    Ok(Some(LockedPriceBook {
        id: book.id.into(),
        version: Version::from_i64(book.version),
        currency: words::currency(&book.currency)?,
        content_hash: words::hash("content_hash", &content_hash)?,
    }))
}

/// Inserts a new price book; `false` when another transaction was first.
pub async fn insert_price_book(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
    external_id: &str,
    currency: Currency,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query!(
        "insert into pricing.price_book (tenant_id, id, external_id, currency, version)
         values ($1, $2, $3, $4, 1)
         on conflict (tenant_id, external_id) do nothing",
        tenant.as_str(),
        id.uuid(),
        external_id,
        currency.code(),
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Makes `version` the active one; `false` when the book was not at the version before it.
pub async fn update_price_book_version(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
    version: Version,
) -> Result<bool, sqlx::Error> {
    let updated = sqlx::query!(
        "update pricing.price_book set version = $3::bigint, updated_at = now()
         where tenant_id = $1 and id = $2 and version = $3::bigint - 1",
        tenant.as_str(),
        id.uuid(),
        version.to_i64(),
    )
    .execute(conn)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Inserts the head of a version and tells the database's time.
pub async fn insert_version(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
    version: Version,
    draft: &PriceBookDraft,
    content_hash: ContentHash,
    created_by: &str,
) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(
        "insert into pricing.price_book_version
             (tenant_id, price_book_id, version, name, rounding, content_hash, entry_count, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         returning created_at",
        tenant.as_str(),
        id.uuid(),
        version.to_i64(),
        draft.name,
        words::rounding_word(draft.rounding),
        content_hash.as_bytes().as_slice(),
        i32::try_from(draft.entries.len()).unwrap_or(i32::MAX),
        created_by,
    )
    .fetch_one(conn)
    .await
}

/// One price book by the tenant's own id.
pub async fn select_price_book(
    conn: &mut PgConnection,
    tenant: &TenantId,
    external_id: &str,
) -> Result<Option<PriceBookHead>, sqlx::Error> {
    let row = sqlx::query_as!(
        HeadRow,
        "select b.id, b.external_id, v.name, b.currency, v.rounding, b.version, v.content_hash, v.entry_count,
                v.created_at
         from pricing.price_book b
         join pricing.price_book_version v
           on v.tenant_id = b.tenant_id and v.price_book_id = b.id and v.version = b.version
         where b.tenant_id = $1 and b.external_id = $2",
        tenant.as_str(),
        external_id,
    )
    .fetch_optional(conn)
    .await?;
    row.map(PriceBookHead::try_from).transpose()
}

/// Up to `limit` price books after `after`, by external id.
pub async fn select_price_books(
    conn: &mut PgConnection,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> Result<Vec<PriceBookHead>, sqlx::Error> {
    let rows = sqlx::query_as!(
        HeadRow,
        "select b.id, b.external_id, v.name, b.currency, v.rounding, b.version, v.content_hash, v.entry_count,
                v.created_at
         from pricing.price_book b
         join pricing.price_book_version v
           on v.tenant_id = b.tenant_id and v.price_book_id = b.id and v.version = b.version
         where b.tenant_id = $1 and b.external_id > $2
         order by b.external_id
         limit $3",
        tenant.as_str(),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(PriceBookHead::try_from).collect()
}

struct HeadRow {
    id: uuid::Uuid,
    external_id: String,
    name: String,
    currency: String,
    rounding: String,
    version: i64,
    content_hash: Vec<u8>,
    entry_count: i32,
    created_at: DateTime<Utc>,
}

impl TryFrom<HeadRow> for PriceBookHead {
    type Error = sqlx::Error;

    fn try_from(row: HeadRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.id.into(),
            external_id: row.external_id,
            name: row.name,
            currency: words::currency(&row.currency)?,
            rounding: words::rounding(&row.rounding)?,
            version: Version::from_i64(row.version),
            content_hash: words::hash("content_hash", &row.content_hash)?,
            entry_count: words::whole("entry_count", row.entry_count)?,
            updated_at: row.created_at,
        })
    }
}

/// The active version of a price book.
pub async fn select_active_version(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
) -> Result<Option<Version>, sqlx::Error> {
    let version = sqlx::query_scalar!(
        "select version from pricing.price_book where tenant_id = $1 and id = $2",
        tenant.as_str(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(version.map(Version::from_i64))
}

/// The terms of the active version and the database's time, which decides validity.
pub async fn select_active_terms(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
) -> Result<Option<(BookTerms, DateTime<Utc>)>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select b.version, b.currency, v.rounding, v.content_hash, now() as "at!"
           from pricing.price_book b
           join pricing.price_book_version v
             on v.tenant_id = b.tenant_id and v.price_book_id = b.id and v.version = b.version
           where b.tenant_id = $1 and b.id = $2"#,
        tenant.as_str(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let terms = BookTerms {
            id,
            version: Version::from_i64(row.version),
            content_hash: words::hash("content_hash", &row.content_hash)?,
            currency: words::currency(&row.currency)?,
            rounding: words::rounding(&row.rounding)?,
        };
        Ok((terms, row.at))
    })
    .transpose()
}

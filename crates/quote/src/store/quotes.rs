//! Quotes, revisions and lines.

use cache_ports::{pricing::ApprovalInputs, quote::QuoteTotals};
use chrono::{DateTime, Utc};
use kernel::{QuoteId, QuoteItemId, TenantId, Version};
use sqlx::{PgConnection, types::Json};

use super::{
    item_row::{self, ItemRow},
    rows::QuoteRow,
};
use crate::{
    error::{QuoteError, QuoteResult},
    model::{ApprovalReason, Item, Quote, QuoteState, RevisionState},
};

/// One state change of a command: revision 0 is the container itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Which revision, or 0.
    pub revision_no: u32,
    /// The state it was in; empty when it was created.
    pub from: &'static str,
    /// The state it is in now.
    pub to: &'static str,
}

/// Who changed a quote, when, and what was said.
#[derive(Debug, Clone, Copy)]
pub struct Note<'a> {
    /// The subject of the token, or the service.
    pub actor: &'a str,
    /// A comment or reason.
    pub reason: Option<&'a str>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Inserts a new quote with its first draft; false when another quote has its external id.
pub async fn insert_quote(conn: &mut PgConnection, tenant: &TenantId, quote: &Quote) -> QuoteResult<bool> {
    let row = sqlx::query_file_scalar!(
        "src/store/insert_quote.sql",
        tenant.as_str(),
        quote.id.uuid(),
        quote.external_id.as_deref(),
        quote.customer_id.map(kernel::CustomerId::uuid),
        quote.price_book_id.uuid(),
        quote.publication_id.map(kernel::PublicationId::uuid),
        quote.currency.code(),
        quote.level.as_str(),
        i32::from(quote.valid_for_days),
        quote.created_by,
        quote.created_at,
        item_row::to_json(&quote.revision.items)?,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// The quote that has this external id.
pub async fn quote_id_by_external_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    external_id: &str,
) -> QuoteResult<Option<QuoteId>> {
    let id = sqlx::query_scalar!(
        "select quote_id from quote.quote where tenant_id = $1 and external_id = $2",
        tenant.as_str(),
        external_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(QuoteId::from))
}

/// Locks the quote for the rest of the transaction; false when there is none.
///
/// The lock is a statement of its own: whoever waited for it must read with a snapshot taken afterwards.
pub async fn lock_quote(conn: &mut PgConnection, tenant: &TenantId, quote: QuoteId) -> QuoteResult<bool> {
    let row = sqlx::query_scalar!(
        "select version from quote.quote where tenant_id = $1 and quote_id = $2 for update",
        tenant.as_str(),
        quote.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// The quote with the given revision, or its current one, and the database's time of reading.
pub async fn quote_with_revision(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: Option<u32>,
) -> QuoteResult<Option<(Quote, DateTime<Utc>)>> {
    let revision_no = revision_no.map(|no| i32::try_from(no).unwrap_or(i32::MAX));
    let row = sqlx::query_file_as!(
        QuoteRow,
        "src/store/quote_with_revision.sql",
        tenant.as_str(),
        quote.uuid(),
        revision_no,
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        let read_at = row.read_at;
        Ok((row.into_quote()?, read_at))
    })
    .transpose()
}

/// Writes the quote and its revision back as one new version. `quote` then carries that version.
pub async fn save_quote(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: &mut Quote,
    moved: &[Moved],
    note: Note<'_>,
) -> QuoteResult<()> {
    let revision = &quote.revision;
    let price = revision.price.as_ref();
    let numbers: Vec<i32> = moved.iter().map(|moved| number(moved.revision_no)).collect();
    let from: Vec<String> = moved.iter().map(|moved| moved.from.to_owned()).collect();
    let to: Vec<String> = moved.iter().map(|moved| moved.to.to_owned()).collect();
    let saved = sqlx::query_file!(
        "src/store/save_quote.sql",
        tenant.as_str(),
        quote.id.uuid(),
        quote.version.to_i64(),
        quote.state.as_str(),
        number(quote.current_revision_no),
        quote.publication_id.map(kernel::PublicationId::uuid),
        note.at,
        number(revision.no),
        revision.state.as_str(),
        &revision.editors,
        revision.price_stale,
        price.map(|price| price.result_id.uuid()),
        price.map(|price| price.result_hash.to_string()),
        price.map(|price| Json(&price.totals)) as _,
        price.map(|price| Json(&price.approval_inputs)) as _,
        revision.content_hash.map(|hash| hash.as_bytes().to_vec()),
        revision.valid_until,
        note.actor,
        note.reason,
        &numbers,
        &from,
        &to,
    )
    .fetch_one(conn)
    .await?;
    if (saved.quotes, saved.revisions) != (1, 1) {
        return Err(QuoteError::VersionChanged { current: quote.version.next() });
    }
    quote.version = quote.version.next();
    quote.updated_at = note.at;
    Ok(())
}

/// Adds lines to a revision.
pub async fn insert_items(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: u32,
    items: &[Item],
) -> QuoteResult<()> {
    sqlx::query!(
        r#"
        insert into quote.item (
            tenant_id, quote_id, revision_no, item_id, line_no, offering_id, external_id, name, stocked, quantity,
            characteristics, adjustment)
        select $1, $2, $3, i.item_id, i.line_no, i.offering_id, i.external_id, i.name, i.stocked, i.quantity,
            i.characteristics, nullif(i.adjustment, 'null'::jsonb)
        from jsonb_to_recordset($4::jsonb) as i (
            item_id uuid, line_no integer, offering_id uuid, external_id text, name text, stocked boolean,
            quantity numeric, characteristics jsonb, adjustment jsonb)
        "#,
        tenant.as_str(),
        quote.uuid(),
        number(revision_no),
        item_row::to_json(items)?,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes lines back with everything they carry.
pub async fn update_items(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: u32,
    items: &[Item],
) -> QuoteResult<()> {
    let updated = sqlx::query!(
        r#"
        update quote.item t
        set external_id = i.external_id, name = i.name, stocked = i.stocked, quantity = i.quantity,
            characteristics = i.characteristics, adjustment = nullif(i.adjustment, 'null'::jsonb),
            charges = nullif(i.charges, 'null'::jsonb), amount = i.amount
        from jsonb_to_recordset($4::jsonb) as i (
            item_id uuid, external_id text, name text, stocked boolean, quantity numeric, characteristics jsonb,
            adjustment jsonb, charges jsonb, amount numeric)
        where t.tenant_id = $1 and t.quote_id = $2 and t.revision_no = $3 and t.item_id = i.item_id
        "#,
        tenant.as_str(),
        quote.uuid(),
        number(revision_no),
        item_row::to_json(items)?,
    )
    .execute(conn)
    .await?;
    if usize::try_from(updated.rows_affected()) == Ok(items.len()) { Ok(()) } else { Err(QuoteError::NotFound("item")) }
}

/// Removes a line.
pub async fn delete_item(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: u32,
    item: QuoteItemId,
) -> QuoteResult<()> {
    let deleted = sqlx::query!(
        "delete from quote.item where tenant_id = $1 and quote_id = $2 and revision_no = $3 and item_id = $4",
        tenant.as_str(),
        quote.uuid(),
        number(revision_no),
        item.uuid(),
    )
    .execute(conn)
    .await?;
    if deleted.rows_affected() == 1 { Ok(()) } else { Err(QuoteError::NotFound("item")) }
}

/// Inserts a further revision's row; its lines follow with [`insert_items`].
pub async fn insert_revision(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: u32,
    note: Note<'_>,
) -> QuoteResult<()> {
    sqlx::query!(
        r#"
        insert into quote.revision (
            tenant_id, quote_id, revision_no, state, editors, price_stale, created_at, updated_at)
        values ($1, $2, $3, 'draft', array[$4::text], true, $5, $5)
        "#,
        tenant.as_str(),
        quote.uuid(),
        number(revision_no),
        note.actor,
        note.at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves every other revision that is on offer to `superseded`; says which ones.
pub async fn supersede_offers(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    by_revision_no: u32,
    at: DateTime<Utc>,
) -> QuoteResult<Vec<u32>> {
    let numbers = sqlx::query_scalar!(
        r#"
        update quote.revision set state = 'superseded', updated_at = $4
        where tenant_id = $1 and quote_id = $2 and revision_no <> $3 and state = 'presented'
        returning revision_no
        "#,
        tenant.as_str(),
        quote.uuid(),
        number(by_revision_no),
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(numbers.into_iter().map(i32::unsigned_abs).collect())
}

/// Overdue offers of all tenants, the longest overdue first. For the worker's role only: its policy shows just these rows.
pub async fn overdue_offers(conn: &mut PgConnection, limit: i64) -> QuoteResult<Vec<(TenantId, QuoteId, u32)>> {
    let rows = sqlx::query!(
        r#"
        select tenant_id, quote_id, revision_no from quote.revision
        where state = 'presented' and valid_until < clock_timestamp()
        order by valid_until limit $1
        "#,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let tenant = row.tenant_id.parse().map_err(|_| QuoteError::Unreadable("tenant"))?;
            Ok((tenant, row.quote_id.into(), row.revision_no.unsigned_abs()))
        })
        .collect()
}

fn number(revision_no: u32) -> i32 {
    i32::try_from(revision_no).unwrap_or(i32::MAX)
}

/// The version the quote has, for a caller whose If-Match does not fit.
pub async fn version_of(conn: &mut PgConnection, tenant: &TenantId, quote: QuoteId) -> QuoteResult<Option<Version>> {
    let version = sqlx::query_scalar!(
        "select version from quote.quote where tenant_id = $1 and quote_id = $2",
        tenant.as_str(),
        quote.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(version.map(Version::from_i64))
}

/// Who created a quote.
pub async fn creator_of(conn: &mut PgConnection, tenant: &TenantId, quote: QuoteId) -> QuoteResult<Option<String>> {
    let creator = sqlx::query_scalar!(
        "select created_by from quote.quote where tenant_id = $1 and quote_id = $2",
        tenant.as_str(),
        quote.uuid()
    );
    Ok(creator.fetch_optional(conn).await?)
}

/// Where a quote and its current revision stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The quote's version.
    pub version: Version,
    /// Where the negotiation stands.
    pub state: QuoteState,
    /// The current revision.
    pub revision_no: u32,
    /// Where that revision stands.
    pub revision_state: RevisionState,
}

/// Where a quote and its current revision stand, without a line of it.
pub async fn standing(conn: &mut PgConnection, tenant: &TenantId, quote: QuoteId) -> QuoteResult<Option<Standing>> {
    let row = sqlx::query!(
        r#"
        select q.version, q.state, q.current_revision_no, r.state as revision_state
        from quote.quote q
        join quote.revision r
            on r.tenant_id = q.tenant_id and r.quote_id = q.quote_id and r.revision_no = q.current_revision_no
        where q.tenant_id = $1 and q.quote_id = $2
        "#,
        tenant.as_str(),
        quote.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Standing {
            version: Version::from_i64(row.version),
            state: QuoteState::named(&row.state).ok_or(QuoteError::Unreadable("quote state"))?,
            revision_no: row.current_revision_no.unsigned_abs(),
            revision_state: RevisionState::named(&row.revision_state)
                .ok_or(QuoteError::Unreadable("revision state"))?,
        })
    })
    .transpose()
}

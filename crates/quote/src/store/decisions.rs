//! Requests for approval and the acceptance.

use chrono::{DateTime, Utc};
use kernel::{QuoteId, TenantId};
use sqlx::{PgConnection, types::Json};

use crate::{
    error::{QuoteError, QuoteResult},
    model::{Acceptance, Approval},
};

/// Inserts a pending request.
pub async fn insert_approval(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: u32,
    approval: &Approval,
) -> QuoteResult<()> {
    sqlx::query!(
        r#"
        insert into quote.approval (
            tenant_id, approval_id, quote_id, revision_no, state, content_hash, reasons, requested_by, requested_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        tenant.as_str(),
        approval.id.uuid(),
        quote.uuid(),
        i32::try_from(revision_no).unwrap_or(i32::MAX),
        approval.state.as_str(),
        approval.content_hash.as_bytes().as_slice(),
        Json(&approval.reasons) as _,
        approval.requested_by,
        approval.requested_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes the outcome of a request.
pub async fn decide_approval(conn: &mut PgConnection, tenant: &TenantId, approval: &Approval) -> QuoteResult<()> {
    let updated = sqlx::query!(
        r#"
        update quote.approval set state = $3, decided_by = $4, decided_at = $5, comment = $6
        where tenant_id = $1 and approval_id = $2 and content_hash = $7
        "#,
        tenant.as_str(),
        approval.id.uuid(),
        approval.state.as_str(),
        approval.decided_by.as_deref(),
        approval.decided_at,
        approval.comment.as_deref(),
        approval.content_hash.as_bytes().as_slice(),
    )
    .execute(conn)
    .await?;
    if updated.rows_affected() == 1 { Ok(()) } else { Err(QuoteError::ContentChanged) }
}

/// Inserts the acceptance. The key allows one per quote.
pub async fn insert_acceptance(conn: &mut PgConnection, tenant: &TenantId, acceptance: &Acceptance) -> QuoteResult<()> {
    sqlx::query!(
        r#"
        insert into quote.acceptance (
            tenant_id, quote_id, revision_no, content_hash, accepted_by, accepted_at, document)
        values ($1, $2, $3, $4, $5, $6, $7)
        "#,
        tenant.as_str(),
        acceptance.quote_id.uuid(),
        i32::try_from(acceptance.revision_no).unwrap_or(i32::MAX),
        acceptance.content_hash.as_bytes().as_slice(),
        acceptance.accepted_by,
        acceptance.accepted_at,
        Json(acceptance) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The acceptance of one revision.
pub async fn acceptance_of(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: u32,
) -> QuoteResult<Option<Acceptance>> {
    let document = sqlx::query_scalar!(
        r#"
        select document as "document: Json<Acceptance>" from quote.acceptance
        where tenant_id = $1 and quote_id = $2 and revision_no = $3
        "#,
        tenant.as_str(),
        quote.uuid(),
        i32::try_from(revision_no).unwrap_or(i32::MAX),
    )
    .fetch_optional(conn)
    .await?;
    Ok(document.map(|document| document.0))
}

/// One state change, as the audit trail tells it.
#[derive(Debug, Clone)]
pub struct HistoryRow {
    /// The quote's version after the change.
    pub version: i64,
    /// The revision, or 0 for the container.
    pub revision_no: i32,
    /// The state before; empty at creation.
    pub from_state: String,
    /// The state after.
    pub to_state: String,
    /// Who.
    pub actor: String,
    /// What was said.
    pub reason: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
}

/// Every state change of a quote, oldest first.
pub async fn history_of(conn: &mut PgConnection, tenant: &TenantId, quote: QuoteId) -> QuoteResult<Vec<HistoryRow>> {
    let rows = sqlx::query_as!(
        HistoryRow,
        r#"
        select version, revision_no, from_state, to_state, actor, reason, at from quote.history
        where tenant_id = $1 and quote_id = $2
        order by version, revision_no
        limit 1000
        "#,
        tenant.as_str(),
        quote.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

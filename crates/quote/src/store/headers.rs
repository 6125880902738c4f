//! What lists show of a quote: one row a quote, without its lines.

use chrono::{DateTime, Utc};
use kernel::{ContentHash, CustomerId, QuoteId, TenantId, Version};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    error::{QuoteError, QuoteResult},
    model::{Level, QuoteHeader, QuoteState, QuoteTotals, RevisionState},
};

/// Which quotes a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In this state.
    pub state: Option<QuoteState>,
    /// For this customer.
    pub customer_id: Option<CustomerId>,
    /// Older than this one: where the previous page ended.
    pub before: Option<QuoteId>,
}

impl Filter {
    /// Whether a quote is in the list.
    pub fn passes(&self, header: &QuoteHeader) -> bool {
        self.state.is_none_or(|state| state == header.state)
            && self.customer_id.is_none_or(|customer| Some(customer) == header.customer_id)
            && self.before.is_none_or(|before| header.id < before)
    }
}

pub(super) struct HeaderRow {
    pub quote_id: Uuid,
    pub version: i64,
    pub external_id: Option<String>,
    pub state: String,
    pub customer_id: Option<Uuid>,
    pub currency: String,
    pub level: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub revision_no: i32,
    pub revision_state: String,
    pub price_stale: bool,
    pub content_hash: Option<Vec<u8>>,
    pub price_result_id: Option<Uuid>,
    pub totals: Option<Json<QuoteTotals>>,
    pub valid_until: Option<DateTime<Utc>>,
    pub item_count: i64,
}

impl HeaderRow {
    pub fn into_header(self) -> QuoteResult<QuoteHeader> {
        let hash = self.content_hash.map(<[u8; 32]>::try_from).transpose();
        Ok(QuoteHeader {
            id: self.quote_id.into(),
            version: Version::from_i64(self.version),
            external_id: self.external_id,
            state: QuoteState::named(&self.state).ok_or(QuoteError::Unreadable("quote state"))?,
            revision_no: self.revision_no.unsigned_abs(),
            revision_state: RevisionState::named(&self.revision_state)
                .ok_or(QuoteError::Unreadable("revision state"))?,
            customer_id: self.customer_id.map(Into::into),
            currency: self.currency.parse().map_err(|_| QuoteError::Unreadable("currency"))?,
            level: Level::named(&self.level).ok_or(QuoteError::Unreadable("level"))?,
            item_count: u32::try_from(self.item_count).unwrap_or(u32::MAX),
            price_stale: self.price_stale,
            content_hash: hash.map_err(|_| QuoteError::Unreadable("content hash"))?.map(ContentHash::from),
            price_result_id: self.price_result_id.map(Into::into),
            totals: self.totals.map(|totals| totals.0),
            valid_until: self.valid_until,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// One page of current revisions, newest quote first.
pub async fn list(
    conn: &mut PgConnection,
    tenant: &TenantId,
    filter: &Filter,
    limit: i64,
) -> QuoteResult<Vec<QuoteHeader>> {
    let rows = sqlx::query_as!(
        HeaderRow,
        r#"
        select q.quote_id, q.version, q.external_id, q.state, q.customer_id, q.currency, q.level, q.created_at,
            q.updated_at, r.revision_no, r.state as revision_state, r.price_stale, r.content_hash, r.price_result_id,
            r.totals as "totals: Json<QuoteTotals>", r.valid_until,
            (select count(*) from quote.item i where i.tenant_id = r.tenant_id and i.quote_id = r.quote_id
                and i.revision_no = r.revision_no) as "item_count!"
        from quote.quote q
        join quote.revision r on r.tenant_id = q.tenant_id and r.quote_id = q.quote_id
            and r.revision_no = q.current_revision_no
        where q.tenant_id = $1
            and ($2::text is null or q.state = $2)
            and ($3::uuid is null or q.customer_id = $3)
            and ($4::uuid is null or q.quote_id < $4)
        order by q.quote_id desc
        limit $5
        "#,
        tenant.as_str(),
        filter.state.map(QuoteState::as_str),
        filter.customer_id.map(CustomerId::uuid),
        filter.before.map(QuoteId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(HeaderRow::into_header).collect()
}

/// The one quote with this id in the tenant's own system: found by its own index, however many quotes there are.
pub async fn by_external_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    external_id: &str,
) -> QuoteResult<Option<QuoteHeader>> {
    let row = sqlx::query_as!(
        HeaderRow,
        r#"
        select q.quote_id, q.version, q.external_id, q.state, q.customer_id, q.currency, q.level, q.created_at,
            q.updated_at, r.revision_no, r.state as revision_state, r.price_stale, r.content_hash, r.price_result_id,
            r.totals as "totals: Json<QuoteTotals>", r.valid_until,
            (select count(*) from quote.item i where i.tenant_id = r.tenant_id and i.quote_id = r.quote_id
                and i.revision_no = r.revision_no) as "item_count!"
        from quote.quote q
        join quote.revision r on r.tenant_id = q.tenant_id and r.quote_id = q.quote_id
            and r.revision_no = q.current_revision_no
        where q.tenant_id = $1 and q.external_id = $2
        "#,
        tenant.as_str(),
        external_id,
    )
    .fetch_optional(conn)
    .await?;
    row.map(HeaderRow::into_header).transpose()
}

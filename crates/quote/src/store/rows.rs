//! Rows as SQL returns them, and how they become the model. A stored name this version does not know is an error, never a
//! default.

use cache_ports::{pricing::ApprovalInputs, quote::QuoteTotals};
use chrono::{DateTime, Utc};
use kernel::{ContentHash, Version};
use sqlx::types::Json;
use uuid::Uuid;

use super::item_row::ItemRow;
use crate::{
    error::{QuoteError, QuoteResult},
    model::{Approval, ApprovalReason, ApprovalState, Level, Quote, QuoteState, Revision, RevisionState, SealedPrice},
};

pub(super) struct QuoteRow {
    pub quote_id: Uuid,
    pub version: i64,
    pub external_id: Option<String>,
    pub state: String,
    pub customer_id: Option<Uuid>,
    pub price_book_id: Uuid,
    pub publication_id: Option<Uuid>,
    pub currency: String,
    pub level: String,
    pub valid_for_days: i32,
    pub current_revision_no: i32,
    pub created_by: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub revision_no: i32,
    pub revision_state: String,
    pub editors: Vec<String>,
    pub price_stale: bool,
    pub price_result_id: Option<Uuid>,
    pub price_hash: Option<String>,
    pub totals: Option<Json<QuoteTotals>>,
    pub approval_inputs: Option<Json<ApprovalInputs>>,
    pub content_hash: Option<Vec<u8>>,
    pub valid_until: Option<DateTime<Utc>>,
    pub revision_created_at: DateTime<Utc>,
    pub approval_id: Option<Uuid>,
    pub approval_state: Option<String>,
    pub approval_content_hash: Option<Vec<u8>>,
    pub approval_reasons: Option<Json<Vec<ApprovalReason>>>,
    pub requested_by: Option<String>,
    pub requested_at: Option<DateTime<Utc>>,
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    pub comment: Option<String>,
    pub items: Json<Vec<ItemRow>>,
    pub read_at: DateTime<Utc>,
}

impl QuoteRow {
    pub(super) fn into_quote(mut self) -> QuoteResult<Quote> {
        let approval = self.take_approval()?;
        let revision = self.take_revision()?;
        Ok(Quote {
            id: self.quote_id.into(),
            version: Version::from_i64(self.version),
            external_id: self.external_id,
            state: QuoteState::named(&self.state).ok_or(QuoteError::Unreadable("quote state"))?,
            customer_id: self.customer_id.map(Into::into),
            price_book_id: self.price_book_id.into(),
            publication_id: self.publication_id.map(Into::into),
            currency: self.currency.parse().map_err(|_| QuoteError::Unreadable("currency"))?,
            level: Level::named(&self.level).ok_or(QuoteError::Unreadable("level"))?,
            valid_for_days: u16::try_from(self.valid_for_days).map_err(|_| QuoteError::Unreadable("validity"))?,
            current_revision_no: self.current_revision_no.unsigned_abs(),
            created_by: self.created_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            revision,
            approval,
        })
    }

    fn take_revision(&mut self) -> QuoteResult<Revision> {
        let currency = self.currency.parse().map_err(|_| QuoteError::Unreadable("currency"))?;
        let rows = std::mem::take(&mut self.items.0);
        Ok(Revision {
            no: self.revision_no.unsigned_abs(),
            state: RevisionState::named(&self.revision_state).ok_or(QuoteError::Unreadable("revision state"))?,
            editors: std::mem::take(&mut self.editors),
            price_stale: self.price_stale,
            price: self.take_price()?,
            content_hash: self.content_hash.take().map(hash_of).transpose()?,
            valid_until: self.valid_until,
            created_at: self.revision_created_at,
            items: rows.into_iter().map(|row| row.into_item(currency)).collect::<QuoteResult<_>>()?,
        })
    }

    fn take_price(&mut self) -> QuoteResult<Option<SealedPrice>> {
        let parts = (self.price_result_id, self.price_hash.take(), self.totals.take(), self.approval_inputs.take());
        let (Some(result_id), Some(hash), Some(totals), Some(inputs)) = parts else { return Ok(None) };
        Ok(Some(SealedPrice {
            result_id: result_id.into(),
            result_hash: hash.parse().map_err(|_| QuoteError::Unreadable("price hash"))?,
            totals: totals.0,
            approval_inputs: inputs.0,
        }))
    }

    fn take_approval(&mut self) -> QuoteResult<Option<Approval>> {
        let Some(id) = self.approval_id else { return Ok(None) };
        let missing = || QuoteError::Unreadable("approval");
        let state = self.approval_state.as_deref().and_then(ApprovalState::named);
        Ok(Some(Approval {
            id: id.into(),
            state: state.ok_or_else(missing)?,
            content_hash: self.approval_content_hash.take().ok_or_else(missing).and_then(hash_of)?,
            reasons: self.approval_reasons.take().ok_or_else(missing)?.0,
            requested_by: self.requested_by.take().ok_or_else(missing)?,
            requested_at: self.requested_at.ok_or_else(missing)?,
            decided_by: self.decided_by.take(),
            decided_at: self.decided_at,
            comment: self.comment.take(),
        }))
    }
}

fn hash_of(bytes: Vec<u8>) -> QuoteResult<ContentHash> {
    <[u8; 32]>::try_from(bytes).map(ContentHash::from).map_err(|_| QuoteError::Unreadable("content hash"))
}

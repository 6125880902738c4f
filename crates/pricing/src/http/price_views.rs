//! What sealed prices and verdicts look like on the wire. Previews are sent as they are cached.

use cache_ports::pricing::{ApprovalInputs, FinalPriceDisplay, PriceTotals, PricedItem, TraceStep};
use chrono::{DateTime, Utc};
use kernel::{ContentHash, PriceBookId, PriceResultId, QuoteId, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::request::PriceRequestBody;
use crate::{
    error::PricingError,
    model::{ENGINE_VERSION, Violation},
    rules::evidence::{Difference, Verdict},
};

/// A request for a price that will be evidence.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinalPriceRequest {
    /// The quote.
    pub quote_id: QuoteId,
    /// Its revision, from 1.
    pub revision_no: u32,
    /// What is asked.
    pub request: PriceRequestBody,
}

impl FinalPriceRequest {
    /// The revision's number, when it is one.
    pub fn revision(&self) -> Result<u32, PricingError> {
        if self.revision_no >= 1 && i32::try_from(self.revision_no).is_ok() {
            return Ok(self.revision_no);
        }
        let fault = Violation::new("/revisionNo", "range", "revisions are numbered from 1");
        Err(PricingError::Refused(vec![fault]))
    }
}

/// A sealed price.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FinalPriceView {
    /// The sealed price.
    pub price_result_id: PriceResultId,
    /// The quote it was made for.
    pub quote_id: QuoteId,
    /// The revision of the quote.
    pub revision_no: u32,
    /// When it was sealed, by the database's clock.
    pub sealed_at: DateTime<Utc>,
    /// The price book.
    pub price_book_id: PriceBookId,
    /// The version of the price book.
    pub price_book_version: Version,
    /// The engine that computed it.
    pub engine_version: String,
    /// The hash of everything the engine was given.
    pub input_hash: ContentHash,
    /// The hash of everything it answered.
    pub result_hash: ContentHash,
    /// The hash that chains it to the tenant's previous sealed price.
    pub chain_hash: ContentHash,
    /// The sums.
    pub totals: PriceTotals,
    /// The charges.
    pub items: Vec<PricedItem>,
    /// What decides about approval.
    pub approval_inputs: ApprovalInputs,
    /// For each charge, in the order of `items`, how its amount came about; only where it is read, and only for internal
    /// roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Vec<Vec<TraceStep>>>,
}

impl FinalPriceView {
    /// What everybody may see of a sealed price.
    pub fn without_trace(display: &FinalPriceDisplay) -> Self {
        Self {
            price_result_id: display.price_result_id,
            quote_id: display.quote_id,
            revision_no: display.revision_no,
            sealed_at: display.sealed_at,
            price_book_id: display.price_book_id,
            price_book_version: display.price_book_version,
            engine_version: display.engine_version.clone(),
            input_hash: display.input_hash,
            result_hash: display.result_hash,
            chain_hash: display.chain_hash,
            totals: display.totals.clone(),
            items: display.items.clone(),
            approval_inputs: display.approval_inputs.clone(),
            trace: None,
        }
    }
}

/// What a replay of a sealed price proved.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum VerdictWord {
    /// Every stored value is what the engine gives today, and the chain holds.
    Match,
    /// The evidence is intact; another engine version computed it, and today's gives another result.
    EngineDiffers,
    /// A stored value is not the one that was sealed.
    Tampered,
}

/// The verdict about a sealed price, with the first place where it parts from its replay.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictView {
    /// The verdict.
    pub verdict: VerdictWord,
    /// The engine that replayed it.
    pub engine_version: String,
    /// The engine that sealed it, where that could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_engine_version: Option<String>,
    /// The step of the waterfall at which they part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
    /// What differs there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<DifferenceView>,
}

/// A stored value and what the replay says instead.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DifferenceView {
    /// The position of the charge in the result, from 0, where the step belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// The value's name.
    pub field: String,
    /// What is stored.
    pub stored: String,
    /// What the replay gives.
    pub replayed: String,
}

impl VerdictView {
    /// The verdict in words.
    pub fn new(verdict: Verdict, sealed_engine_version: Option<String>) -> Self {
        let (verdict, difference) = match verdict {
            Verdict::Match => (VerdictWord::Match, None),
            Verdict::EngineDiffers(difference) => (VerdictWord::EngineDiffers, Some(difference)),
            Verdict::Tampered(difference) => (VerdictWord::Tampered, Some(difference)),
        };
        Self {
            verdict,
            engine_version: ENGINE_VERSION.to_owned(),
            sealed_engine_version,
            step: difference.as_ref().map(|it| it.step),
            difference: difference.map(DifferenceView::from),
        }
    }
}

impl From<Difference> for DifferenceView {
    fn from(it: Difference) -> Self {
        Self { position: it.position, field: it.field, stored: it.stored, replayed: it.replayed }
    }
}

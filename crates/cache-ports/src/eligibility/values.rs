//! The cached value of eligibility. Its JSON is also part of the HTTP answer.

use chrono::{DateTime, Utc};
use kernel::OfferingId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the policy says about one customer and one offering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EligibilityVerdict {
    /// The offering.
    pub offering_id: OfferingId,
    /// Whether the customer may have it.
    pub eligible: bool,
    /// The rules that decided; none where no rule is about this offering.
    pub reasons: Vec<EligibilityReason>,
    /// When the policy was evaluated.
    pub evaluated_at: DateTime<Utc>,
    /// From when on the same rules may say otherwise, because a period begins or ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_until: Option<DateTime<Utc>>,
}

/// A rule that decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EligibilityReason {
    /// The rule, for programs.
    pub code: String,
    /// What it says, in words.
    pub text: String,
}

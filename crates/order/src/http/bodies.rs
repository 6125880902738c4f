//! Request bodies: their fields and their limits.

use std::borrow::Cow;

use kernel::{OrderItemId, Quantity, QuoteId};
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::{model::MAX_TEXT, rules::cancellation::Wanted};

/// Longest external id, in characters.
const MAX_EXTERNAL_ID: u64 = 100;
/// Most lines of one cancellation: as many as a quote may have.
const MAX_LINES: u64 = 1_000;

/// Which accepted revision is to be ordered.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrderBody {
    /// The quote.
    pub quote_id: QuoteId,
    /// Its accepted revision.
    #[validate(range(min = 1))]
    pub revision_no: u32,
}

/// What is to be cancelled.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancellationBody {
    /// The id in the tenant's own system; asked again, the first cancellation is answered.
    #[validate(length(min = 1, max = MAX_EXTERNAL_ID))]
    pub external_id: Option<String>,
    /// Why.
    #[validate(length(max = MAX_TEXT), custom(function = not_blank))]
    pub reason: String,
    /// Which quantities; everything that is left unless given.
    #[validate(nested, length(min = 1, max = MAX_LINES))]
    pub items: Option<Vec<CancellationItemBody>>,
}

/// A quantity of one item.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CancellationItemBody {
    /// The item.
    pub order_item_id: OrderItemId,
    /// Units, as a decimal string above zero.
    #[serde(deserialize_with = "positive_quantity")]
    pub quantity: Quantity,
}

impl CancellationBody {
    pub(super) fn wanted(&self) -> Option<Vec<Wanted>> {
        let wanted = |line: &CancellationItemBody| Wanted { item_id: line.order_item_id, quantity: line.quantity };
        self.items.as_ref().map(|lines| lines.iter().map(wanted).collect())
    }
}

/// A decimal string above zero. JSON numbers are refused: they would pass through a float on somebody's side.
fn positive_quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    let quantity: Quantity = text.parse().map_err(de::Error::custom)?;
    if quantity.is_zero() { Err(de::Error::custom("a quantity must be above zero")) } else { Ok(quantity) }
}

fn not_blank(text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() { Err(ValidationError::new("required")) } else { Ok(()) }
}

//! Request bodies: their fields, their limits, and how they become commands' inputs.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    hash::Hash,
};

use cache_ports::catalog::CharacteristicValue;
use chrono::{Datelike, NaiveDate};
use kernel::{ContentHash, Currency, CustomerId, OfferingId, PriceBookId, PublicationId, Quantity};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::{
    commands::{AdjustmentChange, Decision, ItemChange, NewCustomer, NewItem, NewQuote},
    model::{Adjustment, AdjustmentKind, Level, MAX_CHARACTERISTICS, MAX_ITEMS, MAX_TEXT, MAX_VALID_DAYS},
};

/// Longest external id, in characters.
const MAX_EXTERNAL_ID: u64 = 100;
/// Longest name of a customer or characteristic, in characters.
const MAX_NAME: u64 = 200;
/// Most lines of a quote, as validation counts.
const MAX_LINES: u64 = MAX_ITEMS as u64;
/// Most customers of one import.
const MAX_CUSTOMERS: u64 = 1_000;

/// A quote to be created.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewQuoteBody {
    /// The id in the tenant's own system; unique.
    #[validate(length(min = 1, max = MAX_EXTERNAL_ID))]
    external_id: Option<String>,
    /// Whom it is for.
    customer_id: Option<CustomerId>,
    /// Where prices come from.
    price_book_id: PriceBookId,
    /// What the offerings are; the active publication when the first price is taken, unless named.
    publication_id: Option<PublicationId>,
    /// The currency of every amount.
    currency: Currency,
    /// How binding it is; firm unless said otherwise.
    level: Option<Level>,
    /// How many days an offer stands unless the seller says otherwise.
    #[validate(range(min = 1, max = MAX_VALID_DAYS))]
    valid_for_days: Option<u16>,
    /// The lines.
    #[serde(default)]
    #[validate(nested, length(max = MAX_LINES))]
    items: Vec<NewItemBody>,
}

/// A line to be added.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewItemBody {
    /// The catalog's offering.
    offering_id: OfferingId,
    /// Units, as a decimal string above zero.
    #[serde(deserialize_with = "positive_quantity")]
    quantity: Quantity,
    /// Chosen characteristics, by name.
    #[serde(default)]
    #[validate(custom(function = characteristics_within_limits))]
    characteristics: BTreeMap<String, CharacteristicValue>,
    /// A price changed by hand; for the seller's side.
    #[validate(nested)]
    adjustment: Option<AdjustmentBody>,
}

/// A price changed by hand.
#[derive(Debug, Clone, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[validate(schema(function = adjustment_within_limits))]
pub struct AdjustmentBody {
    /// What is changed.
    kind: AdjustmentKind,
    /// By how much, as a decimal string.
    #[serde(with = "kernel::decimal_text")]
    #[schema(value_type = kernel::DecimalText)]
    value: Decimal,
    /// Why; kept as evidence.
    #[validate(length(min = 1, max = MAX_TEXT))]
    reason: String,
}

/// What changes on a line (merge patch): absent stays, null removes.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ItemPatchBody {
    /// Units, as a decimal string above zero.
    #[serde(default, deserialize_with = "some_positive_quantity", skip_serializing_if = "Option::is_none")]
    quantity: Option<Quantity>,
    /// All chosen characteristics.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[validate(custom(function = characteristics_within_limits))]
    characteristics: Option<BTreeMap<String, CharacteristicValue>>,
    /// A price changed by hand, or null for the book's price.
    #[serde(default, deserialize_with = "set_or_remove", skip_serializing_if = "AdjustmentPatch::stays")]
    #[validate(custom(function = patch_within_limits))]
    #[schema(value_type = Option<AdjustmentBody>)]
    adjustment: AdjustmentPatch,
}

/// The three things a merge patch can say about a field.
#[derive(Debug, Default, Serialize)]
#[serde(untagged)]
enum AdjustmentPatch {
    /// Absent.
    #[default]
    Keep,
    /// null.
    Remove,
    /// A value.
    Set(AdjustmentBody),
}

/// An approver's consent.
#[derive(Debug, Default, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveBody {
    /// What he says.
    #[validate(length(max = MAX_TEXT))]
    comment: Option<String>,
    /// The content he decides about; refused when the revision has another.
    content_hash: Option<ContentHash>,
}

/// An approver's refusal.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectBody {
    /// Why.
    #[validate(length(max = MAX_TEXT), custom(function = not_blank))]
    comment: String,
    /// The content he decides about; refused when the revision has another.
    content_hash: Option<ContentHash>,
}

/// How long an offer stands.
#[derive(Debug, Default, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PresentBody {
    /// Days from now; what the quote says unless given.
    #[validate(range(min = 1, max = MAX_VALID_DAYS))]
    pub valid_for_days: Option<u16>,
}

/// The customer's consent.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptBody {
    /// The content he agrees to.
    pub content_hash: ContentHash,
}

/// Why something ends.
#[derive(Debug, Default, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReasonBody {
    /// In words.
    #[validate(length(max = MAX_TEXT))]
    pub reason: Option<String>,
}

/// Customers to be imported.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportBody {
    /// The customers; each external id once.
    #[validate(nested, length(min = 1, max = MAX_CUSTOMERS))]
    pub items: Vec<CustomerBody>,
}

/// A customer to be imported.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CustomerBody {
    /// The id in the tenant's own system.
    #[validate(length(min = 1, max = MAX_EXTERNAL_ID))]
    pub external_id: String,
    /// What it is called.
    #[validate(length(min = 1, max = MAX_NAME))]
    name: String,
    /// Country.
    #[validate(length(max = MAX_NAME))]
    country: Option<String>,
    /// Market segment.
    #[validate(length(max = MAX_NAME))]
    segment: Option<String>,
    /// Since when, by the tenant's own books.
    #[serde(default, deserialize_with = "some_date")]
    #[validate(custom(function = date_within_limits))]
    customer_since: Option<NaiveDate>,
}

impl NewQuoteBody {
    pub(super) fn into_new(self, valid_for_days: u16) -> NewQuote {
        NewQuote {
            external_id: self.external_id,
            customer_id: self.customer_id,
            price_book_id: self.price_book_id,
            publication_id: self.publication_id,
            currency: self.currency,
            level: self.level.unwrap_or(Level::Firm),
            valid_for_days: self.valid_for_days.unwrap_or(valid_for_days),
            items: self.items.into_iter().map(NewItemBody::into_new).collect(),
        }
    }
}

impl NewItemBody {
    pub(super) fn into_new(self) -> NewItem {
        NewItem {
            offering_id: self.offering_id,
            quantity: self.quantity,
            characteristics: self.characteristics,
            adjustment: self.adjustment.map(AdjustmentBody::into_adjustment),
        }
    }
}

impl AdjustmentBody {
    fn into_adjustment(self) -> Adjustment {
        Adjustment { kind: self.kind, value: self.value, reason: self.reason }
    }
}

impl AdjustmentPatch {
    const fn stays(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl ItemPatchBody {
    pub(super) fn into_change(self) -> ItemChange {
        ItemChange {
            quantity: self.quantity,
            characteristics: self.characteristics,
            adjustment: match self.adjustment {
                AdjustmentPatch::Keep => AdjustmentChange::Keep,
                AdjustmentPatch::Remove => AdjustmentChange::Remove,
                AdjustmentPatch::Set(body) => AdjustmentChange::Set(body.into_adjustment()),
            },
        }
    }
}

impl ApproveBody {
    pub(super) fn decision(&self) -> Decision {
        Decision { content_hash: self.content_hash, comment: self.comment.clone() }
    }
}

impl RejectBody {
    pub(super) fn decision(&self) -> Decision {
        Decision { content_hash: self.content_hash, comment: Some(self.comment.clone()) }
    }
}

impl CustomerBody {
    pub(super) fn into_new(self) -> NewCustomer {
        let Self { external_id, name, country, segment, customer_since } = self;
        NewCustomer { external_id, name, country, segment, customer_since }
    }
}

/// A decimal string above zero. JSON numbers are refused: they would pass through a float on somebody's side.
fn positive_quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    let quantity: Quantity = text.parse().map_err(de::Error::custom)?;
    if quantity.is_zero() { Err(de::Error::custom("a quantity must be above zero")) } else { Ok(quantity) }
}

fn some_positive_quantity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Quantity>, D::Error> {
    positive_quantity(deserializer).map(Some)
}

/// Tells null, which is a value of a merge patch, from absence, which is the default.
fn set_or_remove<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AdjustmentPatch, D::Error> {
    let body = Option::<AdjustmentBody>::deserialize(deserializer)?;
    Ok(body.map_or(AdjustmentPatch::Remove, AdjustmentPatch::Set))
}

fn patch_within_limits(patch: &AdjustmentPatch) -> Result<(), ValidationError> {
    match patch {
        AdjustmentPatch::Set(body) if body.validate().is_err() => Err(ValidationError::new("range")),
        _ => Ok(()),
    }
}

/// A date as RFC 3339 writes it. The library would also take one among spaces.
fn some_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NaiveDate>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let date: NaiveDate = text.parse().map_err(de::Error::custom)?;
    if date.to_string() == text { Ok(Some(date)) } else { Err(de::Error::custom("a date is written YYYY-MM-DD")) }
}

/// Years that the tenant's books, and every date type between here and the database, can mean.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "validator calls it with a reference")]
fn date_within_limits(date: &NaiveDate) -> Result<(), ValidationError> {
    if (1000..=9999).contains(&date.year()) { Ok(()) } else { Err(ValidationError::new("range")) }
}

fn not_blank(text: &str) -> Result<(), ValidationError> {
    if text.trim().is_empty() { Err(ValidationError::new("required")) } else { Ok(()) }
}

fn characteristics_within_limits(chosen: &BTreeMap<String, CharacteristicValue>) -> Result<(), ValidationError> {
    let too_long = |text: &str, limit: u64| text.chars().count() as u64 > limit;
    let outside = |(name, value): (&String, &CharacteristicValue)| {
        let text_too_long = matches!(value, CharacteristicValue::Text(text) if too_long(text, MAX_TEXT));
        name.is_empty() || too_long(name, MAX_NAME) || text_too_long
    };
    if chosen.len() > MAX_CHARACTERISTICS || chosen.iter().any(outside) {
        return Err(ValidationError::new("length"));
    }
    Ok(())
}

fn adjustment_within_limits(adjustment: &AdjustmentBody) -> Result<(), ValidationError> {
    let above = adjustment.kind == AdjustmentKind::DiscountPercent && adjustment.value > Decimal::ONE_HUNDRED;
    if adjustment.value.is_sign_negative() || above { Err(ValidationError::new("range")) } else { Ok(()) }
}

/// The positions of what was there before, in order.
pub(super) fn repeated<T: Eq + Hash>(names: impl Iterator<Item = T>) -> Vec<usize> {
    let mut seen = HashSet::new();
    names.enumerate().filter_map(|(n, name)| (!seen.insert(name)).then_some(n)).collect()
}

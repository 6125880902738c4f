//! What the catalog service keeps in caches: offerings of a publication, the active publication, search pages.
//!
//! Owns the cached value types, which are also the catalog's answers on the wire. Must never know how a value is loaded.

use chrono::{DateTime, Utc};
use kernel::{Money, OfferingId, PublicationId, SpecificationId, Version};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether an offering is sold as such or gathers others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum OfferingKind {
    /// Has no components.
    Simple,
    /// Gathers component offerings, each within a cardinality.
    Bundle,
}

/// Where a specification, an offering or a price stands in its life (TMF620 `lifecycleStatus`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LifecycleStatus {
    /// An idea under study.
    InStudy,
    /// Being designed.
    InDesign,
    /// Being tried out.
    InTest,
    /// Complete: goes into the next publication.
    Active,
    /// On the market.
    Launched,
    /// No longer sold; existing quotes keep it.
    Retired,
    /// Gone for good.
    Obsolete,
}

/// The type of a characteristic's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ValueType {
    /// Text; facets: allowed values, pattern.
    String,
    /// A JSON number without fraction; facets: allowed values, minimum, maximum.
    Integer,
    /// A decimal string; facets: allowed values, minimum, maximum.
    Decimal,
    /// `true` or `false`.
    Boolean,
}

/// One value of a characteristic: a JSON boolean, a whole JSON number, or text (decimals are text).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum CharacteristicValue {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Text, or a decimal written as text.
    Text(String),
}

/// What may vary in a product, and within which bounds (TMF620 `productSpecCharacteristic`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Characteristic {
    /// Unique within the specification.
    pub name: String,
    /// The type of every value.
    pub value_type: ValueType,
    /// Whether a buyer chooses the values; otherwise the defaults hold.
    #[serde(default = "yes")]
    pub configurable: bool,
    /// Fewest values.
    #[serde(default)]
    pub min_cardinality: u32,
    /// Most values.
    #[serde(default = "one")]
    pub max_cardinality: u32,
    /// The only values allowed; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_values: Vec<CharacteristicValue>,
    /// Smallest number, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "kernel::decimal_text::option")]
    #[schema(value_type = Option<kernel::DecimalText>)]
    pub minimum: Option<Decimal>,
    /// Largest number, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "kernel::decimal_text::option")]
    #[schema(value_type = Option<kernel::DecimalText>)]
    pub maximum: Option<Decimal>,
    /// A regular expression (RE2 syntax, no look-around) that the whole text must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// The values that hold when the buyer chooses none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_values: Vec<CharacteristicValue>,
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

/// How many of one offering a bundle takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BundleComponent {
    /// The component.
    pub offering_id: OfferingId,
    /// Its name, for display.
    pub name: String,
    /// Fewest per bundle.
    pub min: u32,
    /// Most per bundle.
    pub max: u32,
    /// Taken when the buyer says nothing.
    pub default: u32,
}

/// What kind of charge a price is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum OfferingPriceType {
    /// Once.
    OneTime,
    /// Every period.
    Recurring,
    /// By measured use.
    Usage,
}

/// The unit of a recurring charge's period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum PeriodUnit {
    /// Days.
    Day,
    /// Weeks.
    Week,
    /// Calendar months: three months are not ninety days.
    Month,
    /// Calendar years.
    Year,
}

/// How often a recurring charge falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecurringPeriod {
    /// The unit.
    pub unit: PeriodUnit,
    /// How many units; one or more.
    pub length: u16,
}

/// A price that stood in the catalog when it was published; what a quote charges is decided by pricing, not by this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferingPrice {
    /// The price.
    pub id: kernel::PriceId,
    /// The kind of charge.
    pub price_type: OfferingPriceType,
    /// The period of a recurring charge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<RecurringPeriod>,
    /// The amount per unit.
    pub amount: Money,
    /// The unit, where it is not a piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_of_measure: Option<String>,
    /// The version that was frozen.
    pub version: Version,
}

/// One offering as a publication froze it: immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferingDocument {
    /// The publication.
    pub publication_id: PublicationId,
    /// The offering; inventory calls it the product.
    pub id: OfferingId,
    /// The id in the tenant's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is filed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Simple or bundle.
    pub kind: OfferingKind,
    /// Whether inventory counts it.
    pub stocked: bool,
    /// Where it stood in its life.
    pub lifecycle_status: LifecycleStatus,
    /// The specification its characteristics come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specification_id: Option<SpecificationId>,
    /// What may vary.
    pub characteristics: Vec<Characteristic>,
    /// What a bundle gathers.
    pub components: Vec<BundleComponent>,
    /// The catalog's own prices.
    pub prices: Vec<OfferingPrice>,
    /// The version of the offering that was frozen.
    pub version: Version,
}

/// The publication that buyers see now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivePublication {
    /// The publication.
    pub publication_id: PublicationId,
    /// Its name.
    pub name: String,
    /// Since when.
    pub activated_at: DateTime<Utc>,
}

/// One line of a search result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OfferingSummary {
    /// The offering.
    pub id: OfferingId,
    /// The id in the tenant's own system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// Where it is filed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Simple or bundle.
    pub kind: OfferingKind,
    /// Whether inventory counts it.
    pub stocked: bool,
}

/// One page of a search, with the time it was made: a user is told how old it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SearchPage {
    /// In order of name, then id.
    pub items: Vec<OfferingSummary>,
    /// Where the next page starts; absent on the last.
    pub next_cursor: Option<String>,
    /// When the authority was asked.
    pub generated_at: DateTime<Utc>,
}

//! Nouns of the catalog: the working copy (specifications, offerings, prices) and what publications freeze of it.
//!
//! Owns the shapes and their names in SQL and JSON. Must never know SQL, HTTP or how a value is cached.

use cache_ports::catalog::{
    Characteristic, LifecycleStatus, OfferingDocument, OfferingKind, OfferingPriceType, RecurringPeriod,
};
use chrono::{DateTime, Utc};
use kernel::{ContentHash, OfferingId, PriceId, PublicationId, SpecificationId, TenantId, Version};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Everything the catalog derives from names (UUIDv5) lives under this namespace and the tenant.
const NAMESPACE: Uuid = Uuid::from_u128(0x0192_f3a1_77c4_5b1e_9c1d_71f0_ca7a_1090);

/// The namespace of ids derived for one tenant: the same external id always becomes the same offering.
pub fn tenant_namespace(tenant: &TenantId) -> Uuid {
    Uuid::new_v5(&NAMESPACE, tenant.as_str().as_bytes())
}

/// The id of the aggregate "activePublication": one a tenant.
pub fn active_publication_id(tenant: &TenantId) -> Uuid {
    Uuid::new_v5(&tenant_namespace(tenant), b"activePublication")
}

/// Something wrong with a piece of input or of the working copy, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// JSON pointer (RFC 6901) to the offending place.
    pub pointer: String,
    /// Stable kebab-case name of what is wrong.
    pub code: &'static str,
    /// One sentence for a human.
    pub detail: String,
}

impl Finding {
    /// A finding at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }

    /// The same finding seen from the object that holds this one under `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

/// `name` as one segment of a JSON pointer.
pub fn pointer_segment(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// What a client may say about a specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpecificationDraft {
    /// The id in the tenant's own system; once set it stays.
    #[serde(default)]
    pub external_id: Option<String>,
    /// What it is called.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub description: Option<String>,
    /// What may vary.
    #[serde(default)]
    pub characteristics: Vec<Characteristic>,
    /// Where it stands in its life.
    #[serde(default = "in_study")]
    pub lifecycle_status: LifecycleStatus,
}

/// A component as an offering refers to it; it need not exist until publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ComponentRef {
    /// The component.
    pub offering_id: OfferingId,
    /// Fewest per bundle.
    pub min: u32,
    /// Most per bundle.
    pub max: u32,
    /// Taken when the buyer says nothing.
    pub default: u32,
}

/// What a client may say about an offering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OfferingDraft {
    /// The id in the tenant's own system; once set it stays.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The specification its characteristics come from; it need not exist until publication.
    #[serde(default)]
    pub specification_id: Option<SpecificationId>,
    /// What it is called.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub description: Option<String>,
    /// Where it is filed.
    #[serde(default)]
    pub category: Option<String>,
    /// Simple or bundle.
    pub kind: OfferingKind,
    /// Whether inventory counts it.
    pub stocked: bool,
    /// What a bundle gathers.
    #[serde(default)]
    pub components: Vec<ComponentRef>,
    /// Where it stands in its life.
    #[serde(default = "in_study")]
    pub lifecycle_status: LifecycleStatus,
}

/// An amount whose currency may still be missing; publication refuses it until both are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DraftMoney {
    /// The number.
    #[serde(with = "kernel::decimal_text")]
    #[schema(value_type = kernel::DecimalText)]
    pub amount: Decimal,
    /// ISO 4217 code.
    #[serde(default)]
    pub currency: Option<String>,
}

/// What a client may say about a price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceDraft {
    /// What is priced; once set it stays.
    pub offering_id: OfferingId,
    /// The kind of charge.
    pub price_type: OfferingPriceType,
    /// The period of a recurring charge; absent for the others.
    #[serde(default)]
    pub period: Option<RecurringPeriod>,
    /// The amount per unit.
    #[serde(default)]
    pub amount: Option<DraftMoney>,
    /// The unit, where it is not a piece.
    #[serde(default)]
    pub unit_of_measure: Option<String>,
    /// Where it stands in its life.
    #[serde(default = "in_study")]
    pub lifecycle_status: LifecycleStatus,
}

const fn in_study() -> LifecycleStatus {
    LifecycleStatus::InStudy
}

macro_rules! aggregates {
    ($($(#[$doc:meta])* $name:ident($id:ty, $draft:ty);)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Its id.
            pub id: $id,
            /// What it says.
            #[serde(flatten)]
            pub draft: $draft,
            /// Counts its changes.
            pub version: Version,
            /// When it was created, by the database's clock.
            pub created_at: DateTime<Utc>,
            /// When it last changed, by the database's clock.
            pub updated_at: DateTime<Utc>,
        }
    )+};
}

aggregates! {
    /// A product specification (TMF620).
    Specification(SpecificationId, SpecificationDraft);
    /// A product offering (TMF620).
    Offering(OfferingId, OfferingDraft);
    /// A product offering price (TMF620).
    Price(PriceId, PriceDraft);
}

/// A frozen catalog: immutable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// Its id.
    pub id: PublicationId,
    /// 1, 2, 3 … within the tenant.
    #[serde(rename = "version")]
    pub number: u64,
    /// What it is called.
    pub name: String,
    /// The hash of everything in it.
    pub content_hash: ContentHash,
    /// How many offerings it holds.
    pub offerings: u32,
    /// When it was made, by the database's clock.
    pub created_at: DateTime<Utc>,
}

/// An offering document and the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrozenOffering {
    /// What a reader gets.
    pub document: OfferingDocument,
    /// Over everything but the publication's id.
    pub hash: ContentHash,
}

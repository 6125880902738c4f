//! The nouns of inventory and what must always hold of them. Pure.

use chrono::{DateTime, Utc};
use kernel::{ContentHash, OfferingId, OrderId, ProductId, Quantity, ReservationId, Version};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where stock lies when nobody says otherwise.
pub const DEFAULT_LOCATION: &str = "main";

/// Longest name of a location, in characters.
pub const MAX_LOCATION_CHARS: usize = 63;

/// Longest reference, in characters.
pub const MAX_REFERENCE_CHARS: usize = 200;

/// Most lines of one request.
pub const MAX_ITEMS: usize = 1_000;

/// One place where one product lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shelf {
    /// The product.
    pub product: ProductId,
    /// The location.
    pub location: String,
}

/// Why stock on hand changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum MovementKind {
    /// What was there when the books were opened.
    Opening,
    /// Goods came in.
    Receipt,
    /// A count said otherwise; may be negative.
    Adjustment,
    /// Goods came back.
    Return,
    /// Goods went out for a committed reservation.
    Issue,
}

impl MovementKind {
    /// The word in SQL.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opening => "opening",
            Self::Receipt => "receipt",
            Self::Adjustment => "adjustment",
            Self::Return => "return",
            Self::Issue => "issue",
        }
    }

    /// The kind a word in SQL names.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Opening, Self::Receipt, Self::Adjustment, Self::Return, Self::Issue]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// A change of stock on hand that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMovement {
    /// Where.
    pub shelf: Shelf,
    /// Why.
    pub kind: MovementKind,
    /// By how much; signed.
    pub quantity: Decimal,
    /// The caller's name for it: the same reference moves the same shelf once.
    pub reference: String,
}

/// A change of stock on hand that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Its identity; sorts by time.
    pub id: Uuid,
    /// What was moved.
    pub moved: NewMovement,
    /// The product's version after it.
    pub product_version: Version,
    /// Who moved it.
    pub actor: String,
    /// When.
    pub occurred_at: DateTime<Utc>,
}

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ReservationState {
    /// Stock is promised.
    Held,
    /// Stock has left.
    Committed,
    /// The promise was given back.
    Released,
    /// The promise ran out.
    Expired,
}

impl ReservationState {
    /// All states, in order of a life.
    pub const ALL: [Self; 4] = [Self::Held, Self::Committed, Self::Released, Self::Expired];

    /// The word in SQL.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Committed => "committed",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    /// The state a word in SQL names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// One line of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationItem {
    /// The caller's name for the line; unique in the reservation.
    pub item_id: String,
    /// The product.
    pub product_id: ProductId,
    /// Where it is taken from.
    pub location: String,
    /// How much.
    pub quantity: Quantity,
}

impl ReservationItem {
    /// The shelf the line takes from.
    pub fn shelf(&self) -> Shelf {
        Shelf { product: self.product_id, location: self.location.clone() }
    }
}

/// Stock promised to one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its identity.
    pub id: ReservationId,
    /// Who it is promised to, usually an order.
    pub reference: String,
    /// Where it stands.
    pub state: ReservationState,
    /// Recognises a repeated request.
    pub items_hash: ContentHash,
    /// When the promise runs out, by the database's clock.
    pub expires_at: DateTime<Utc>,
    /// Counts its changes.
    pub version: Version,
    /// What is promised, in order of item id.
    pub items: Vec<ReservationItem>,
}

/// What a customer has after an order was fulfilled (TMF637).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledProduct {
    /// Its identity.
    pub id: ProductId,
    /// The order that brought it.
    pub order_id: OrderId,
    /// The order's item.
    pub order_item_id: String,
    /// What was sold.
    pub offering_id: OfferingId,
    /// Its name when it was sold.
    pub name: String,
    /// How much of it.
    pub quantity: Quantity,
    /// Counts its changes.
    pub version: Version,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// A line that cannot be promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// Position of the line in the request.
    pub line: usize,
    /// What the whole request wants from this shelf.
    pub wanted: Decimal,
    /// What can be promised there.
    pub available: Decimal,
}

/// A rule that a request breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer into the request.
    pub pointer: String,
    /// A stable word.
    pub code: &'static str,
    /// In words.
    pub detail: String,
}

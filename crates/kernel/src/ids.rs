//! Typed ids: a quote id cannot be passed where an order id is wanted.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// The text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id")]
pub struct InvalidId;

macro_rules! typed_ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new time-ordered id (UUIDv7).
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id that follows from `name` under `namespace` (UUIDv5): the same input, the same id.
            pub fn derived(namespace: Uuid, name: &str) -> Self {
                Self(Uuid::new_v5(&namespace, name.as_bytes()))
            }

            /// The underlying UUID, for SQL and the wire.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                text.parse().map(Self).map_err(|_| InvalidId)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}

typed_ids! {
    /// A product specification (TMF620).
    SpecificationId,
    /// A product offering (TMF620).
    OfferingId,
    /// A product offering price (TMF620).
    PriceId,
    /// A frozen catalog publication.
    PublicationId,
    /// A price book; its versions are numbered.
    PriceBookId,
    /// A sealed final price.
    PriceResultId,
    /// A quote (TMF648); its revisions are numbered.
    QuoteId,
    /// One item of a quote; it keeps its id from revision to revision.
    QuoteItemId,
    /// A request for approval of one quote revision.
    ApprovalId,
    /// A customer.
    CustomerId,
    /// A product order (TMF622).
    OrderId,
    /// One item of an order.
    OrderItemId,
    /// One fulfilment task of an order's plan.
    TaskId,
    /// A request to cancel an order or some of its items.
    CancellationId,
    /// A stocked product.
    ProductId,
    /// A stock reservation.
    ReservationId,
    /// A domain event.
    EventId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_repeat_and_differ_by_name() {
        let ns = Uuid::nil();
        assert_eq!(OrderId::derived(ns, "a"), OrderId::derived(ns, "a"));
        assert_ne!(OrderId::derived(ns, "a"), OrderId::derived(ns, "b"));
    }

    #[test]
    fn generated_ids_sort_by_time() {
        let first = EventId::generate();
        let second = EventId::generate();
        assert!(first < second);
    }
}

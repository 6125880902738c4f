//! States and kinds. A name is the same in JSON, in SQL and in events.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Enums whose names are the same in JSON, in SQL and in events.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value with this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == name)
            }
        }
    };
}

named! {
    /// Where an order stands (TMF622 v4). Always the roll-up of its items.
    OrderState {
        /// Taken in; nothing is reserved yet.
        Acknowledged = "acknowledged",
        /// Refused by a business check.
        Rejected = "rejected",
        /// Waits for something only people can supply.
        Pending = "pending",
        /// Being fulfilled.
        InProgress = "inProgress",
        /// A fulfilment task has fallen out.
        Held = "held",
        /// A cancellation is being looked at.
        AssessingCancellation = "assessingCancellation",
        /// A cancellation is being carried out.
        PendingCancellation = "pendingCancellation",
        /// Cancelled before it was complete.
        Cancelled = "cancelled",
        /// Everything was delivered.
        Completed = "completed",
        /// Nothing was delivered.
        Failed = "failed",
        /// Some items were delivered, others not.
        Partial = "partial",
    }
}

named! {
    /// Where an item stands (TMF622 v4).
    ItemState {
        /// Taken in.
        Acknowledged = "acknowledged",
        /// Refused by a business check.
        Rejected = "rejected",
        /// Waits for something only people can supply.
        Pending = "pending",
        /// Being fulfilled.
        InProgress = "inProgress",
        /// Its fulfilment task has fallen out.
        Held = "held",
        /// A cancellation is being looked at.
        AssessingCancellation = "assessingCancellation",
        /// A cancellation is being carried out.
        PendingCancellation = "pendingCancellation",
        /// Cancelled before it was delivered.
        Cancelled = "cancelled",
        /// Delivered.
        Completed = "completed",
        /// Could not be delivered.
        Failed = "failed",
    }
}

named! {
    /// What a fulfilment task does.
    TaskKind {
        /// Reserves stock in inventory.
        Reserve = "reserve",
        /// Commits the reservation and registers the installed products.
        Provision = "provision",
        /// Hands the order to invoicing.
        Handoff = "handoff",
        /// Carries out a cancellation.
        Cancel = "cancel",
    }
}

named! {
    /// Where a fulfilment task stands.
    TaskState {
        /// Waits for its predecessors.
        Planned = "planned",
        /// May be taken.
        Ready = "ready",
        /// Taken by a worker, under a lease.
        Locked = "locked",
        /// Failed; will be taken again.
        RetryWait = "retryWait",
        /// Failed for good: somebody has to look at it.
        Fallout = "fallout",
        /// Done.
        Completed = "completed",
        /// There was nothing to do.
        Skipped = "skipped",
        /// No longer wanted.
        Cancelled = "cancelled",
    }
}

named! {
    /// How a fulfilment task ended.
    FulfillmentResult {
        /// Done.
        Completed = "completed",
        /// There was nothing to do.
        Skipped = "skipped",
        /// It will not work as it is: somebody has to look at it.
        Fallout = "fallout",
    }
}

named! {
    /// Where a cancellation stands (TMF622 task states).
    CancellationState {
        /// Taken in.
        Acknowledged = "acknowledged",
        /// Being carried out.
        InProgress = "inProgress",
        /// Carried out.
        Done = "done",
        /// Not carried out.
        TerminatedWithError = "terminatedWithError",
    }
}

named! {
    /// Whether invoicing has been asked for.
    HandoffState {
        /// Not yet.
        Pending = "pending",
        /// Yes.
        Requested = "requested",
        /// Never: the order ended before there was anything to invoice.
        None = "none",
    }
}

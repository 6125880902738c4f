//! States and other named values. A name is the same in JSON, in SQL and in events.

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
    /// Where the negotiation stands.
    QuoteState {
        /// Under way.
        Open = "open",
        /// A revision was ordered.
        Won = "won",
        /// Given up without an order.
        Lost = "lost",
        /// Withdrawn by the seller, or by the buyer before an offer was made.
        Cancelled = "cancelled",
        /// Won, and every order has ended.
        Closed = "closed",
    }
}

named! {
    /// Where one revision stands. From `inApproval` on its content is frozen under its hash.
    RevisionState {
        /// Being worked on.
        Draft = "draft",
        /// Waits for a decision.
        InApproval = "inApproval",
        /// May be presented.
        Approved = "approved",
        /// On offer until `validUntil`.
        Presented = "presented",
        /// The customer agreed.
        Accepted = "accepted",
        /// An order was made of it.
        Ordered = "ordered",
        /// The customer refused.
        Declined = "declined",
        /// The customer wants something else.
        ChangesRequested = "changesRequested",
        /// The offer ended unanswered.
        Expired = "expired",
        /// A newer revision was presented.
        Superseded = "superseded",
        /// Withdrawn.
        Cancelled = "cancelled",
        /// The seller cannot provide it.
        UnableToProvide = "unableToProvide",
    }
}

named! {
    /// Where a request for approval stands.
    ApprovalState {
        /// Waits for an approver.
        Pending = "pending",
        /// Granted.
        Approved = "approved",
        /// Refused, with a comment.
        Rejected = "rejected",
        /// Taken back by the seller before a decision.
        Recalled = "recalled",
        /// Void: the content it was bound to is no longer offered.
        Invalidated = "invalidated",
    }
}

named! {
    /// How binding a quote is (MEF, TMF648): only a firm one can be ordered.
    Level {
        /// A rough idea.
        Indicative = "indicative",
        /// For planning.
        Budgetary = "budgetary",
        /// Binding.
        Firm = "firm",
    }
}

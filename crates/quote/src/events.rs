//! What the quote service publishes, and what it does about other people's facts.
//!
//! Published (topic [`TOPIC`], one event per version of a quote): `QuoteChanged`, `QuoteSubmitted`, `QuoteApproved`,
//! `QuoteRejected`, `QuotePresented`, `QuoteExpired` carry a [`QuoteFact`]; `QuoteAccepted` carries the whole acceptance.
//! `CustomerChanged` carries the customer, `PolicyChanged` the version of the eligibility policy in force,
//! `AccessPolicyChanged` that of the access policy, `AccessRevoked` and `AccessRestored` the hash of a subject.
//!
//! Reactions: [`DropSummaries`] invalidates summaries after the service's own events; [`FollowOrders`] moves an accepted
//! revision to ordered, and closes the quote when its order has ended; [`FollowEligibility`] makes older verdicts
//! unacceptable after the policy or a customer changed; [`FollowAccess`] drops profiles after a revocation; [`TellUsers`] tells users what happened to their quotes and orders.
//!
//! Projection: [`QuoteList`] puts quotes, the names of their customers and the states of their orders into the quote list.

mod access;
mod eligibility;
mod notices;
mod published;
mod quote_list;
mod reactions;

pub use access::{AccessFact, AccessPolicyFact, FollowAccess, access_changed, access_policy_changed, drop_profile};
pub use eligibility::{FollowEligibility, PolicyFact, policy_changed};
pub use notices::TellUsers;
pub use published::{QUOTE_ACCEPTED, QuoteEvent, QuoteFact, customer_changed, quote_accepted, quote_event};
pub use quote_list::QuoteList;
pub use reactions::{DropSummaries, FollowOrders, drop_summaries};

use events::PublishedEvent;
use kernel::TenantId;
use uuid::Uuid;

/// Where the quote service's facts are published.
pub const TOPIC: &str = "quoin.quote.v1";

/// The order service's facts.
const ORDER_TOPIC: &str = "quoin.order.v1";

/// Everything the quote service publishes.
pub fn published_events() -> Vec<PublishedEvent> {
    let mut all = published::published_events();
    all.extend(eligibility::published_events());
    all.extend(access::published_events());
    all
}

/// The id of what a tenant has one of by that name, such as its policy: it follows from the tenant.
fn id_within(tenant: &TenantId, name: &str) -> Uuid {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("quoin:tenant:{tenant}").as_bytes());
    Uuid::new_v5(&namespace, name.as_bytes())
}

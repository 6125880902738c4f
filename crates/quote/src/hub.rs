//! What integrators may hear of this service; how they hear it is the matter of the crate `webhooks`.

use webhooks::{Hub, rules::filter::Vocabulary};

use crate::{SERVICE, TOPIC};

/// The service's callbacks.
pub static HUB: Hub = Hub {
    service: SERVICE,
    consumer: "quote.webhooks",
    topics: &[TOPIC],
    vocabulary: Vocabulary {
        event_types: &[
            "AccessPolicyChanged",
            "AccessRestored",
            "AccessRevoked",
            "CustomerChanged",
            "PolicyChanged",
            "QuoteAccepted",
            "QuoteApproved",
            "QuoteChanged",
            "QuoteExpired",
            "QuotePresented",
            "QuoteRejected",
            "QuoteSubmitted",
        ],
        aggregate_types: &["accessPolicy", "accessSubject", "customer", "eligibilityPolicy", "quote"],
    },
};

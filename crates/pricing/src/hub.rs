//! What integrators may hear of this service; how they hear it is the matter of the crate `webhooks`.

use webhooks::{Hub, rules::filter::Vocabulary};

use crate::{SERVICE, TOPIC};

/// The service's callbacks.
pub static HUB: Hub = Hub {
    service: SERVICE,
    consumer: "pricing.webhooks",
    topics: &[TOPIC],
    vocabulary: Vocabulary {
        event_types: &["FinalPriceSealed", "PriceBookUpdated"],
        aggregate_types: &["priceBook", "priceResult"],
    },
};

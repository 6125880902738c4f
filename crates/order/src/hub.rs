//! What integrators may hear of this service; how they hear it is the matter of the crate `webhooks`.

use webhooks::{Hub, rules::filter::Vocabulary};

use crate::{SERVICE, TOPIC};

/// The service's callbacks.
pub static HUB: Hub = Hub {
    service: SERVICE,
    consumer: "order.webhooks",
    topics: &[TOPIC],
    vocabulary: Vocabulary {
        event_types: &["InvoiceHandoffRequested", "OrderCancelled", "OrderCreated", "OrderStateChanged"],
        aggregate_types: &["order"],
    },
};

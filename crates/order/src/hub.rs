//! What integrators may hear of this service; how they hear it is the matter of the crate `webhooks`.

use webhooks::Hub;

use crate::{SERVICE, TOPIC, published_events};

/// The service's callbacks.
pub static HUB: Hub =
    Hub { service: SERVICE, consumer: "order.webhooks", topics: &[TOPIC], published: published_events };

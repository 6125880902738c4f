//! Pricing's events.

use kernel::Version;
use pricing::events::{FinalPriceSealed, Occasion, PriceBookUpdated};
use quoin::services::Service;

use super::{Sample, at, euros, hash, id, tenant};

/// One of each.
pub fn samples() -> Vec<Sample> {
    let tenant = tenant();
    let occasion = Occasion { tenant: &tenant, actor: "editor", correlation_id: "request-2" };
    let updated = PriceBookUpdated {
        price_book_id: id("list"),
        external_id: "list".to_owned(),
        version: Version::new(12),
        content_hash: hash("list 12"),
    };
    let sealed = FinalPriceSealed {
        price_result_id: id("price-result"),
        quote_id: id("quote"),
        revision_no: 1,
        result_hash: hash("result"),
        total: euros(11_150),
    };
    vec![
        Sample::full(Service::Pricing, occasion.price_book_updated(&updated, at(2)).unwrap()),
        Sample::full(Service::Pricing, occasion.final_price_sealed(&sealed, at(3)).unwrap()),
    ]
}

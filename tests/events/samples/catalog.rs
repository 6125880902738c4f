//! The catalog's events.

use cache_ports::catalog::{LifecycleStatus, OfferingKind, OfferingPriceType};
use catalog::{
    events::{CatalogPublicationActivated, Occasion},
    model::{OfferingDraft, PriceDraft, SpecificationDraft},
};
use kernel::{OfferingId, Version};
use quoin::services::Service;

use super::{Sample, at, hash, id, tenant};

/// One of each, and what they say when nothing is known.
pub fn samples() -> Vec<Sample> {
    let tenant = tenant();
    let occasion = Occasion { tenant: &tenant, actor: "editor", correlation_id: "request-1", at: at(1) };
    let external = |known: bool, name: &str| known.then(|| name.to_owned());
    let specification = |known| SpecificationDraft {
        external_id: external(known, "spec-lamp"),
        name: "Lamps".to_owned(),
        description: None,
        characteristics: Vec::new(),
        lifecycle_status: LifecycleStatus::Active,
    };
    let offering = |known| OfferingDraft {
        external_id: external(known, "lamp"),
        specification_id: None,
        name: "Reading lamp".to_owned(),
        description: None,
        category: external(known, "lamps"),
        kind: OfferingKind::Simple,
        stocked: true,
        components: Vec::new(),
        lifecycle_status: LifecycleStatus::Launched,
    };
    let price = PriceDraft {
        offering_id: id("lamp"),
        price_type: OfferingPriceType::OneTime,
        period: None,
        amount: None,
        unit_of_measure: None,
        lifecycle_status: LifecycleStatus::InDesign,
    };
    let activated = |before| CatalogPublicationActivated {
        publication_id: id("publication-2"),
        name: "spring".to_owned(),
        content_hash: hash("spring"),
        previous_publication_id: before,
    };
    let (full, least) = (|event| Sample::full(Service::Catalog, event), |event| Sample::least(Service::Catalog, event));
    let lamp: OfferingId = id("lamp");
    vec![
        full(occasion.specification_changed(id("spec"), Version::new(3), &specification(true)).unwrap()),
        least(occasion.specification_changed(id("spec"), Version::FIRST, &specification(false)).unwrap()),
        full(occasion.offering_changed(lamp, Version::new(4), &offering(true)).unwrap()),
        least(occasion.offering_changed(lamp, Version::FIRST, &offering(false)).unwrap()),
        full(occasion.price_changed(id("price"), Version::new(2), &price).unwrap()),
        full(occasion.published(id("publication-2"), 2, "spring", hash("spring"), 4_064).unwrap()),
        full(occasion.activated(Version::new(2), &activated(Some(id("publication-1")))).unwrap()),
        least(occasion.activated(Version::FIRST, &activated(None)).unwrap()),
    ]
}

//! What a publication refuses, and the documents and hashes it freezes.
//!
//! Pointers of findings lead into the working copy: `/offerings/{offeringId}/…`.

use std::collections::{BTreeMap, BTreeSet};

use cache_ports::catalog::{
    BundleComponent, Characteristic, LifecycleStatus, OfferingDocument, OfferingKind, OfferingPrice,
};
use kernel::{ContentHash, Currency, Money, NotCanonical, OfferingId, PublicationId};
use serde::Serialize;

use crate::model::{Finding, FrozenOffering, Offering, Price};
use crate::rules::{configure::MAX_DEPTH, lifecycle};
use crate::words::Word;

/// Offerings in one publication: a publication is checked and hashed in memory, in one transaction.
pub const MAX_OFFERINGS: usize = 50_000;
/// Findings reported at once; more would not be read.
const MAX_FINDINGS: usize = 100;

/// An offering that wants to be published, with what it refers to.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The offering; its status is one that publications take.
    pub offering: Offering,
    /// Status and characteristics of its specification; `None` when the reference leads nowhere or there is none.
    pub specification: Option<(LifecycleStatus, Vec<Characteristic>)>,
    /// Its prices whose status publications take.
    pub prices: Vec<Price>,
}

/// A catalog that passed every check, still without a publication's identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// In order of offering id.
    pub offerings: Vec<FrozenOffering>,
    /// Over the hashes of all offerings.
    pub content_hash: ContentHash,
}

/// Freezing failed.
#[derive(Debug, thiserror::Error)]
pub enum FreezeError {
    /// The working copy breaks rules.
    #[error("the working copy breaks {} rules", .0.len())]
    Refused(Vec<Finding>),
    /// A document has no canonical form.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
}

/// Checks the candidates and freezes them into documents of `publication_id`.
pub fn freeze(mut candidates: Vec<Candidate>, publication_id: PublicationId) -> Result<Frozen, FreezeError> {
    candidates.sort_by_key(|candidate| candidate.offering.id);
    let mut findings = check(&candidates);
    if !findings.is_empty() {
        findings.truncate(MAX_FINDINGS);
        return Err(FreezeError::Refused(findings));
    }
    let names: BTreeMap<OfferingId, String> =
        candidates.iter().map(|candidate| (candidate.offering.id, candidate.offering.draft.name.clone())).collect();
    let mut offerings = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let document = document(candidate, publication_id, &names);
        offerings.push(FrozenOffering { hash: document_hash(&document)?, document });
    }
    let hashes: Vec<(OfferingId, ContentHash)> =
        offerings.iter().map(|frozen| (frozen.document.id, frozen.hash)).collect();
    Ok(Frozen { content_hash: ContentHash::of_json(&hashes)?, offerings })
}

/// The hash of a document's content. The publication's own id is left out: the same content must hash the same whenever
/// it is published.
pub fn document_hash(document: &OfferingDocument) -> Result<ContentHash, NotCanonical> {
    #[derive(Serialize)]
    struct Content(BTreeMap<String, serde_json::Value>);
    let mut content = match serde_json::to_value(document)? {
        serde_json::Value::Object(members) => members.into_iter().collect::<BTreeMap<_, _>>(),
        _ => BTreeMap::new(),
    };
    content.remove("publicationId");
    ContentHash::of_json(&Content(content))
}

fn check(candidates: &[Candidate]) -> Vec<Finding> {
    if candidates.is_empty() {
        return vec![Finding::new("/offerings", "empty", "no offering is active or launched")];
    }
    if candidates.len() > MAX_OFFERINGS {
        let detail = format!("a publication holds at most {MAX_OFFERINGS} offerings");
        return vec![Finding::new("/offerings", "too-many", detail)];
    }
    let known: BTreeSet<OfferingId> = candidates.iter().map(|candidate| candidate.offering.id).collect();
    let mut findings = Vec::new();
    for candidate in candidates {
        let here = format!("/offerings/{}", candidate.offering.id);
        let mut found: Vec<Finding> = check_specification(candidate).into_iter().collect();
        found.extend(check_components(&candidate.offering, &known));
        found.extend(check_prices(&candidate.prices));
        findings.extend(found.into_iter().map(|finding| finding.under(&here)));
    }
    findings.extend(check_nesting(candidates));
    findings
}

fn check_specification(candidate: &Candidate) -> Option<Finding> {
    let reference = candidate.offering.draft.specification_id?;
    match &candidate.specification {
        None => Some(Finding::new("/specificationId", "missing-specification", format!("there is no {reference}"))),
        Some((status, _)) if !lifecycle::is_published(*status) => {
            let detail = format!("the specification is {}, not active or launched", status.word());
            Some(Finding::new("/specificationId", "specification-not-active", detail))
        }
        Some(_) => None,
    }
}

fn check_components(offering: &Offering, known: &BTreeSet<OfferingId>) -> Vec<Finding> {
    let components = &offering.draft.components;
    let mut findings = match (offering.draft.kind, components.is_empty()) {
        (OfferingKind::Bundle, true) => {
            vec![Finding::new("/components", "empty-bundle", "a bundle has at least one component")]
        }
        (OfferingKind::Simple, false) => {
            vec![Finding::new("/components", "not-a-bundle", "a simple offering has no components")]
        }
        _ => Vec::new(),
    };
    let mut seen = BTreeSet::new();
    for (index, component) in components.iter().enumerate() {
        let here = format!("/components/{index}");
        if !seen.insert(component.offering_id) {
            findings.push(Finding::new(
                format!("{here}/offeringId"),
                "duplicate-component",
                "stands in the bundle twice",
            ));
        }
        if !known.contains(&component.offering_id) {
            let detail = "the component does not exist or is not active or launched";
            findings.push(Finding::new(format!("{here}/offeringId"), "missing-component", detail));
        }
        if component.max == 0 || component.min > component.max {
            findings.push(Finding::new(
                format!("{here}/max"),
                "bad-cardinality",
                "max is at least 1 and not below min",
            ));
        } else if !(component.min..=component.max).contains(&component.default) {
            findings.push(Finding::new(format!("{here}/default"), "bad-cardinality", "lies between min and max"));
        }
    }
    findings
}

fn check_prices(prices: &[Price]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for price in prices {
        let here = format!("/prices/{}", price.id);
        match &price.draft.amount {
            None => {
                findings.push(Finding::new(format!("{here}/amount"), "missing-price-amount", "a price has an amount"));
            }
            Some(money) => {
                if let Err((code, detail)) = money_of(money) {
                    findings.push(Finding::new(format!("{here}/amount"), code, detail));
                }
                let period = price.draft.period.map(|period| (period.unit.word(), period.length));
                let same = (
                    price.draft.price_type.word(),
                    period,
                    money.currency.clone(),
                    price.draft.unit_of_measure.clone(),
                );
                if !seen.insert(same) {
                    let detail = "another price of the offering has the same type, period, currency and unit";
                    findings.push(Finding::new(here, "duplicate-price", detail));
                }
            }
        }
    }
    findings
}

fn money_of(draft: &crate::model::DraftMoney) -> Result<Money, (&'static str, String)> {
    let code =
        draft.currency.as_deref().ok_or_else(|| ("missing-price-currency", "a price has a currency".to_owned()))?;
    let currency: Currency = code.parse().map_err(|_| ("missing-price-currency", format!("{code} is no currency")))?;
    Money::new(draft.amount, currency).map_err(|error| ("price-too-precise", error.to_string()))
}

/// Bundles may hold bundles, to a depth, never themselves. Each cycle is reported once, at the reference that closes it.
fn check_nesting(candidates: &[Candidate]) -> Vec<Finding> {
    let bundles: BTreeMap<OfferingId, &Offering> =
        candidates.iter().map(|candidate| (candidate.offering.id, &candidate.offering)).collect();
    let mut walk = NestingWalk {
        bundles: &bundles,
        depth: BTreeMap::new(),
        path: Vec::new(),
        open: BTreeSet::new(),
        findings: Vec::new(),
    };
    for offering in bundles.keys() {
        walk.visit(*offering);
    }
    let too_deep = walk.depth.iter().filter(|(_, depth)| **depth == MAX_DEPTH + 1);
    let deep = too_deep.map(|(offering, _)| {
        let detail = format!("bundles are nested at most {MAX_DEPTH} deep");
        Finding::new(format!("/offerings/{offering}/components"), "too-deep", detail)
    });
    walk.findings.iter().cloned().chain(deep).collect()
}

struct NestingWalk<'a> {
    bundles: &'a BTreeMap<OfferingId, &'a Offering>,
    /// Levels below each finished offering.
    depth: BTreeMap<OfferingId, usize>,
    path: Vec<OfferingId>,
    /// What is on the path.
    open: BTreeSet<OfferingId>,
    findings: Vec<Finding>,
}

impl NestingWalk<'_> {
    /// Depth first with the path on our own stack: a chain of fifty thousand bundles must not end the process.
    fn visit(&mut self, root: OfferingId) {
        let mut stack = vec![(root, 0)];
        while let Some((offering, next)) = stack.pop() {
            if next == 0 {
                if self.depth.contains_key(&offering) {
                    continue;
                }
                self.path.push(offering);
                self.open.insert(offering);
            }
            let components = self.bundles.get(&offering).map_or(&[][..], |bundle| &bundle.draft.components);
            if let Some(component) = components.get(next) {
                stack.push((offering, next + 1));
                self.enter(offering, next, component.offering_id, &mut stack);
            } else {
                let below = components.iter().filter_map(|component| self.depth.get(&component.offering_id));
                let depth = below.max().map_or(0, |deepest| deepest + 1);
                self.depth.insert(offering, depth);
                self.path.pop();
                self.open.remove(&offering);
            }
        }
    }

    fn enter(&mut self, bundle: OfferingId, index: usize, component: OfferingId, stack: &mut Vec<(OfferingId, usize)>) {
        if self.open.contains(&component) {
            let cycle = self.path.iter().skip_while(|step| **step != component);
            let cycle: Vec<String> = cycle.map(ToString::to_string).collect();
            let detail = format!("{} → {component}", cycle.join(" → "));
            let pointer = format!("/offerings/{bundle}/components/{index}/offeringId");
            self.findings.push(Finding::new(pointer, "bundle-cycle", detail));
        } else if self.bundles.contains_key(&component) && !self.depth.contains_key(&component) {
            stack.push((component, 0));
        }
    }
}

fn document(
    candidate: Candidate,
    publication_id: PublicationId,
    names: &BTreeMap<OfferingId, String>,
) -> OfferingDocument {
    let Candidate { offering, specification, mut prices } = candidate;
    prices.sort_by_key(|price| price.id);
    let component = |reference: crate::model::ComponentRef| BundleComponent {
        offering_id: reference.offering_id,
        name: names.get(&reference.offering_id).cloned().unwrap_or_default(),
        min: reference.min,
        max: reference.max,
        default: reference.default,
    };
    let price = |price: Price| {
        let amount = price.draft.amount.as_ref().and_then(|money| money_of(money).ok())?;
        Some(OfferingPrice {
            id: price.id,
            price_type: price.draft.price_type,
            period: price.draft.period,
            amount,
            unit_of_measure: price.draft.unit_of_measure,
            version: price.version,
        })
    };
    OfferingDocument {
        publication_id,
        id: offering.id,
        external_id: offering.draft.external_id,
        name: offering.draft.name,
        description: offering.draft.description,
        category: offering.draft.category,
        kind: offering.draft.kind,
        stocked: offering.draft.stocked,
        lifecycle_status: offering.draft.lifecycle_status,
        specification_id: offering.draft.specification_id,
        characteristics: specification.map(|(_, characteristics)| characteristics).unwrap_or_default(),
        components: offering.draft.components.into_iter().map(component).collect(),
        // `check` has let only complete prices through.
        prices: prices.into_iter().filter_map(price).collect(),
        version: offering.version,
    }
}

#[cfg(test)]
mod tests;

//! Whether a configuration of an offering is legal, and its identity.
//!
//! A legal configuration is completed with the defaults and brought into one canonical form, so that two ways of
//! saying the same thing have the same hash. Every refusal names the place by JSON pointer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cache_ports::catalog::{BundleComponent, CharacteristicValue, OfferingDocument};
use kernel::{ContentHash, NotCanonical, OfferingId, PublicationId, Quantity};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value;

use crate::model::{Finding, pointer_segment};
use crate::rules::characteristics::Judge;

/// Bundles inside bundles; publication refuses deeper ones, so a frozen offering is never deeper.
pub const MAX_DEPTH: usize = 8;
/// Offerings in one configuration, defaults included.
pub const MAX_NODES: usize = 5_000;

/// What a buyer chose, for one offering and the components inside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// The offering.
    pub offering_id: OfferingId,
    /// How many of it; for a component: per one of its parent.
    pub quantity: Quantity,
    /// A value, or a list of values, by characteristic.
    pub characteristics: BTreeMap<String, Value>,
    /// What is inside.
    pub components: Vec<Configuration>,
}

/// A legal configuration with the defaults filled in, in canonical order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EffectiveConfiguration {
    offering_id: OfferingId,
    quantity: Quantity,
    characteristics: BTreeMap<String, Vec<CharacteristicValue>>,
    components: Vec<EffectiveConfiguration>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    publication_id: PublicationId,
    configuration: &'a EffectiveConfiguration,
}

impl EffectiveConfiguration {
    /// The configuration's identity under a publication: SHA-256 over canonical JSON.
    pub fn hash(&self, publication_id: PublicationId) -> Result<ContentHash, NotCanonical> {
        ContentHash::of_json(&Identity { publication_id, configuration: self })
    }
}

/// The documents a configuration is judged by; `None` means the publication does not hold that offering.
pub type Documents = BTreeMap<OfferingId, Option<Arc<OfferingDocument>>>;

/// The offerings whose documents are still needed before `configuration` can be judged.
pub fn still_needed(configuration: &Configuration, documents: &Documents) -> BTreeSet<OfferingId> {
    let mut needed = BTreeSet::new();
    let mut open = vec![(configuration.offering_id, Some(configuration), 0)];
    let mut visited = 0;
    while let Some((offering, chosen, depth)) = open.pop() {
        visited += 1;
        if depth > MAX_DEPTH || visited > MAX_NODES {
            continue;
        }
        match documents.get(&offering) {
            None => drop(needed.insert(offering)),
            Some(None) => {}
            Some(Some(document)) => {
                let inside: &[Configuration] = chosen.map_or(&[], |chosen| &chosen.components);
                let is_known = |child: &&Configuration| component_of(document, child.offering_id).is_some();
                open.extend(inside.iter().filter(is_known).map(|child| (child.offering_id, Some(child), depth + 1)));
                let left_out = defaults_left_out(document, inside);
                open.extend(left_out.map(|component| (component.offering_id, None, depth + 1)));
            }
        }
    }
    needed
}

/// The effective configuration, or everything that is wrong with this one.
pub fn validate(configuration: &Configuration, documents: &Documents) -> Result<EffectiveConfiguration, Vec<Finding>> {
    let mut walk = Walk { documents, findings: Vec::new(), nodes: 0 };
    let effective = walk.chosen(configuration, "", 0);
    match effective {
        Some(effective) if walk.findings.is_empty() => Ok(effective),
        _ => Err(walk.findings),
    }
}

struct Walk<'a> {
    documents: &'a Documents,
    findings: Vec<Finding>,
    nodes: usize,
}

impl Walk<'_> {
    fn refuse(&mut self, pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.findings.push(Finding::new(pointer, code, detail));
    }

    fn chosen(&mut self, node: &Configuration, here: &str, depth: usize) -> Option<EffectiveConfiguration> {
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            if self.nodes <= MAX_NODES + 1 {
                let detail = format!("at most {MAX_DEPTH} levels and {MAX_NODES} offerings are configured at once");
                self.refuse(if here.is_empty() { "/components" } else { here }, "too-large", detail);
            }
            return None;
        }
        if node.quantity.is_zero() {
            self.refuse(format!("{here}/quantity"), "minimum", "is more than zero");
        }
        let Some(Some(document)) = self.documents.get(&node.offering_id) else {
            self.refuse(format!("{here}/offeringId"), "unknown-offering", "the publication has no such offering");
            return None;
        };
        let document = Arc::clone(document);
        let characteristics = self.characteristics(&document, &node.characteristics, here);
        let components = self.components(&document, &node.components, here, depth);
        Some(EffectiveConfiguration {
            offering_id: node.offering_id,
            quantity: node.quantity,
            characteristics,
            components,
        })
    }

    fn characteristics(
        &mut self,
        document: &OfferingDocument,
        chosen: &BTreeMap<String, Value>,
        here: &str,
    ) -> BTreeMap<String, Vec<CharacteristicValue>> {
        let is_declared = |name: &str| document.characteristics.iter().any(|declared| declared.name == name);
        for name in chosen.keys().filter(|name| !is_declared(name)) {
            let pointer = format!("{here}/characteristics/{}", pointer_segment(name));
            self.refuse(pointer, "unknown-characteristic", "the offering has no such characteristic");
        }
        let mut effective = BTreeMap::new();
        for declared in &document.characteristics {
            let pointer = format!("{here}/characteristics/{}", pointer_segment(&declared.name));
            let Ok(judge) = Judge::new(declared) else {
                self.refuse(pointer, "pattern", "the published pattern cannot be run");
                continue;
            };
            let defaults =
                || Value::Array(declared.default_values.iter().map(super::characteristics::to_json).collect());
            let values = match chosen.get(&declared.name) {
                Some(raw) => judge.values(raw, &pointer),
                None if declared.default_values.is_empty() && declared.min_cardinality > 0 => {
                    self.refuse(pointer.as_str(), "required", "has no default, so a value must be chosen");
                    continue;
                }
                None => judge.values(&defaults(), &pointer),
            };
            match values {
                Ok(values) => {
                    if !declared.configurable && Ok(&values) != judge.values(&defaults(), &pointer).as_ref() {
                        self.refuse(pointer, "not-configurable", "only its default is offered");
                    }
                    effective.insert(declared.name.clone(), values);
                }
                Err(findings) => self.findings.extend(findings),
            }
        }
        effective.retain(|_, values: &mut Vec<_>| !values.is_empty());
        effective
    }

    fn components(
        &mut self,
        document: &OfferingDocument,
        chosen: &[Configuration],
        here: &str,
        depth: usize,
    ) -> Vec<EffectiveConfiguration> {
        let mut effective = Vec::new();
        let mut counts: BTreeMap<OfferingId, (Decimal, usize)> = BTreeMap::new();
        for (index, child) in chosen.iter().enumerate() {
            let pointer = format!("{here}/components/{index}");
            if component_of(document, child.offering_id).is_none() {
                self.refuse(format!("{pointer}/offeringId"), "unknown-component", "the bundle does not offer this");
                continue;
            }
            if !child.quantity.get().fract().is_zero() {
                self.refuse(format!("{pointer}/quantity"), "whole-number", "components are counted in whole numbers");
            }
            let (count, last) = counts.entry(child.offering_id).or_default();
            (*count, *last) = (*count + child.quantity.get(), index);
            effective.extend(self.chosen(child, &pointer, depth + 1));
        }
        for (offering, (count, last)) in counts {
            let Some(component) = component_of(document, offering) else { continue };
            if count < Decimal::from(component.min) || count > Decimal::from(component.max) {
                let detail =
                    format!("{} is taken {} to {} times, not {count}", component.name, component.min, component.max);
                self.refuse(format!("{here}/components/{last}/quantity"), "cardinality", detail);
            }
        }
        for component in defaults_left_out(document, chosen) {
            effective.extend(self.by_default(component, here, depth + 1));
        }
        merged(effective)
    }

    /// A component nobody mentioned: it takes its default count and its own defaults. What is wrong inside is shown
    /// at the list where the buyer would have to mention it.
    fn by_default(&mut self, component: &BundleComponent, here: &str, depth: usize) -> Option<EffectiveConfiguration> {
        let node = Configuration {
            offering_id: component.offering_id,
            quantity: Quantity::from(component.default),
            characteristics: BTreeMap::new(),
            components: Vec::new(),
        };
        let before = self.findings.len();
        let effective = self.chosen(&node, "", depth);
        for finding in self.findings.iter_mut().skip(before) {
            finding.detail = format!("{} ({}) {}", component.name, finding.pointer, finding.detail);
            finding.pointer = format!("{here}/components");
        }
        effective
    }
}

fn component_of(document: &OfferingDocument, offering: OfferingId) -> Option<&BundleComponent> {
    document.components.iter().find(|component| component.offering_id == offering)
}

fn defaults_left_out<'a>(
    document: &'a OfferingDocument,
    chosen: &'a [Configuration],
) -> impl Iterator<Item = &'a BundleComponent> {
    let is_mentioned = |offering: OfferingId| chosen.iter().any(|child| child.offering_id == offering);
    document.components.iter().filter(move |component| component.default > 0 && !is_mentioned(component.offering_id))
}

/// Equal components become one with the sum of their quantities, in canonical order.
fn merged(mut components: Vec<EffectiveConfiguration>) -> Vec<EffectiveConfiguration> {
    let identity =
        |one: &EffectiveConfiguration| (one.offering_id, one.characteristics.clone(), one.components.clone());
    components.sort_by_key(identity);
    components.dedup_by(|next, kept| {
        let same = identity(next) == identity(kept);
        if same && let Ok(sum) = Quantity::try_from(kept.quantity.get() + next.quantity.get()) {
            kept.quantity = sum;
            return true;
        }
        false
    });
    components
}

#[cfg(test)]
mod tests;

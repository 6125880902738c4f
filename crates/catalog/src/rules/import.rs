//! What an import changes: the difference between what a batch says and what is there.
//!
//! A batch is all or nothing, and saying the same again changes nothing. New ids follow from the external id, so the
//! same file makes the same catalog everywhere.

use std::collections::{BTreeMap, BTreeSet};

use cache_ports::catalog::{Characteristic, LifecycleStatus, OfferingKind, OfferingPriceType, RecurringPeriod};
use kernel::{OfferingId, PriceId, SpecificationId, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::model::{
    ComponentRef, DraftMoney, Finding, Offering, OfferingDraft, Price, PriceDraft, Specification, SpecificationDraft,
};
use crate::rules::{characteristics, draft, lifecycle};
use crate::words::Word;

/// Items of one batch: what one transaction locks and one answer lists.
pub const MAX_ITEMS: usize = 1_000;
/// Prices of one item.
const MAX_PRICES: usize = 100;

/// One offering with what belongs to it, by the tenant's own ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportItem {
    /// The offering's id in the tenant's system.
    pub external_id: String,
    /// What it is called.
    pub name: String,
    /// What it is.
    #[serde(default)]
    pub description: Option<String>,
    /// Where it is filed.
    #[serde(default)]
    pub category: Option<String>,
    /// Simple or bundle.
    pub kind: OfferingKind,
    /// Whether inventory counts it.
    pub stocked: bool,
    /// What may vary; absent leaves it as it is.
    #[serde(default)]
    pub characteristics: Option<Vec<Characteristic>>,
    /// What a bundle gathers; absent leaves it as it is.
    #[serde(default)]
    pub components: Option<Vec<ImportComponent>>,
    /// All its prices; those not listed are retired; absent leaves them as they are.
    #[serde(default)]
    pub prices: Option<Vec<ImportPrice>>,
}

/// A component by external id: of the same batch, or already there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportComponent {
    /// The component's external id.
    pub external_id: String,
    /// Fewest per bundle.
    pub min: u32,
    /// Most per bundle.
    pub max: u32,
    /// Taken when the buyer says nothing.
    pub default: u32,
}

/// A price; recognised by type, period, currency and unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportPrice {
    /// The kind of charge.
    pub price_type: OfferingPriceType,
    /// The period of a recurring charge.
    #[serde(default)]
    pub period: Option<RecurringPeriod>,
    /// The amount per unit.
    pub amount: DraftMoney,
    /// The unit, where it is not a piece.
    #[serde(default)]
    pub unit_of_measure: Option<String>,
}

/// What is there of a batch's subjects, read under the tenant's import lock.
#[derive(Debug, Default)]
pub struct Existing {
    /// By external id: every offering the batch names as item or component.
    pub offerings: BTreeMap<String, Offering>,
    /// By external id.
    pub specifications: BTreeMap<String, Specification>,
    /// Of the offerings above.
    pub prices: BTreeMap<OfferingId, Vec<Price>>,
}

/// One aggregate to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<Id, Draft> {
    /// Which.
    pub id: Id,
    /// What it will say.
    pub draft: Draft,
    /// The version it will have.
    pub version: Version,
    /// Where it stood before; `None` for a new one.
    pub before: Option<LifecycleStatus>,
}

impl<Id, Draft: PartialEq> Change<Id, Draft> {
    /// `before` is what is there, with its version.
    fn between(before: Option<(&Draft, Version)>, id: Id, draft: Draft, status: LifecycleStatus) -> Option<Self> {
        match before {
            Some((before, _)) if *before == draft => None,
            Some((_, version)) => Some(Self { id, draft, version: version.next(), before: Some(status) }),
            None => Some(Self { id, draft, version: Version::FIRST, before: None }),
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The offering is new.
    Created,
    /// Something about it changed.
    Updated,
    /// Everything was already so.
    Unchanged,
}

/// What became of one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemOutcome {
    /// The item.
    pub external_id: String,
    /// Its offering.
    pub offering_id: OfferingId,
    /// What happened.
    pub outcome: Outcome,
}

/// Everything an import writes, in an order that satisfies references.
#[derive(Debug, Default)]
pub struct Plan {
    /// Specifications to write.
    pub specifications: Vec<Change<SpecificationId, SpecificationDraft>>,
    /// Offerings to write.
    pub offerings: Vec<Change<OfferingId, OfferingDraft>>,
    /// Prices to write.
    pub prices: Vec<Change<PriceId, PriceDraft>>,
    /// One per item, in their order.
    pub items: Vec<ItemOutcome>,
}

/// What is wrong with a batch by itself; pointers start at the body.
pub fn check(items: &[ImportItem]) -> Vec<Finding> {
    if items.is_empty() || items.len() > MAX_ITEMS {
        return vec![Finding::new("/items", "length", format!("has 1 to {MAX_ITEMS} items"))];
    }
    let mut findings = Vec::new();
    for index in draft::repeated(items.iter().map(|item| item.external_id.as_str())) {
        let pointer = format!("/items/{index}/externalId");
        findings.push(Finding::new(pointer, "duplicate", "another item of the batch has this external id"));
    }
    for (index, item) in items.iter().enumerate() {
        let here = format!("/items/{index}");
        findings.extend(check_item(item).into_iter().map(|finding| finding.under(&here)));
    }
    findings
}

fn check_item(item: &ImportItem) -> Vec<Finding> {
    let components = item.components.as_deref().unwrap_or_default();
    let placeholder = |component: &ImportComponent| reference(component, OfferingId::from(Uuid::nil()));
    let subject = OfferingDraft {
        external_id: Some(item.external_id.clone()),
        specification_id: None,
        name: item.name.clone(),
        description: item.description.clone(),
        category: item.category.clone(),
        kind: item.kind,
        stocked: item.stocked,
        components: components.iter().map(placeholder).collect(),
        lifecycle_status: LifecycleStatus::Active,
    };
    let mut findings = draft::check_offering(&subject);
    for (index, component) in components.iter().enumerate() {
        findings.extend(draft::check_label(&format!("/components/{index}/externalId"), Some(&component.external_id)));
    }
    let declarations = item.characteristics.as_deref().unwrap_or_default();
    if declarations.len() > draft::MAX_CHARACTERISTICS {
        let detail = format!("has at most {} entries", draft::MAX_CHARACTERISTICS);
        findings.push(Finding::new("/characteristics", "length", detail));
    } else {
        let found = characteristics::check_declarations(declarations);
        findings.extend(found.into_iter().map(|finding| finding.under("/characteristics")));
    }
    findings.extend(check_prices(item.prices.as_deref().unwrap_or_default()));
    findings
}

fn check_prices(prices: &[ImportPrice]) -> Vec<Finding> {
    if prices.len() > MAX_PRICES {
        return vec![Finding::new("/prices", "length", format!("has at most {MAX_PRICES} prices"))];
    }
    let mut findings = Vec::new();
    let mut keys = BTreeSet::new();
    for (index, price) in prices.iter().enumerate() {
        let mut found = draft::check_amount(&price.amount);
        found.extend(draft::check_period(price.price_type, price.period));
        found.extend(draft::check_label("/unitOfMeasure", price.unit_of_measure.as_deref()));
        if !keys.insert(key_of(price.price_type, price.period, Some(&price.amount), price.unit_of_measure.as_deref())) {
            found.push(Finding::new(
                "",
                "duplicate-price",
                "another price has the same type, period, currency and unit",
            ));
        }
        let here = format!("/prices/{index}");
        findings.extend(found.into_iter().map(|finding| finding.under(&here)));
    }
    findings
}

/// The difference, or the references that lead nowhere. `namespace` is the tenant's.
pub fn plan(items: &[ImportItem], existing: &Existing, namespace: Uuid) -> Result<Plan, Vec<Finding>> {
    let mut ids: BTreeMap<&str, OfferingId> =
        existing.offerings.iter().map(|(external_id, offering)| (external_id.as_str(), offering.id)).collect();
    for item in items {
        let id = || OfferingId::derived(namespace, &format!("offering:{}", item.external_id));
        ids.entry(item.external_id.as_str()).or_insert_with(id);
    }
    let mut plan = Plan::default();
    let mut findings = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let here = format!("/items/{index}");
        match resolve(item, &ids) {
            Ok(components) => plan_item(&mut plan, item, components, existing, &ids, namespace),
            Err(found) => findings.extend(found.into_iter().map(|finding| finding.under(&here))),
        }
    }
    if findings.is_empty() { Ok(plan) } else { Err(findings) }
}

fn resolve(item: &ImportItem, ids: &BTreeMap<&str, OfferingId>) -> Result<Option<Vec<ComponentRef>>, Vec<Finding>> {
    let Some(components) = &item.components else { return Ok(None) };
    let mut findings = Vec::new();
    let mut resolved = Vec::with_capacity(components.len());
    for (index, component) in components.iter().enumerate() {
        if let Some(offering) = ids.get(component.external_id.as_str()) {
            resolved.push(reference(component, *offering));
        } else {
            let pointer = format!("/components/{index}/externalId");
            let detail = "no such offering in the batch or in the catalog";
            findings.push(Finding::new(pointer, "unknown-component", detail));
        }
    }
    if findings.is_empty() { Ok(Some(resolved)) } else { Err(findings) }
}

const fn reference(component: &ImportComponent, offering_id: OfferingId) -> ComponentRef {
    ComponentRef { offering_id, min: component.min, max: component.max, default: component.default }
}

fn plan_item(
    plan: &mut Plan,
    item: &ImportItem,
    components: Option<Vec<ComponentRef>>,
    existing: &Existing,
    ids: &BTreeMap<&str, OfferingId>,
    namespace: Uuid,
) {
    let Some(&id) = ids.get(item.external_id.as_str()) else { return };
    let before = existing.offerings.get(&item.external_id);
    let writes = |plan: &Plan| plan.specifications.len() + plan.offerings.len() + plan.prices.len();
    let written = writes(plan);
    let specification_id = plan_specification(plan, item, existing, namespace)
        .or_else(|| before.and_then(|one| one.draft.specification_id));
    let status = before.map_or(LifecycleStatus::Active, |one| one.draft.lifecycle_status);
    let draft = OfferingDraft {
        external_id: Some(item.external_id.clone()),
        specification_id,
        name: item.name.clone(),
        description: item.description.clone(),
        category: item.category.clone(),
        kind: item.kind,
        stocked: item.stocked,
        components: components.or_else(|| before.map(|one| one.draft.components.clone())).unwrap_or_default(),
        lifecycle_status: status,
    };
    plan.offerings.extend(Change::between(before.map(|one| (&one.draft, one.version)), id, draft, status));
    if let Some(prices) = &item.prices {
        let present = existing.prices.get(&id).map(Vec::as_slice).unwrap_or_default();
        plan.prices.extend(plan_prices(id, prices, present));
    }
    let outcome = match before {
        None => Outcome::Created,
        Some(_) if writes(plan) > written => Outcome::Updated,
        Some(_) => Outcome::Unchanged,
    };
    plan.items.push(ItemOutcome { external_id: item.external_id.clone(), offering_id: id, outcome });
}

/// The item's characteristics become a specification with the item's external id. Returns it if the item has one.
fn plan_specification(
    plan: &mut Plan,
    item: &ImportItem,
    existing: &Existing,
    namespace: Uuid,
) -> Option<SpecificationId> {
    let characteristics = item.characteristics.as_ref()?;
    let before = existing.specifications.get(&item.external_id);
    if characteristics.is_empty() && before.is_none() {
        return None;
    }
    let derived = || SpecificationId::derived(namespace, &format!("specification:{}", item.external_id));
    let id = before.map_or_else(derived, |one| one.id);
    let status = before.map_or(LifecycleStatus::Active, |one| one.draft.lifecycle_status);
    let draft = SpecificationDraft {
        external_id: Some(item.external_id.clone()),
        name: item.name.clone(),
        description: item.description.clone(),
        characteristics: characteristics.clone(),
        lifecycle_status: status,
    };
    plan.specifications.extend(Change::between(before.map(|one| (&one.draft, one.version)), id, draft, status));
    Some(id)
}

fn plan_prices(offering: OfferingId, wanted: &[ImportPrice], present: &[Price]) -> Vec<Change<PriceId, PriceDraft>> {
    let mut changes = Vec::new();
    let mut kept = BTreeSet::new();
    for price in wanted {
        let key = key_of(price.price_type, price.period, Some(&price.amount), price.unit_of_measure.as_deref());
        let derived = PriceId::derived(offering.uuid(), &key);
        let before = present.iter().find(|one| key_of_draft(&one.draft) == key && !kept.contains(&one.id));
        let before = before.or_else(|| present.iter().find(|one| one.id == derived && !kept.contains(&one.id)));
        let status = before.map_or(LifecycleStatus::Active, |one| one.draft.lifecycle_status);
        let id = before.map_or(derived, |one| one.id);
        kept.insert(id);
        let draft = PriceDraft {
            offering_id: offering,
            price_type: price.price_type,
            period: price.period,
            amount: Some(price.amount.clone()),
            unit_of_measure: price.unit_of_measure.clone(),
            // Listed again means sold again.
            lifecycle_status: if status == LifecycleStatus::Retired { LifecycleStatus::Active } else { status },
        };
        changes.extend(Change::between(before.map(|one| (&one.draft, one.version)), id, draft, status));
    }
    let left_out = present.iter().filter(|one| !kept.contains(&one.id));
    for price in left_out.filter(|one| lifecycle::is_published(one.draft.lifecycle_status)) {
        let draft = PriceDraft { lifecycle_status: LifecycleStatus::Retired, ..price.draft.clone() };
        changes.extend(Change::between(
            Some((&price.draft, price.version)),
            price.id,
            draft,
            price.draft.lifecycle_status,
        ));
    }
    changes
}

fn key_of_draft(draft: &PriceDraft) -> String {
    key_of(draft.price_type, draft.period, draft.amount.as_ref(), draft.unit_of_measure.as_deref())
}

fn key_of(
    price_type: OfferingPriceType,
    period: Option<RecurringPeriod>,
    amount: Option<&DraftMoney>,
    unit: Option<&str>,
) -> String {
    let period = period.map(|period| format!("{} {}", period.length, period.unit.word())).unwrap_or_default();
    let currency = amount.and_then(|money| money.currency.as_deref()).unwrap_or_default();
    format!("{}/{period}/{currency}/{}", price_type.word(), unit.unwrap_or_default())
}

#[cfg(test)]
mod tests;

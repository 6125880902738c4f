//! What a draft must satisfy to be written at all. References may point nowhere; that is publication's business.

use std::collections::BTreeSet;

use cache_ports::catalog::{LifecycleStatus, OfferingPriceType, RecurringPeriod};
use kernel::Currency;
use rust_decimal::Decimal;

use crate::model::{DraftMoney, Finding, OfferingDraft, PriceDraft, SpecificationDraft};
use crate::rules::{characteristics, lifecycle};

/// Characters of a name.
pub const MAX_NAME_CHARS: usize = 200;
/// Characters of an external id or a category.
pub const MAX_LABEL_CHARS: usize = 100;
/// Characters of a description.
pub const MAX_DESCRIPTION_CHARS: usize = 4_000;
/// Characteristics of one specification.
pub const MAX_CHARACTERISTICS: usize = 100;
/// Components of one bundle: the largest real ones we know of have some five hundred options.
pub const MAX_COMPONENTS: usize = 2_000;
/// Most of one component in a bundle.
pub const MAX_COMPONENT_COUNT: u32 = 100_000;
/// An amount is below this, so that no sum over a quote can overflow.
const AMOUNT_LIMIT: Decimal = Decimal::from_parts(1_410_065_408, 2, 0, false, 0); // 10^10
/// Fractional digits of an amount; a rate may be finer than a minor unit.
const MAX_AMOUNT_SCALE: u32 = 12;

/// What is wrong with a specification.
pub fn check_specification(draft: &SpecificationDraft) -> Vec<Finding> {
    let mut findings = check_texts(&draft.name, draft.description.as_deref(), &[("/externalId", &draft.external_id)]);
    if draft.characteristics.len() > MAX_CHARACTERISTICS {
        findings.push(too_many("/characteristics", MAX_CHARACTERISTICS));
    } else {
        let declarations = characteristics::check_declarations(&draft.characteristics);
        findings.extend(declarations.into_iter().map(|finding| finding.under("/characteristics")));
    }
    findings
}

/// What is wrong with an offering.
pub fn check_offering(draft: &OfferingDraft) -> Vec<Finding> {
    let labels = [("/externalId", &draft.external_id), ("/category", &draft.category)];
    let mut findings = check_texts(&draft.name, draft.description.as_deref(), &labels);
    if draft.components.len() > MAX_COMPONENTS {
        findings.push(too_many("/components", MAX_COMPONENTS));
    }
    for (index, component) in draft.components.iter().enumerate() {
        let counts = [("min", component.min), ("max", component.max), ("default", component.default)];
        for (field, _) in counts.into_iter().filter(|(_, count)| *count > MAX_COMPONENT_COUNT) {
            let pointer = format!("/components/{index}/{field}");
            findings.push(Finding::new(pointer, "range", format!("is at most {MAX_COMPONENT_COUNT}")));
        }
    }
    findings
}

/// What is wrong with a price.
pub fn check_price(draft: &PriceDraft) -> Vec<Finding> {
    let mut findings = check_label("/unitOfMeasure", draft.unit_of_measure.as_deref());
    findings.extend(check_period(draft.price_type, draft.period));
    findings.extend(draft.amount.iter().flat_map(check_amount));
    findings
}

/// A recurring charge has a period, and no other charge has.
pub fn check_period(price_type: OfferingPriceType, period: Option<RecurringPeriod>) -> Option<Finding> {
    match (price_type, period) {
        (OfferingPriceType::Recurring, None) => {
            Some(Finding::new("/period", "required", "a recurring charge has a period"))
        }
        (OfferingPriceType::OneTime | OfferingPriceType::Usage, Some(_)) => {
            Some(Finding::new("/period", "unexpected", "only a recurring charge has a period"))
        }
        (_, Some(period)) if period.length == 0 || period.length > 1_200 => {
            Some(Finding::new("/period/length", "range", "is from 1 to 1200"))
        }
        _ => None,
    }
}

/// An amount is bounded, never negative, and its currency, if given, exists.
pub fn check_amount(money: &DraftMoney) -> Vec<Finding> {
    let mut findings = Vec::new();
    let amount = money.amount.normalize();
    if (amount.is_sign_negative() && !amount.is_zero()) || amount >= AMOUNT_LIMIT || amount.scale() > MAX_AMOUNT_SCALE {
        let detail = "is from 0 to below 10^10 with at most 12 fractional digits";
        findings.push(Finding::new("/amount/amount", "range", detail));
    }
    if money.currency.as_ref().is_some_and(|code| code.parse::<Currency>().is_err()) {
        findings.push(Finding::new("/amount/currency", "currency", "is not an ISO 4217 code"));
    }
    findings
}

/// A new aggregate cannot be born retired.
pub fn check_initial_status(status: LifecycleStatus) -> Option<Finding> {
    let initial = lifecycle::INITIAL.contains(&status);
    (!initial)
        .then(|| Finding::new("/lifecycleStatus", "initial-status", "a new one is inStudy, inDesign, inTest or active"))
}

/// A fact that stays once it is set.
pub fn check_unchanged<T: PartialEq>(pointer: &str, before: Option<&T>, after: Option<&T>) -> Option<Finding> {
    let changed = before.is_some() && before != after;
    changed.then(|| Finding::new(pointer, "immutable", "cannot change once it is set"))
}

/// External ids that stand more than once among `ids`, by position.
pub fn repeated<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<usize> {
    let mut seen = BTreeSet::new();
    ids.enumerate().filter(|(_, id)| !seen.insert(*id)).map(|(index, _)| index).collect()
}

fn check_texts(name: &str, description: Option<&str>, labels: &[(&str, &Option<String>)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if name.trim().is_empty() || name.chars().count() > MAX_NAME_CHARS {
        findings.push(Finding::new("/name", "length", format!("has 1 to {MAX_NAME_CHARS} characters")));
    }
    if description.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION_CHARS) {
        findings.push(Finding::new(
            "/description",
            "length",
            format!("has at most {MAX_DESCRIPTION_CHARS} characters"),
        ));
    }
    findings.extend(labels.iter().flat_map(|(pointer, label)| check_label(pointer, label.as_deref())));
    findings.extend(without_nul(&[("/name", Some(name)), ("/description", description)]));
    findings
}

/// An optional short text: if present, 1 to 100 characters and not blank.
pub fn check_label(pointer: &str, label: Option<&str>) -> Vec<Finding> {
    let Some(label) = label else { return Vec::new() };
    let mut findings = without_nul(&[(pointer, Some(label))]);
    if label.trim().is_empty() || label.chars().count() > MAX_LABEL_CHARS {
        findings.push(Finding::new(pointer, "length", format!("has 1 to {MAX_LABEL_CHARS} characters")));
    }
    findings
}

/// PostgreSQL's text cannot hold U+0000; refusing it here keeps it a client's mistake.
fn without_nul(texts: &[(&str, Option<&str>)]) -> Vec<Finding> {
    let refuse = |pointer: &str| Finding::new(pointer, "character", "may not contain U+0000");
    let holding_nul = texts.iter().filter(|(_, text)| text.is_some_and(|text| text.contains('\0')));
    holding_nul.map(|(pointer, _)| refuse(pointer)).collect()
}

fn too_many(pointer: &str, most: usize) -> Finding {
    Finding::new(pointer, "length", format!("has at most {most} entries"))
}

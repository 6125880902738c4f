//! Whether a customer may have an offering, by a policy, at a moment.
//!
//! An excluding rule that is about the customer decides first. Then allowing rules: where some are about the offering, one
//! must be about the customer. Where no rule is about the offering, the policy's `otherwise` holds. The order of rules says
//! nothing, and every refusal has a reason.

use cache_ports::eligibility::{EligibilityReason, EligibilityVerdict};
use chrono::{DateTime, Months, NaiveTime, Utc};
use kernel::OfferingId;

use crate::model::{
    Customer, CustomerAttributes, CustomerCondition, EligibilityPolicy, EligibilityRule, Otherwise, RuleEffect,
};

/// The code of a refusal that follows from no rule.
const NO_RULE_ALLOWS: &str = "no-rule-allows";

/// What rules look at of `customer`; of an unknown customer nothing is known.
pub fn attributes(customer: Option<&Customer>) -> CustomerAttributes<'_> {
    customer.map_or_else(CustomerAttributes::default, |customer| CustomerAttributes {
        segment: customer.segment.as_deref(),
        country: customer.country.as_deref(),
        since: customer.customer_since,
    })
}

/// What `policy` says about `customer` and `offering` at `at`.
pub fn evaluate(
    policy: &EligibilityPolicy,
    customer: CustomerAttributes<'_>,
    offering: OfferingId,
    at: DateTime<Utc>,
) -> EligibilityVerdict {
    let concerned = || policy.rules.iter().filter(|rule| rule.concerns(offering));
    let of = |effect: RuleEffect| concerned().filter(move |rule| rule.effect == effect && rule.counts_at(at));
    let matching = |effect| of(effect).filter(|rule| rule.customers.met_by(customer, at));
    let excluding: Vec<_> = matching(RuleEffect::Exclude).map(reason).collect();
    let allowing: Vec<_> = matching(RuleEffect::Allow).map(reason).collect();
    let unmet: Vec<_> = of(RuleEffect::Allow).map(reason).collect();
    let (eligible, reasons) = if !excluding.is_empty() {
        (false, excluding)
    } else if !allowing.is_empty() {
        (true, allowing)
    } else if !unmet.is_empty() {
        (false, unmet)
    } else {
        match policy.otherwise {
            Otherwise::Eligible => (true, Vec::new()),
            Otherwise::NotEligible => (false, vec![no_rule_allows()]),
        }
    };
    let holds_until = concerned().flat_map(|rule| rule.turns(customer)).filter(|turn| *turn > at).min();
    EligibilityVerdict { offering_id: offering, eligible, reasons, evaluated_at: at, holds_until }
}

fn reason(rule: &EligibilityRule) -> EligibilityReason {
    EligibilityReason { code: rule.code.clone(), text: rule.text.clone() }
}

fn no_rule_allows() -> EligibilityReason {
    EligibilityReason { code: NO_RULE_ALLOWS.to_owned(), text: "No rule of the policy allows it".to_owned() }
}

impl EligibilityRule {
    fn concerns(&self, offering: OfferingId) -> bool {
        self.offering_ids.is_empty() || self.offering_ids.contains(&offering)
    }

    fn counts_at(&self, at: DateTime<Utc>) -> bool {
        self.valid_from.is_none_or(|from| from <= at) && self.valid_until.is_none_or(|until| at < until)
    }

    /// The moments at which the rule may begin or cease to decide about this customer.
    fn turns(&self, customer: CustomerAttributes<'_>) -> impl Iterator<Item = DateTime<Utc>> + use<> {
        [self.valid_from, self.valid_until, self.customers.months_reached_at(customer)].into_iter().flatten()
    }
}

impl CustomerCondition {
    fn met_by(&self, customer: CustomerAttributes<'_>, at: DateTime<Utc>) -> bool {
        let among = |words: &[String], word: Option<&str>| {
            words.is_empty() || word.is_some_and(|word| words.iter().any(|one| one == word))
        };
        among(&self.segments, customer.segment)
            && among(&self.countries, customer.country)
            && (self.min_months.is_none() || self.months_reached_at(customer).is_some_and(|reached| reached <= at))
    }

    /// When the customer will have been one for long enough: the first moment of that day, in UTC.
    fn months_reached_at(&self, customer: CustomerAttributes<'_>) -> Option<DateTime<Utc>> {
        let months = Months::new(u32::from(self.min_months?));
        Some(customer.since?.checked_add_months(months)?.and_time(NaiveTime::MIN).and_utc())
    }
}

#[cfg(test)]
mod tests;

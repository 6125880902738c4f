//! An eligibility policy as it is sent: its fields, its limits, and how it becomes the command's input.

use chrono::{DateTime, Datelike, Utc};
use kernel::OfferingId;
use serde::{Deserialize, Serialize};
use service_runtime::{ApiResult, FieldProblem, Problem};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::bodies::repeated;
use crate::{
    commands::NewPolicy,
    model::{
        CustomerCondition, EligibilityRule, MAX_MONTHS, MAX_RULE_OFFERINGS, MAX_RULE_WORDS, MAX_RULES, Otherwise,
        RuleEffect,
    },
};

/// Most rules, as validation counts.
const MOST_RULES: u64 = MAX_RULES as u64;
/// Most offerings of one rule, as validation counts.
const MOST_OFFERINGS: u64 = MAX_RULE_OFFERINGS as u64;
/// Longest code of a rule, in characters.
const MAX_CODE: u64 = 64;
/// Longest sentence of a rule, in characters.
const MAX_RULE_TEXT: u64 = 500;
/// Longest segment or country, in characters.
const MAX_WORD: usize = 200;

/// A policy to be put in force.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyBody {
    /// What holds for an offering that no rule decides about.
    otherwise: Otherwise,
    /// The rules; their order says nothing.
    #[validate(nested, length(max = MOST_RULES))]
    rules: Vec<RuleBody>,
}

/// One rule.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleBody {
    /// Names the rule for programs; unique in the policy.
    #[validate(length(min = 1, max = MAX_CODE))]
    code: String,
    /// What it says, for people.
    #[validate(length(min = 1, max = MAX_RULE_TEXT))]
    text: String,
    /// What follows for customers it is about.
    effect: RuleEffect,
    /// Which customers it is about; all unless said.
    #[serde(default)]
    #[validate(nested)]
    customers: ConditionBody,
    /// Which offerings it is about; all when empty.
    #[serde(default)]
    #[validate(length(max = MOST_OFFERINGS))]
    offering_ids: Vec<OfferingId>,
    /// From when on it counts.
    #[validate(custom(function = moment_within_limits))]
    valid_from: Option<DateTime<Utc>>,
    /// From when on it no longer counts.
    #[validate(custom(function = moment_within_limits))]
    valid_until: Option<DateTime<Utc>>,
}

/// What a rule asks of a customer; an empty part asks nothing.
#[derive(Debug, Default, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConditionBody {
    /// Of one of these segments.
    #[serde(default)]
    #[validate(custom(function = words_within_limits))]
    segments: Vec<String>,
    /// In one of these countries.
    #[serde(default)]
    #[validate(custom(function = words_within_limits))]
    countries: Vec<String>,
    /// A customer for at least that many months.
    #[validate(range(max = MAX_MONTHS))]
    min_months: Option<u16>,
}

/// The years that RFC 3339 can write.
fn moment_within_limits(moment: &DateTime<Utc>) -> Result<(), ValidationError> {
    if (1..=9999).contains(&moment.year()) { Ok(()) } else { Err(ValidationError::new("range")) }
}

fn words_within_limits(words: &[String]) -> Result<(), ValidationError> {
    let outside = |word: &String| word.is_empty() || word.chars().count() > MAX_WORD;
    if words.len() > MAX_RULE_WORDS || words.iter().any(outside) { Err(ValidationError::new("length")) } else { Ok(()) }
}

impl PolicyBody {
    /// What concerns several fields at once: codes are unique, and a period does not end before it begins.
    pub(super) fn check(&self) -> ApiResult<()> {
        let repeated = repeated(self.rules.iter().map(|rule| rule.code.as_str()));
        let mut fields = Vec::new();
        for (n, rule) in self.rules.iter().enumerate() {
            if repeated.contains(&n) {
                fields.push(FieldProblem::new(format!("/rules/{n}/code"), "duplicate", "names another rule already"));
            }
            if rule.valid_from.zip(rule.valid_until).is_some_and(|(from, until)| until <= from) {
                let pointer = format!("/rules/{n}/validUntil");
                fields.push(FieldProblem::new(pointer, "empty-period", "must be after validFrom"));
            }
        }
        if fields.is_empty() { Ok(()) } else { Err(Problem::invalid().fields(fields)) }
    }

    pub(super) fn into_new(self) -> NewPolicy {
        NewPolicy { otherwise: self.otherwise, rules: self.rules.into_iter().map(RuleBody::into_rule).collect() }
    }
}

impl RuleBody {
    fn into_rule(self) -> EligibilityRule {
        let ConditionBody { segments, countries, min_months } = self.customers;
        EligibilityRule {
            code: self.code,
            text: self.text,
            effect: self.effect,
            customers: CustomerCondition { segments, countries, min_months },
            offering_ids: self.offering_ids,
            valid_from: self.valid_from,
            valid_until: self.valid_until,
        }
    }
}

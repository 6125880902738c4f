//! The eligibility policy: rules over customers and offerings, in numbered versions that never change.

use chrono::{DateTime, NaiveDate, Utc};
use kernel::{OfferingId, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most rules of a policy.
pub const MAX_RULES: usize = 200;
/// Most offerings of one rule.
pub const MAX_RULE_OFFERINGS: usize = 500;
/// Most segments or countries of one rule.
pub const MAX_RULE_WORDS: usize = 50;
/// Longest required time as a customer, in months.
pub const MAX_MONTHS: u16 = 1_200;
/// Most offerings of one question.
pub const MAX_ASKED: usize = 64;

/// A policy in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EligibilityPolicy {
    /// Counts the tenant's policies; 0 while there is none, and everything is eligible.
    pub version: Version,
    /// What holds for an offering that no rule decides about.
    pub otherwise: Otherwise,
    /// The rules. Their order says nothing.
    pub rules: Vec<EligibilityRule>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
}

impl EligibilityPolicy {
    /// What holds while a tenant has no policy.
    pub const fn none() -> Self {
        Self {
            version: Version::ZERO,
            otherwise: Otherwise::Eligible,
            rules: Vec::new(),
            created_by: None,
            created_at: None,
        }
    }
}

/// What holds where no rule decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Otherwise {
    /// The customer may have it.
    Eligible,
    /// He may not.
    NotEligible,
}

impl Otherwise {
    /// The word in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::NotEligible => "notEligible",
        }
    }

    /// The word's meaning.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Eligible, Self::NotEligible].into_iter().find(|otherwise| otherwise.as_str() == word)
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EligibilityRule {
    /// Names the rule for programs; unique in the policy.
    pub code: String,
    /// What it says, for people.
    pub text: String,
    /// What follows for customers it is about.
    pub effect: RuleEffect,
    /// Which customers it is about.
    pub customers: CustomerCondition,
    /// Which offerings it is about; all when empty.
    pub offering_ids: Vec<OfferingId>,
    /// From when on it counts; always when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<DateTime<Utc>>,
    /// From when on it no longer counts; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<DateTime<Utc>>,
}

/// What follows from a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum RuleEffect {
    /// These customers may have the offerings, and nobody else whom no other rule allows them.
    Allow,
    /// These customers may not have the offerings, whatever other rules say.
    Exclude,
}

/// What a rule asks of a customer; an empty part asks nothing. An attribute that is not known meets no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomerCondition {
    /// Of one of these segments.
    pub segments: Vec<String>,
    /// In one of these countries.
    pub countries: Vec<String>,
    /// A customer for at least that many months.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_months: Option<u16>,
}

/// What rules look at of a customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CustomerAttributes<'a> {
    /// The market segment.
    pub segment: Option<&'a str>,
    /// The country.
    pub country: Option<&'a str>,
    /// Since when he is a customer.
    pub since: Option<NaiveDate>,
}

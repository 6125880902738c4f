//! Who may approve how deep a discount: the access policy, in numbered versions that never change, and revocations.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use kernel::Version;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use service_runtime::auth::Role;
use utoipa::ToSchema;

/// Most grants to subjects of one policy; of roles there are few.
pub const MAX_SUBJECT_GRANTS: usize = 500;
/// Longest subject, in characters.
pub const MAX_SUBJECT: usize = 200;

/// A policy in one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessPolicy {
    /// Counts the tenant's policies; 0 while there is none, and an approver may approve any discount.
    pub version: Version,
    /// What roles may approve, each role once.
    pub roles: Vec<RoleGrant>,
    /// What subjects may approve, each subject once.
    pub subjects: Vec<SubjectGrant>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
}

impl AccessPolicy {
    /// What holds while a tenant has no policy.
    pub const fn none() -> Self {
        Self { version: Version::ZERO, roles: Vec::new(), subjects: Vec::new(), created_by: None, created_at: None }
    }
}

/// What whoever has a role may approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleGrant {
    /// The role.
    pub role: Role,
    /// The deepest discount, in percent.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "25")]
    pub max_discount_percent: Decimal,
}

/// What somebody may approve by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubjectGrant {
    /// Who.
    pub subject: Subject,
    /// The deepest discount, in percent.
    #[serde(with = "rust_decimal::serde::str")]
    #[schema(value_type = String, example = "25")]
    pub max_discount_percent: Decimal,
}

/// Somebody, as the tokens of the tenant's identity provider name him.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 200)]
pub struct Subject(String);

/// The text names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a subject has 1 to {MAX_SUBJECT} characters")]
pub struct InvalidSubject;

impl Subject {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Subject {
    type Error = InvalidSubject;

    fn try_from(text: String) -> Result<Self, InvalidSubject> {
        if (1..=MAX_SUBJECT).contains(&text.chars().count()) { Ok(Self(text)) } else { Err(InvalidSubject) }
    }
}

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        text.to_owned().try_into()
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

/// Whether a subject may approve nothing any more, since when and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revocation {
    /// Who.
    pub subject: String,
    /// Counts the subject's revocations and returns.
    pub version: Version,
    /// False once it was lifted.
    pub revoked: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who revoked or lifted it.
    pub changed_by: String,
    /// When.
    pub changed_at: DateTime<Utc>,
}

//! Access as it is sent: fields, limits, and how they become commands' inputs.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use service_runtime::{ApiResult, FieldProblem, Problem, Role};
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use super::bodies::repeated;
use crate::{
    commands::NewAccessPolicy,
    model::{MAX_SUBJECT_GRANTS, MAX_TEXT, RoleGrant, Subject, SubjectGrant},
};

/// Most grants to subjects, as validation counts.
const MOST_SUBJECTS: u64 = MAX_SUBJECT_GRANTS as u64;
/// Most grants to roles, as validation counts.
const MOST_ROLES: u64 = Role::ALL.len() as u64;
/// Digits after the point that a limit may have: as many as a discount has.
const MAX_SCALE: u32 = 4;

/// A policy to be put in force. Whom it grants nothing may approve nothing.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AccessPolicyBody {
    /// What roles may approve, each role once.
    #[validate(nested, length(max = MOST_ROLES))]
    roles: Vec<RoleGrantBody>,
    /// What subjects may approve, each subject once.
    #[validate(nested, length(max = MOST_SUBJECTS))]
    subjects: Vec<SubjectGrantBody>,
}

/// A grant to whoever has a role.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RoleGrantBody {
    /// The role. It makes nobody an approver who is none.
    role: Role,
    /// The deepest discount that may be approved: percent, 0 to 100.
    #[serde(with = "kernel::decimal_text")]
    #[schema(value_type = kernel::DecimalText)]
    #[validate(custom(function = percent_within_limits))]
    max_discount_percent: Decimal,
}

/// A grant to somebody.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubjectGrantBody {
    /// Who, as tokens name him.
    subject: Subject,
    /// The deepest discount that may be approved: percent, 0 to 100.
    #[serde(with = "kernel::decimal_text")]
    #[schema(value_type = kernel::DecimalText)]
    #[validate(custom(function = percent_within_limits))]
    max_discount_percent: Decimal,
}

/// Why somebody is revoked.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RevocationBody {
    /// For those who ask later.
    #[validate(length(min = 1, max = MAX_TEXT))]
    pub(super) reason: String,
}

fn percent_within_limits(percent: &Decimal) -> Result<(), ValidationError> {
    let within = (Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(percent) && percent.normalize().scale() <= MAX_SCALE;
    if within { Ok(()) } else { Err(ValidationError::new("range")) }
}

impl AccessPolicyBody {
    /// What concerns several fields at once: nobody has two grants.
    pub(super) fn check(&self) -> ApiResult<()> {
        let roles = repeated(self.roles.iter().map(|grant| grant.role));
        let subjects = repeated(self.subjects.iter().map(|grant| grant.subject.as_str()));
        let pointers = roles.iter().map(|n| format!("/roles/{n}/role"));
        let pointers = pointers.chain(subjects.iter().map(|n| format!("/subjects/{n}/subject")));
        let twice = |pointer| FieldProblem::new(pointer, "duplicate", "has a grant already");
        let fields: Vec<FieldProblem> = pointers.map(twice).collect();
        if fields.is_empty() { Ok(()) } else { Err(Problem::invalid().fields(fields)) }
    }

    pub(super) fn into_new(self) -> NewAccessPolicy {
        let role =
            |RoleGrantBody { role, max_discount_percent }: RoleGrantBody| RoleGrant { role, max_discount_percent };
        let subject = |SubjectGrantBody { subject, max_discount_percent }: SubjectGrantBody| SubjectGrant {
            subject,
            max_discount_percent,
        };
        NewAccessPolicy {
            roles: self.roles.into_iter().map(role).collect(),
            subjects: self.subjects.into_iter().map(subject).collect(),
        }
    }
}

//! How deep a discount somebody may approve: by the grants of a policy, the roles of his token, and whether he was revoked.
//!
//! The limit is the largest grant to the subject or to one of his roles. Where there is no policy, the role alone decides. A
//! grant makes nobody an approver, and a revocation is stronger than all grants.

use cache_ports::access::{AccessProfile, RoleLimit};
use chrono::{DateTime, Utc};
use kernel::Version;
use rust_decimal::Decimal;
use service_runtime::auth::{Role, Roles};

use super::transitions::Command;

/// What somebody may approve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalRight {
    /// Nothing, since then, whatever he was granted.
    Revoked(DateTime<Utc>),
    /// Nothing: he is no approver.
    NoApprover,
    /// Any discount: there is no policy.
    Unlimited,
    /// Discounts up to this many percent.
    UpTo(Decimal),
}

impl ApprovalRight {
    /// The limit in percent; none where any discount may be approved.
    pub const fn limit_percent(self) -> Option<Decimal> {
        match self {
            Self::Revoked(_) | Self::NoApprover => Some(Decimal::ZERO),
            Self::UpTo(limit) => Some(limit),
            Self::Unlimited => None,
        }
    }
}

/// What the subject of `profile` may approve when his token carries `roles`.
pub fn approval_right(profile: &AccessProfile, roles: Roles) -> ApprovalRight {
    if let Some(since) = profile.revoked_at {
        return ApprovalRight::Revoked(since);
    }
    if !roles.contains_any(Command::Approve.roles()) {
        return ApprovalRight::NoApprover;
    }
    if profile.policy_version == Version::ZERO {
        return ApprovalRight::Unlimited;
    }
    // A role this program does not know is nobody's.
    let has = |limit: &&RoleLimit| limit.role.parse::<Role>().is_ok_and(|role| roles.contains(role));
    let by_role = profile.role_limits.iter().filter(has).map(|limit| limit.max_discount_percent);
    ApprovalRight::UpTo(by_role.chain(profile.own_limit_percent).max().unwrap_or(Decimal::ZERO))
}

#[cfg(test)]
mod tests;

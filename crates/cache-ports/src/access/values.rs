//! The cached value of access: what the tables say, before anybody's roles.

use chrono::{DateTime, Utc};
use kernel::Version;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// What the tables say about one subject by one policy. Which of the role limits are his, only his token can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AccessProfile {
    /// The policy; 0 while there is none.
    pub policy_version: Version,
    /// The deepest discount the policy lets the subject approve by name, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rust_decimal::serde::str_option")]
    pub own_limit_percent: Option<Decimal>,
    /// What the policy gives to roles.
    pub role_limits: Vec<RoleLimit>,
    /// Since when the subject may approve nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<DateTime<Utc>>,
}

/// What a policy gives to whoever has a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleLimit {
    /// The role, as tokens name it.
    pub role: String,
    /// The deepest discount it may approve, in percent.
    #[serde(with = "rust_decimal::serde::str")]
    pub max_discount_percent: Decimal,
}

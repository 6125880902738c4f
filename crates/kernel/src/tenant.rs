//! The tenant: the outermost boundary of every row, key, event and metric.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant's stable short name: 1 to 63 characters of `a-z`, `0-9` and inner `-`.
///
/// The alphabet is that of a DNS label, so a tenant can stand unescaped in a SQL setting, a Redis key and a topic header.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", example = "acme")]
pub struct TenantId(Arc<str>);

/// The text is not a tenant id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a tenant id has 1 to 63 characters of a-z, 0-9 and inner hyphens")]
pub struct InvalidTenantId;

impl TenantId {
    /// Longest accepted id, in bytes.
    pub const MAX_LEN: usize = 63;

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = InvalidTenantId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let edges_are_not_hyphens = !text.starts_with('-') && !text.ends_with('-');
        if (1..=Self::MAX_LEN).contains(&text.len()) && text.chars().all(inner) && edges_are_not_hyphens {
            Ok(Self(text.into()))
        } else {
            Err(InvalidTenantId)
        }
    }
}

impl TryFrom<String> for TenantId {
    type Error = InvalidTenantId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TenantId> for String {
    fn from(id: TenantId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_id_is_a_dns_label() {
        for good in ["a", "acme", "acme-2", "0", &"x".repeat(63)] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Acme", "a_b", "a b", "a'b", "a:b", "é", &"x".repeat(64)] {
            assert_eq!(bad.parse::<TenantId>(), Err(InvalidTenantId), "{bad}");
        }
    }

    #[test]
    fn json_goes_through_the_same_door() {
        assert!(serde_json::from_str::<TenantId>("\"A B\"").is_err());
    }
}

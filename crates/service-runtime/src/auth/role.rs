//! What somebody is in a tenant. The names are those of the token claim `roles`.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeSeq};
use utoipa::ToSchema;

/// A role, as written in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[repr(u8)]
pub enum Role {
    /// Buys: sees prices, accepts quotes.
    Buyer,
    /// Sells: makes and prices quotes.
    SalesRep,
    /// Decides about discounts.
    Approver,
    /// Supports sales; sees cost and margin.
    DealDesk,
    /// Looks after orders.
    OrderAgent,
    /// Does fulfilment tasks by hand.
    FulfilmentAgent,
    /// Keeps catalog and price books.
    CatalogAdmin,
    /// Another service of this installation.
    System,
    /// Runs the tenant; may do everything but approve what he edited.
    TenantAdmin,
}

/// The text is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a role")]
pub struct UnknownRole(String);

impl Role {
    /// All roles.
    pub const ALL: [Self; 9] = [
        Self::Buyer,
        Self::SalesRep,
        Self::Approver,
        Self::DealDesk,
        Self::OrderAgent,
        Self::FulfilmentAgent,
        Self::CatalogAdmin,
        Self::System,
        Self::TenantAdmin,
    ];

    /// The role's name in tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::SalesRep => "salesRep",
            Self::Approver => "approver",
            Self::DealDesk => "dealDesk",
            Self::OrderAgent => "orderAgent",
            Self::FulfilmentAgent => "fulfilmentAgent",
            Self::CatalogAdmin => "catalogAdmin",
            Self::System => "system",
            Self::TenantAdmin => "tenantAdmin",
        }
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of roles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Roles(u16);

impl Roles {
    /// No role.
    pub const NONE: Self = Self(0);

    /// Whether `role` is in the set.
    pub const fn contains(self, role: Role) -> bool {
        self.0 & bit(role) != 0
    }

    /// Whether any of `roles` is in the set.
    pub fn contains_any(self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.contains(*role))
    }

    /// The roles in the set.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.contains(*role))
    }
}

const fn bit(role: Role) -> u16 {
    1 << role as u8
}

impl From<Role> for Roles {
    fn from(role: Role) -> Self {
        Self(bit(role))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        Self(roles.into_iter().fold(0, |bits, role| bits | bit(role)))
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for role in self.iter() {
            list.serialize_element(&role)?;
        }
        list.end()
    }
}

/// Names we do not know are passed over: an identity provider may hold roles of other applications.
impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Ok(names.iter().filter_map(|name| name.parse::<Role>().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_one_name_in_rust_and_json() {
        for role in Role::ALL {
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
            assert_eq!(role.name().parse::<Role>().unwrap(), role);
        }
    }

    #[test]
    fn unknown_roles_give_nothing() {
        let roles: Roles = serde_json::from_str(r#"["salesRep","root","*"]"#).unwrap();
        assert_eq!(roles, Roles::from(Role::SalesRep));
        assert_eq!(serde_json::to_string(&roles).unwrap(), r#"["salesRep"]"#);
    }
}

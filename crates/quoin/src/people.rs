//! The people of the demo: who signs in with which roles, and in which tenants.

use serde::Serialize;
use service_runtime::Role;

/// The tenants of the demo, the one the tour uses first.
pub const TENANTS: [&str; 2] = ["aurora", "borealis"];

/// The tenant of the online-retail file.
pub const RETAIL_TENANT: &str = "online-retail";

/// Somebody with a desk and a title.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Identity {
    /// The token's `sub`.
    pub subject: &'static str,
    /// Roles.
    pub roles: &'static [Role],
    /// What it says on the door.
    pub title: &'static str,
}

/// Everybody, the most used first.
pub const IDENTITIES: [Identity; 8] = [
    Identity { subject: "sales", roles: &[Role::SalesRep], title: "Sales representative" },
    Identity { subject: "approver", roles: &[Role::Approver], title: "Approver" },
    Identity { subject: "buyer", roles: &[Role::Buyer], title: "Buyer" },
    Identity { subject: "deal-desk", roles: &[Role::DealDesk], title: "Deal desk" },
    Identity { subject: "order-agent", roles: &[Role::OrderAgent], title: "Order agent" },
    Identity { subject: "fulfilment", roles: &[Role::FulfilmentAgent], title: "Fulfilment agent" },
    Identity { subject: "catalog-admin", roles: &[Role::CatalogAdmin], title: "Catalog administrator" },
    Identity { subject: "tenant-admin", roles: &[Role::TenantAdmin], title: "Tenant administrator" },
];

/// What the console's sign-in page shows.
#[derive(Debug, Serialize)]
pub struct Directory {
    tenants: [&'static str; 3],
    identities: &'static [Identity],
}

/// Everybody, everywhere.
pub const fn directory() -> Directory {
    Directory { tenants: [TENANTS[0], TENANTS[1], RETAIL_TENANT], identities: &IDENTITIES }
}

//! Customers come from the tenant's own systems: imported, found again by their external id, repeatable.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use kernel::{CustomerId, Version};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{Actor, OUTBOX};
use crate::{
    error::{QuoteError, QuoteResult},
    events::customer_changed,
    store::customers::{self, CustomerRow},
};

/// A customer to be imported.
#[derive(Debug, Clone)]
pub struct NewCustomer {
    /// The id in the tenant's own system.
    pub external_id: String,
    /// What it is called.
    pub name: String,
    /// Country.
    pub country: Option<String>,
    /// Segment.
    pub segment: Option<String>,
    /// Since when.
    pub customer_since: Option<NaiveDate>,
}

/// What an import did with one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It is new.
    Created,
    /// It was known with other properties.
    Updated,
    /// It was known as it is.
    Unchanged,
}

/// One imported customer.
#[derive(Debug, Clone)]
pub struct ImportedCustomer {
    /// The id in the tenant's own system.
    pub external_id: String,
    /// Ours.
    pub customer_id: CustomerId,
    /// The version that the import gave it; none where it was known as it is.
    pub changed: Option<Version>,
}

impl ImportedCustomer {
    /// What was done.
    pub fn outcome(&self) -> Outcome {
        match self.changed {
            None => Outcome::Unchanged,
            Some(Version::FIRST) => Outcome::Created,
            Some(_) => Outcome::Updated,
        }
    }
}

/// Imports customers, all or none. The same import again changes nothing.
pub async fn import_customers(
    conn: &mut PgConnection,
    actor: &Actor,
    new: Vec<NewCustomer>,
    at: DateTime<Utc>,
) -> QuoteResult<Vec<ImportedCustomer>> {
    let external_ids: Vec<String> = new.iter().map(|customer| customer.external_id.clone()).collect();
    let rows: Vec<CustomerRow> = new.into_iter().map(row_of).collect();
    let changed = customers::upsert_customers(conn, &actor.tenant, &rows, at).await?;
    let events: Vec<_> =
        changed.iter().map(|customer| customer_changed(actor, customer, at)).collect::<Result<_, _>>()?;
    OUTBOX.append(conn, &events).await?;
    let changed: HashMap<&str, Version> =
        changed.iter().map(|customer| (customer.external_id.as_str(), customer.version)).collect();
    let known = customers::customer_ids(conn, &actor.tenant, &external_ids).await?;
    let known: HashMap<&str, CustomerId> = known.iter().map(|(external_id, id)| (external_id.as_str(), *id)).collect();
    let imported = |external_id: &String| {
        let customer_id = *known.get(external_id.as_str()).ok_or(QuoteError::Unreadable("customer"))?;
        let changed = changed.get(external_id.as_str()).copied();
        Ok(ImportedCustomer { external_id: external_id.clone(), customer_id, changed })
    };
    external_ids.iter().map(imported).collect()
}

fn row_of(new: NewCustomer) -> CustomerRow {
    let NewCustomer { external_id, name, country, segment, customer_since } = new;
    CustomerRow { customer_id: CustomerId::generate(), external_id, name, country, segment, customer_since }
}

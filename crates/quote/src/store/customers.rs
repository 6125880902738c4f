//! Customers.

use chrono::{DateTime, NaiveDate, Utc};
use kernel::{CustomerId, TenantId, Version};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    error::{QuoteError, QuoteResult},
    model::Customer,
};

/// A customer as an import names it.
#[derive(Debug, Clone, Serialize)]
pub struct CustomerRow {
    /// The id it gets if it is new.
    pub customer_id: CustomerId,
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

struct Row {
    customer_id: Uuid,
    version: i64,
    external_id: String,
    name: String,
    country: Option<String>,
    segment: Option<String>,
    customer_since: Option<NaiveDate>,
}

impl From<Row> for Customer {
    fn from(row: Row) -> Self {
        Self {
            id: row.customer_id.into(),
            version: Version::from_i64(row.version),
            external_id: row.external_id,
            name: row.name,
            country: row.country,
            segment: row.segment,
            customer_since: row.customer_since,
        }
    }
}

/// Inserts new customers and updates those that differ; answers only these. Equal ones are left alone.
pub async fn upsert_customers(
    conn: &mut PgConnection,
    tenant: &TenantId,
    rows: &[CustomerRow],
    at: DateTime<Utc>,
) -> QuoteResult<Vec<Customer>> {
    let json = serde_json::to_value(rows).map_err(|_| QuoteError::Unreadable("customer"))?;
    let changed = sqlx::query_as!(
        Row,
        r#"
        insert into quote.customer as known (
            tenant_id, customer_id, version, external_id, name, country, segment, customer_since,
            created_at, updated_at)
        select $1, c.customer_id, 1, c.external_id, c.name, c.country, c.segment, c.customer_since, $3, $3
        from jsonb_to_recordset($2::jsonb) as c (
            customer_id uuid, external_id text, name text, country text, segment text,
            customer_since date)
        order by c.external_id
        on conflict (tenant_id, external_id) do update
            set version = known.version + 1, name = excluded.name, country = excluded.country,
                segment = excluded.segment, customer_since = excluded.customer_since, updated_at = excluded.updated_at
            where (known.name, known.country, known.segment, known.customer_since)
                is distinct from (excluded.name, excluded.country, excluded.segment, excluded.customer_since)
        returning customer_id, version, external_id, name, country, segment, customer_since
        "#,
        tenant.as_str(),
        json,
        at,
    )
    .fetch_all(conn)
    .await?;
    Ok(changed.into_iter().map(Into::into).collect())
}

/// The ids of the customers with these external ids.
pub async fn customer_ids(
    conn: &mut PgConnection,
    tenant: &TenantId,
    external_ids: &[String],
) -> QuoteResult<Vec<(String, CustomerId)>> {
    let rows = sqlx::query!(
        "select external_id, customer_id from quote.customer where tenant_id = $1 and external_id = any($2)",
        tenant.as_str(),
        external_ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.external_id, row.customer_id.into())).collect())
}

/// One customer.
pub async fn customer_by_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    customer: CustomerId,
) -> QuoteResult<Option<Customer>> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select customer_id, version, external_id, name, country, segment, customer_since from quote.customer
        where tenant_id = $1 and customer_id = $2
        "#,
        tenant.as_str(),
        customer.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// One page of customers in order of their ids.
pub async fn list_customers(
    conn: &mut PgConnection,
    tenant: &TenantId,
    after: Option<CustomerId>,
    limit: i64,
) -> QuoteResult<Vec<Customer>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select customer_id, version, external_id, name, country, segment, customer_since from quote.customer
        where tenant_id = $1 and ($2::uuid is null or customer_id > $2)
        order by customer_id
        limit $3
        "#,
        tenant.as_str(),
        after.map(CustomerId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The one customer with this id in the tenant's own system: found by its own index, however many customers there are.
pub async fn customer_by_external_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    external_id: &str,
) -> QuoteResult<Option<Customer>> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select customer_id, version, external_id, name, country, segment, customer_since from quote.customer
        where tenant_id = $1 and external_id = $2
        "#,
        tenant.as_str(),
        external_id,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

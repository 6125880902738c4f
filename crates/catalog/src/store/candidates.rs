//! The whole working copy in one statement, as publication sees it.

use cache_ports::catalog::{LifecycleStatus, OfferingKind};
use chrono::{DateTime, Utc};
use kernel::{PriceId, TenantId, Version};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    model::{Offering, OfferingDraft, Price, PriceDraft},
    rules::freeze::Candidate,
};

struct Row {
    offering_id: Uuid,
    external_id: Option<String>,
    specification_id: Option<Uuid>,
    name: String,
    description: Option<String>,
    category: Option<String>,
    kind: String,
    stocked: bool,
    components: serde_json::Value,
    lifecycle_status: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    specification_status: Option<String>,
    characteristics: Option<serde_json::Value>,
    prices: serde_json::Value,
}

/// A price as the statement builds it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PriceRow {
    id: PriceId,
    version: Version,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(flatten)]
    draft: serde_json::Map<String, serde_json::Value>,
}

impl TryFrom<PriceRow> for Price {
    type Error = sqlx::Error;

    fn try_from(row: PriceRow) -> Result<Self, sqlx::Error> {
        let draft: PriceDraft = super::from_json(serde_json::Value::Object(row.draft))?;
        Ok(Self { id: row.id, draft, version: row.version, created_at: row.created_at, updated_at: row.updated_at })
    }
}

impl TryFrom<Row> for Candidate {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let specification = match (row.specification_status, row.characteristics) {
            (Some(status), Some(characteristics)) => {
                let status = super::word::<LifecycleStatus>(&status, "lifecycle status")?;
                Some((status, super::from_json(characteristics)?))
            }
            _ => None,
        };
        let prices: Vec<PriceRow> = super::from_json(row.prices)?;
        let offering = Offering {
            id: row.offering_id.into(),
            draft: OfferingDraft {
                external_id: row.external_id,
                specification_id: row.specification_id.map(Into::into),
                name: row.name,
                description: row.description,
                category: row.category,
                kind: super::word::<OfferingKind>(&row.kind, "offering kind")?,
                stocked: row.stocked,
                components: super::from_json(row.components)?,
                lifecycle_status: super::word::<LifecycleStatus>(&row.lifecycle_status, "lifecycle status")?,
            },
            version: Version::from_i64(row.version),
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok(Self { offering, specification, prices: prices.into_iter().map(Price::try_from).collect::<Result<_, _>>()? })
    }
}

/// Everything of the tenant that wants to be published, up to `limit` offerings.
pub async fn select_candidates(
    conn: &mut PgConnection,
    tenant: &TenantId,
    limit: i64,
) -> Result<Vec<Candidate>, sqlx::Error> {
    let rows = sqlx::query_file_as!(Row, "src/store/candidates.sql", tenant.as_str(), limit);
    rows.fetch_all(conn).await?.into_iter().map(Candidate::try_from).collect()
}

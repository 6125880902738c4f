//! `catalog.price`.

use cache_ports::catalog::{LifecycleStatus, OfferingPriceType, PeriodUnit, RecurringPeriod};
use chrono::{DateTime, Utc};
use kernel::{OfferingId, PriceId, TenantId, Version};
use rust_decimal::Decimal;
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    model::{DraftMoney, Price, PriceDraft},
    rules::import::Change,
    words::Word,
};

struct Row {
    price_id: Uuid,
    offering_id: Uuid,
    price_type: String,
    period_unit: Option<String>,
    period_length: Option<i16>,
    amount: Option<Decimal>,
    currency: Option<String>,
    unit_of_measure: Option<String>,
    lifecycle_status: String,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Price {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let period = match (row.period_unit.as_deref(), row.period_length) {
            (Some(unit), Some(length)) => Some(RecurringPeriod {
                unit: super::word::<PeriodUnit>(unit, "period unit")?,
                length: u16::try_from(length).map_err(|_| super::unreadable("period length"))?,
            }),
            _ => None,
        };
        Ok(Self {
            id: row.price_id.into(),
            draft: PriceDraft {
                offering_id: row.offering_id.into(),
                price_type: super::word::<OfferingPriceType>(&row.price_type, "price type")?,
                period,
                amount: row.amount.map(|amount| DraftMoney { amount, currency: row.currency }),
                unit_of_measure: row.unit_of_measure,
                lifecycle_status: super::word::<LifecycleStatus>(&row.lifecycle_status, "lifecycle status")?,
            },
            version: Version::from_i64(row.version),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

macro_rules! select {
    ($rest:literal, $($arg:expr),*) => {
        sqlx::query_as!(
            Row,
            "select price_id, offering_id, price_type, period_unit, period_length, amount, currency, unit_of_measure, \
                 lifecycle_status, version, created_at, updated_at \
             from catalog.price " + $rest,
            $($arg),*
        )
    };
}

/// One price.
pub async fn price_by_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceId,
) -> Result<Option<Price>, sqlx::Error> {
    let row = select!("where tenant_id = $1 and price_id = $2", tenant.as_str(), id.uuid());
    row.fetch_optional(conn).await?.map(Price::try_from).transpose()
}

/// One price, locked until the transaction ends.
pub async fn lock_price(conn: &mut PgConnection, tenant: &TenantId, id: PriceId) -> Result<Option<Price>, sqlx::Error> {
    let row = select!("where tenant_id = $1 and price_id = $2 for update", tenant.as_str(), id.uuid());
    row.fetch_optional(conn).await?.map(Price::try_from).transpose()
}

/// All prices of these offerings, locked in order of id until the transaction ends.
pub async fn lock_prices_of(
    conn: &mut PgConnection,
    tenant: &TenantId,
    offerings: &[Uuid],
) -> Result<Vec<Price>, sqlx::Error> {
    let rows = select!(
        "where tenant_id = $1 and offering_id = any($2) order by price_id for update",
        tenant.as_str(),
        offerings
    );
    rows.fetch_all(conn).await?.into_iter().map(Price::try_from).collect()
}

/// Up to `limit` prices after an id, in order of id; of one offering if given.
pub async fn select_prices(
    conn: &mut PgConnection,
    tenant: &TenantId,
    after: Option<PriceId>,
    offering: Option<OfferingId>,
    limit: i64,
) -> Result<Vec<Price>, sqlx::Error> {
    let rows = select!(
        "where tenant_id = $1 and ($2::uuid is null or price_id > $2) and ($3::uuid is null or offering_id = $3) \
         order by price_id limit $4",
        tenant.as_str(),
        after.map(PriceId::uuid),
        offering.map(OfferingId::uuid),
        limit
    );
    rows.fetch_all(conn).await?.into_iter().map(Price::try_from).collect()
}

#[derive(Serialize)]
struct Written<'a> {
    price_id: Uuid,
    offering_id: Uuid,
    price_type: &'a str,
    period_unit: Option<&'a str>,
    period_length: Option<u16>,
    amount: Option<String>,
    currency: Option<&'a str>,
    unit_of_measure: Option<&'a str>,
    lifecycle_status: &'a str,
    version: i64,
}

/// Writes new and changed prices; `false` if one of them is no longer in the version it was planned from.
pub async fn upsert_prices(
    conn: &mut PgConnection,
    tenant: &TenantId,
    changes: &[Change<PriceId, PriceDraft>],
) -> Result<bool, sqlx::Error> {
    if changes.is_empty() {
        return Ok(true);
    }
    let rows: Vec<Written<'_>> = changes.iter().map(written).collect();
    let result = sqlx::query!(
        "insert into catalog.price as kept (tenant_id, price_id, offering_id, price_type, period_unit, period_length, \
             amount, currency, unit_of_measure, lifecycle_status, version) \
         select $1, price_id, offering_id, price_type, period_unit, period_length, amount, currency, unit_of_measure, \
             lifecycle_status, version \
         from jsonb_to_recordset($2) as change (price_id uuid, offering_id uuid, price_type text, period_unit text, \
             period_length smallint, amount numeric, currency text, unit_of_measure text, lifecycle_status text, \
             version bigint) \
         on conflict (tenant_id, price_id) do update set \
             price_type = excluded.price_type, period_unit = excluded.period_unit, \
             period_length = excluded.period_length, amount = excluded.amount, currency = excluded.currency, \
             unit_of_measure = excluded.unit_of_measure, lifecycle_status = excluded.lifecycle_status, \
             version = excluded.version, updated_at = now() \
         where kept.version = excluded.version - 1",
        tenant.as_str(),
        super::to_json(&rows)?
    )
    .execute(conn)
    .await?;
    Ok(super::all_written(result.rows_affected(), changes.len()))
}

fn written(change: &Change<PriceId, PriceDraft>) -> Written<'_> {
    let draft = &change.draft;
    Written {
        price_id: change.id.uuid(),
        offering_id: draft.offering_id.uuid(),
        price_type: draft.price_type.word(),
        period_unit: draft.period.map(|period| period.unit.word()),
        period_length: draft.period.map(|period| period.length),
        // As text, so that no JSON number ever stands between a decimal and PostgreSQL's numeric.
        amount: draft.amount.as_ref().map(|money| money.amount.to_string()),
        currency: draft.amount.as_ref().and_then(|money| money.currency.as_deref()),
        unit_of_measure: draft.unit_of_measure.as_deref(),
        lifecycle_status: draft.lifecycle_status.word(),
        version: change.version.to_i64(),
    }
}

//! The entries of a price book version: inserted in one statement, read in canonical order.

use cache_ports::pricing::{PriceBookDocument, PriceBookEntry, Tier};
use chrono::{DateTime, Utc};
use kernel::{OfferingId, PriceBookId, TenantId, Version};
use rust_decimal::Decimal;
use sqlx::{PgConnection, types::Json};

use super::words;

/// Inserts all entries of a version; their positions become their ordinals.
pub async fn insert_entries(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
    version: Version,
    entries: &[PriceBookEntry],
) -> Result<(), sqlx::Error> {
    let offerings: Vec<_> = entries.iter().map(|entry| entry.offering_id.uuid()).collect();
    let price_types: Vec<_> = entries.iter().map(|entry| words::price_type_word(entry.price_type).to_owned()).collect();
    let units: Vec<_> =
        entries.iter().map(|entry| entry.period.map(|period| words::period_unit_word(period.unit))).collect();
    let lengths: Vec<_> = entries.iter().map(|entry| words::period_length(entry.period)).collect();
    let models: Vec<_> = entries.iter().map(|entry| words::model_word(entry.model).to_owned()).collect();
    let sizes: Vec<_> = entries.iter().map(|entry| entry.package_size).collect();
    let tiers: Vec<_> = entries.iter().map(|entry| Json(&entry.tiers)).collect();
    let from: Vec<_> = entries.iter().map(|entry| entry.valid_from).collect();
    let to: Vec<_> = entries.iter().map(|entry| entry.valid_to).collect();
    sqlx::query!(
        "insert into pricing.price_book_entry
             (tenant_id, price_book_id, version, ordinal, offering_id, price_type, period_unit, period_length, model,
              package_size, tiers, valid_from, valid_to)
         select $1, $2, $3, (e.position - 1)::integer, e.offering_id, e.price_type, e.period_unit, e.period_length,
                e.model, e.package_size, e.tiers, e.valid_from, e.valid_to
         from unnest($4::uuid[], $5::text[], $6::text[], $7::smallint[], $8::text[], $9::numeric[], $10::jsonb[],
                     $11::timestamptz[], $12::timestamptz[]) with ordinality
              as e (offering_id, price_type, period_unit, period_length, model, package_size, tiers, valid_from,
                    valid_to, position)",
        tenant.as_str(),
        id.uuid(),
        version.to_i64(),
        &offerings,
        &price_types,
        units as _,
        lengths as _,
        &models,
        sizes as _,
        tiers as _,
        from as _,
        to as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The entries of some offerings in one version.
pub async fn select_entries_of(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
    version: Version,
    offerings: &[OfferingId],
) -> Result<Vec<PriceBookEntry>, sqlx::Error> {
    let offerings: Vec<_> = offerings.iter().map(|offering| offering.uuid()).collect();
    let rows = sqlx::query_as!(
        EntryRow,
        r#"select ordinal, offering_id, price_type, period_unit, period_length, model, package_size,
                  tiers as "tiers: Json<Vec<Tier>>", valid_from, valid_to
           from pricing.price_book_entry
           where tenant_id = $1 and price_book_id = $2 and version = $3 and offering_id = any($4)
           order by ordinal"#,
        tenant.as_str(),
        id.uuid(),
        version.to_i64(),
        &offerings,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(EntryRow::entry).collect()
}

/// Up to `limit` entries of one version after an ordinal, with their ordinals; of one offering when it is named.
pub async fn select_entries_after(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
    version: Version,
    offering: Option<OfferingId>,
    after: i32,
    limit: i64,
) -> Result<Vec<(i32, PriceBookEntry)>, sqlx::Error> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"select ordinal, offering_id, price_type, period_unit, period_length, model, package_size,
                  tiers as "tiers: Json<Vec<Tier>>", valid_from, valid_to
           from pricing.price_book_entry
           where tenant_id = $1 and price_book_id = $2 and version = $3
             and ($4::uuid is null or offering_id = $4) and ordinal > $5
           order by ordinal
           limit $6"#,
        tenant.as_str(),
        id.uuid(),
        version.to_i64(),
        offering.map(OfferingId::uuid),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(|row| Ok((row.ordinal, row.entry()?))).collect()
}

/// A whole version, head and entries.
pub async fn select_document(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceBookId,
    version: Version,
) -> Result<Option<PriceBookDocument>, sqlx::Error> {
    let head = sqlx::query!(
        "select b.external_id, b.currency, v.name, v.rounding, v.content_hash
         from pricing.price_book_version v
         join pricing.price_book b on b.tenant_id = v.tenant_id and b.id = v.price_book_id
         where v.tenant_id = $1 and v.price_book_id = $2 and v.version = $3",
        tenant.as_str(),
        id.uuid(),
        version.to_i64(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(head) = head else { return Ok(None) };
    let entries = select_entries_after(conn, tenant, id, version, None, -1, i64::from(i32::MAX)).await?;
    Ok(Some(PriceBookDocument {
        id,
        external_id: head.external_id,
        name: head.name,
        currency: words::currency(&head.currency)?,
        rounding: words::rounding(&head.rounding)?,
        version,
        content_hash: words::hash("content_hash", &head.content_hash)?,
        entries: entries.into_iter().map(|(_, entry)| entry).collect(),
    }))
}

struct EntryRow {
    ordinal: i32,
    offering_id: uuid::Uuid,
    price_type: String,
    period_unit: Option<String>,
    period_length: Option<i16>,
    model: String,
    package_size: Option<Decimal>,
    tiers: Json<Vec<Tier>>,
    valid_from: Option<DateTime<Utc>>,
    valid_to: Option<DateTime<Utc>>,
}

impl EntryRow {
    /// Decimals come back without trailing zeros, as they were hashed.
    fn entry(self) -> Result<PriceBookEntry, sqlx::Error> {
        Ok(PriceBookEntry {
            offering_id: self.offering_id.into(),
            price_type: words::price_type(&self.price_type)?,
            period: words::period(self.period_unit.as_deref(), self.period_length)?,
            model: words::model(&self.model)?,
            package_size: self.package_size.map(|size| size.normalize()),
            tiers: self.tiers.0,
            valid_from: self.valid_from,
            valid_to: self.valid_to,
        })
    }
}

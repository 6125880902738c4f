//! Sealed prices: written once, read back whole. What cannot be read back is reported as a difference, because an
//! unreadable value is a changed value.

use cache_ports::pricing::{Period, PricedItem, RateCard};
use kernel::{ContentHash, Currency, Money, PriceResultId, Quantity, QuoteId, TenantId};
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use super::{chain, words};
use crate::{
    model::{Component, Priced},
    rules::{
        evidence::{APPROVAL, CONTEXT, Difference, InputSnapshot, LIST, SealContent, StoredPrice, TOTALS},
        rounding::{DISCOUNT_DOCUMENT, ROUND_LINE},
        waterfall::QUANTITY_MODEL,
    },
};

/// Inserts the head of a sealed price; `false` when the same inputs were sealed for the same revision before.
pub async fn insert_result(
    conn: &mut PgConnection,
    seal: &SealContent,
    input: &InputSnapshot,
    priced: &Priced,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query!(
        "insert into pricing.price_result
             (tenant_id, id, quote_id, revision_no, price_book_id, price_book_version, engine_version, priced_at, input,
              input_hash, totals, approval_inputs, document_discounts, warnings, result_hash, sealed_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         on conflict (tenant_id, quote_id, revision_no, input_hash) do nothing",
        seal.tenant.as_str(),
        seal.price_result_id.uuid(),
        seal.quote_id.uuid(),
        i32::try_from(seal.revision_no).unwrap_or(i32::MAX),
        input.price_book.id.uuid(),
        input.price_book.version.to_i64(),
        seal.engine_version,
        seal.priced_at,
        Json(input) as _,
        seal.input_hash.as_bytes().as_slice(),
        Json(&priced.totals) as _,
        Json(&priced.approval_inputs) as _,
        Json(&priced.document_discounts) as _,
        Json(&priced.warnings) as _,
        seal.result_hash.as_bytes().as_slice(),
        seal.sealed_by,
    )
    .execute(conn)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Inserts the components of a sealed price in one statement.
pub async fn insert_components(
    conn: &mut PgConnection,
    tenant: &TenantId,
    result: PriceResultId,
    components: &[Component],
) -> Result<(), sqlx::Error> {
    let items = || components.iter().map(|component| &component.item);
    sqlx::query_file!(
        "src/store/insert_components.sql",
        tenant.as_str(),
        result.uuid(),
        &items().map(|item| item.item_id.clone()).collect::<Vec<_>>(),
        &items().map(|item| item.offering_id.uuid()).collect::<Vec<_>>(),
        &items().map(|item| item.quantity.get()).collect::<Vec<_>>(),
        &items().map(|item| words::price_type_word(item.price_type).to_owned()).collect::<Vec<_>>(),
        items().map(|item| item.period.map(|it| words::period_unit_word(it.unit))).collect::<Vec<_>>() as _,
        items().map(|item| words::period_length(item.period)).collect::<Vec<_>>() as _,
        &items().map(|item| item.list_unit).collect::<Vec<_>>(),
        &items().map(|item| item.unit).collect::<Vec<_>>(),
        &items().map(|item| item.unit_rounded).collect::<Vec<_>>(),
        &items().map(|item| item.list_amount.amount()).collect::<Vec<_>>(),
        &items().map(|item| item.document_discount.amount()).collect::<Vec<_>>(),
        &items().map(|item| item.amount.amount()).collect::<Vec<_>>(),
        &items().map(|item| item.discount_percent).collect::<Vec<_>>(),
        &items().map(|item| item.overridden).collect::<Vec<_>>(),
        &items().map(|item| item.custom).collect::<Vec<_>>(),
        items().map(|item| item.rate_card.as_ref().map(Json)).collect::<Vec<_>>() as _,
        components.iter().map(|component| Json(&component.steps)).collect::<Vec<_>>() as _,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// The sealed price of a revision made from the same inputs.
pub async fn select_result_id(
    conn: &mut PgConnection,
    tenant: &TenantId,
    quote: QuoteId,
    revision_no: u32,
    input_hash: ContentHash,
) -> Result<Option<PriceResultId>, sqlx::Error> {
    let id = sqlx::query_scalar!(
        "select id from pricing.price_result
         where tenant_id = $1 and quote_id = $2 and revision_no = $3 and input_hash = $4",
        tenant.as_str(),
        quote.uuid(),
        i32::try_from(revision_no).unwrap_or(i32::MAX),
        input_hash.as_bytes().as_slice(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(PriceResultId::from))
}

/// Which revision a sealed price belongs to.
pub async fn select_result_revision(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceResultId,
) -> Result<Option<(QuoteId, u32)>, sqlx::Error> {
    let row = sqlx::query!(
        "select quote_id, revision_no from pricing.price_result where tenant_id = $1 and id = $2",
        tenant.as_str(),
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((QuoteId::from(row.quote_id), words::whole("revision_no", row.revision_no)?))).transpose()
}

/// A sealed price could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The database failed.
    #[error("the sealed price cannot be read")]
    Database(#[from] sqlx::Error),
    /// A stored value is not what it was when it was written.
    #[error("a stored value of the sealed price cannot be read: {}", .0.field)]
    Unreadable(Difference),
}

/// A sealed price with everything its seal covers.
pub async fn select_stored_price(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceResultId,
) -> Result<Option<StoredPrice>, EvidenceError> {
    let row = sqlx::query!(
        "select quote_id, revision_no, engine_version, priced_at, input, input_hash, totals, approval_inputs,
                document_discounts, warnings, result_hash, sealed_by
         from pricing.price_result
         where tenant_id = $1 and id = $2",
        tenant.as_str(),
        id.uuid(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let input: InputSnapshot = readable(CONTEXT, "input", row.input)?;
    let components = select_components(conn, tenant, id, input.price_book.currency).await?;
    let seal = SealContent {
        tenant: tenant.clone(),
        price_result_id: id,
        quote_id: row.quote_id.into(),
        revision_no: words::whole("revision_no", row.revision_no)?,
        priced_at: row.priced_at,
        sealed_by: row.sealed_by,
        engine_version: row.engine_version,
        input_hash: words::hash("input_hash", &row.input_hash)?,
        result_hash: words::hash("result_hash", &row.result_hash)?,
    };
    let priced = Priced {
        components,
        document_discounts: readable(DISCOUNT_DOCUMENT, "documentDiscounts", row.document_discounts)?,
        totals: readable(TOTALS, "totals", row.totals)?,
        approval_inputs: readable(APPROVAL, "approvalInputs", row.approval_inputs)?,
        warnings: readable(APPROVAL, "warnings", row.warnings)?,
    };
    let link = chain::select_link(conn, tenant, id).await?;
    Ok(Some(StoredPrice { seal, input, priced, link }))
}

fn readable<T: DeserializeOwned>(step: u8, field: &str, stored: Value) -> Result<T, EvidenceError> {
    T::deserialize(&stored).map_err(|_| EvidenceError::Unreadable(Difference::at(step, field, stored, "")))
}

async fn select_components(
    conn: &mut PgConnection,
    tenant: &TenantId,
    id: PriceResultId,
    currency: Currency,
) -> Result<Vec<Component>, EvidenceError> {
    let rows = sqlx::query_as!(
        ComponentRow,
        "select item_id, offering_id, quantity, price_type, period_unit, period_length, list_unit, unit, unit_rounded,
                list_amount, document_discount, amount, discount_percent, overridden, custom, rate_card, steps
         from pricing.price_component
         where tenant_id = $1 and price_result_id = $2
         order by position",
        tenant.as_str(),
        id.uuid(),
    )
    .fetch_all(conn)
    .await?;
    let components = rows.into_iter().enumerate().map(|(position, row)| {
        row.component(currency).map_err(|error| match error {
            EvidenceError::Unreadable(it) => EvidenceError::Unreadable(Difference { position: Some(position), ..it }),
            EvidenceError::Database(_) => error,
        })
    });
    components.collect()
}

struct ComponentRow {
    item_id: String,
    offering_id: uuid::Uuid,
    quantity: Decimal,
    price_type: String,
    period_unit: Option<String>,
    period_length: Option<i16>,
    list_unit: Decimal,
    unit: Decimal,
    unit_rounded: bool,
    list_amount: Decimal,
    document_discount: Decimal,
    amount: Decimal,
    discount_percent: Decimal,
    overridden: bool,
    custom: bool,
    rate_card: Option<Value>,
    steps: Value,
}

impl ComponentRow {
    /// Decimals come back without trailing zeros, as the engine made them.
    fn component(self, currency: Currency) -> Result<Component, EvidenceError> {
        let money = |step: u8, field: &str, number: Decimal| {
            Money::new(number, currency).map_err(|_| EvidenceError::Unreadable(Difference::at(step, field, number, "")))
        };
        let quantity = Quantity::try_from(self.quantity)
            .map_err(|_| EvidenceError::Unreadable(Difference::at(CONTEXT, "quantity", self.quantity, "")))?;
        let period: Option<Period> = words::period(self.period_unit.as_deref(), self.period_length)?;
        let rate_card: Option<RateCard> =
            self.rate_card.map(|stored| readable(LIST, "rateCard", stored)).transpose()?;
        let item = PricedItem {
            item_id: self.item_id,
            offering_id: self.offering_id.into(),
            quantity,
            price_type: words::price_type(&self.price_type)?,
            period,
            list_unit: self.list_unit.normalize(),
            unit: self.unit.normalize(),
            unit_rounded: self.unit_rounded,
            list_amount: money(QUANTITY_MODEL, "listAmount", self.list_amount)?,
            document_discount: money(DISCOUNT_DOCUMENT, "documentDiscount", self.document_discount)?,
            amount: money(ROUND_LINE, "amount", self.amount)?,
            discount_percent: self.discount_percent.normalize(),
            overridden: self.overridden,
            custom: self.custom,
            rate_card,
        };
        Ok(Component { item, steps: readable(QUANTITY_MODEL, "trace", self.steps)? })
    }
}

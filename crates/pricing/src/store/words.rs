//! How enums and hashes are spelled in columns. An unknown spelling is a decode error, never a default.

use cache_ports::pricing::{Period, PeriodUnit, PriceType, QuantityModel};
use kernel::{ContentHash, Currency, Rounding};

/// A column holds something this version of the program cannot read.
#[derive(Debug, thiserror::Error)]
#[error("column {column} holds {value:?}")]
pub struct UnreadableColumn {
    column: &'static str,
    value: String,
}

fn unreadable(column: &'static str, value: impl ToString) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(UnreadableColumn { column, value: value.to_string() }))
}

pub(super) const fn price_type_word(price_type: PriceType) -> &'static str {
    match price_type {
        PriceType::OneTime => "oneTime",
        PriceType::Recurring => "recurring",
        PriceType::Usage => "usage",
    }
}

pub(super) fn price_type(word: &str) -> Result<PriceType, sqlx::Error> {
    match word {
        "oneTime" => Ok(PriceType::OneTime),
        "recurring" => Ok(PriceType::Recurring),
        "usage" => Ok(PriceType::Usage),
        other => Err(unreadable("price_type", other)),
    }
}

pub(super) const fn model_word(model: QuantityModel) -> &'static str {
    match model {
        QuantityModel::Volume => "volume",
        QuantityModel::Graduated => "graduated",
        QuantityModel::Block => "block",
        QuantityModel::Package => "package",
    }
}

pub(super) fn model(word: &str) -> Result<QuantityModel, sqlx::Error> {
    match word {
        "volume" => Ok(QuantityModel::Volume),
        "graduated" => Ok(QuantityModel::Graduated),
        "block" => Ok(QuantityModel::Block),
        "package" => Ok(QuantityModel::Package),
        other => Err(unreadable("model", other)),
    }
}

pub(super) const fn period_unit_word(unit: PeriodUnit) -> &'static str {
    match unit {
        PeriodUnit::Day => "day",
        PeriodUnit::Week => "week",
        PeriodUnit::Month => "month",
        PeriodUnit::Year => "year",
    }
}

/// A period stands in two columns, both null or neither.
pub(super) fn period(unit: Option<&str>, length: Option<i16>) -> Result<Option<Period>, sqlx::Error> {
    let (Some(word), Some(length)) = (unit, length) else { return Ok(None) };
    let unit = match word {
        "day" => PeriodUnit::Day,
        "week" => PeriodUnit::Week,
        "month" => PeriodUnit::Month,
        "year" => PeriodUnit::Year,
        other => return Err(unreadable("period_unit", other)),
    };
    let length = u16::try_from(length).map_err(|_| unreadable("period_length", length))?;
    Ok(Some(Period { unit, length }))
}

/// A period's length fits the column: it was checked to be at most 999.
pub(super) fn period_length(period: Option<Period>) -> Option<i16> {
    period.map(|period| i16::try_from(period.length).unwrap_or(i16::MAX))
}

pub(super) const fn rounding_word(rounding: Rounding) -> &'static str {
    match rounding {
        Rounding::HalfUp => "halfUp",
        Rounding::HalfEven => "halfEven",
    }
}

pub(super) fn rounding(word: &str) -> Result<Rounding, sqlx::Error> {
    match word {
        "halfUp" => Ok(Rounding::HalfUp),
        "halfEven" => Ok(Rounding::HalfEven),
        other => Err(unreadable("rounding", other)),
    }
}

pub(super) fn currency(code: &str) -> Result<Currency, sqlx::Error> {
    code.parse().map_err(|_| unreadable("currency", code))
}

pub(super) fn hash(column: &'static str, bytes: &[u8]) -> Result<ContentHash, sqlx::Error> {
    let digest: [u8; 32] = bytes.try_into().map_err(|_| unreadable(column, bytes.len()))?;
    Ok(ContentHash::from(digest))
}

pub(super) fn whole(column: &'static str, number: i32) -> Result<u32, sqlx::Error> {
    u32::try_from(number).map_err(|_| unreadable(column, number))
}

//! Money: an exact amount of one currency.

use std::{cmp::Reverse, fmt, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An ISO 4217 currency that has minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
pub struct Currency(iso_currency::Currency);

/// The text is not an ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an ISO 4217 currency code")]
pub struct InvalidCurrency;

impl Currency {
    /// Digits after the decimal point: JPY 0, EUR 2, BHD 3.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

impl FromStr for Currency {
    type Err = InvalidCurrency;

    fn from_str(code: &str) -> Result<Self, InvalidCurrency> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(Self)
            .ok_or(InvalidCurrency)
    }
}

impl TryFrom<String> for Currency {
    type Error = InvalidCurrency;

    fn try_from(code: String) -> Result<Self, InvalidCurrency> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// How a half minor unit is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Rounding {
    /// Away from zero: 0.125 becomes 0.13, −0.125 becomes −0.13.
    #[default]
    HalfUp,
    /// To the even neighbour: 0.125 becomes 0.12.
    HalfEven,
}

impl Rounding {
    /// `number` with at most `digits` fractional digits.
    pub fn round(self, number: Decimal, digits: u32) -> Decimal {
        let strategy = match self {
            Self::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Self::HalfEven => RoundingStrategy::MidpointNearestEven,
        };
        number.round_dp_with_strategy(digits, strategy)
    }
}

/// Why an amount cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Two currencies met.
    #[error("{left} and {right} cannot be added")]
    CurrencyMismatch {
        /// The currency of the left amount.
        left: Currency,
        /// The currency of the right amount.
        right: Currency,
    },
    /// The amount has more fractional digits than the currency's minor unit.
    #[error("{amount} has more digits than {currency} has")]
    TooPrecise {
        /// The amount.
        amount: Decimal,
        /// The currency.
        currency: Currency,
    },
    /// The result has more than 28 digits.
    #[error("the amount has too many digits")]
    Overflow,
    /// There is nothing to share the amount over.
    #[error("an amount cannot be shared over weights that sum to zero")]
    NoWeights,
}

/// An amount in whole minor units of one currency, on the wire `{"amount":"93.14","currency":"EUR"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "WireMoney", into = "WireMoney", deny_unknown_fields)]
pub struct Money {
    #[schema(value_type = crate::DecimalText)]
    amount: Decimal,
    currency: Currency,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireMoney {
    #[serde(with = "crate::decimal_text")]
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// An amount that is already in whole minor units.
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, MoneyError> {
        let exponent = currency.exponent();
        if amount.normalize().scale() > exponent {
            return Err(MoneyError::TooPrecise { amount, currency });
        }
        let mut amount = amount.normalize();
        amount.rescale(exponent);
        Ok(Self { amount, currency })
    }

    /// The nearest amount in whole minor units.
    pub fn rounded(amount: Decimal, currency: Currency, rounding: Rounding) -> Self {
        let mut amount = rounding.round(amount, currency.exponent());
        amount.rescale(currency.exponent());
        Self { amount: unsigned_zero(amount), currency }
    }

    /// Nothing.
    pub fn zero(currency: Currency) -> Self {
        Self::rounded(Decimal::ZERO, currency, Rounding::HalfUp)
    }

    /// The number, with as many fractional digits as the currency has.
    pub const fn amount(self) -> Decimal {
        self.amount
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The sum of two amounts of one currency.
    pub fn plus(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch { left: self.currency, right: other.currency });
        }
        let amount = self.amount.checked_add(other.amount).ok_or(MoneyError::Overflow)?;
        Ok(Self { amount: unsigned_zero(amount), currency: self.currency })
    }

    /// The exact negative.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { amount: unsigned_zero(-self.amount), currency: self.currency }
    }

    /// The sum of amounts that are all in `currency`.
    pub fn sum(amounts: impl IntoIterator<Item = Self>, currency: Currency) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }
}

/// Decimals have a negative zero; money has not: "-0.00" must not reach a bill.
fn unsigned_zero(mut amount: Decimal) -> Decimal {
    if amount.is_zero() {
        amount.set_sign_positive(true);
    }
    amount
}

impl TryFrom<WireMoney> for Money {
    type Error = MoneyError;

    fn try_from(wire: WireMoney) -> Result<Self, MoneyError> {
        Self::new(wire.amount, wire.currency)
    }
}

impl From<Money> for WireMoney {
    fn from(money: Money) -> Self {
        Self { amount: money.amount, currency: money.currency }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency)
    }
}

/// Shares `total` over `weights` so that the parts sum to the total exactly: each part is cut down to whole minor
/// units, and the units left over go to the largest remainders, ties to the earlier part.
pub fn allocate(total: Money, weights: &[Decimal]) -> Result<Vec<Money>, MoneyError> {
    let weight_sum: Decimal = weights.iter().copied().sum();
    if weight_sum.is_zero() || weights.iter().any(|weight| weight.is_sign_negative() && !weight.is_zero()) {
        return Err(MoneyError::NoWeights);
    }
    let currency = total.currency;
    let unit = Decimal::new(1, currency.exponent());
    let magnitude = total.amount.abs();
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    for (position, weight) in weights.iter().enumerate() {
        let exact = magnitude.checked_mul(*weight).ok_or(MoneyError::Overflow)? / weight_sum;
        let part = exact.trunc_with_scale(currency.exponent());
        remainders.push((Reverse(exact - part), position));
        parts.push(part);
    }
    let mut left = magnitude - parts.iter().copied().sum::<Decimal>();
    remainders.sort();
    for (_, position) in remainders {
        if left < unit {
            break;
        }
        parts[position] += unit;
        left -= unit;
    }
    let sign = if total.amount.is_sign_negative() { Decimal::NEGATIVE_ONE } else { Decimal::ONE };
    Ok(parts.into_iter().map(|part| Money::rounded(part * sign, currency, Rounding::HalfUp)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(text: &str, code: &str) -> Money {
        Money::new(text.parse().unwrap(), code.parse().unwrap()).unwrap()
    }

    fn shares(total: &str, code: &str, weights: &[&str]) -> Vec<String> {
        let weights: Vec<Decimal> = weights.iter().map(|weight| weight.parse().unwrap()).collect();
        let parts = allocate(money(total, code), &weights).unwrap();
        parts.iter().map(|part| part.amount().to_string()).collect()
    }

    #[test]
    fn json_amounts_are_strings_and_numbers_are_refused() {
        let ten = money("10", "EUR");
        assert_eq!(serde_json::to_string(&ten).unwrap(), r#"{"amount":"10.00","currency":"EUR"}"#);
        for bad in [
            r#"{"amount":10,"currency":"EUR"}"#,
            r#"{"amount":"10.001","currency":"EUR"}"#,
            r#"{"amount":"10","currency":"XXQ"}"#,
            r#"{"amount":"10.5","currency":"JPY"}"#,
            r#"{"amount":"10","currency":"EUR","extra":1}"#,
        ] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rounding_follows_the_worked_cases() {
        let half_up = |text: &str, code: &str| {
            Money::rounded(text.parse().unwrap(), code.parse().unwrap(), Rounding::HalfUp).amount().to_string()
        };
        assert_eq!(half_up("2.675", "EUR"), "2.68");
        assert_eq!(half_up("0.125", "EUR"), "0.13");
        assert_eq!(half_up("-0.125", "EUR"), "-0.13");
        assert_eq!(half_up("1.2345", "BHD"), "1.235");
        assert_eq!(half_up("-0.001", "EUR"), "0.00");
        assert_eq!(money("0", "EUR").negated().amount().to_string(), "0.00");
        let even = Money::rounded("0.125".parse().unwrap(), "EUR".parse().unwrap(), Rounding::HalfEven);
        assert_eq!(even.amount().to_string(), "0.12");
    }

    #[test]
    fn allocation_follows_the_worked_cases() {
        assert_eq!(shares("500.00", "EUR", &["4657.00", "249.50", "1999.99"]), ["337.15", "18.06", "144.79"]);
        assert_eq!(shares("10.00", "EUR", &["1", "1", "1"]), ["3.34", "3.33", "3.33"]);
        assert_eq!(shares("100", "JPY", &["1", "1", "1"]), ["34", "33", "33"]);
        let seven = shares("0.05", "EUR", &["1"; 7]);
        assert_eq!(seven, ["0.01", "0.01", "0.01", "0.01", "0.01", "0.00", "0.00"]);
        let twelve = shares("1000.00", "EUR", &["1"; 12]);
        assert_eq!(twelve.iter().filter(|part| *part == "83.34").count(), 4);
    }

    proptest! {
        #[test]
        fn parts_always_sum_to_the_total(minor in -1_000_000_000i64..1_000_000_000, weights in prop::collection::vec(0u32..100_000, 1..40)) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let total = Money::new(Decimal::new(minor, 2), "EUR".parse().unwrap()).unwrap();
            let weights: Vec<Decimal> = weights.into_iter().map(Decimal::from).collect();
            let parts = allocate(total, &weights).unwrap();
            prop_assert_eq!(Money::sum(parts, total.currency()).unwrap(), total);
        }
    }
}

//! Quantities: exact, never negative, bounded.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::decimal_text;

/// How much of something: a decimal of at most 9 integer and 6 fractional digits, zero or more. Text on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "Decimal")]
#[schema(value_type = String, pattern = "^[0-9]{1,9}(\\.[0-9]{1,6})?$", example = "12.5")]
pub struct Quantity(Decimal);

/// The number is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a quantity is a decimal from 0 to 999999999 with at most 6 fractional digits")]
pub struct InvalidQuantity;

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);
    /// One unit.
    pub const ONE: Self = Self(Decimal::ONE);
    /// Most fractional digits.
    pub const MAX_SCALE: u32 = 6;
    const LIMIT: Decimal = Decimal::from_parts(999_999_999, 0, 0, false, 0);

    /// The number.
    pub const fn get(self) -> Decimal {
        self.0
    }

    /// Whether this is nothing.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl TryFrom<Decimal> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(number: Decimal) -> Result<Self, InvalidQuantity> {
        let number = number.normalize();
        if number.is_sign_negative() && !number.is_zero() || number > Self::LIMIT || number.scale() > Self::MAX_SCALE {
            return Err(InvalidQuantity);
        }
        Ok(Self(number))
    }
}

impl TryFrom<String> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(text: String) -> Result<Self, InvalidQuantity> {
        text.parse()
    }
}

impl From<u32> for Quantity {
    fn from(units: u32) -> Self {
        Self(Decimal::from(units).min(Self::LIMIT))
    }
}

impl From<Quantity> for Decimal {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let number = decimal_text::parse(text).map_err(|_| InvalidQuantity)?;
        // "1.5000000" is seven digits, although they say nothing.
        if text.starts_with('-') || number.scale() > Self::MAX_SCALE {
            return Err(InvalidQuantity);
        }
        number.try_into()
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_bounded_and_never_negative() {
        for bad in ["-1", "-0.000001", "1000000000", "0.0000001", "x", ""] {
            assert_eq!(bad.parse::<Quantity>(), Err(InvalidQuantity), "{bad}");
        }
        assert_eq!("1.500".parse::<Quantity>().unwrap().to_string(), "1.5");
        assert!(Quantity::try_from(-Decimal::ZERO).unwrap().is_zero());
    }

    #[test]
    fn json_numbers_are_no_quantities() {
        assert_eq!(serde_json::from_str::<Quantity>("\"2.50\"").unwrap(), "2.5".parse().unwrap());
        for bad in ["2", "2.5", "\"-0\"", "\"1e2\"", "\"1.5000000\"", "null"] {
            assert!(serde_json::from_str::<Quantity>(bad).is_err(), "{bad}");
        }
    }
}

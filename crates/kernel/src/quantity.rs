//! Quantities: exact, never negative, bounded.

use std::{fmt, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How much of something: a decimal of at most 9 integer and 6 fractional digits, zero or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Decimal", into = "Decimal")]
#[schema(value_type = String, example = "12.5")]
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
        Decimal::from_str_exact(text).map_err(|_| InvalidQuantity)?.try_into()
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
        assert!("-0".parse::<Quantity>().unwrap().is_zero());
    }
}

//! Decimals on the wire: text that says exactly one number, or nothing.
//!
//! `rust_decimal` by itself takes exponents, underscores and plus signs, and rounds what it cannot hold: none of that
//! may happen to a number somebody pays for. Use `#[serde(with = "kernel::decimal_text")]` for what clients send, and
//! `#[schema(value_type = kernel::DecimalText)]` beside it.

use std::borrow::Cow;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serializer, de};
use utoipa::ToSchema;

/// A decimal number as text, for example `12.50`: digits, perhaps a point and more digits, at most 28 in all.
#[derive(Debug, ToSchema)]
#[schema(value_type = String, as = Decimal, pattern = "^-?[0-9]+(\\.[0-9]+)?$", example = "12.50")]
pub struct DecimalText(#[expect(dead_code, reason = "describes a field of another type in OpenAPI")] Decimal);

/// The text is not a decimal number, or one of more digits than can be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal number of at most 28 digits, such as \"12.50\"")]
pub struct NotADecimal;

/// The number a text says, exactly.
pub fn parse(text: &str) -> Result<Decimal, NotADecimal> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, rest)| (whole, Some(rest)));
    if !digits(whole) || !fraction.is_none_or(digits) {
        return Err(NotADecimal);
    }
    Decimal::from_str_exact(text).map_err(|_| NotADecimal)
}

/// For serde: the number as text.
pub fn serialize<S: Serializer>(number: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    rust_decimal::serde::str::serialize(number, serializer)
}

/// For serde: JSON numbers are refused, they would pass through a float on somebody's side.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// The same for numbers that may be absent.
pub mod option {
    use super::{Cow, Decimal, Deserialize, Deserializer, Serializer, de, parse};

    /// For serde: the number as text, or null.
    pub fn serialize<S: Serializer>(number: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
        rust_decimal::serde::str_option::serialize(number, serializer)
    }

    /// For serde: text, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
        let text = Option::<Cow<'de, str>>::deserialize(deserializer)?;
        text.map(|text| parse(&text).map_err(de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_digits_say_a_number() {
        for (text, number) in [("0", "0"), ("12.50", "12.50"), ("-0.000001", "-0.000001"), ("007", "7")] {
            assert_eq!(parse(text).unwrap().to_string(), number);
        }
        for bad in
            ["", "-", ".", "1.", ".5", "+1", "1e2", "1_000", " 1", "1 ", "1,5", "NaN", "0x1", "١", "--1", "1.2.3"]
        {
            assert_eq!(parse(bad), Err(NotADecimal), "{bad:?}");
        }
    }

    #[test]
    fn what_cannot_be_kept_exactly_is_refused() {
        assert!(parse("79228162514264337593543950335").is_ok());
        for long in ["79228162514264337593543950336", "1.00000000000000000000000000001", &"9".repeat(60)] {
            assert_eq!(parse(long), Err(NotADecimal), "{long}");
        }
    }

    proptest! {
        #[test]
        fn every_decimal_is_read_back_as_it_was_written(digits in any::<i64>(), scale in 0u32..=18) {
            let number = Decimal::new(digits, scale);
            prop_assert_eq!(parse(&number.to_string()), Ok(number));
        }
    }
}

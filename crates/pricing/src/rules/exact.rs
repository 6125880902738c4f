//! Arithmetic that is exact or refuses: `rust_decimal` rounds silently when a result needs more than 96 bits.
//!
//! Owns the only multiplications and additions of the price path. Divisions happen last and only for display.

use rust_decimal::Decimal;

/// The exact result has more than 28 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the exact result has more than 28 digits")]
pub struct TooManyDigits;

/// `left × right`.
pub fn product(left: Decimal, right: Decimal) -> Result<Decimal, TooManyDigits> {
    let (left, right) = (left.normalize(), right.normalize());
    if left.is_zero() || right.is_zero() {
        return Ok(Decimal::ZERO);
    }
    let product = left.checked_mul(right).ok_or(TooManyDigits)?;
    // The library lowers the scale when it has to drop digits: a full scale proves that it did not.
    if product.scale() == left.scale() + right.scale() { Ok(product.normalize()) } else { Err(TooManyDigits) }
}

/// `left + right`.
pub fn sum(left: Decimal, right: Decimal) -> Result<Decimal, TooManyDigits> {
    let (left, right) = (left.normalize(), right.normalize());
    let sum = left.checked_add(right).ok_or(TooManyDigits)?;
    if sum.is_zero() {
        return Ok(Decimal::ZERO);
    }
    if sum.scale() == left.scale().max(right.scale()) { Ok(sum.normalize()) } else { Err(TooManyDigits) }
}

/// `left − right`.
pub fn difference(left: Decimal, right: Decimal) -> Result<Decimal, TooManyDigits> {
    sum(left, -right)
}

/// `percent` per cent of `whole`: a multiplication and a shift of the point, no division.
pub fn percent_of(whole: Decimal, percent: Decimal) -> Result<Decimal, TooManyDigits> {
    let mut part = product(whole, percent)?;
    let scale = part.scale();
    part.set_scale(scale + 2).map_err(|_| TooManyDigits)?;
    Ok(part.normalize())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_result_that_would_lose_digits_is_refused() {
        let long = number("0.12345678901234567");
        assert_eq!(product(long, long), Err(TooManyDigits));
        assert_eq!(sum(number("79228162514264337593543950335"), number("0.1")), Err(TooManyDigits));
        assert_eq!(product(number("79228162514264337593543950335"), number("10")), Err(TooManyDigits));
    }

    #[test]
    fn zero_is_zero_whatever_its_scale() {
        assert_eq!(product(number("0.000"), number("12.5")), Ok(Decimal::ZERO));
        assert_eq!(difference(number("1.50"), number("1.5")), Ok(Decimal::ZERO));
    }

    #[test]
    fn a_percentage_is_exact() {
        assert_eq!(percent_of(number("9151.50"), number("10")), Ok(number("915.15")));
        assert_eq!(percent_of(number("0.01"), number("0.000001")), Ok(number("0.0000000001")));
    }

    proptest! {
        #[test]
        fn products_and_sums_agree_with_whole_numbers(a in -1_000_000_000i64..1_000_000_000, b in -1_000_000_000i64..1_000_000_000) {
            let (left, right) = (Decimal::new(a, 4), Decimal::new(b, 6));
            prop_assert_eq!(product(left, right).unwrap(), Decimal::from_i128_with_scale(i128::from(a) * i128::from(b), 10));
            prop_assert_eq!(sum(left, right).unwrap(), Decimal::from_i128_with_scale(i128::from(a) * 100 + i128::from(b), 6));
        }
    }
}

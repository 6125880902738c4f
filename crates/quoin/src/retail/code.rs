//! What a stock code stands for.
//!
//! Owns the list of codes that are not goods. Everything not listed is goods, so that a new product never has to be
//! added here.

use serde::Serialize;

/// Codes that book a service, a fee or a correction instead of goods.
const SERVICES: [(&str, &str); 11] = [
    ("POST", "Postage"),
    ("DOT", "Dotcom postage"),
    ("C2", "Carriage"),
    ("M", "Manual entry"),
    ("m", "Manual entry"),
    ("D", "Discount"),
    ("S", "Samples"),
    ("B", "Bad debt adjustment"),
    ("BANK CHARGES", "Bank charges"),
    ("AMAZONFEE", "Amazon fee"),
    ("CRUK", "CRUK commission"),
];

/// The services whose price is whatever was written on the invoice: corrections, not things with a price.
const ADJUSTMENTS: [&str; 8] = ["M", "m", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK"];

/// Gift vouchers: sold like goods, but nothing leaves a shelf.
const VOUCHER_PREFIX: &str = "gift_";

/// What a stock code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CodeKind {
    /// Something that lies in the warehouse.
    Goods,
    /// Postage, carriage or a voucher: sold, never stocked.
    Service,
    /// A correction of the books, written by hand.
    Adjustment,
}

impl CodeKind {
    /// The kind of `code`; case matters.
    pub fn of(code: &str) -> Self {
        if ADJUSTMENTS.contains(&code) {
            Self::Adjustment
        } else if code.starts_with(VOUCHER_PREFIX) || service_name(code).is_some() {
            Self::Service
        } else {
            Self::Goods
        }
    }

    /// Whether stock is kept of it.
    pub const fn is_stocked(self) -> bool {
        matches!(self, Self::Goods)
    }

    /// The catalog category it is published under.
    pub const fn category(self) -> &'static str {
        match self {
            Self::Goods => "goods",
            Self::Service => "services",
            Self::Adjustment => "adjustments",
        }
    }
}

/// The plain name of a service code; descriptions in the file vary and are often notes.
pub fn service_name(code: &str) -> Option<&'static str> {
    SERVICES.iter().find(|(service, _)| *service == code).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goods_are_everything_that_is_not_listed() {
        for code in ["85123A", "15056bl", "PADS", "DCGSSBOY", "C3", "post"] {
            assert_eq!(CodeKind::of(code), CodeKind::Goods, "{code}");
        }
        for code in ["POST", "DOT", "C2", "gift_0001_40"] {
            assert_eq!(CodeKind::of(code), CodeKind::Service, "{code}");
        }
        for code in ["M", "m", "D", "BANK CHARGES", "AMAZONFEE"] {
            assert_eq!(CodeKind::of(code), CodeKind::Adjustment, "{code}");
        }
    }

    #[test]
    fn every_adjustment_has_a_name() {
        assert!(ADJUSTMENTS.iter().all(|code| service_name(code).is_some()));
    }
}

//! The bodies that ask for a price. Decimals come as text and are parsed here, once, with a pointer for every fault.

use std::collections::HashSet;

use cache_ports::pricing::PriceType;
use kernel::{Currency, CustomerId, DecimalText, OfferingId, PriceBookId, PublicationId, Quantity, decimal_text};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::model::{
    Adjustment, AdjustmentKind, MAX_ITEMS, MAX_REASON_CHARS, MAX_TERM_MONTHS, Percent, PriceRequest, RequestItem,
    UNIT_PRICE_DIGITS, UnitPrice, Violation,
};

/// Longest name of a line, in characters.
const MAX_ITEM_ID_CHARS: usize = 100;

/// A question to the engine.
#[derive(Debug, Clone, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PriceRequest)]
pub struct PriceRequestBody {
    /// The price book.
    pub price_book_id: PriceBookId,
    /// The publication the lines were configured in.
    #[serde(default)]
    pub publication_id: Option<PublicationId>,
    /// The currency of the answer; must be the book's.
    pub currency: Currency,
    /// Who buys.
    #[serde(default)]
    pub customer_id: Option<CustomerId>,
    /// How long recurring charges run, for the contract value: 1 to 120 months.
    #[serde(default)]
    pub term_months: Option<u16>,
    /// The lines, 1 to 5,000.
    pub items: Vec<PriceItemBody>,
    /// A percentage off everything, after the lines' own changes.
    #[serde(default)]
    #[schema(value_type = Option<DecimalText>)]
    pub document_discount_percent: Option<String>,
}

/// One line to be priced.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PriceRequestItem)]
pub struct PriceItemBody {
    /// The caller's name for the line; unique in the request.
    pub item_id: String,
    /// What is bought.
    pub offering_id: OfferingId,
    /// How much of it.
    #[schema(value_type = Quantity)]
    pub quantity: String,
    /// How much use is expected, for usage charges: a projection, in no total.
    #[serde(default)]
    #[schema(value_type = Option<Quantity>)]
    pub usage_quantity: Option<String>,
    /// A manual change.
    #[serde(default)]
    pub adjustment: Option<AdjustmentBody>,
}

/// A manual change of one line's price.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PriceAdjustment)]
pub struct AdjustmentBody {
    /// What is changed.
    pub kind: AdjustmentKindBody,
    /// The new unit price, the percentage, or the amount off every unit.
    #[schema(value_type = DecimalText)]
    pub value: String,
    /// Why; must not be empty.
    #[serde(default)]
    pub reason: String,
    /// Which of the line's charges is meant, where it has several.
    #[serde(default)]
    pub price_type: Option<PriceType>,
}

/// How a manual change is meant.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PriceAdjustmentKind)]
pub enum AdjustmentKindBody {
    /// The value is the price of one unit.
    OverrideUnitPrice,
    /// The value is a percentage off the line.
    DiscountPercent,
    /// The value is an amount off every unit.
    DiscountAmount,
}

impl PriceRequestBody {
    /// The request in the domain's types, or everything that is wrong with it.
    pub fn parse(self) -> Result<PriceRequest, Vec<Violation>> {
        let mut faults = Faults(Vec::new());
        if self.items.is_empty() || self.items.len() > MAX_ITEMS {
            faults.add("/items".to_owned(), "size", format!("a request has 1 to {MAX_ITEMS} items"));
            return Err(faults.0);
        }
        if self.term_months.is_some_and(|months| !(1..=MAX_TERM_MONTHS).contains(&months)) {
            faults.add("/termMonths".to_owned(), "range", format!("a term has 1 to {MAX_TERM_MONTHS} months"));
        }
        let document_discount_percent =
            self.document_discount_percent.and_then(|text| faults.percent("/documentDiscountPercent", &text));
        let mut names = HashSet::with_capacity(self.items.len());
        let mut items = Vec::with_capacity(self.items.len());
        for (position, item) in self.items.into_iter().enumerate() {
            let at = |field: &str| format!("/items/{position}/{field}");
            faults.item_id(&at("itemId"), &item.item_id);
            if !names.insert(item.item_id.clone()) {
                faults.add(at("itemId"), "duplicate", "another item has this id".to_owned());
            }
            items.extend(faults.item(item, at));
        }
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        Ok(PriceRequest {
            price_book_id: self.price_book_id,
            publication_id: self.publication_id,
            currency: self.currency,
            customer_id: self.customer_id,
            term_months: self.term_months,
            items,
            document_discount_percent,
        })
    }
}

/// What was found wrong so far. A value that could not be parsed is left out; the request is refused anyway.
struct Faults(Vec<Violation>);

impl Faults {
    fn add(&mut self, pointer: String, code: &'static str, detail: String) {
        self.0.push(Violation::new(pointer, code, detail));
    }

    fn item_id(&mut self, pointer: &str, text: &str) {
        let sized = (1..=MAX_ITEM_ID_CHARS).contains(&text.chars().count());
        if !sized || text.contains(char::is_control) {
            let detail =
                format!("an item id has 1 to {MAX_ITEM_ID_CHARS} characters, none of them a control character");
            self.add(pointer.to_owned(), "size", detail);
        }
    }

    fn item(&mut self, item: PriceItemBody, at: impl Fn(&str) -> String) -> Option<RequestItem> {
        let quantity = self.quantity(&at("quantity"), &item.quantity);
        let usage_quantity = item.usage_quantity.and_then(|text| self.quantity(&at("usageQuantity"), &text));
        let adjustment = item.adjustment.and_then(|adjustment| self.adjustment(adjustment, &at));
        Some(RequestItem {
            item_id: item.item_id,
            offering_id: item.offering_id,
            quantity: quantity?,
            usage_quantity,
            adjustment,
        })
    }

    fn adjustment(&mut self, body: AdjustmentBody, at: impl Fn(&str) -> String) -> Option<Adjustment> {
        let reason = body.reason.trim().to_owned();
        // PostgreSQL stores every character but this one.
        if !(1..=MAX_REASON_CHARS).contains(&reason.chars().count()) || reason.contains('\0') {
            let detail = format!("a price changed by hand needs a reason of 1 to {MAX_REASON_CHARS} characters");
            self.add(at("adjustment/reason"), "required", detail);
        }
        let value = at("adjustment/value");
        let kind = match body.kind {
            AdjustmentKindBody::OverrideUnitPrice => {
                self.unit_price(&value, &body.value).map(AdjustmentKind::OverrideUnitPrice)
            }
            AdjustmentKindBody::DiscountPercent => {
                self.percent(&value, &body.value).map(AdjustmentKind::DiscountPercent)
            }
            AdjustmentKindBody::DiscountAmount => {
                self.unit_price(&value, &body.value).map(AdjustmentKind::DiscountAmount)
            }
        };
        Some(Adjustment { kind: kind?, reason, price_type: body.price_type })
    }

    fn quantity(&mut self, pointer: &str, text: &str) -> Option<Quantity> {
        let parsed = text.parse::<Quantity>();
        parsed.map_err(|error| self.add(pointer.to_owned(), "range", error.to_string())).ok()
    }

    fn percent(&mut self, pointer: &str, text: &str) -> Option<Percent> {
        let number = self.decimal(pointer, text)?;
        Percent::parse(number).map_err(|error| self.add(pointer.to_owned(), "range", error.to_string())).ok()
    }

    fn unit_price(&mut self, pointer: &str, text: &str) -> Option<UnitPrice> {
        let number = self.decimal(pointer, text)?;
        let parsed = UnitPrice::parse(number, UNIT_PRICE_DIGITS);
        parsed.map_err(|error| self.add(pointer.to_owned(), "range", error.to_string())).ok()
    }

    fn decimal(&mut self, pointer: &str, text: &str) -> Option<Decimal> {
        let parsed = decimal_text::parse(text);
        parsed.map_err(|error| self.add(pointer.to_owned(), "not-a-decimal", error.to_string())).ok()
    }
}

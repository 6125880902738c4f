//! One value of each cached type.
//!
//! Written as JSON, with only what a type demands: the cases care for bytes and versions, not for prices.

use cache_ports::{
    access::AccessProfile,
    catalog::{ActivePublication, OfferingDocument, SearchPage},
    eligibility::{EligibilityReason, EligibilityVerdict},
    inventory::StockItem,
    order::{OrderSummary, WorkflowSummary},
    pricing::{FinalPriceDisplay, PriceBookDocument, PricePreview},
    quote::QuoteSummary,
};
use kernel::{OfferingId, Version};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const ID: &str = "01890000-0000-7000-8000-000000000001";
const AT: &str = "2026-11-22T00:00:00Z";

fn made<T: DeserializeOwned>(from: Value) -> T {
    serde_json::from_value(from).expect("the sample has what the type demands")
}

fn hash() -> String {
    "ab".repeat(32)
}

fn money() -> Value {
    json!({"amount": "12.34", "currency": "EUR"})
}

pub(super) fn offering(version: Version) -> OfferingDocument {
    described_offering(version, "A line of fiber")
}

pub(super) fn described_offering(version: Version, description: &str) -> OfferingDocument {
    made(json!({
        "publicationId": ID, "id": ID, "name": "Fiber 1000", "description": description, "kind": "simple", "stocked": true,
        "lifecycleStatus": "active", "characteristics": [], "components": [], "prices": [], "version": version,
    }))
}

pub(super) fn active_publication(_version: Version) -> ActivePublication {
    made(json!({"publicationId": ID, "name": "Spring", "activatedAt": AT}))
}

pub(super) fn search_page(_version: Version) -> SearchPage {
    made(json!({"items": [], "nextCursor": null, "generatedAt": AT}))
}

pub(super) fn price_book(version: Version) -> PriceBookDocument {
    made(json!({
        "id": ID, "externalId": "list", "name": "List", "currency": "EUR", "rounding": "halfUp", "version": version,
        "contentHash": hash(), "entries": [],
    }))
}

fn totals() -> Value {
    json!({"list": money(), "net": money(), "oneTime": money(), "recurring": [], "discountPercent": "0"})
}

pub(super) fn price_preview(version: Version) -> PricePreview {
    made(json!({
        "calculatedAt": AT, "expiresAt": AT, "evidence": false, "resultHash": hash(), "priceBookVersion": version, "totals": totals(),
        "items": [], "warnings": [],
    }))
}

pub(super) fn final_price(version: Version) -> FinalPriceDisplay {
    made(json!({
        "priceResultId": ID, "quoteId": ID, "revisionNo": 1, "sealedAt": AT, "priceBookId": ID, "priceBookVersion": version,
        "engineVersion": "1", "inputHash": hash(), "resultHash": hash(), "chainHash": hash(), "totals": totals(), "items": [],
        "approvalInputs": {"maxLineDiscountPercent": "0", "totalDiscountPercent": "0", "overrides": 0}, "trace": [],
    }))
}

pub(super) fn quote_summary(version: Version) -> QuoteSummary {
    made(json!({
        "id": ID, "version": version, "state": "open", "priceBookId": ID, "currency": "EUR", "level": "firm",
        "validForDays": 30, "currentRevisionNo": 1, "createdBy": "sam", "createdAt": AT, "updatedAt": AT,
        "currentRevision": {"revisionNo": 1, "state": "draft", "priceStale": true, "items": []},
    }))
}

pub(super) fn order_summary(version: Version) -> OrderSummary {
    made(json!({
        "id": ID, "version": version, "quoteId": ID, "revisionNo": 1, "state": "acknowledged", "currency": "EUR",
        "total": money(), "credited": money(), "createdAt": AT, "items": [], "invoiceHandoff": {"state": "none"},
    }))
}

pub(super) fn workflow_summary(version: Version) -> WorkflowSummary {
    made(json!({
        "orderId": ID, "version": version, "state": "inProgress", "percentDone": 33,
        "currentStep": {"taskId": ID, "kind": "provision", "state": "ready", "attempts": 0}, "waitingSince": AT,
        "tasks": [{"state": "completed", "count": 1}, {"state": "ready", "count": 1}], "incidentCount": 0, "generatedAt": AT,
    }))
}

pub(super) fn stock_item(version: Version) -> StockItem {
    made(json!({
        "productId": ID, "onHand": "5", "reserved": "0", "available": "5", "version": version, "locations": [],
    }))
}

pub(super) fn access_profile(_version: Version) -> AccessProfile {
    made(json!({
        "policyVersion": 3, "ownLimitPercent": "40", "roleLimits": [{"role": "approver", "maxDiscountPercent": "25"}],
    }))
}

pub(super) fn verdict(offering_id: OfferingId, eligible: bool) -> EligibilityVerdict {
    let reasons = vec![EligibilityReason { code: "business-only".into(), text: "For businesses only".into() }];
    EligibilityVerdict { offering_id, eligible, reasons, evaluated_at: made(json!(AT)), holds_until: None }
}

//! Step 19: what is hashed, how one sealed price is chained to the last, and what a replay proves.
//!
//! Three hashes: `input_hash` over what the engine was given, `result_hash` over what it answered (both SHA-256 over
//! canonical JSON, RFC 8785), and `seal_hash` over both with the identity of the sealed price. The chain is
//! `chain_hash = SHA-256(previous_hash || seal_hash)`. Anyone with the rows can recompute all of them.

use cache_ports::pricing::PriceBookEntry;
use chrono::{DateTime, Utc};
use kernel::{ContentHash, NotCanonical, PriceResultId, QuoteId, TenantId};
use serde::{Deserialize, Serialize};

use crate::model::{BookTerms, Component, ENGINE_VERSION, PriceRequest, Priced};

/// The number of the context pin in the waterfall: what the engine was given.
pub const CONTEXT: u8 = 0;
/// The number of the list price: the entries of the pinned price book.
pub const LIST: u8 = 2;
/// The number of the sums.
pub const TOTALS: u8 = 17;
/// The number of the approval inputs.
pub const APPROVAL: u8 = 18;
/// The number of the seal.
pub const SEAL: u8 = 19;

/// Everything a final price depends on. The entries stand in the immutable version; their hash stands here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InputSnapshot {
    /// The question.
    pub request: PriceRequest,
    /// The pinned price book.
    pub price_book: BookTerms,
    /// The hash of the entries that held for the offerings asked for.
    pub entries_hash: ContentHash,
}

impl InputSnapshot {
    /// The snapshot of a question to a book whose `entries` (all those of the asked offerings) were read `at` a time.
    pub fn take(
        request: PriceRequest,
        price_book: BookTerms,
        entries: &[PriceBookEntry],
        at: DateTime<Utc>,
    ) -> Result<Self, NotCanonical> {
        let entries_hash = entries_hash(&request, entries, at)?;
        Ok(Self { request, price_book, entries_hash })
    }
}

fn entries_hash(
    request: &PriceRequest,
    entries: &[PriceBookEntry],
    at: DateTime<Utc>,
) -> Result<ContentHash, NotCanonical> {
    let offerings = request.offerings();
    let used: Vec<_> = offerings.iter().flat_map(|offering| super::book::entries_at(entries, *offering, at)).collect();
    ContentHash::of_json(&used)
}

/// The hash of everything the engine answered.
pub fn result_hash(priced: &Priced) -> Result<ContentHash, NotCanonical> {
    ContentHash::of_json(priced)
}

/// What the seal binds together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SealContent {
    /// The tenant.
    pub tenant: TenantId,
    /// The sealed price.
    pub price_result_id: PriceResultId,
    /// The quote.
    pub quote_id: QuoteId,
    /// Its revision.
    pub revision_no: u32,
    /// When, by the database's clock; validity was decided at this time.
    pub priced_at: DateTime<Utc>,
    /// By whom.
    pub sealed_by: String,
    /// The engine.
    pub engine_version: String,
    /// What it was given.
    pub input_hash: ContentHash,
    /// What it answered.
    pub result_hash: ContentHash,
}

/// A link of the tenant's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The seal it carries.
    pub seal_hash: ContentHash,
    /// The link before; zeros for the first.
    pub previous_hash: ContentHash,
    /// The hash of both.
    pub chain_hash: ContentHash,
}

/// A link with what its neighbours say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkInPlace {
    /// The link.
    pub link: Link,
    /// The chain hash of the link before, as stored there; zeros where this is the first; `None` when it is missing.
    pub hash_before: Option<ContentHash>,
    /// The previous hash of the link after, or the tenant's head where this is the last; `None` when both are missing.
    pub hash_after: Option<ContentHash>,
}

/// `SHA-256(previous || seal)`.
pub fn chain_hash(previous: ContentHash, seal: ContentHash) -> ContentHash {
    ContentHash::of_bytes(&[previous.as_bytes().as_slice(), seal.as_bytes().as_slice()].concat())
}

/// A sealed price as it is stored, with its place in the chain.
#[derive(Debug, Clone)]
pub struct StoredPrice {
    /// What the seal says.
    pub seal: SealContent,
    /// What the engine was given.
    pub input: InputSnapshot,
    /// What it answered.
    pub priced: Priced,
    /// Its link; `None` when it is missing.
    pub link: Option<LinkInPlace>,
}

/// What a replay proves about a stored price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every stored value is what the engine gives today, and the chain holds.
    Match,
    /// The evidence is intact, but another engine version computed it and today's gives another result.
    EngineDiffers(Difference),
    /// A stored value is not the one that was sealed.
    Tampered(Difference),
}

impl Verdict {
    /// The verdict's name on the wire and in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::EngineDiffers(_) => "engineDiffers",
            Self::Tampered(_) => "tampered",
        }
    }
}

/// The first place where a stored price and its replay part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The step of the waterfall.
    pub step: u8,
    /// The component, counted from 0, where the step belongs to one.
    pub position: Option<usize>,
    /// The stored value's name.
    pub field: String,
    /// What is stored.
    pub stored: String,
    /// What the replay gives; empty where nothing can be given.
    pub replayed: String,
}

impl Difference {
    /// A difference at `step`, outside of any component.
    pub fn at(step: u8, field: &str, stored: impl ToString, replayed: impl ToString) -> Self {
        Self {
            step,
            position: None,
            field: field.to_owned(),
            stored: stored.to_string(),
            replayed: replayed.to_string(),
        }
    }
}

/// Replays a stored price with the `entries` of its pinned version and compares every hash, link and value.
pub fn verdict(stored: &StoredPrice, entries: &[PriceBookEntry]) -> Result<Verdict, NotCanonical> {
    let seal = &stored.seal;
    let input_hash = ContentHash::of_json(&stored.input)?;
    if input_hash != seal.input_hash {
        return Ok(Verdict::Tampered(Difference::at(CONTEXT, "input", seal.input_hash, input_hash)));
    }
    let entries_hash = entries_hash(&stored.input.request, entries, seal.priced_at)?;
    if entries_hash != stored.input.entries_hash {
        let difference = Difference::at(LIST, "entries", stored.input.entries_hash, entries_hash);
        return Ok(Verdict::Tampered(difference));
    }
    if let Some(difference) = broken_link(stored)? {
        return Ok(Verdict::Tampered(difference));
    }
    let replay = super::price(&stored.input.request, &stored.input.price_book, entries, seal.priced_at);
    let stored_hash = result_hash(&stored.priced)?;
    let intact = stored_hash == seal.result_hash;
    let difference = match &replay {
        Ok(replayed) if intact && result_hash(replayed)? == seal.result_hash => return Ok(Verdict::Match),
        Ok(replayed) => first_difference(&stored.priced, replayed)
            .unwrap_or_else(|| Difference::at(SEAL, "resultHash", seal.result_hash, stored_hash)),
        Err(_) => Difference::at(CONTEXT, "input", "a price", "a refusal"),
    };
    if intact && seal.engine_version != ENGINE_VERSION {
        return Ok(Verdict::EngineDiffers(difference));
    }
    Ok(Verdict::Tampered(difference))
}

fn broken_link(stored: &StoredPrice) -> Result<Option<Difference>, NotCanonical> {
    let Some(place) = stored.link else { return Ok(Some(Difference::at(SEAL, "link", "none", "a link"))) };
    let LinkInPlace { link, hash_before, hash_after } = place;
    let checks = [
        ("sealHash", Some(link.seal_hash), ContentHash::of_json(&stored.seal)?),
        ("chainHash", Some(link.chain_hash), chain_hash(link.previous_hash, link.seal_hash)),
        ("hashBefore", hash_before, link.previous_hash),
        ("hashAfter", hash_after, link.chain_hash),
    ];
    let broken = checks.into_iter().find(|(_, stored, expected)| *stored != Some(*expected));
    Ok(broken.map(|(field, stored, expected)| {
        let stored = stored.map_or_else(|| "none".to_owned(), |hash| hash.to_string());
        Difference::at(SEAL, field, stored, expected)
    }))
}

/// The first stored value, in the order of the waterfall, that differs from the replayed one.
fn first_difference(stored: &Priced, replayed: &Priced) -> Option<Difference> {
    let pairs = stored.components.iter().zip(&replayed.components).enumerate();
    let in_components = pairs
        .filter_map(|(position, (old, new))| component_difference(old, new).map(|it| (position, it)))
        .min_by_key(|(position, difference)| (difference.step, *position));
    if let Some((position, difference)) = in_components {
        return Some(Difference { position: Some(position), ..difference });
    }
    if stored.components.len() != replayed.components.len() {
        let (old, new) = (stored.components.len(), replayed.components.len());
        return Some(Difference::at(CONTEXT, "components", old, new));
    }
    let parts = [
        (
            super::rounding::DISCOUNT_DOCUMENT,
            "documentDiscounts",
            text(&stored.document_discounts),
            text(&replayed.document_discounts),
        ),
        (TOTALS, "totals", text(&stored.totals), text(&replayed.totals)),
        (APPROVAL, "approvalInputs", text(&stored.approval_inputs), text(&replayed.approval_inputs)),
        (APPROVAL, "warnings", text(&stored.warnings), text(&replayed.warnings)),
    ];
    let part = parts.into_iter().find(|(_, _, old, new)| old != new);
    part.map(|(step, field, old, new)| Difference::at(step, field, old, new))
}

/// Steps are compared first: they say where a number comes from; then the line's own fields, each under its step.
fn component_difference(stored: &Component, replayed: &Component) -> Option<Difference> {
    for (old, new) in stored.steps.iter().zip(&replayed.steps) {
        if old != new {
            return Some(Difference::at(new.step, "trace", text(old), text(new)));
        }
    }
    if stored.steps.len() != replayed.steps.len() {
        return Some(Difference::at(CONTEXT, "trace", stored.steps.len(), replayed.steps.len()));
    }
    let (Ok(serde_json::Value::Object(old)), Ok(serde_json::Value::Object(new))) =
        (serde_json::to_value(&stored.item), serde_json::to_value(&replayed.item))
    else {
        return None;
    };
    let fields = new.keys().chain(old.keys().filter(|name| !new.contains_key(*name)));
    let differing = fields.filter(|name| old.get(*name) != new.get(*name));
    let first = differing.min_by_key(|name| step_of_field(name))?;
    let shown = |value: Option<&serde_json::Value>| value.map_or_else(String::new, ToString::to_string);
    Some(Difference::at(step_of_field(first), first, shown(old.get(first)), shown(new.get(first))))
}

/// Where in the waterfall a field of a line is decided.
fn step_of_field(name: &str) -> u8 {
    match name {
        "itemId" | "offeringId" | "quantity" => CONTEXT,
        "priceType" | "period" | "rateCard" | "custom" => LIST,
        "listUnit" | "listAmount" => super::waterfall::QUANTITY_MODEL,
        "unit" | "overridden" | "unitRounded" => super::waterfall::MANUAL,
        "documentDiscount" | "discountPercent" => super::rounding::DISCOUNT_DOCUMENT,
        _ => super::rounding::ROUND_LINE,
    }
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

//! What a price book looks like on the wire, coming in and going out.

use cache_ports::pricing::{PriceBookEntry, PriceWarning};
use chrono::{DateTime, Datelike, SubsecRound, Utc};
use kernel::{ContentHash, Currency, PriceBookId, Rounding, Version};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    commands::StoredPriceBook,
    model::{MAX_ENTRIES, PriceBookDraft, Violation},
    rules::book,
    store::price_books::PriceBookHead,
};

/// Largest body of a price book, in bytes: 20,000 entries with a handful of tiers each.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// Most warnings one answer lists.
const MAX_WARNINGS: usize = 20;

/// The whole content of a price book.
#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceBookBody {
    /// What it is called, 1 to 200 characters.
    #[validate(length(min = 1, max = 200))]
    pub name: String,
    /// The currency of every price in it; fixed when the book is created.
    pub currency: Currency,
    /// How half a minor unit is rounded.
    #[serde(default)]
    pub rounding: Rounding,
    /// At most 20,000, in any order.
    pub entries: Vec<PriceBookEntry>,
}

impl PriceBookBody {
    /// The content in canonical form, or everything that is wrong with it.
    pub fn parse(mut self) -> Result<PriceBookDraft, Vec<Violation>> {
        if self.entries.len() > MAX_ENTRIES {
            return Err(vec![Violation::new(
                "/entries",
                "size",
                format!("a price book has at most {MAX_ENTRIES} entries"),
            )]);
        }
        if self.name.contains(char::is_control) {
            return Err(vec![Violation::new("/name", "control-character", "a name has no control characters")]);
        }
        let beyond = self.entries.iter().enumerate().flat_map(times_beyond_reach).collect::<Vec<_>>();
        if !beyond.is_empty() {
            return Err(beyond);
        }
        for entry in &mut self.entries {
            // PostgreSQL keeps microseconds; hashes must see what comes back from it.
            entry.valid_from = entry.valid_from.map(|time| time.trunc_subsecs(6));
            entry.valid_to = entry.valid_to.map(|time| time.trunc_subsecs(6));
        }
        let violations = book::check_entries(&self.entries);
        if !violations.is_empty() {
            return Err(violations);
        }
        let entries = book::canonical(self.entries);
        Ok(PriceBookDraft { name: self.name, currency: self.currency, rounding: self.rounding, entries })
    }
}

/// RFC 3339 writes years with four digits; what is outside of them could be neither answered nor, far enough out, stored.
fn times_beyond_reach((position, entry): (usize, &PriceBookEntry)) -> impl Iterator<Item = Violation> {
    let times = [("validFrom", entry.valid_from), ("validTo", entry.valid_to)];
    times.into_iter().filter(|(_, time)| time.is_some_and(|time| !(1..=9_999).contains(&time.year()))).map(
        move |(field, _)| {
            Violation::new(format!("/entries/{position}/{field}"), "range", "a time lies in the years 0001 to 9999")
        },
    )
}

/// A price book and its active version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceBookView {
    /// The price book, as price requests name it.
    pub id: PriceBookId,
    /// The id in the tenant's own system.
    pub external_id: String,
    /// What it is called.
    pub name: String,
    /// The currency of every price in it.
    pub currency: Currency,
    /// How half a minor unit is rounded.
    pub rounding: Rounding,
    /// The active version.
    pub version: Version,
    /// The hash of its content.
    pub content_hash: ContentHash,
    /// How many entries it has.
    pub entry_count: u32,
    /// When the active version was stored.
    pub updated_at: DateTime<Utc>,
}

impl From<PriceBookHead> for PriceBookView {
    fn from(head: PriceBookHead) -> Self {
        Self {
            id: head.id,
            external_id: head.external_id,
            name: head.name,
            currency: head.currency,
            rounding: head.rounding,
            version: head.version,
            content_hash: head.content_hash,
            entry_count: head.entry_count,
            updated_at: head.updated_at,
        }
    }
}

/// What storing a price book came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoredPriceBookView {
    /// The book as it is now.
    #[serde(flatten)]
    pub book: PriceBookView,
    /// Whether there is a new version: the same content keeps the version it has.
    pub changed: bool,
    /// How many tiers cost less in total than the one before; legal, and worth a look.
    pub warning_count: usize,
    /// The first of them; positions are those of the stored, sorted entries.
    pub warnings: Vec<PriceWarning>,
}

impl From<StoredPriceBook> for StoredPriceBookView {
    fn from(stored: StoredPriceBook) -> Self {
        let warning_count = stored.warnings.len();
        let warnings = stored.warnings.into_iter().take(MAX_WARNINGS).collect();
        Self { book: stored.head.into(), changed: stored.changed, warning_count, warnings }
    }
}

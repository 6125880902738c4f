//! Work on a draft: creating a quote, editing its lines. Lenient: an offering nobody knows is kept until it is priced.

use chrono::{DateTime, Utc};
use kernel::{Currency, CustomerId, OfferingId, PriceBookId, PublicationId, Quantity, QuoteId, QuoteItemId, Version};
use sqlx::PgConnection;

use super::{Actor, Change, OUTBOX, Target, begin, finish};
use crate::{
    error::{QuoteError, QuoteResult},
    events::{QuoteEvent, quote_event},
    model::{Adjustment, Characteristics, Item, Level, MAX_ITEMS, Quote, QuoteState, Revision, RevisionState},
    rules::{approval::with_editor, transitions::Command},
    store::quotes,
};

/// A quote to be created.
#[derive(Debug, Clone)]
pub struct NewQuote {
    /// The id in the tenant's own system; unique.
    pub external_id: Option<String>,
    /// Whom it is for.
    pub customer_id: Option<CustomerId>,
    /// Where prices come from.
    pub price_book_id: PriceBookId,
    /// What the offerings are.
    pub publication_id: Option<PublicationId>,
    /// The currency of every amount.
    pub currency: Currency,
    /// How binding it is.
    pub level: Level,
    /// How long an offer stands unless said otherwise.
    pub valid_for_days: u16,
    /// The lines.
    pub items: Vec<NewItem>,
}

/// A line to be added.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// The catalog's offering.
    pub offering_id: OfferingId,
    /// Units.
    pub quantity: Quantity,
    /// Chosen characteristics.
    pub characteristics: Characteristics,
    /// A price changed by hand.
    pub adjustment: Option<Adjustment>,
}

/// What changes on a line; nothing means it stays.
#[derive(Debug, Clone, Default)]
pub struct ItemChange {
    /// Units.
    pub quantity: Option<Quantity>,
    /// Chosen characteristics, all of them.
    pub characteristics: Option<Characteristics>,
    /// The price changed by hand.
    pub adjustment: AdjustmentChange,
}

/// What becomes of a line's manual price.
#[derive(Debug, Clone, Default)]
pub enum AdjustmentChange {
    /// It stays.
    #[default]
    Keep,
    /// The book's price holds again.
    Remove,
    /// This one holds.
    Set(Adjustment),
}

/// Creates a quote with its first draft.
pub async fn create_quote(
    conn: &mut PgConnection,
    actor: &Actor,
    new: NewQuote,
    at: DateTime<Utc>,
) -> QuoteResult<Quote> {
    if new.items.len() > MAX_ITEMS {
        return Err(too_many_items("/items"));
    }
    if new.items.iter().any(|item| item.adjustment.is_some()) {
        check_may_adjust(actor)?;
    }
    let quote = drafted(actor, new, at);
    if !quotes::insert_quote(conn, &actor.tenant, &quote).await? {
        return Err(duplicate(conn, actor, quote.external_id.as_deref()).await?);
    }
    let event = quote_event(actor, &quote, QuoteEvent::Changed, Vec::new(), None)?;
    OUTBOX.append(conn, &[event]).await?;
    Ok(quote)
}

fn drafted(actor: &Actor, new: NewQuote, at: DateTime<Utc>) -> Quote {
    let items = (1u32..).zip(new.items).map(|(line_no, item)| unpriced(line_no, item)).collect();
    Quote {
        id: QuoteId::generate(),
        version: Version::FIRST,
        external_id: new.external_id,
        state: QuoteState::Open,
        customer_id: new.customer_id,
        price_book_id: new.price_book_id,
        publication_id: new.publication_id,
        currency: new.currency,
        level: new.level,
        valid_for_days: new.valid_for_days,
        current_revision_no: 1,
        created_by: actor.subject.clone(),
        created_at: at,
        updated_at: at,
        revision: Revision {
            no: 1,
            state: RevisionState::Draft,
            editors: vec![actor.subject.clone()],
            price_stale: true,
            price: None,
            content_hash: None,
            valid_until: None,
            created_at: at,
            items,
        },
        approval: None,
    }
}

pub(super) fn unpriced(line_no: u32, new: NewItem) -> Item {
    Item {
        id: QuoteItemId::generate(),
        line_no,
        offering_id: new.offering_id,
        resolved: None,
        quantity: new.quantity,
        characteristics: new.characteristics,
        adjustment: new.adjustment,
        charges: Vec::new(),
        amount: None,
    }
}

async fn duplicate(conn: &mut PgConnection, actor: &Actor, external_id: Option<&str>) -> QuoteResult<QuoteError> {
    let external_id = external_id.unwrap_or_default();
    let existing = quotes::quote_id_by_external_id(conn, &actor.tenant, external_id).await?;
    Ok(existing.map_or(QuoteError::NotFound("quote"), |existing| QuoteError::DuplicateExternalId { existing }))
}

/// Adds a line at the end.
pub async fn add_item(conn: &mut PgConnection, actor: &Actor, target: Target, new: NewItem) -> QuoteResult<Quote> {
    if new.adjustment.is_some() {
        check_may_adjust(actor)?;
    }
    let (mut quote, now) = begin(conn, actor, target, Command::Edit).await?;
    if quote.revision.items.len() >= MAX_ITEMS {
        return Err(too_many_items("/items"));
    }
    let last = quote.revision.items.iter().map(|item| item.line_no).max().unwrap_or(0);
    let item = unpriced(last + 1, new);
    quotes::insert_items(conn, &actor.tenant, quote.id, quote.revision.no, std::slice::from_ref(&item)).await?;
    quote.revision.items.push(item);
    edited(conn, actor, quote, now).await
}

/// Changes a line.
pub async fn change_item(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    item_id: QuoteItemId,
    change: ItemChange,
) -> QuoteResult<Quote> {
    if !matches!(change.adjustment, AdjustmentChange::Keep) {
        check_may_adjust(actor)?;
    }
    let (mut quote, now) = begin(conn, actor, target, Command::Edit).await?;
    let item = quote.revision.items.iter_mut().find(|item| item.id == item_id).ok_or(QuoteError::NotFound("item"))?;
    apply(item, change);
    let changed = std::slice::from_ref(&*item);
    quotes::update_items(conn, &actor.tenant, quote.id, quote.revision.no, changed).await?;
    edited(conn, actor, quote, now).await
}

/// The charges of a changed line are gone at once: they were for something else.
pub(super) fn apply(item: &mut Item, change: ItemChange) {
    if let Some(quantity) = change.quantity {
        item.quantity = quantity;
    }
    if let Some(characteristics) = change.characteristics {
        item.characteristics = characteristics;
    }
    match change.adjustment {
        AdjustmentChange::Keep => {}
        AdjustmentChange::Remove => item.adjustment = None,
        AdjustmentChange::Set(adjustment) => item.adjustment = Some(adjustment),
    }
    item.charges.clear();
    item.amount = None;
}

/// Removes a line.
pub async fn remove_item(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    item_id: QuoteItemId,
) -> QuoteResult<Quote> {
    let (mut quote, now) = begin(conn, actor, target, Command::Edit).await?;
    quotes::delete_item(conn, &actor.tenant, quote.id, quote.revision.no, item_id).await?;
    quote.revision.items.retain(|item| item.id != item_id);
    edited(conn, actor, quote, now).await
}

/// After any edit the price is stale and the editor is remembered.
pub(super) async fn edited(
    conn: &mut PgConnection,
    actor: &Actor,
    mut quote: Quote,
    now: DateTime<Utc>,
) -> QuoteResult<Quote> {
    let revision = &mut quote.revision;
    revision.price_stale = true;
    revision.price = None;
    revision.editors = with_editor(std::mem::take(&mut revision.editors), &actor.subject);
    finish(conn, actor, &mut quote, Change::of(QuoteEvent::Changed), now).await?;
    Ok(quote)
}

pub(super) fn check_may_adjust(actor: &Actor) -> QuoteResult<()> {
    if actor.sells() { Ok(()) } else { Err(QuoteError::NotPermitted("Only the seller changes prices by hand")) }
}

pub(super) fn too_many_items(pointer: &str) -> QuoteError {
    QuoteError::field(pointer, "too-many", format!("a quote has at most {MAX_ITEMS} lines"))
}

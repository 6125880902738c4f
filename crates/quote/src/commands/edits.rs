//! Several edits of a draft as one command: one lock, one version, one event, all or none.

use kernel::QuoteItemId;
use sqlx::PgConnection;

use super::{
    Actor, ItemChange, NewItem, Target, begin,
    draft::{AdjustmentChange, apply, check_may_adjust, edited, too_many_items, unpriced},
};
use crate::{
    error::{QuoteError, QuoteResult},
    model::{Item, MAX_ITEMS, Quote},
    rules::transitions::Command,
    store::quotes,
};

/// What is changed on a draft.
#[derive(Debug, Clone, Default)]
pub struct Edits {
    /// Lines to be removed.
    pub remove: Vec<QuoteItemId>,
    /// Lines to be changed.
    pub change: Vec<(QuoteItemId, ItemChange)>,
    /// Lines to be added at the end.
    pub add: Vec<NewItem>,
}

impl Edits {
    fn adjust(&self) -> bool {
        self.add.iter().any(|item| item.adjustment.is_some())
            || self.change.iter().any(|(_, change)| !matches!(change.adjustment, AdjustmentChange::Keep))
    }
}

/// Applies all of `edits`.
pub async fn apply_edits(conn: &mut PgConnection, actor: &Actor, target: Target, edits: Edits) -> QuoteResult<Quote> {
    if edits.adjust() {
        check_may_adjust(actor)?;
    }
    let (mut quote, now) = begin(conn, actor, target, Command::Edit).await?;
    remove(conn, actor, &mut quote, &edits.remove).await?;
    change(conn, actor, &mut quote, edits.change).await?;
    add(conn, actor, &mut quote, edits.add).await?;
    edited(conn, actor, quote, now).await
}

async fn remove(conn: &mut PgConnection, actor: &Actor, quote: &mut Quote, items: &[QuoteItemId]) -> QuoteResult<()> {
    for (n, item) in items.iter().enumerate() {
        let Some(at) = quote.revision.items.iter().position(|known| known.id == *item) else {
            return Err(unknown_item(format!("/remove/{n}")));
        };
        quotes::delete_item(conn, &actor.tenant, quote.id, quote.revision.no, *item).await?;
        quote.revision.items.remove(at);
    }
    Ok(())
}

async fn change(
    conn: &mut PgConnection,
    actor: &Actor,
    quote: &mut Quote,
    changes: Vec<(QuoteItemId, ItemChange)>,
) -> QuoteResult<()> {
    let mut items: Vec<Item> = Vec::with_capacity(changes.len());
    for (n, (id, change)) in changes.into_iter().enumerate() {
        let Some(item) = quote.revision.items.iter_mut().find(|item| item.id == id) else {
            return Err(unknown_item(format!("/change/{n}/itemId")));
        };
        apply(item, change);
        items.push(item.clone());
    }
    if items.is_empty() {
        return Ok(());
    }
    quotes::update_items(conn, &actor.tenant, quote.id, quote.revision.no, &items).await
}

async fn add(conn: &mut PgConnection, actor: &Actor, quote: &mut Quote, new: Vec<NewItem>) -> QuoteResult<()> {
    if new.is_empty() {
        return Ok(());
    }
    if quote.revision.items.len() + new.len() > MAX_ITEMS {
        return Err(too_many_items("/add"));
    }
    let last = quote.revision.items.iter().map(|item| item.line_no).max().unwrap_or(0);
    let items: Vec<Item> = (last + 1..).zip(new).map(|(line_no, item)| unpriced(line_no, item)).collect();
    quotes::insert_items(conn, &actor.tenant, quote.id, quote.revision.no, &items).await?;
    quote.revision.items.extend(items);
    Ok(())
}

fn unknown_item(pointer: String) -> QuoteError {
    QuoteError::field(pointer, "unknown-item", "the draft has no such line")
}

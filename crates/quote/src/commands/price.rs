//! Taking a sealed price: ask catalog and pricing first, without a lock; then write, if the quote is still the same.

use std::collections::BTreeMap;

use kernel::{OfferingId, PublicationId, Version};
use service_runtime::{TenantTx, auth::Caller};
use sqlx::{PgConnection, PgPool};

use super::{Actor, Change, Target, begin, check_version, finish};
use crate::{
    clients::{Clients, FinalPrice},
    error::{QuoteError, QuoteResult},
    events::QuoteEvent,
    model::{Item, Quote, ResolvedOffering, SealedPrice},
    rules::{
        approval::with_editor,
        content,
        transitions::{Command, permit},
    },
    store::quotes,
};

/// A price that was taken for one version of a quote, not yet written.
#[derive(Debug)]
pub struct Priced {
    version: Version,
    publication_id: PublicationId,
    items: Vec<Item>,
    price: SealedPrice,
}

/// Resolves the lines and has them priced. Writes nothing here; pricing seals its result under a key that follows from
/// the quote's version, so that a repetition finds the same one.
pub async fn prepare_price(pool: &PgPool, clients: &Clients, caller: &Caller, target: Target) -> QuoteResult<Priced> {
    let quote = read_for_pricing(pool, caller, target).await?;
    let publication_id = match quote.publication_id {
        Some(pinned) => pinned,
        None => clients.active_publication(caller).await?,
    };
    let resolved = clients.offerings(caller, publication_id, unresolved(&quote.revision.items)).await?;
    let items = with_resolved(quote.revision.items.clone(), &resolved)?;
    let sealed = clients.final_price(caller, &quote, publication_id).await?;
    let items = content::priced(items, &sealed.items, &sealed.totals, quote.currency)?;
    let totals = content::quote_totals(&sealed.totals);
    let price = seal_of(sealed, totals);
    Ok(Priced { version: quote.version, publication_id, items, price })
}

async fn read_for_pricing(pool: &PgPool, caller: &Caller, target: Target) -> QuoteResult<Quote> {
    let mut tx = TenantTx::read(pool, &caller.tenant).await?;
    let found = quotes::quote_with_revision(&mut tx, &caller.tenant, target.quote_id, target.revision_no).await?;
    tx.rollback().await?;
    let (quote, _) = found.ok_or(QuoteError::NotFound("quote"))?;
    check_version(&quote, target.expected)?;
    if quote.revision.no != quote.current_revision_no {
        return Err(QuoteError::NotCurrentRevision { current: quote.current_revision_no });
    }
    permit(quote.state, quote.revision.state, Command::Price).map_err(QuoteError::IllegalTransition)?;
    if quote.revision.items.is_empty() {
        return Err(QuoteError::field("/items", "required", "there is nothing to price"));
    }
    Ok(quote)
}

fn unresolved(items: &[Item]) -> Vec<OfferingId> {
    let mut ids: Vec<_> = items.iter().filter(|item| item.resolved.is_none()).map(|item| item.offering_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// An offering the publication does not have is the client's fault, told per line.
fn with_resolved(mut items: Vec<Item>, resolved: &BTreeMap<OfferingId, ResolvedOffering>) -> QuoteResult<Vec<Item>> {
    let mut unknown = Vec::new();
    for (position, item) in items.iter_mut().enumerate().filter(|(_, item)| item.resolved.is_none()) {
        match resolved.get(&item.offering_id) {
            Some(offering) => item.resolved = Some(offering.clone()),
            None => unknown.push(service_runtime::FieldProblem::new(
                format!("/items/{position}/offeringId"),
                "unknown-offering",
                "the publication has no such offering",
            )),
        }
    }
    if unknown.is_empty() { Ok(items) } else { Err(QuoteError::Invalid(unknown)) }
}

fn seal_of(sealed: FinalPrice, totals: cache_ports::quote::QuoteTotals) -> SealedPrice {
    let FinalPrice { price_result_id, result_hash, approval_inputs, .. } = sealed;
    SealedPrice { result_id: price_result_id, result_hash, totals, approval_inputs }
}

/// Writes a price that was taken, if the quote is still in the version it was taken for.
pub async fn record_price(
    conn: &mut PgConnection,
    actor: &Actor,
    target: Target,
    priced: Priced,
) -> QuoteResult<Quote> {
    let target = Target { expected: Some(priced.version), ..target };
    let (mut quote, now) = begin(conn, actor, target, Command::Price).await?;
    quotes::update_items(conn, &actor.tenant, quote.id, quote.revision.no, &priced.items).await?;
    quote.publication_id = Some(priced.publication_id);
    let revision = &mut quote.revision;
    revision.items = priced.items;
    revision.price = Some(priced.price);
    revision.price_stale = false;
    revision.editors = with_editor(std::mem::take(&mut revision.editors), &actor.subject);
    finish(conn, actor, &mut quote, Change::of(QuoteEvent::Changed), now).await?;
    Ok(quote)
}

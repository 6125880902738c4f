//! How commands on quotes are run and answered: the same for all of them.

use axum::response::Response;
use cache_ports::quote::QuoteSummary;
use kernel::{QuoteId, Version};
use serde::Serialize;
use service_runtime::{Caller, CommandResponse, IdempotencyKey, Problem, TenantTx, idempotent};

use super::State;
use crate::{
    commands::Actor,
    error::QuoteResult,
    events::drop_summaries,
    model::Quote,
    rules::visibility::{in_full, shown_to},
};

/// The path of a quote.
pub fn location(quote: QuoteId) -> String {
    format!("/{}/v1/quotes/{quote}", crate::SERVICE)
}

/// Runs a command that changes an existing quote; answers the quote as the caller may see it.
pub async fn change<F>(
    service: &State,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    route: &'static str,
    request: &impl Serialize,
    command: F,
) -> Response
where
    F: AsyncFnOnce(&mut TenantTx, &Actor) -> QuoteResult<Quote>,
{
    change_and_report(service, caller, key, route, request, command, |shown| shown).await
}

/// The same with an answer in which the quote as the caller may see it is a part.
pub async fn change_and_report<F, R: Serialize>(
    service: &State,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    route: &'static str,
    request: &impl Serialize,
    command: F,
    report: impl FnOnce(QuoteSummary) -> R,
) -> Response
where
    F: AsyncFnOnce(&mut TenantTx, &Actor) -> QuoteResult<Quote>,
{
    let actor = Actor::from(caller);
    let mut changed = None;
    let response = idempotent(&service.runtime, caller, key, route, request, async |tx| {
        let quote = command(tx, &actor).await?;
        let shown = shown_to(caller.roles, service.runtime.clock.now(), in_full(&quote));
        changed = Some((quote.id, [quote.revision.no], quote.version));
        Ok::<_, Problem>(CommandResponse::ok(&report(shown))?.version(quote.version))
    })
    .await;
    if let Some(changed) = changed.filter(|_| response.status().is_success()) {
        drop_soon(service, caller, changed);
    }
    response
}

/// The fast path of invalidation: best effort, off the request's path. The event does the same for certain.
fn drop_soon(service: &State, caller: &Caller, changed: (QuoteId, [u32; 1], Version)) {
    let (cache, tenant) = (service.runtime.caches.quote.clone(), caller.tenant.clone());
    let (quote, revisions, version) = changed;
    tokio::spawn(async move { drop_summaries(cache.as_ref(), &tenant, quote, &revisions, version).await });
}

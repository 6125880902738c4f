//! The same command twice has one effect and one answer.
//!
//! Owns the idempotency record: claimed in the round trip that begins the transaction, completed with the answer before
//! the commit, so record and effect are one. PostgreSQL's primary key decides who was first; the cache only answers
//! repeats sooner. A refused command leaves no record. Must never decide anything by what Redis says is absent.

mod key;
mod record;
mod response;
mod sweep;
mod witness;

use axum::response::{IntoResponse, Response};
use fail_points::{Step, reached};
use http::StatusCode;
use kernel::ContentHash;
use serde::Serialize;

pub use key::{IDEMPOTENCY_KEY_HEADER, IdempotencyKey, OptionalIdempotencyKey, RequiredIdempotencyKey};
pub(crate) use record::Records;
pub use response::{CommandResponse, REPLAYED_HEADER};
pub use sweep::run_idempotency_sweeper;
pub use witness::idempotency_witness;

use crate::{Caller, Problem, ServiceState, TenantTx};
use record::{Claim, Claimed};

/// Runs `command` in a transaction of the caller's tenant and commits it, at most once for each key.
///
/// `route` names the command (`"quote.accept"`), `request` is everything the answer depends on: the path's ids and the
/// body. After the commit the relay is woken. With `key: None` the command simply runs.
pub async fn idempotent<F, E>(
    state: &ServiceState,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    route: &'static str,
    request: &impl Serialize,
    command: F,
) -> Response
where
    F: AsyncFnOnce(&mut TenantTx) -> Result<CommandResponse, E>,
    E: Into<Problem>,
{
    let outcome = match key {
        None => once(state, caller, command).await,
        Some(key) => match Claim::new(caller, key, route, request) {
            Ok(claim) => at_most_once(state, caller, &claim, command).await,
            Err(problem) => Err(problem),
        },
    };
    outcome.unwrap_or_else(Problem::into_response)
}

async fn once<F, E>(state: &ServiceState, caller: &Caller, command: F) -> Result<Response, Problem>
where
    F: AsyncFnOnce(&mut TenantTx) -> Result<CommandResponse, E>,
    E: Into<Problem>,
{
    let mut tx = TenantTx::begin(&state.pool, &caller.tenant).await?;
    match command(&mut tx).await {
        Ok(response) => {
            tx.commit().await?;
            reached(Step::CommandCommitted);
            state.hints.notify();
            Ok(response.into_response())
        }
        Err(refused) => {
            tx.rollback().await?;
            Err(refused.into())
        }
    }
}

async fn at_most_once<F, E>(
    state: &ServiceState,
    caller: &Caller,
    claim: &Claim<'_>,
    command: F,
) -> Result<Response, Problem>
where
    F: AsyncFnOnce(&mut TenantTx) -> Result<CommandResponse, E>,
    E: Into<Problem>,
{
    if let Some(done) = state.caches.idempotency.done(claim.tenant, claim.route, &claim.key_hash).await {
        metrics::counter!("idempotency_replays_total", "from" => "cache").increment(1);
        return replay(claim, &done.fingerprint.clone(), CommandResponse::from_cached(done));
    }
    let mut tx = match state.records().claim(&state.pool, claim).await? {
        Claimed::Ours(tx) => tx,
        Claimed::Done { fingerprint, response } => {
            metrics::counter!("idempotency_replays_total", "from" => "database").increment(1);
            return replay(claim, &fingerprint, response);
        }
    };
    match command(&mut tx).await {
        Ok(response) => {
            state.records().complete(&mut tx, claim, &response).await?;
            tx.commit().await?;
            reached(Step::CommandCommitted);
            state.hints.notify();
            remember(state, caller, claim, &response);
            Ok(response.into_response())
        }
        Err(refused) => {
            tx.rollback().await?;
            Err(refused.into())
        }
    }
}

fn replay(claim: &Claim<'_>, fingerprint: &ContentHash, response: CommandResponse) -> Result<Response, Problem> {
    if *fingerprint != claim.fingerprint {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "This idempotency key was used for another request",
        ));
    }
    Ok(response.into_replay())
}

/// Off the request's path: the command never waits for Redis.
fn remember(state: &ServiceState, caller: &Caller, claim: &Claim<'_>, response: &CommandResponse) {
    let cached = response.to_cached(claim.fingerprint);
    let (cache, tenant) = (state.caches.idempotency.clone(), caller.tenant.clone());
    let (route, key_hash) = (claim.route, claim.key_hash);
    tokio::spawn(async move { cache.remember(&tenant, route, &key_hash, &cached).await });
}

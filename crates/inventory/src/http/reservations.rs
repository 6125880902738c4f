//! Reservations over HTTP: reserve, look, commit, release. All are safe to repeat by their own nature.

use axum::{extract::State as Shared, response::Response};
use kernel::{ReservationId, Version};
use service_runtime::{
    ApiResult, Caller, CommandResponse, OptionalIdempotencyKey, OptionalIfMatch, PathId, Problem, TenantTx, Valid,
    Versioned, idempotent,
};

use super::{
    FULFILLERS, occasion,
    views::{ReservationBody, ReservationView},
};
use crate::{
    State,
    commands::reservations as commands,
    model::{ReservationItem, ReservationState},
    queries,
};

/// Promises all lines to a reference, or none.
#[utoipa::path(
    post,
    path = "/reservations",
    tag = "reservations",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    request_body = ReservationBody,
    responses(
        (status = 201, description = "Held", body = ReservationView),
        (status = 200, description = "Was held before", body = ReservationView),
        (status = 400, description = "Not well-formed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a fulfiller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Not enough stock, or the reference holds something else", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Breaks a rule", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn reserve_stock(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<ReservationBody>,
) -> ApiResult<Response> {
    caller.require(FULFILLERS)?;
    let ttl_secs = body.ttl_secs.unwrap_or(state.config.reservation_ttl_secs);
    let items: Vec<ReservationItem> = body.items.iter().cloned().map(Into::into).collect();
    let reserve = async |tx: &mut TenantTx| {
        let facts = occasion(&state, &caller);
        let (reservation, is_new) =
            commands::reserve_stock(tx, facts, &body.reference, items.clone(), ttl_secs).await?;
        let view = ReservationView::from(reservation);
        let version = view.version;
        let response = if is_new {
            CommandResponse::created(format!("/inventory/v1/reservations/{}", view.id), &view)
        } else {
            CommandResponse::ok(&view)
        };
        response.map(|response| response.version(version))
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "inventory.reserve", &body, reserve).await)
}

/// One reservation.
#[utoipa::path(
    get,
    path = "/reservations/{id}",
    tag = "reservations",
    params(("id" = ReservationId, Path, description = "The reservation")),
    responses(
        (status = 200, description = "The reservation", body = ReservationView),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such reservation", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_reservation(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<ReservationId>,
) -> ApiResult<Versioned<ReservationView>> {
    let reservation = queries::reservation(&state, &caller.tenant, id).await?;
    let version = reservation.version;
    Ok(Versioned(reservation.into(), version))
}

/// The promised stock leaves. A reservation that ran out can still be committed while the stock is there.
#[utoipa::path(
    post,
    path = "/reservations/{id}/commit",
    tag = "reservations",
    params(
        ("id" = ReservationId, Path, description = "The reservation"),
        ("If-Match" = Option<String>, Header, description = "The version this is based on"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe"),
    ),
    responses(
        (status = 200, description = "Committed, now or before", body = ReservationView),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a fulfiller", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such reservation", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Released, or ran out and the stock is gone", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "At another version", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn commit_reservation(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<ReservationId>,
    if_match: OptionalIfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(FULFILLERS)?;
    let commit = async |tx: &mut TenantTx| end(tx, &state, &caller, id, ReservationState::Committed, if_match.0).await;
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "inventory.commit-reservation", &id, commit).await)
}

/// The promise is given back.
#[utoipa::path(
    post,
    path = "/reservations/{id}/release",
    tag = "reservations",
    params(
        ("id" = ReservationId, Path, description = "The reservation"),
        ("If-Match" = Option<String>, Header, description = "The version this is based on"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe"),
    ),
    responses(
        (status = 200, description = "Released now or before, or run out", body = ReservationView),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a fulfiller", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such reservation", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Committed", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "At another version", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn release_reservation(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(id): PathId<ReservationId>,
    if_match: OptionalIfMatch,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
) -> ApiResult<Response> {
    caller.require(FULFILLERS)?;
    let release = async |tx: &mut TenantTx| end(tx, &state, &caller, id, ReservationState::Released, if_match.0).await;
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "inventory.release-reservation", &id, release).await)
}

async fn end(
    tx: &mut TenantTx,
    state: &State,
    caller: &Caller,
    id: ReservationId,
    to: ReservationState,
    expected: Option<Version>,
) -> Result<CommandResponse, Problem> {
    let reservation = commands::end_reservation(tx, occasion(state, caller), id, to, expected).await?;
    let version = reservation.version;
    Ok(CommandResponse::ok(&ReservationView::from(reservation))?.version(version))
}

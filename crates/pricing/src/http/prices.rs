//! Prices over HTTP: previews (no evidence, cached), final prices (evidence, sealed), and what they are worth when replayed.

use axum::{Json, extract::State, response::Response};
use cache_ports::pricing::PricePreview;
use kernel::PriceResultId;
use service_runtime::{
    ApiResult, Cached, Caller, CommandResponse, MinVersion, OptionalIdempotencyKey, PathId, Problem, Role, TenantTx,
    Valid, idempotent,
};

use super::{
    INTERNAL, PRICE_CHANGERS, SEALERS,
    price_books::occasion,
    price_views::{FinalPriceRequest, FinalPriceView, VerdictView},
    request::PriceRequestBody,
};
use crate::{
    State as PricingState,
    commands::{self, FinalPrice},
    error::PricingError,
    model::{PriceRequest, Violation},
    queries,
};

/// Largest body of a price request, in bytes: 5,000 lines with adjustments and long reasons.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// Parses a request and checks that its manual changes are the caller's to make. Pointers start at `base`.
fn parsed(caller: &Caller, body: PriceRequestBody, base: &str) -> Result<PriceRequest, PricingError> {
    let under = |it: Violation| Violation { pointer: format!("{base}{}", it.pointer), ..it };
    let request = body.parse().map_err(|faults| faults.into_iter().map(under).collect::<Vec<_>>())?;
    if request.has_manual_changes() && caller.require(PRICE_CHANGERS).is_err() {
        return Err(PricingError::ManualChangeForbidden);
    }
    Ok(request)
}

/// Computes a price without keeping it: no evidence, cached for two minutes.
#[utoipa::path(
    post,
    path = "/price-previews",
    tag = "prices",
    params(("Min-Version" = Option<u64>, Header, description = "The oldest version of the price book that will do")),
    request_body = PriceRequestBody,
    responses(
        (status = 200, description = "The price now; Age and Cache-Status say how fresh it is", body = PricePreview),
        (status = 400, description = "Not well-formed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Manual changes by a role that may not", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such price book", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Breaks a rule, or an item has no price", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too busy", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn preview_price(
    State(state): State<PricingState>,
    caller: Caller,
    MinVersion(at_least): MinVersion,
    Valid(body): Valid<PriceRequestBody, MAX_BODY_BYTES>,
) -> ApiResult<Cached> {
    let request = parsed(&caller, body, "")?;
    let served = queries::price_preview(&state, &caller.tenant, request, at_least).await?;
    Ok(Cached::whole(served))
}

/// Prices a quote's revision from the authority and seals the result as evidence.
///
/// The same inputs for the same revision are one price: a repetition answers 200 with it.
#[utoipa::path(
    post,
    path = "/final-prices",
    tag = "prices",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    request_body = FinalPriceRequest,
    responses(
        (status = 201, description = "Sealed", body = FinalPriceView),
        (status = 200, description = "Was sealed before", body = FinalPriceView),
        (status = 400, description = "Not well-formed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not for this role", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such price book", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Breaks a rule, or an item has no price", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn seal_final_price(
    State(state): State<PricingState>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<FinalPriceRequest, MAX_BODY_BYTES>,
) -> ApiResult<Response> {
    caller.require(SEALERS)?;
    let fingerprint = key.is_some().then(|| body.clone());
    let (quote, revision_no) = (body.quote_id, body.revision()?);
    let request = parsed(&caller, body.request, "/request")?;
    let seal = async |tx: &mut TenantTx| {
        let sealed = commands::seal_final_price(tx, occasion(&caller), quote, revision_no, request).await;
        final_price_response(sealed.map_err(under_request)?)
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "final-price.seal", &fingerprint, seal).await)
}

/// The engine's pointers are relative to the price request, which is a member of this body.
fn under_request(error: PricingError) -> Problem {
    let under = |it: Violation| Violation { pointer: format!("/request{}", it.pointer), ..it };
    match error {
        PricingError::Refused(violations) => PricingError::Refused(violations.into_iter().map(under).collect()).into(),
        other => other.into(),
    }
}

fn final_price_response(sealed: FinalPrice) -> Result<CommandResponse, Problem> {
    let view = FinalPriceView::without_trace(&queries::display(sealed.stored)?);
    if sealed.created {
        CommandResponse::created(format!("/pricing/v1/price-results/{}", view.price_result_id), &view)
    } else {
        CommandResponse::ok(&view)
    }
}

/// A sealed price. How it came about is shown to internal roles only.
#[utoipa::path(
    get,
    path = "/price-results/{id}",
    tag = "prices",
    params(("id" = PriceResultId, Path, description = "The sealed price")),
    responses(
        (status = 200, description = "The sealed price; `trace` only for internal roles", body = FinalPriceView),
        (status = 404, description = "No such price result", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_price_result(
    State(state): State<PricingState>,
    caller: Caller,
    PathId(id): PathId<PriceResultId>,
) -> ApiResult<Cached> {
    let served = queries::price_result(&state, &caller.tenant, id).await?;
    if caller.roles.contains_any(INTERNAL) || caller.is(Role::TenantAdmin) {
        return Ok(Cached::whole(served));
    }
    Ok(Cached::viewed(&served, FinalPriceView::without_trace))
}

/// Replays a sealed price with its pinned price book version and compares every stored value.
#[utoipa::path(
    post,
    path = "/price-results/{id}/verify",
    tag = "prices",
    params(("id" = PriceResultId, Path, description = "The sealed price")),
    responses(
        (status = 200, description = "The verdict", body = VerdictView),
        (status = 403, description = "Not for this role", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such price result", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn verify_price_result(
    State(state): State<PricingState>,
    caller: Caller,
    PathId(id): PathId<PriceResultId>,
) -> ApiResult<Json<VerdictView>> {
    caller.require(INTERNAL)?;
    let (verdict, stored) = queries::verify_price_result(&state, &caller.tenant, id).await?;
    Ok(Json(VerdictView::new(verdict, stored.map(|stored| stored.seal.engine_version))))
}

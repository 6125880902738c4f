//! Installed products over HTTP (TMF637, thin).

use axum::{Json, extract::State as Shared, response::Response};
use kernel::OrderId;
use serde::Deserialize;
use service_runtime::{
    ApiResult, Caller, CommandResponse, OptionalIdempotencyKey, Params, Problem, TenantTx, Valid, idempotent,
};
use utoipa::IntoParams;

use super::{
    FULFILLERS, occasion,
    views::{InstallBody, InstallItem, InstalledProducts},
};
use crate::{
    State,
    commands::install::{self as commands, installed_product_id},
    model::InstalledProduct,
    queries,
};

/// Whose products.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfOrder {
    /// The order.
    order_id: OrderId,
}

/// Gives the customer what an order has fulfilled. An order item installs once.
#[utoipa::path(
    post,
    path = "/installed-products",
    tag = "installed products",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    request_body = InstallBody,
    responses(
        (status = 201, description = "Installed; everything the order has", body = InstalledProducts),
        (status = 200, description = "Was installed before", body = InstalledProducts),
        (status = 400, description = "Not well-formed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a fulfiller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Breaks a rule", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn install_products(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<InstallBody>,
) -> ApiResult<Response> {
    caller.require(FULFILLERS)?;
    let at = state.runtime.clock.now();
    let product = |item: &InstallItem| InstalledProduct {
        id: installed_product_id(body.order_id, &item.order_item_id),
        order_id: body.order_id,
        order_item_id: item.order_item_id.clone(),
        offering_id: item.offering_id,
        name: item.name.clone(),
        quantity: item.quantity,
        version: commands::FIRST,
        created_at: at,
    };
    let products: Vec<_> = body.items.iter().map(product).collect();
    let install = async |tx: &mut TenantTx| {
        let (all, is_new) = commands::install_products(tx, occasion(&state, &caller), body.order_id, &products).await?;
        let view = InstalledProducts { items: all.into_iter().map(Into::into).collect() };
        if is_new {
            CommandResponse::created(format!("/inventory/v1/installed-products?orderId={}", body.order_id), &view)
        } else {
            CommandResponse::ok(&view)
        }
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "inventory.install", &body, install).await)
}

/// What an order has installed.
#[utoipa::path(
    get,
    path = "/installed-products",
    tag = "installed products",
    params(OfOrder),
    responses(
        (status = 200, description = "In order of the order's items; empty if there is nothing", body = InstalledProducts),
        (status = 400, description = "No order id", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn list_installed_products(
    Shared(state): Shared<State>,
    caller: Caller,
    Params(params): Params<OfOrder>,
) -> ApiResult<Json<InstalledProducts>> {
    let found = queries::installed_products(&state, &caller.tenant, params.order_id).await?;
    Ok(Json(InstalledProducts { items: found.into_iter().map(Into::into).collect() }))
}

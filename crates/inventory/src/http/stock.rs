//! Products, their movements, imports and reconciliation over HTTP.

use axum::{Json, extract::State as Shared, response::Response};
use cache_ports::inventory::StockItem;
use kernel::{ProductId, Version};
use serde::Deserialize;
use service_runtime::{
    ApiResult, Cached, Caller, CommandResponse, IfNoneMatch, Limit, MinVersion, OptionalIdempotencyKey, Page, Params,
    PathId, Problem, TenantTx, Valid, idempotent,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{
    STOCK_KEEPERS, occasion,
    views::{MovementBody, MovementView, Reconciliation, StockImport, StockImported},
};
use crate::{
    State,
    commands::movements::{self as commands, ImportedMovement},
    events::Occasion,
    model::{MovementKind, NewMovement, Shelf},
    queries::{self, Consistency},
};

const PRODUCTS: &str = "inventory.products";

/// How fresh the stock must be.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum ConsistencyParam {
    /// As PostgreSQL has it now.
    #[default]
    Strict,
    /// At most two seconds old.
    Bounded,
}

/// Parameters of a stock read.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StockParams {
    /// How fresh the stock must be.
    #[serde(default)]
    #[param(inline)]
    consistency: ConsistencyParam,
}

/// Parameters of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Items on a page.
    #[serde(default)]
    limit: Limit,
    /// Where the page begins.
    cursor: Option<String>,
}

/// Products with their stock, in order of id.
#[utoipa::path(
    get,
    path = "/products",
    tag = "stock",
    params(ListParams),
    responses(
        (status = 200, description = "A page", body = Page<StockItem>),
        (status = 400, description = "Not a cursor of this list", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn list_products(
    Shared(state): Shared<State>,
    caller: Caller,
    Params(params): Params<ListParams>,
) -> ApiResult<Json<Page<StockItem>>> {
    let signer = &state.runtime.cursors;
    let after = match &params.cursor {
        Some(cursor) => Some(signer.open::<ProductId>(&caller.tenant, PRODUCTS, cursor)?),
        None => None,
    };
    let rows = queries::products(&state, &caller.tenant, after, params.limit).await?;
    let seal = |item: &StockItem| signer.seal(&caller.tenant, PRODUCTS, &item.product_id).unwrap_or_default();
    Ok(Json(Page::from_rows(rows, params.limit, seal)))
}

/// The stock of a product. Age and Cache-Status say how fresh it is.
#[utoipa::path(
    get,
    path = "/products/{productId}/stock",
    tag = "stock",
    params(
        ("productId" = ProductId, Path, description = "The catalog's offering id"),
        StockParams,
        ("Min-Version" = Option<Version>, Header, description = "Nothing older than this"),
    ),
    responses(
        (status = 200, description = "The stock", body = StockItem),
        (status = 304, description = "The client has this version"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too busy", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_stock(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(product): PathId<ProductId>,
    Params(params): Params<StockParams>,
    MinVersion(min_version): MinVersion,
    held: IfNoneMatch,
) -> ApiResult<Cached> {
    let consistency = match params.consistency {
        ConsistencyParam::Strict => Consistency::Strict,
        ConsistencyParam::Bounded => Consistency::Bounded { min_version },
    };
    let served = queries::stock(&state, &caller.tenant, product, consistency).await?;
    Ok(Cached::whole(served).unless(&held))
}

/// A product's movements, newest first.
#[utoipa::path(
    get,
    path = "/products/{productId}/movements",
    tag = "stock",
    params(("productId" = ProductId, Path, description = "The catalog's offering id"), ListParams),
    responses(
        (status = 200, description = "A page", body = Page<MovementView>),
        (status = 400, description = "Not a cursor of this list", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such product", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn list_movements(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(product): PathId<ProductId>,
    Params(params): Params<ListParams>,
) -> ApiResult<Json<Page<MovementView>>> {
    let signer = &state.runtime.cursors;
    let list = format!("inventory.movements?product={product}");
    let before = match &params.cursor {
        Some(cursor) => Some(signer.open::<Uuid>(&caller.tenant, &list, cursor)?),
        None => None,
    };
    let rows = queries::movements(&state, &caller.tenant, product, before, params.limit).await?;
    let views = rows.into_iter().map(MovementView::from).collect();
    let seal = |movement: &MovementView| signer.seal(&caller.tenant, &list, &movement.id).unwrap_or_default();
    Ok(Json(Page::from_rows(views, params.limit, seal)))
}

/// Declares products with their opening stock: all lines or none; lines imported before change nothing.
#[utoipa::path(
    post,
    path = "/imports/stock",
    tag = "stock",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    request_body = StockImport,
    responses(
        (status = 200, description = "Imported", body = StockImported),
        (status = 400, description = "Not well-formed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a stock keeper", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "An external id is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Breaks a rule", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn import_stock(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<StockImport>,
) -> ApiResult<Response> {
    caller.require(STOCK_KEEPERS)?;
    let import = async |tx: &mut TenantTx| {
        let imported = commands::import_stock(tx, occasion(&state, &caller), imported_movements(&body)).await?;
        CommandResponse::ok(&StockImported { created: imported.created, unchanged: imported.unchanged })
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "inventory.import-stock", &body, import).await)
}

fn imported_movements(body: &StockImport) -> Vec<ImportedMovement> {
    let movement = |item: &super::views::StockImportItem| NewMovement {
        shelf: Shelf { product: item.product_id, location: item.location.clone() },
        kind: MovementKind::Opening,
        quantity: item.quantity.get(),
        reference: item.reference.clone(),
    };
    body.items
        .iter()
        .map(|item| ImportedMovement { movement: movement(item), external_id: item.external_id.clone() })
        .collect()
}

/// Records goods that came in, came back, or were counted. The same reference moves the same stock once.
#[utoipa::path(
    post,
    path = "/movements",
    tag = "stock",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    request_body = MovementBody,
    responses(
        (status = 201, description = "Recorded", body = MovementView),
        (status = 200, description = "Was recorded before", body = MovementView),
        (status = 400, description = "Not well-formed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a stock keeper", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "More than is free would go", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Breaks a rule", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn record_movement(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(body): Valid<MovementBody>,
) -> ApiResult<Response> {
    caller.require(STOCK_KEEPERS)?;
    let record = async |tx: &mut TenantTx| {
        let facts: Occasion<'_> = occasion(&state, &caller);
        let (movement, is_new) = commands::record_movement(tx, facts, body.clone().into()).await?;
        let view = MovementView::from(movement);
        if is_new {
            let location = format!("/inventory/v1/products/{}/movements", view.product_id);
            CommandResponse::created(location, &view)
        } else {
            CommandResponse::ok(&view)
        }
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "inventory.record-movement", &body, record).await)
}

/// Compares the stock with its movements and with what is held: both must agree for every product, always.
#[utoipa::path(
    get,
    path = "/reconciliation",
    tag = "stock",
    responses(
        (status = 200, description = "What was compared, and what disagrees", body = Reconciliation),
        (status = 401, description = "No valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not a stock keeper", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub async fn get_reconciliation(Shared(state): Shared<State>, caller: Caller) -> ApiResult<Json<Reconciliation>> {
    caller.require(STOCK_KEEPERS)?;
    let (counts, mismatches) = queries::reconciliation(&state, &caller.tenant).await?;
    Ok(Json(Reconciliation::of(counts, mismatches)))
}

//! `/imports`: many offerings at once, by the tenant's own ids.

use axum::{
    Json,
    extract::State as Shared,
    response::{IntoResponse, Response},
};
use kernel::OfferingId;
use serde::{Deserialize, Serialize};
use service_runtime::{
    ApiResult, Caller, CommandResponse, FieldProblem, OptionalIdempotencyKey, ProblemDocument, TenantTx, Valid,
    idempotent,
};
use utoipa::ToSchema;

use super::{ByRules, EDITORS, occasion};
use crate::{
    State,
    commands::import::{self, Mode},
    error::CatalogError,
    rules::import::{ImportItem, Outcome, Plan},
};

/// Bytes of one batch: a thousand items with descriptions and characteristics.
const BODY_LIMIT: usize = 8 * 1024 * 1024;

/// A batch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ImportRequest {
    /// Only say what would happen.
    #[serde(default)]
    dry_run: bool,
    /// 1 to 1,000 offerings.
    items: Vec<ImportItem>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImportReport {
    /// Offerings that are new.
    created: usize,
    /// Offerings about which something changed.
    updated: usize,
    /// Offerings that were already so.
    unchanged: usize,
    /// Nothing was written.
    dry_run: bool,
    /// One per item, in order.
    items: Vec<ImportedItem>,
    /// What is wrong; only a dry run has any, otherwise the batch is refused as a whole.
    errors: Vec<FieldProblem>,
}

/// What became of one item.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ImportedItem {
    /// The item's external id.
    external_id: String,
    /// Its offering.
    offering_id: OfferingId,
    /// What happened to it.
    outcome: Outcome,
}

impl ImportReport {
    fn of(plan: Plan, dry_run: bool) -> Self {
        let count = |outcome| plan.items.iter().filter(|item| item.outcome == outcome).count();
        Self {
            created: count(Outcome::Created),
            updated: count(Outcome::Updated),
            unchanged: count(Outcome::Unchanged),
            dry_run,
            items: plan
                .items
                .into_iter()
                .map(|item| ImportedItem {
                    external_id: item.external_id,
                    offering_id: item.offering_id,
                    outcome: item.outcome,
                })
                .collect(),
            errors: Vec::new(),
        }
    }
}

/// Creates and updates up to 1,000 offerings with their characteristics, components and prices, all or none.
/// Repeating a batch changes nothing.
#[utoipa::path(
    post, path = "/imports", tag = "imports", request_body = ImportRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repetition safe")),
    responses(
        (status = 200, description = "Written, or what a dry run would have done", body = ImportReport),
        (status = 403, description = "Not a keeper of the catalog", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "Nothing was written; one pointer a fault", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn import_offerings(
    Shared(state): Shared<State>,
    caller: Caller,
    OptionalIdempotencyKey(key): OptionalIdempotencyKey,
    Valid(ByRules(request)): Valid<ByRules<ImportRequest>, BODY_LIMIT>,
) -> ApiResult<Response> {
    caller.require(&EDITORS)?;
    if request.dry_run {
        return Ok(Json(dry_run(&state, &caller, &request.items).await?).into_response());
    }
    let occasion = occasion(&state, &caller);
    let command = async |tx: &mut TenantTx| -> ApiResult<CommandResponse> {
        let plan = import::import(tx, &occasion, &request.items, Mode::Apply).await?;
        CommandResponse::ok(&ImportReport::of(plan, false))
    };
    Ok(idempotent(&state.runtime, &caller, key.as_ref(), "catalog.import", &request, command).await)
}

/// Nothing is kept of a dry run, so it has no use for an idempotency key.
async fn dry_run(state: &State, caller: &Caller, items: &[ImportItem]) -> ApiResult<ImportReport> {
    let mut tx = TenantTx::begin(&state.runtime.pool, &caller.tenant).await?;
    let planned = import::import(&mut tx, &occasion(state, caller), items, Mode::DryRun).await;
    tx.rollback().await?;
    match planned {
        Ok(plan) => Ok(ImportReport::of(plan, true)),
        Err(CatalogError::Invalid(findings)) => {
            let errors = findings.into_iter().map(Into::into).collect();
            Ok(ImportReport { errors, ..ImportReport::of(Plan::default(), true) })
        }
        Err(error) => Err(error.into()),
    }
}

//! What people look at most, about right and a little late.

use axum::{Json, extract::State as Shared};
use chrono::{DateTime, Utc};
use kernel::{OfferingId, PublicationId};
use serde::{Deserialize, Serialize};
use service_runtime::{ApiResult, Caller, Limit, Params, PathId, ProblemDocument};
use utoipa::{IntoParams, ToSchema};

use crate::{State, queries};

/// How many.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MostViewedParams {
    /// Offerings wanted.
    #[serde(default)]
    limit: Limit,
}

/// The offerings people look at most.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MostViewed {
    /// Most first. Only what the publication has.
    items: Vec<ViewedOffering>,
    /// Always true: counts are written late, and some are lost.
    approximate: bool,
    /// Whether the counts could be read. If not, there are no items, and that says nothing.
    available: bool,
    /// When the list was made.
    generated_at: DateTime<Utc>,
}

/// An offering and how often people looked at it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ViewedOffering {
    /// The offering.
    offering_id: OfferingId,
    /// What it is called in this publication.
    name: String,
    /// About how often within a day.
    views: u64,
}

/// The offerings of a publication that people of the tenant looked at most within a day. Approximate: counts are gathered
/// behind the requests, and a count that cannot be written is left out.
#[utoipa::path(
    get, path = "/publications/{id}/most-viewed", tag = "publications",
    params(("id" = PublicationId, Path), MostViewedParams),
    responses(
        (status = 200, description = "The list", body = MostViewed),
        (status = 404, description = "Unknown publication", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn most_viewed_offerings(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(publication): PathId<PublicationId>,
    Params(params): Params<MostViewedParams>,
) -> ApiResult<Json<MostViewed>> {
    let counted = queries::most_viewed(&state, &caller.tenant, publication, params.limit).await?;
    let available = counted.is_some();
    let viewed = |(offering, views): (queries::Named, u64)| ViewedOffering {
        offering_id: offering.id,
        name: offering.name,
        views,
    };
    let items = counted.unwrap_or_default().into_iter().map(viewed).collect();
    Ok(Json(MostViewed { items, approximate: true, available, generated_at: state.runtime.clock.now() }))
}

//! `/publications/{id}/configurations`: is this configuration legal, and what is its identity.

use std::collections::BTreeMap;

use axum::{Json, extract::State as Shared};
use cache_ports::catalog::CharacteristicValue;
use kernel::{ContentHash, OfferingId, PublicationId, Quantity};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service_runtime::{ApiResult, Caller, FieldProblem, PathId, ProblemDocument, Valid};
use utoipa::ToSchema;

use super::ByRules;
use crate::{State, error::CatalogError, queries, rules::configure::Configuration};

/// What a buyer chose, for one offering and the components inside it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ConfigurationRequest {
    /// The offering.
    offering_id: OfferingId,
    /// How many of it; for a component: per one of its parent.
    #[serde(default = "one")]
    quantity: Quantity,
    /// A value, or a list of values, by characteristic. Decimals are strings.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, ChosenValue>)]
    characteristics: BTreeMap<String, Value>,
    /// What is inside a bundle; components not mentioned take their default.
    #[serde(default)]
    #[schema(no_recursion)]
    components: Vec<ConfigurationRequest>,
}

/// What may stand for a characteristic; only the API document needs the type, the rules judge the JSON itself.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "a description, never a value")]
enum ChosenValue {
    /// One value.
    One(CharacteristicValue),
    /// Several, where the characteristic takes several.
    Several(Vec<CharacteristicValue>),
}

const fn one() -> Quantity {
    Quantity::ONE
}

impl From<ConfigurationRequest> for Configuration {
    fn from(request: ConfigurationRequest) -> Self {
        Self {
            offering_id: request.offering_id,
            quantity: request.quantity,
            characteristics: request.characteristics,
            components: request.components.into_iter().map(Into::into).collect(),
        }
    }
}

/// The verdict.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigurationVerdict {
    /// Whether it may be quoted.
    valid: bool,
    /// The identity of a legal configuration: the same for two ways of saying the same thing.
    configuration_hash: Option<ContentHash>,
    /// What is wrong, each with a pointer into the request.
    problems: Vec<FieldProblem>,
}

/// Judges a configuration by a publication. Writes nothing.
#[utoipa::path(
    post, path = "/publications/{id}/configurations/validate", tag = "configurations",
    params(("id" = PublicationId, Path)), request_body = ConfigurationRequest,
    responses(
        (status = 200, description = "The verdict", body = ConfigurationVerdict),
        (status = 404, description = "Unknown publication", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(super) async fn validate_configuration(
    Shared(state): Shared<State>,
    caller: Caller,
    PathId(publication): PathId<PublicationId>,
    Valid(ByRules(request)): Valid<ByRules<ConfigurationRequest>>,
) -> ApiResult<Json<ConfigurationVerdict>> {
    let configuration = Configuration::from(request);
    match queries::validate_configuration(&state, &caller.tenant, publication, &configuration).await {
        Ok(effective) => {
            let configuration_hash = Some(effective.hash(publication).map_err(CatalogError::from)?);
            Ok(Json(ConfigurationVerdict { valid: true, configuration_hash, problems: Vec::new() }))
        }
        Err(CatalogError::Invalid(findings)) => {
            let problems = findings.into_iter().map(Into::into).collect();
            Ok(Json(ConfigurationVerdict { valid: false, configuration_hash: None, problems }))
        }
        Err(error) => Err(error.into()),
    }
}

//! Routes and their OpenAPI document in one declaration, served under the service's own path.

use axum::{Router, routing::get};
use bytes::Bytes;
use http::header;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Content, Info, OpenApi, PathItem, Ref, RefOr, Response,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{Limit, Problem, problem::PROBLEM_MEDIA_TYPE};

/// The name of the bearer scheme in the documents.
const BEARER: &str = "bearer";

/// Puts `routes` under `/<service>/v1` and serves their document at `/<service>/v1/openapi.json`, to everybody.
pub fn service_router<S>(service: &str, title: &str, routes: OpenApiRouter<S>) -> (Router<S>, OpenApi)
where
    S: Clone + Send + Sync + 'static,
{
    let base = format!("/{service}/v1");
    let (served, mut document) = OpenApiRouter::new().nest(&base, routes).split_for_parts();
    document.info = Info::new(title, "1");
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = document.components.get_or_insert_default();
    components.schemas.insert(Problem::name().into_owned(), Problem::schema());
    let mut nested = Vec::new();
    Problem::schemas(&mut nested);
    components.schemas.extend(nested);
    // Parameters refer to it, and utoipa collects the schemas of bodies only.
    components.schemas.insert(Limit::name().into_owned(), Limit::schema());
    components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    document.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
    document.paths.paths.values_mut().flat_map(operations).for_each(answer_with_problems);
    let json = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let show = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], json.clone()));
    (served.route(&format!("{base}/openapi.json"), get(show)), document)
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = path;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

/// Whatever is refused is a problem, in its own media type; so is every answer the operation does not list.
fn answer_with_problems(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    let unlisted = || RefOr::T(Response::new("A problem"));
    responses.entry("default".to_owned()).or_insert_with(unlisted);
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && !status.starts_with(['1', '2', '3'])
        {
            let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
            response.content.clear();
            response.content.insert(PROBLEM_MEDIA_TYPE.to_owned(), RefOr::T(problem));
        }
    }
}

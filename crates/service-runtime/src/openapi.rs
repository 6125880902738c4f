//! Routes and their OpenAPI document in one declaration, served under the service's own path.
//!
//! A handler's annotation says what is particular about it. What follows from its parts (a body, a path, a token) is
//! added here, so that no operation forgets it.

mod answers;
mod bodies;
mod headers;

use axum::{Router, routing::get};
use bytes::Bytes;
use http::header;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Info, OpenApi, PathItem,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{Limit, Problem};

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
    bodies::open_parts(&mut components.schemas);
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        bodies::complete(operation, &mut components.schemas);
        answers::complete(operation);
        headers::complete(operation);
    }
    let json = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let show = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], json.clone()));
    (served.route(&format!("{base}/openapi.json"), get(show)), document)
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = path;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

//! Routes and their OpenAPI document in one declaration, served under the service's own path.

use axum::{Router, routing::get};
use bytes::Bytes;
use http::header;
use utoipa::openapi::{
    Info, OpenApi,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};
use utoipa_axum::router::OpenApiRouter;

/// The name of the bearer scheme in the documents.
const BEARER: &str = "bearer";

/// Puts `routes` under `/<service>/v1` and serves their document at `/<service>/v1/openapi.json`, to everybody.
pub fn service_router<S>(service: &str, title: &str, routes: OpenApiRouter<S>) -> (Router<S>, OpenApi)
where
    S: Clone + Send + Sync + 'static,
{
    let base = format!("/{service}/v1");
    let (router, mut document) = OpenApiRouter::new().nest(&base, routes).split_for_parts();
    document.info = Info::new(title, "1");
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = document.components.get_or_insert_default();
    components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
    document.security = Some(vec![SecurityRequirement::new(BEARER, Vec::<String>::new())]);
    let json = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
    let show = move || std::future::ready(([(header::CONTENT_TYPE, "application/json")], json.clone()));
    (router.route(&format!("{base}/openapi.json"), get(show)), document)
}

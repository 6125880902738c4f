//! The console's built files, at every path that belongs to no service.

use std::path::Path;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderValue, StatusCode, header};
use service_runtime::Problem;
use tower::ServiceExt;
use tower_http::services::ServeDir;

use crate::services::Service;

/// The one page; its script draws the rest.
const PAGE: &str = "/index.html";

/// Serves `folder`; nothing when it does not exist, as in a deployment whose console is elsewhere.
pub fn router(folder: &Path) -> Router {
    if !folder.join("index.html").is_file() {
        return Router::new();
    }
    let files = ServeDir::new(folder).append_index_html_on_directories(true);
    Router::new().route("/", get(answer)).route("/{*path}", get(answer)).with_state(files)
}

async fn answer(State(files): State<ServeDir>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    if is_api(&path) {
        return Problem::not_found("path").into_response();
    }
    let found = file(&files, request).await;
    // A path without an extension is a place inside the console: the page finds out which.
    if found.status() == StatusCode::NOT_FOUND && !path.rsplit('/').next().unwrap_or_default().contains('.') {
        return file(&files, Request::get(PAGE).body(Body::empty()).unwrap_or_default()).await;
    }
    found
}

async fn file(files: &ServeDir, request: Request) -> Response {
    let is_asset = request.uri().path().starts_with("/assets/");
    let Ok(mut response) = files.clone().oneshot(request).await;
    // Names of assets carry a hash of their content; everything else may change with the next release.
    let caching = if is_asset { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    response.into_response()
}

/// Paths of services and of the issuer never fall through to the page: a client would take its 200 for an answer.
fn is_api(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    first == "dev" || Service::ALL.iter().any(|service| service.name() == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn status(router: Router, path: &str) -> StatusCode {
        router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap().status()
    }

    #[tokio::test]
    async fn places_of_the_console_get_the_page_and_unknown_paths_of_services_do_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "page").unwrap();
        let router = router(folder.path());
        for path in ["/", "/index.html", "/orders/42"] {
            assert_eq!(status(router.clone(), path).await, StatusCode::OK, "{path}");
        }
        for path in ["/quote/v1/nothing", "/dev/v1/nothing", "/missing.js", "/../Cargo.toml"] {
            assert_eq!(status(router.clone(), path).await, StatusCode::NOT_FOUND, "{path}");
        }
    }
}

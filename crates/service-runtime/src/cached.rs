//! Answers that came through a cache: their age and their source are shown to the client (RFC 9111 `Age`, RFC 9211 `Cache-Status`).

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use cache_ports::{Served, ServedFrom};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use kernel::Version;
use serde::Serialize;

use crate::{IfNoneMatch, Problem, etag};

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
/// Header fields of a cached answer with those the server adds: room for all, so that the map never grows.
const HEADERS: usize = 12;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// 200 with a cached value, or 304 when the client has that version already.
#[derive(Debug)]
pub struct Cached {
    body: Result<Bytes, serde_json::Error>,
    facts: Facts,
    not_modified: bool,
}

#[derive(Debug, Clone, Copy)]
struct Facts {
    version: Version,
    age_secs: u64,
    source: ServedFrom,
}

impl Facts {
    fn of<T>(served: &Served<T>) -> Self {
        Self { version: served.version, age_secs: served.age.as_secs(), source: served.source }
    }
}

impl Cached {
    /// The whole value: for objects that show the same to every reader. Sent byte for byte as it is cached where it can be.
    pub fn whole<T: Serialize>(served: Served<T>) -> Self {
        let facts = Facts::of(&served);
        let body = served.json.map_or_else(|| serde_json::to_vec(&*served.value).map(Bytes::from), Ok);
        Self { body, facts, not_modified: false }
    }

    /// What `view` makes of the value: for objects of which this caller may see a part.
    pub fn viewed<T, V: Serialize>(served: &Served<T>, view: impl FnOnce(&T) -> V) -> Self {
        let body = serde_json::to_vec(&view(&served.value)).map(Bytes::from);
        Self { body, facts: Facts::of(served), not_modified: false }
    }

    /// 304 if the client has this version already.
    #[must_use]
    pub fn unless(mut self, held: &IfNoneMatch) -> Self {
        self.not_modified = held.matches(self.facts.version);
        self
    }
}

impl IntoResponse for Cached {
    fn into_response(self) -> Response {
        let body = match self.body {
            Ok(_) if self.not_modified => Body::empty(),
            Ok(json) => Body::from(json),
            Err(error) => return Problem::internal(error).into_response(),
        };
        let mut response = Response::new(body);
        response.headers_mut().reserve(HEADERS);
        if self.not_modified {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            response.headers_mut().insert(header::CONTENT_TYPE, JSON);
        }
        response.headers_mut().insert(header::ETAG, etag(self.facts.version));
        add_cache_headers(response.headers_mut(), self.facts);
        response
    }
}

/// Adds `Age` and `Cache-Status` to an answer whose body was made from `served`.
pub fn cache_headers<T>(headers: &mut HeaderMap, served: &Served<T>) {
    add_cache_headers(headers, Facts::of(served));
}

fn add_cache_headers(headers: &mut HeaderMap, facts: Facts) {
    headers.insert(header::AGE, HeaderValue::from(facts.age_secs));
    headers.insert(CACHE_STATUS, cache_status(facts.source));
    // Ours to keep and to drop; a shared cache outside must ask again, and must never mix up callers.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
}

fn cache_status(source: ServedFrom) -> HeaderValue {
    HeaderValue::from_static(match source {
        ServedFrom::L1 => "quoin; hit; detail=l1",
        ServedFrom::L2 => "quoin; hit; detail=l2",
        ServedFrom::L2Stale => "quoin; hit; detail=l2-stale",
        ServedFrom::Authority => "quoin; fwd=miss",
    })
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;

    fn served(source: ServedFrom) -> Served<u32> {
        Served { value: Arc::new(7), json: None, version: Version::new(3), age: Duration::from_millis(2_900), source }
    }

    #[test]
    fn the_client_sees_age_and_source() {
        let response = Cached::whole(served(ServedFrom::L2)).into_response();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["age"], "2");
        assert_eq!(response.headers()["cache-status"], "quoin; hit; detail=l2");
        assert_eq!(response.headers()["etag"], "\"3\"");
    }

    #[test]
    fn a_client_that_has_the_version_gets_304() {
        let held = IfNoneMatch::default();
        assert_eq!(Cached::whole(served(ServedFrom::L1)).unless(&held).into_response().status(), StatusCode::OK);
    }
}

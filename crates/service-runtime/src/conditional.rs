//! Versions over HTTP: ETag, If-Match, If-None-Match, and the answers that carry them.

use axum::{
    Json,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use kernel::Version;
use serde::Serialize;

use crate::Problem;

/// A read asks for nothing older than this version: its own write, for example.
pub const MIN_VERSION_HEADER: &str = "min-version";

/// The strong entity tag of a version.
pub fn etag(version: Version) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The version the client believes the object has. Missing: 428. Not a tag of ours: 412.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub Version);

impl IfMatch {
    /// 412 with the current version unless the object still is what the client believes.
    pub fn check(self, current: Version) -> Result<(), Problem> {
        if self.0 == current { Ok(()) } else { Err(Problem::precondition_failed(current)) }
    }
}

/// As [`IfMatch`] where a command has an idempotency key: may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionalIfMatch(pub Option<Version>);

impl OptionalIfMatch {
    /// 412 with the current version if the client believes in another.
    pub fn check(self, current: Version) -> Result<(), Problem> {
        self.0.map_or(Ok(()), |version| IfMatch(version).check(current))
    }
}

/// The versions the client already has; empty when it did not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfNoneMatch {
    any: bool,
    versions: Vec<Version>,
}

impl IfNoneMatch {
    /// Whether the client has this version already: answer 304.
    pub fn matches(&self, version: Version) -> bool {
        self.any || self.versions.contains(&version)
    }

    /// Whether the request said `If-None-Match: *`: create, never replace.
    pub const fn is_any(&self) -> bool {
        self.any
    }
}

/// The version a read must at least have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MinVersion(pub Option<Version>);

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if_match(&parts.headers)?.map(Self).ok_or_else(|| {
            Problem::new(
                StatusCode::PRECONDITION_REQUIRED,
                "precondition-required",
                "If-Match must name the version this change is based on",
            )
        })
    }
}

impl<S: Sync> FromRequestParts<S> for OptionalIfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if_match(&parts.headers).map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut found = Self::default();
        for value in parts.headers.get_all(header::IF_NONE_MATCH) {
            for tag in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                found.any |= tag == "*";
                // Weak comparison (RFC 9110 §13.1.2): a cache between us may have weakened our tag.
                found.versions.extend(version_of(tag.strip_prefix("W/").unwrap_or(tag)));
            }
        }
        Ok(found)
    }
}

impl<S: Sync> FromRequestParts<S> for MinVersion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(MIN_VERSION_HEADER) else { return Ok(Self(None)) };
        // No object has a version beyond what its column holds.
        let number =
            value.to_str().ok().and_then(|text| text.parse::<u64>().ok()).filter(|n| i64::try_from(*n).is_ok());
        number.map(|number| Self(Some(Version::new(number)))).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid-header", "Min-Version must be a version number")
        })
    }
}

/// The version If-Match names; `*` names none. A tag that is not ours cannot match anything: 412.
fn if_match(headers: &HeaderMap) -> Result<Option<Version>, Problem> {
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" && values.next().is_none() {
        return Ok(None);
    }
    let no_match = || {
        Problem::new(StatusCode::PRECONDITION_FAILED, "precondition-failed", "If-Match names no version of this object")
            .detail("If-Match takes one strong entity tag as answered in ETag, for example \"7\"")
    };
    if values.next().is_some() {
        return Err(no_match());
    }
    version_of(text).map(Some).ok_or_else(no_match)
}

fn version_of(tag: &str) -> Option<Version> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Version::new))?
}

/// 200 with an object and its ETag.
#[derive(Debug)]
pub struct Versioned<T>(pub T, pub Version);

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        ([(header::ETAG, etag(self.1))], Json(self.0)).into_response()
    }
}

/// 201 with an object, its ETag and its place.
#[derive(Debug)]
pub struct Created<T> {
    /// The path of the new object.
    pub location: String,
    /// Its version.
    pub version: Version,
    /// What it is.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, [(header::ETAG, etag(self.version))], Json(self.body)).into_response();
        if let Ok(location) = HeaderValue::try_from(self.location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (header::IF_MATCH, HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_tag_survives_the_round_trip() {
        let tag = etag(Version::new(42));
        assert_eq!(tag, "\"42\"");
        assert_eq!(version_of(tag.to_str().unwrap()), Some(Version::new(42)));
    }

    #[test]
    fn only_one_strong_tag_of_ours_matches() {
        assert_eq!(if_match(&headers(&[])).unwrap(), None);
        assert_eq!(if_match(&headers(&["*"])).unwrap(), None);
        assert_eq!(if_match(&headers(&["\"3\""])).unwrap(), Some(Version::new(3)));
        for bad in ["W/\"3\"", "3", "\"\"", "\"-3\"", "\"+3\"", "\"abc\"", "\"3\", \"4\"", "\"99999999999999999999\""] {
            assert_eq!(if_match(&headers(&[bad])).unwrap_err().status(), StatusCode::PRECONDITION_FAILED, "{bad}");
        }
        assert!(if_match(&headers(&["\"3\"", "\"3\""])).is_err());
    }

    #[test]
    fn another_version_is_refused_with_the_current_one() {
        assert!(IfMatch(Version::new(2)).check(Version::new(2)).is_ok());
        let refused = IfMatch(Version::new(2)).check(Version::new(3)).unwrap_err();
        assert_eq!(refused.document().members["currentVersion"], 3);
    }
}

//! JSON bodies: read within a limit, parsed, validated; every fault becomes a pointer to its field.
//!
//! 413 too large, 415 not JSON, 400 not well-formed, 422 well-formed but wrong. Must never know a field's meaning.

mod pointer;
mod zero;

use std::error::Error;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use validator::Validate;

use crate::Problem;

/// Largest body unless the handler says otherwise: a quote of thousands of lines fits.
pub const DEFAULT_BODY_LIMIT: usize = 1024 * 1024;

/// A JSON body that satisfies its own rules. `LIMIT` is in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Valid<T, const LIMIT: usize = DEFAULT_BODY_LIMIT>(pub T);

/// As [`Valid`], but no body at all means the default; for commands whose fields are all optional.
#[derive(Debug, Clone, Copy)]
pub struct ValidOrDefault<T>(pub T);

impl<T, S, const LIMIT: usize> FromRequest<S> for Valid<T, LIMIT>
where
    T: DeserializeOwned + Validate,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        parse(&read(request, LIMIT).await?).map(Self)
    }
}

impl<T, S> FromRequest<S> for ValidOrDefault<T>
where
    T: DeserializeOwned + Validate + Default,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let typed = require_json(request.headers());
        let bytes = read(request, DEFAULT_BODY_LIMIT).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        typed?;
        parse(&bytes).map(Self)
    }
}

/// Parses and validates a body that was read by other means.
pub fn parse<T: DeserializeOwned + Validate>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would take a list for an object, its items for the fields in order: nobody means that.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::invalid().pointer("", "invalid-value", "The body must be an object"));
    }
    let value: T = serde_json::from_slice(bytes).map_err(|error| refused_by_serde::<T>(&error, bytes))?;
    if let Some(field) = zero::first_in(bytes) {
        return Err(Problem::invalid().fields([field]));
    }
    match value.validate() {
        Ok(()) => Ok(value),
        Err(errors) => Err(Problem::invalid().fields(pointer::of_validation(&errors))),
    }
}

/// Parses again, this time keeping track of the path: only the refused pay for it.
fn refused_by_serde<T: DeserializeOwned>(error: &serde_json::Error, bytes: &[u8]) -> Problem {
    // serde_json calls it a matter of syntax when an enum is given a number: whether it is, the text itself says.
    if !error.is_data() && serde_json::from_slice::<IgnoredAny>(bytes).is_err() {
        return Problem::new(StatusCode::BAD_REQUEST, "malformed-json", "The body is not well-formed JSON")
            .detail(error.to_string());
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(tracked) => Problem::invalid().fields([pointer::of_serde(&tracked)]),
        Ok(_) => Problem::invalid().detail(error.to_string()),
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let essence = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .map(|value| value.split(';').next().unwrap_or_default().trim());
    match essence {
        Some(media) if is_json(media) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "The body must be application/json",
        )),
    }
}

/// `application/json` and the `+json` types, such as `application/merge-patch+json`.
fn is_json(media: &str) -> bool {
    let tail = |from: usize| media.get(from..).unwrap_or_default();
    media.eq_ignore_ascii_case("application/json")
        || (media.len() > 5 && tail(media.len() - 5).eq_ignore_ascii_case("+json"))
}

async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    if declared.is_some_and(|bytes| bytes > limit) {
        return Err(too_large(limit));
    }
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large(limit)),
        Err(error) => Err(unreadable(error)),
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large")
        .detail(format!("At most {limit} bytes are accepted here"))
}

fn unreadable(error: Box<dyn Error + Send + Sync>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "unreadable-body", "The body ended early or could not be read")
        .caused_by(error)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::FieldProblem;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Cart {
        #[validate(length(min = 1, max = 10))]
        customer_name: String,
        #[validate(nested)]
        line_items: Vec<Line>,
    }

    #[derive(Debug, Deserialize, Validate)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Line {
        #[validate(range(min = 1))]
        unit_count: i64,
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Colour {
        Red,
    }

    fn fields(body: &str) -> Vec<FieldProblem> {
        let problem = parse::<Cart>(body.as_bytes()).expect_err(body);
        assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        problem.document().errors.clone()
    }

    fn cart(colour: &str) -> Cart {
        let body = format!(r#"{{"customerName":"a","lineItems":[{{"unitCount":1,"colour":{colour}}}]}}"#);
        parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn a_broken_rule_is_named_by_its_json_pointer() {
        let errors = fields(r#"{"customerName":"","lineItems":[{"unitCount":1},{"unitCount":0}]}"#);
        let named: Vec<_> = errors.iter().map(|error| (error.pointer.as_str(), error.code.as_ref())).collect();
        assert_eq!(named, [("/customerName", "length"), ("/lineItems/1/unitCount", "range")]);
    }

    #[test]
    fn a_wrong_type_an_unknown_and_a_missing_field_are_named_too() {
        let wrong = fields(r#"{"customerName":"a","lineItems":[{"unitCount":"x"}]}"#);
        assert_eq!((wrong[0].pointer.as_str(), wrong[0].code.as_ref()), ("/lineItems/0/unitCount", "invalid-value"));
        let unknown = fields(r#"{"customerName":"a","lineItems":[{"unitCount":1,"size":"xl"}]}"#);
        assert_eq!((unknown[0].pointer.as_str(), unknown[0].code.as_ref()), ("/lineItems/0/size", "unknown-field"));
        let missing = fields(r#"{"customerName":"a","lineItems":[{}]}"#);
        assert_eq!((missing[0].pointer.as_str(), missing[0].code.as_ref()), ("/lineItems/0/unitCount", "required"));
    }

    #[test]
    fn a_word_that_is_none_of_the_list_is_named_whatever_its_type() {
        for colour in [r#""green""#, "7", "true", "[]", "{}", "[[]]"] {
            let wrong = fields(&format!(r#"{{"customerName":"a","lineItems":[{{"unitCount":1,"colour":{colour}}}]}}"#));
            let named = (wrong[0].pointer.as_str(), wrong[0].code.as_ref());
            assert_eq!(named, ("/lineItems/0/colour", "invalid-value"), "{colour}");
        }
        assert!(matches!(cart(r#""red""#).line_items[0].colour, Some(Colour::Red)));
    }

    #[test]
    fn a_field_that_comes_twice_is_named() {
        let twice = fields(r#"{"customerName":"a","lineItems":[{"unitCount":1,"unitCount":2}]}"#);
        assert_eq!((twice[0].pointer.as_str(), twice[0].code.as_ref()), ("/lineItems/0/unitCount", "duplicate-field"));
    }

    #[test]
    fn the_zero_character_is_refused_by_its_field() {
        let zero = fields(r#"{"customerName":"a\u0000","lineItems":[]}"#);
        assert_eq!((zero[0].pointer.as_str(), zero[0].code.as_ref()), ("/customerName", "zero-character"));
    }

    #[test]
    fn text_that_is_no_json_is_400() {
        for body in ["", "{", "{]", "nul"] {
            assert_eq!(parse::<Cart>(body.as_bytes()).unwrap_err().status(), StatusCode::BAD_REQUEST, "{body}");
        }
    }

    #[test]
    fn json_has_many_names() {
        for media in ["application/json", "Application/JSON", "application/merge-patch+json"] {
            assert!(is_json(media), "{media}");
        }
        for media in ["text/plain", "json", "+json", "application/jsonp", ""] {
            assert!(!is_json(media), "{media}");
        }
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_413_even_when_it_lies_about_its_length() {
        let request = Request::new(axum::body::Body::from(vec![b' '; 17]));
        assert_eq!(read(request, 16).await.unwrap_err().status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

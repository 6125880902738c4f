//! Which routes a policy is for, and where a request names what it is about.
//!
//! Owns the written form of both. Must never look into a body.

use std::str::FromStr;

use axum::{
    RequestPartsExt,
    extract::{MatchedPath, Query, RawPathParams},
};
use http::{Method, request::Parts};
use kernel::ContentHash;
use uuid::Uuid;

/// `POST /quote/v1/quotes/{id}`: a method, or `*`, and a route as it is declared; a `*` at its end stands for any rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePattern {
    method: Option<Method>,
    path: String,
    open: bool,
}

impl RoutePattern {
    /// Whether it names this route.
    pub fn matches(&self, method: &Method, route: &str) -> bool {
        let path = if self.open { route.starts_with(&self.path) } else { route == self.path };
        path && self.method.as_ref().is_none_or(|own| own == method)
    }
}

impl FromStr for RoutePattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (method, path) =
            text.split_once(' ').ok_or("is not a method and a path, such as `POST /quote/v1/quotes`")?;
        let method = match method {
            "*" => None,
            "GET" | "POST" | "PUT" | "PATCH" | "DELETE" => Some(method.parse().map_err(|_| "has no method")?),
            _ => return Err("begins with no method: GET, POST, PUT, PATCH, DELETE, or * for all"),
        };
        let (path, open) = path.strip_suffix('*').map_or((path, false), |path| (path, true));
        if !path.starts_with('/') || path.contains(['*', ' ', '?']) {
            return Err("has a path that does not begin with /, or a * that is not at its end");
        }
        Ok(Self { method, path: path.to_owned(), open })
    }
}

/// `/quote/v1/quotes/{id}` or `?customerId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SubjectPattern {
    /// The parameter of that name, in routes that begin like this.
    Path { begins: String, parameter: String },
    /// The query parameter of that name.
    Query(String),
}

impl FromStr for SubjectPattern {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(name) = text.strip_prefix('?') {
            return if name.is_empty() { Err("names no query parameter") } else { Ok(Self::Query(name.to_owned())) };
        }
        let parameter = text
            .rsplit_once("/{")
            .and_then(|(_, last)| last.strip_suffix('}'))
            .filter(|name| text.starts_with('/') && !name.is_empty() && !name.contains(['{', '}', '/']))
            .ok_or("is neither a path that ends in its parameter, `/quotes/{id}`, nor a query parameter, `?quoteId`")?;
        Ok(Self::Path { begins: text.to_owned(), parameter: parameter.to_owned() })
    }
}

/// What the request names by the first of `patterns` that fits, in one spelling only. Nobody gains a fresh count by spelling an
/// id differently.
pub(super) async fn subject_of(patterns: &[SubjectPattern], parts: &mut Parts) -> Option<String> {
    for pattern in patterns {
        let found = match pattern {
            SubjectPattern::Path { begins, parameter } => {
                let matched = parts.extensions.get::<MatchedPath>()?;
                let rest = matched.as_str().strip_prefix(begins.as_str());
                if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                    continue;
                }
                let parameters = parts.extract::<RawPathParams>().await.ok()?;
                parameters.iter().find(|(name, _)| name == parameter).map(|(_, value)| spelled_once(value))
            }
            SubjectPattern::Query(name) => Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
                .ok()
                .and_then(|Query(pairs)| pairs.into_iter().find(|(key, _)| key == name))
                .map(|(_, value)| spelled_once(&value)),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn spelled_once(value: &str) -> String {
    match value.parse::<Uuid>() {
        Ok(id) => id.as_hyphenated().to_string(),
        Err(_) => ContentHash::of_bytes(value.as_bytes()).to_string()[..32].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, method: Method, route: &str) -> bool {
        pattern.parse::<RoutePattern>().unwrap().matches(&method, route)
    }

    #[test]
    fn a_route_is_named_whole_or_by_its_beginning() {
        assert!(matches("POST /quote/v1/quotes", Method::POST, "/quote/v1/quotes"));
        assert!(!matches("POST /quote/v1/quotes", Method::POST, "/quote/v1/quotes/{id}"));
        assert!(!matches("POST /quote/v1/quotes", Method::GET, "/quote/v1/quotes"));
        assert!(matches("* /quote/v1/*", Method::GET, "/quote/v1/quotes/{id}"));
        assert!(!matches("* /quote/v1/*", Method::GET, "/order/v1/orders"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["", "/quote", "FETCH /quote", "POST quote", "POST /a*b", "POST /a?b", "post /a"] {
            assert!(bad.parse::<RoutePattern>().is_err(), "{bad}");
        }
        for bad in ["", "quotes/{id}", "/quotes", "/quotes/{}", "?", "/quotes/{id}/"] {
            assert!(bad.parse::<SubjectPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_is_counted_in_one_spelling() {
        let id = "0192F0C1-1111-7000-8000-0000000000AB";
        assert_eq!(spelled_once(id), spelled_once(&id.to_lowercase()));
        assert_eq!(spelled_once(id), spelled_once(&id.replace('-', "")));
        assert!(!spelled_once("sam@example.com").contains("sam"));
    }
}

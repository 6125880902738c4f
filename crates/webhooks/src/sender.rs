//! Sends one letter to one callback, and says how it went.
//!
//! Follows no redirect, uses no proxy, connects only where [`Reach`] allows, and reads little of the answer: the receiver is
//! a stranger.

use std::{error::Error, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::{Response, StatusCode, header};

use crate::{
    resolver::Reach,
    rules::{
        callback::{self, CallbackFault, spelled_out},
        letter::{CLOUD_EVENT, Letter},
    },
};

/// Most bytes of an answer that are read.
const MAX_ANSWER: usize = 8 * 1024;
/// Most characters of an answer that are kept for whoever asks what went wrong.
const KEPT_CHARACTERS: usize = 300;
/// How long a connection without traffic is kept; its address was checked when it was made.
const IDLE: Duration = Duration::from_secs(30);

/// How a delivery went.
#[derive(Debug)]
pub enum Outcome {
    /// Acknowledged: any 2xx.
    Delivered,
    /// 410: nobody wants it any more.
    Gone(Failure),
    /// Anything else; it is tried again.
    Failed(Failure),
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was answered, if anything was.
    pub status: Option<u16>,
    /// In words, for the integrator.
    pub error: String,
    /// How long the receiver asks us to wait.
    pub retry_after: Option<Duration>,
}

impl Failure {
    fn without_answer(error: impl Into<String>) -> Self {
        Self { status: None, error: error.into(), retry_after: None }
    }
}

/// Sends letters. Cloning shares the connections.
#[derive(Debug, Clone)]
pub struct Sender {
    http: reqwest::Client,
    reach: Reach,
    allow_http: bool,
}

impl Sender {
    /// A sender that waits `timeout` for an answer.
    pub fn new(timeout: Duration, reach: Reach, allow_http: bool) -> Self {
        let http = reqwest::Client::builder()
            .user_agent(concat!("quoin-webhooks/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .pool_idle_timeout(IDLE)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(reach))
            .build()
            .expect("a client fails only for want of the TLS provider, which is compiled in");
        Self { http, reach, allow_http }
    }

    /// Sends `letter`. `now` is for answers that name a time.
    pub async fn send(&self, callback: &str, letter: Letter, now: DateTime<Utc>) -> Outcome {
        let url = match callback::parse(callback, self.allow_http) {
            Ok(url) => url,
            Err(fault) => return Outcome::Failed(Failure::without_answer(format!("the callback {fault}"))),
        };
        // A name is looked up and checked by the client when it connects; an address it would just use.
        if spelled_out(&url).is_some() && self.reach.find(&url).await.is_err() {
            return Outcome::Failed(Failure::without_answer(format!("the callback {}", CallbackFault::Address)));
        }
        let request = self
            .http
            .post(url)
            .header(header::CONTENT_TYPE, CLOUD_EVENT)
            .header("webhook-id", letter.id)
            .header("webhook-timestamp", letter.timestamp)
            .header("webhook-signature", letter.signatures)
            .body(letter.body);
        match request.send().await {
            Ok(response) if response.status().is_success() => Outcome::Delivered,
            Ok(response) if response.status() == StatusCode::GONE => Outcome::Gone(refusal(response, now).await),
            Ok(response) => Outcome::Failed(refusal(response, now).await),
            Err(error) => Outcome::Failed(Failure::without_answer(in_words(&error.without_url()))),
        }
    }
}

async fn refusal(mut response: Response, now: DateTime<Utc>) -> Failure {
    let status = response.status().as_u16();
    let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = asked.and_then(|text| retry_after(text, now));
    let mut answer = Vec::new();
    while answer.len() < MAX_ANSWER
        && let Ok(Some(chunk)) = response.chunk().await
    {
        let room = MAX_ANSWER - answer.len();
        answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    let text = readable(&String::from_utf8_lossy(&answer));
    let error = if text.is_empty() { format!("answered {status}") } else { format!("answered {status}: {text}") };
    Failure { status: Some(status), error, retry_after }
}

/// Seconds, or a time (RFC 9110 §10.2.3).
fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text.trim()).ok()?;
    (at.to_utc() - now).to_std().ok()
}

/// One line without control characters, which PostgreSQL would not store and a terminal would obey.
fn readable(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(KEPT_CHARACTERS).collect()
}

/// The last cause says most; the client's own words come first.
fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "did not answer in time".to_owned();
    }
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let what = if error.is_connect() { "cannot connect" } else { "the request failed" };
    readable(&format!("{what}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_asks_for_patience_in_seconds_or_by_a_time() {
        let now = DateTime::from_timestamp(784_111_777, 0).unwrap();
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Duration::from_secs(60)));
        for nothing in ["", "soon", "-1", "Sun, 06 Nov 1994 08:49:36 GMT"] {
            assert_eq!(retry_after(nothing, now), None, "{nothing}");
        }
    }

    #[test]
    fn an_answer_becomes_one_harmless_line() {
        assert_eq!(readable("no\0 such\r\n\u{1b}[31m thing "), "no such [31m thing");
        assert_eq!(readable(&"x".repeat(10_000)).len(), KEPT_CHARACTERS);
    }
}

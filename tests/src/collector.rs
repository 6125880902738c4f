//! A collector of traces: takes OTLP over HTTP and keeps what a test wants to know of each span.
//!
//! Reads the few protobuf fields it needs by hand (opentelemetry-proto, trace.proto): a whole protobuf stack for five
//! fields would be the larger evil.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::{Router, body::Bytes, extract::State, routing::post};
use tokio::net::TcpListener;

/// One span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Which trace it belongs to, hexadecimal.
    pub trace_id: String,
    /// What it is called.
    pub name: String,
    /// Its text attributes.
    pub attributes: Vec<(String, String)>,
    /// Traces it is linked to: a batch serves many.
    pub links: Vec<String>,
}

impl Span {
    /// A text attribute, empty when absent.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

type Spans = Arc<Mutex<Vec<Span>>>;

/// A collector that answers until it is dropped with its runtime.
pub struct Collector {
    /// What to configure as the endpoint.
    pub url: String,
    spans: Spans,
}

impl Collector {
    /// Listens on a free port.
    pub async fn start() -> Result<Self> {
        let spans = Spans::default();
        let router = Router::new().route("/v1/traces", post(receive)).with_state(Arc::clone(&spans));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, spans })
    }

    /// The spans of a trace so far.
    pub fn of_trace(&self, trace_id: &str) -> Vec<Span> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().filter(|span| span.trace_id == trace_id).cloned().collect()
    }

    /// The spans that are linked to a trace so far.
    pub fn linked_to(&self, trace_id: &str) -> Vec<Span> {
        let spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().filter(|span| span.links.iter().any(|link| link == trace_id)).cloned().collect()
    }
}

async fn receive(State(spans): State<Spans>, body: Bytes) {
    let found = spans_of(&body);
    spans.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
}

/// ExportTraceServiceRequest: resource_spans = 1, scope_spans = 2, spans = 2.
fn spans_of(message: &[u8]) -> Vec<Span> {
    let resources = fields(message).into_iter().filter(|(number, _)| *number == 1);
    let scopes = resources.flat_map(|(_, resource)| fields(resource)).filter(|(number, _)| *number == 2);
    let spans = scopes.flat_map(|(_, scope)| fields(scope)).filter(|(number, _)| *number == 2);
    spans.map(|(_, span)| span_of(span)).collect()
}

/// Span: trace_id = 1, name = 5, attributes = 9 (KeyValue: key = 1, value = 2 (AnyValue: string_value = 1)),
/// links = 13 (Link: trace_id = 1).
fn span_of(message: &[u8]) -> Span {
    let mut span = Span { trace_id: String::new(), name: String::new(), attributes: Vec::new(), links: Vec::new() };
    for (number, value) in fields(message) {
        match number {
            1 => span.trace_id = hex(value),
            5 => span.name = String::from_utf8_lossy(value).into_owned(),
            9 => span.attributes.extend(attribute_of(value)),
            13 => {
                let ids = fields(value).into_iter().filter(|(number, _)| *number == 1);
                span.links.extend(ids.map(|(_, id)| hex(id)));
            }
            _ => {}
        }
    }
    span
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn attribute_of(message: &[u8]) -> Option<(String, String)> {
    let of = |wanted: u64, message: &'_ [u8]| {
        fields(message).into_iter().find(|(number, _)| *number == wanted).map(|(_, value)| value.to_vec())
    };
    let (key, value) = (of(1, message)?, of(2, message)?);
    let text = of(1, &value)?;
    Some((String::from_utf8(key).ok()?, String::from_utf8(text).ok()?))
}

/// The length-delimited fields of a message; the others are stepped over.
fn fields(mut rest: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while let Some((tag, after)) = varint(rest) {
        let stepped = match tag & 7 {
            0 => varint(after).map(|(_, after)| after),
            1 => after.get(8..),
            5 => after.get(4..),
            2 => varint(after).and_then(|(length, after)| {
                let length = usize::try_from(length).ok()?;
                found.push((tag >> 3, after.get(..length)?));
                after.get(length..)
            }),
            _ => None,
        };
        let Some(stepped) = stepped else { break };
        rest = stepped;
    }
    found
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![number << 3 | 2, u8::try_from(content.len()).unwrap()];
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn spans_are_found_inside_resources_and_scopes() {
        let attribute = [field(1, b"db"), field(2, &field(1, b"redis"))].concat();
        // A number field (kind = 6) and a fixed one (start time = 7) stand between.
        let numbers = [vec![6 << 3, 3], [vec![7 << 3 | 1], vec![0; 8]].concat()].concat();
        let link = field(13, &field(1, &[0xcd; 16]));
        let span = [field(1, &[0xab; 16]), numbers, field(5, b"GET"), field(9, &attribute), link].concat();
        let message = field(1, &[field(1, b"resource"), field(2, &field(2, &span))].concat());
        let found = spans_of(&message);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].trace_id.as_str(), found[0].name.as_str()), ("ab".repeat(16).as_str(), "GET"));
        assert_eq!((found[0].attribute("db"), found[0].links.as_slice()), ("redis", ["cd".repeat(16)].as_slice()));
        assert!(spans_of(&message[..message.len() - 3]).is_empty());
    }
}

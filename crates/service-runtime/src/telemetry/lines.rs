//! Log lines that name their request.
//!
//! The id is read when a line is written, from the request's own task: a request that logs nothing pays nothing, where a
//! span with the id as a field would cost every request a microsecond.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use super::LogFormat;
use crate::context;

/// Adds the correlation id to every line that `inner` writes.
pub(super) struct NamingTheRequest<F> {
    pub(super) inner: F,
    pub(super) format: LogFormat,
}

impl<S, N, F> FormatEvent<S, N> for NamingTheRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, spans: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some(id) = context::correlation_id() else { return self.inner.format_event(spans, writer, event) };
        match self.format {
            LogFormat::Text => {
                write!(writer, "[{id}] ")?;
                self.inner.format_event(spans, writer, event)
            }
            LogFormat::Json => {
                let mut line = String::new();
                self.inner.format_event(spans, Writer::new(&mut line), event)?;
                // The id's alphabet needs no escaping in JSON.
                writer.write_str(&named(&line, &id))
            }
        }
    }
}

/// The JSON object in `line` with one member more.
fn named(line: &str, id: &str) -> String {
    let rest = line.strip_prefix('{').unwrap_or(line);
    format!(r#"{{"correlationId":"{id}",{rest}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_line_is_still_json() {
        let line: serde_json::Value = serde_json::from_str(&named("{\"level\":\"INFO\"}\n", "order-7")).unwrap();
        assert_eq!(line, serde_json::json!({"level": "INFO", "correlationId": "order-7"}));
    }
}

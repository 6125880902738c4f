//! Logs, traces and metrics of one process.
//!
//! Owns the subscriber, the exporter and the Prometheus recorder. Traces leave only where an OTLP endpoint is configured;
//! without one no span is ever built for export, so tracing costs nothing then.

mod lines;
mod w3c;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::trace::{TraceContextExt, TracerProvider};
use opentelemetry_otlp::{Protocol, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use lines::NamingTheRequest;
pub(crate) use w3c::continue_trace;

pub use w3c::current_traceparent;

/// Time between two clean-ups of the histograms; without them their samples pile up until somebody scrapes.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// Upper bounds of durations in seconds: fine where our latencies are, coarse towards the time-outs.
const DURATION_BUCKETS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Upper bounds of the ages of cached values in seconds: about the lives that keyspaces declare.
pub const AGE_BUCKETS: [f64; 16] = [
    1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 660.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0, 16_000.0, 32_000.0, 100_000.0,
    700_000.0,
];

/// Whether spans are built for export.
static EXPORTING: AtomicBool = AtomicBool::new(false);

/// What a process says about itself, and where to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetryConfig {
    /// A filter as in `RUST_LOG`.
    pub log: String,
    /// Logs as JSON, one object a line, or for people.
    pub log_format: LogFormat,
    /// Where traces go: the base URL of an OTLP/HTTP collector. Empty: nowhere.
    #[serde(default)]
    pub otlp_endpoint: String,
    /// The part of new traces that is recorded, from 0 to 1. A caller's decision is followed.
    pub trace_ratio: f64,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogFormat {
    /// For machines.
    Json,
    /// For people.
    Text,
}

/// Telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be parsed.
    #[error("the log filter is malformed")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// A subscriber is installed already.
    #[error("a log subscriber is installed already")]
    Subscriber(#[from] tracing_subscriber::util::TryInitError),
    /// The exporter cannot be built.
    #[error("the trace exporter cannot be built")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The recorder cannot be built.
    #[error("the metrics recorder cannot be installed")]
    Recorder(#[from] metrics_exporter_prometheus::BuildError),
}

/// Keeps telemetry going. Call [`TelemetryGuard::shutdown`] last.
pub struct TelemetryGuard {
    traces: Option<SdkTracerProvider>,
    metrics: PrometheusHandle,
    stop_upkeep: CancellationToken,
}

impl TelemetryGuard {
    /// Renders the metrics.
    pub fn metrics(&self) -> PrometheusHandle {
        self.metrics.clone()
    }

    /// Sends what is left. The exporter blocks, so it gets a thread of its own.
    pub async fn shutdown(self) {
        self.stop_upkeep.cancel();
        if let Some(traces) = self.traces {
            let _ = tokio::task::spawn_blocking(move || traces.shutdown()).await;
        }
    }
}

/// Sets everything up, once a process, within a Tokio runtime. `process` names it in traces.
pub fn init(config: &TelemetryConfig, process: &str) -> Result<TelemetryGuard, TelemetryError> {
    let filter = EnvFilter::builder().parse(&config.log)?;
    let traces = if config.otlp_endpoint.is_empty() { None } else { Some(exporter(config, process)?) };
    let export = traces.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("quoin")));
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let format = config.log_format;
    let lines = match format {
        LogFormat::Json => {
            layer.json().flatten_event(true).map_event_format(|inner| NamingTheRequest { inner, format }).boxed()
        }
        LogFormat::Text => layer.map_event_format(|inner| NamingTheRequest { inner, format }).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(lines).with(export).try_init()?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    EXPORTING.store(traces.is_some(), Ordering::Release);
    let metrics = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &DURATION_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_age_seconds".to_owned()), &AGE_BUCKETS)?
        .install_recorder()?;
    let stop_upkeep = CancellationToken::new();
    tokio::spawn(keep_up(metrics.clone(), stop_upkeep.clone()));
    Ok(TelemetryGuard { traces, metrics, stop_upkeep })
}

fn exporter(config: &TelemetryConfig, process: &str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", config.otlp_endpoint.trim_end_matches('/')))
        .build()?;
    let ratio = config.trace_ratio.clamp(0.0, 1.0);
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_resource(Resource::builder().with_service_name(process.to_owned()).build())
        .build())
}

async fn keep_up(metrics: PrometheusHandle, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_PERIOD)).await.is_some() {
        metrics.run_upkeep();
    }
}

/// Whether spans are built for export.
pub(crate) fn is_exporting() -> bool {
    EXPORTING.load(Ordering::Acquire)
}

/// The trace id of the current span, if spans are exported.
pub(crate) fn span_trace_id() -> Option<String> {
    if !is_exporting() {
        return None;
    }
    let context = tracing::Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| span.trace_id().to_string())
}

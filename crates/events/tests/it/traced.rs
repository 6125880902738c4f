//! One fact is one trace: the command that wrote it, the effect it has elsewhere, and a link from the batch that carried it.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anyhow::Result;
use events::{Guard, InProcessBus};
use opentelemetry::trace::{SpanKind, TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, info_span};
use tracing_subscriber::layer::SubscriberExt;
use uuid::Uuid;

use crate::{
    fixture::{begin, change, fixture, relay, tenant, until},
    marks::{Mark, Running},
};

static SPANS: Mutex<Vec<SpanData>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Collector;

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        SPANS.lock().unwrap_or_else(PoisonError::into_inner).extend(batch);
        Ok(())
    }
}

/// Spans are real in every test: one tracer for the whole binary, because a subscriber per test would race with the
/// others for the same call sites.
pub static TRACED: LazyLock<SdkTracerProvider> = LazyLock::new(|| {
    let provider = SdkTracerProvider::builder().with_simple_exporter(Collector).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    // A test binary has no other subscriber that could be in the way.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
    provider
});

fn spans() -> Vec<SpanData> {
    SPANS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[tokio::test]
async fn the_spans_of_one_fact_form_one_graph() -> Result<()> {
    let (fixture, bus, acme) = (fixture().await?, InProcessBus::new(), tenant("acme"));
    let mark = Mark::new("order.widgets", Guard::StateCarrying);
    let stop = CancellationToken::new();
    let relaying = tokio::spawn(relay(&fixture, Arc::new(bus.clone())).run(stop.clone()));
    let consumer = Running::start(&fixture, &bus, &mark);
    let event = async {
        let mut tx = begin(&fixture.serve, &acme).await?;
        let event = change(&mut tx, &acme, Uuid::now_v7()).await?;
        tx.commit().await?;
        anyhow::Ok(event)
    };
    let event = event.instrument(info_span!("command")).await?;
    until("the event was settled", async || Ok(!mark.settled().is_empty())).await?;
    stop.cancel();
    relaying.await?;
    consumer.stop().await?;

    let (traceparent,): (String,) = sqlx::query_as(r#"select traceparent from "order".outbox where event_id = $1"#)
        .bind(event.id.uuid())
        .fetch_one(&fixture.admin)
        .await?;
    let all = spans();
    let named = |name: &str| all.iter().filter(move |span| span.name == name).collect::<Vec<_>>();
    let context = |span: &SpanData| format!("00-{}-{}-01", span.span_context.trace_id(), span.span_context.span_id());
    let command = named("command").into_iter().find(|span| context(span) == traceparent);
    let command = command.expect("the row names the span that wrote it");
    for name in ["apply event", "settle event"] {
        let of_command = |span: &&SpanData| span.parent_span_id == command.span_context.span_id();
        let span = named(name).into_iter().find(of_command).expect(name);
        assert_eq!(span.span_context.trace_id(), command.span_context.trace_id());
        assert_eq!((&span.span_kind, span.parent_span_is_remote), (&SpanKind::Consumer, true));
    }
    let carried =
        |span: &&SpanData| span.links.iter().any(|link| link.span_context.span_id() == command.span_context.span_id());
    let publish = named("publish events").into_iter().find(carried).expect("the batch links to the command");
    assert_eq!(publish.span_kind, SpanKind::Producer);
    Ok(())
}

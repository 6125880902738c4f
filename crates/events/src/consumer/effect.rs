//! Calls a reaction for one event: its tenant set, its trace continued, its panics caught.

use std::{any::Any, panic::AssertUnwindSafe};

use futures::FutureExt;
use kernel::TenantId;
use sqlx::PgConnection;
use tracing::{Instrument, info_span};

use crate::{Envelope, Reaction, ReactionError, RetryLater, trace_context::continue_trace};

/// Applies `event` through `tx`.
pub(crate) async fn apply(
    reaction: &dyn Reaction,
    tx: &mut PgConnection,
    tenant_set: &mut Option<TenantId>,
    event: &Envelope,
) -> Result<(), ReactionError> {
    if tenant_set.as_ref() != Some(&event.tenant) {
        sqlx::query("select set_config('quoin.tenant', $1, true)")
            .bind(event.tenant.as_str())
            .execute(&mut *tx)
            .await?;
        *tenant_set = Some(event.tenant.clone());
    }
    let applying =
        AssertUnwindSafe(reaction.apply(tx, event)).catch_unwind().instrument(span("apply event", reaction, event));
    applying.await.unwrap_or_else(|panic| Err(ReactionError::poison(panic_text(panic.as_ref()))))
}

/// Makes the effects of `event` outside PostgreSQL.
pub(crate) async fn settle(reaction: &dyn Reaction, event: &Envelope) -> Result<(), RetryLater> {
    let settling =
        AssertUnwindSafe(reaction.committed(event)).catch_unwind().instrument(span("settle event", reaction, event));
    settling.await.unwrap_or_else(|panic| Err(RetryLater::because(panic_text(panic.as_ref()))))
}

/// A span within the trace that wrote the event.
fn span(operation: &'static str, reaction: &dyn Reaction, event: &Envelope) -> tracing::Span {
    let span = info_span!(
        "process event",
        otel.name = operation,
        otel.kind = "consumer",
        "messaging.operation.type" = "process",
        messaging.consumer.group.name = reaction.consumer(),
        messaging.message.id = %event.id,
        "messaging.message.type" = event.event_type,
        quoin.tenant = %event.tenant,
        quoin.aggregate = %format_args!("{}/{}", event.aggregate_type, event.aggregate_id),
        quoin.version = event.aggregate_version.get(),
    );
    continue_trace(&span, event.traceparent.as_deref());
    span
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the reaction panicked: {}", text.unwrap_or("without a message"))
}

//! Reading back what the system holds once everything has come to its end.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures::{StreamExt, TryStreamExt, stream};
use rust_decimal::Decimal;

use super::{
    Desk, ReplayOptions, Results,
    sale::Placed,
    wire::{Cancelled, Order, Page},
};
use crate::{
    api::{Api, ApiError},
    progress::Progress,
    retail::closing::Held,
};

/// States in which an order stays as it is.
const ENDED: [&str; 5] = ["completed", "cancelled", "failed", "rejected", "partial"];
/// Of these, the ones an order is meant to end in.
const WELL_ENDED: [&str; 2] = ["completed", "cancelled"];
/// How often an order that is still moving is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Reads every order and cancellation of the replay, waiting for those that still move.
pub(super) async fn read_back(
    desk: &Desk<'_>,
    results: &Results,
    options: ReplayOptions,
    progress: &Progress,
) -> anyhow::Result<Held> {
    let api = &desk.speakers.requester;
    let until = Instant::now() + options.settle_within;
    let bar = progress.bar("reading back", results.placed.len() + results.cancelled.len());
    let mut held = Held {
        approvals: results.placed.iter().filter(|placed| placed.approved).count(),
        overrides: results.placed.iter().map(|placed| placed.overrides).sum(),
        ..Held::default()
    };
    let orders = results.placed.iter().map(|placed| orders_of(api, placed, until));
    let mut orders = stream::iter(orders).buffer_unordered(options.concurrency.max(1));
    while let Some(found) = orders.try_next().await.context("cannot read the orders back")? {
        bar.inc(1);
        held.duplicate_orders += found.len().saturating_sub(1);
        for order in found {
            held.orders += 1;
            held.unfinished_orders += usize::from(!WELL_ENDED.contains(&order.state.as_str()));
            held.ordered += order.total.amount();
        }
    }
    let cancellations = results.cancelled.iter().map(|cancelled| ended_cancellation(api, cancelled, until));
    let mut cancellations = stream::iter(cancellations).buffer_unordered(options.concurrency.max(1));
    while let Some(cancelled) = cancellations.try_next().await.context("cannot read the cancellations back")? {
        bar.inc(1);
        if cancelled.state == "done" {
            held.cancellations += 1;
            held.credited += credit(&cancelled);
        }
    }
    bar.finish();
    Ok(held)
}

/// A credit is the exact negative of what was sold; here it counts as what goes back.
fn credit(cancelled: &Cancelled) -> Decimal {
    cancelled.credit_amount.amount().abs()
}

async fn orders_of(api: &Api, placed: &Placed, until: Instant) -> Result<Vec<Order>, ApiError> {
    let path = format!("/order/v1/orders?quoteId={}", placed.quote);
    loop {
        let orders = api.get(path.clone()).send::<Page<Order>>().await?.value.items;
        let ended = orders.iter().all(|order| ENDED.contains(&order.state.as_str()));
        if ended || Instant::now() > until {
            return Ok(orders);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn ended_cancellation(api: &Api, cancelled: &Cancelled, until: Instant) -> Result<Cancelled, ApiError> {
    let path = format!("/order/v1/orders/{}/cancellations/{}", cancelled.order_id, cancelled.id);
    loop {
        let now = api.get(path.clone()).send::<Cancelled>().await?.value;
        if matches!(now.state.as_str(), "done" | "terminatedWithError") || Instant::now() > until {
            return Ok(now);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

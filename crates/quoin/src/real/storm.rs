//! What is done to the deployment while invoices are under way.
//!
//! Driven by the progress of the replay, not by time, so that the faults hit the same places on a slow machine.

use anyhow::Context;
use dev_stack::{Component, Server, Stack};
use tokio::sync::watch;

use crate::deployment::{Deployment, Role};

/// Breaks things and mends them; returns what was done.
pub async fn rage(
    deployment: &mut Deployment,
    stack: &Stack,
    mut done: watch::Receiver<usize>,
    steps: usize,
) -> anyhow::Result<Vec<String>> {
    let redis = stack.server(Component::Redis).context("there is no Redis to kill")?;
    let mut faults = Vec::new();
    let mut reached = async |percent: usize| {
        // An error says that the replay is over: the rest of the storm comes late, and changes nothing.
        done.wait_for(|done| *done >= steps * percent / 100).await.map_or(steps, |done| *done)
    };
    let mut note = |at: usize, what: &str| faults.push(format!("after {} of {steps} steps: {what}", at.min(steps)));

    let at = reached(20).await;
    redis.stop().await?;
    note(at, "Redis killed");
    let at = reached(35).await;
    redis.start().await?;
    note(at, "Redis back, empty");

    let at = reached(50).await;
    deployment.kill(Role::Work).await?;
    note(at, "relay, consumers and task runners killed (SIGKILL)");
    let at = reached(60).await;
    deployment.launch(Role::Work).await?;
    note(at, "relay, consumers and task runners started again");

    let at = reached(70).await;
    deployment.kill(Role::Serve).await?;
    note(at, "all services killed (SIGKILL)");
    deployment.launch(Role::Serve).await?;
    note(at, "all services started again");

    let at = reached(85).await;
    flicker(redis).await?;
    note(at, "Redis killed and started at once");
    Ok(faults)
}

async fn flicker(redis: &Server) -> anyhow::Result<()> {
    redis.stop().await?;
    redis.start().await
}

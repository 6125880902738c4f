//! How calls are timed: in a loop, by many tasks for a while, or by many tasks through a list.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

/// Between two looks at the clock, where one call is shorter than a look.
const CALLS_PER_LOOK: usize = 1_000;

/// Nanoseconds of one call, repeated for `time` by one task. The call is given numbers that count up.
pub async fn nanos_each<Fut: Future<Output = ()>>(time: Duration, call: impl Fn(usize) -> Fut) -> f64 {
    let began = Instant::now();
    let mut calls = 0;
    while began.elapsed() < time {
        for number in calls..calls + CALLS_PER_LOOK {
            call(number).await;
        }
        calls += CALLS_PER_LOOK;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let each = began.elapsed().as_secs_f64() * 1e9 / calls as f64;
    each
}

/// Calls a second, made by `tasks` tasks for `time`, each one after the other. The first error ends it.
pub async fn per_second<F, Fut>(tasks: usize, time: Duration, call: F) -> Result<f64>
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let began = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let call = call.clone();
        running.spawn(async move {
            let mut calls = 0_usize;
            while began.elapsed() < time {
                // Apart from each other, so that tasks do not walk over the same keys in step.
                call(task * 7_919 + calls).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    let mut calls = 0;
    while let Some(ended) = running.join_next().await {
        calls += ended??;
    }
    Ok(rate(calls, began.elapsed()))
}

/// Seconds that `tasks` tasks need for the calls numbered below `count`, each made once.
pub async fn seconds_for<F, Fut>(tasks: usize, count: usize, call: F) -> Result<f64>
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let (call, next) = (call.clone(), Arc::clone(&next));
        running.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return anyhow::Ok(());
                }
                call(number).await?;
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(began.elapsed().as_secs_f64())
}

/// An empty histogram of microseconds. What took longer than a minute counts as a minute.
pub fn micros() -> Result<Histogram<u64>> {
    /// `Histogram::new` begins with room for two milliseconds, at which `saturating_record` cuts off.
    const LONGEST: Duration = Duration::from_mins(1);
    Ok(Histogram::new_with_bounds(1, u64::try_from(LONGEST.as_micros())?, 3)?)
}

/// Notes a duration.
pub fn note(micros: &mut Histogram<u64>, took: Duration) {
    micros.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

/// Calls over time.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub fn rate(calls: usize, time: Duration) -> f64 {
    calls as f64 / time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_seconds_is_not_cut_short() {
        let mut took = micros().unwrap();
        note(&mut took, Duration::from_secs(5));
        assert!(took.equivalent(took.max(), 5_000_000), "{}", took.max());
        note(&mut took, Duration::from_hours(1));
        assert!(took.max() >= 60_000_000);
    }
}

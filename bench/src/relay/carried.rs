//! An even load carried by a relay, and for how long each event was on its way.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;

use super::{
    Kind,
    ground::{Database, Ground},
    watched::{Backend, Said, Watched},
    worker::Say,
    writers::{self, Written},
};
use crate::cache::timing::{micros, note};

/// The product's default; an even load never fills it.
const BATCH: u16 = 1_000;
/// Not counted at the beginning: leases are taken and connections opened.
pub const WARM_UP: Duration = Duration::from_secs(3);
/// How long after the last write a relay may still need. A rival that cannot keep up may be minutes behind.
const PATIENCE: Duration = Duration::from_mins(10);

/// One event's way, in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    pub written: Written,
    pub acknowledged: i64,
}

/// What a load showed.
pub struct Carried {
    /// By number, the warm-up left out.
    pub events: Vec<Event>,
    /// CPU of the relay for each event, microseconds.
    pub relay_micros: f64,
    /// CPU of its backend in PostgreSQL for each event, microseconds.
    pub backend_micros: f64,
}

impl Carried {
    /// Headings of [`Self::figures`].
    pub const COLUMNS: [&str; 6] =
        ["p50 ms", "p99 ms", "longest ms", "p99 ms from when it was due", "relay µs/event", "its backend µs/event"];

    /// p50, p99 and longest from the sent commit to the acknowledgement, p99 from when the event was due; CPU.
    pub fn figures(&self) -> Result<[f64; 6]> {
        let (sent, due) = (since(&self.events, |w| w.sent)?, since(&self.events, |w| w.due)?);
        let [p50, p99, longest] = [sent.value_at_quantile(0.5), sent.value_at_quantile(0.99), sent.max()].map(millis);
        Ok([p50, p99, longest, millis(due.value_at_quantile(0.99)), self.relay_micros, self.backend_micros])
    }
}

/// Starts a relay, writes `rate` events a second for `time` besides the warm-up, and waits until all were acknowledged.
/// `beside` is told of the relay's backend, and runs at the same time.
pub async fn carry<T, F: Future<Output = Result<T>>>(
    kind: Kind,
    ground: &Ground,
    database: &Database,
    (rate, time): (u64, Duration),
    beside: impl FnOnce(Backend) -> F,
) -> Result<(Carried, T)> {
    let (relay, mut said) = Watched::start(kind, ground, database, BATCH, Say::Numbers).await?;
    let backend = Backend::found(&database.admin).await?;
    let (relay_before, backend_before) = (relay.cpu_seconds()?, backend.cpu_seconds()?);
    let time = WARM_UP + time;
    let count = writers::events_of(rate, time);
    let (written, acknowledged, beside) = tokio::try_join!(
        writers::even_load(&database.admin, kind, rate, time),
        async {
            tokio::time::timeout(time + PATIENCE, listen(&mut said, count)).await.context("the relay lost events")?
        },
        beside(backend),
    )?;
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let each = |before: f64, after: f64| (after - before) * 1e6 / count as f64;
    let relay_micros = each(relay_before, relay.cpu_seconds()?);
    let backend_micros = each(backend_before, backend.cpu_seconds()?);
    relay.stop().await?;
    let warm = usize::try_from(writers::events_of(rate, WARM_UP))?;
    let events = written.into_iter().zip(acknowledged).skip(warm);
    let events = events.map(|(written, acknowledged)| Event { written, acknowledged }).collect();
    Ok((Carried { events, relay_micros, backend_micros }, beside))
}

/// The time of the first acknowledgement of each event.
async fn listen(said: &mut Said, count: u64) -> Result<Vec<i64>> {
    let mut times: Vec<Option<i64>> = vec![None; usize::try_from(count)?];
    let mut missing = times.len();
    while missing > 0 {
        let batch = said.next().await?;
        for number in batch.numbers {
            if let Some(time @ None) = times.get_mut(usize::try_from(number)?) {
                *time = Some(batch.at);
                missing -= 1;
            }
        }
    }
    Ok(times.into_iter().flatten().collect())
}

/// Durations from one moment of writing to the acknowledgement.
pub fn since(events: &[Event], from: impl Fn(&Written) -> i64) -> Result<Histogram<u64>> {
    let mut took = micros()?;
    for event in events {
        let micros = u64::try_from(event.acknowledged - from(&event.written)).unwrap_or_default();
        note(&mut took, Duration::from_micros(micros));
    }
    Ok(took)
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a few minutes")]
pub fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

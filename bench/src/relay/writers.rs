//! An even load of events: each leaves by the clock, whether earlier ones were written or not.

use std::time::{Duration, Instant};

use anyhow::Result;
use events::{NewEvent, Outbox};
use kernel::{Clock, SystemClock, TenantId, Version};
use serde_json::json;
use sqlx::PgPool;
use tokio::{task::JoinSet, time::sleep_until};
use uuid::Uuid;

use super::{Kind, ground::AGGREGATES};

/// Events leave in ticks of this length.
const TICK: Duration = Duration::from_millis(1);

/// When an event was due and when its statement was sent, in microseconds since 1970. The statement is a transaction of
/// its own, so it commits between being sent and being answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Written {
    pub due: i64,
    pub sent: i64,
}

/// Writes `rate` events a second for `time` into the outbox of this kind; answers for each event, by its number.
pub async fn even_load(database: &PgPool, kind: Kind, rate: u64, time: Duration) -> Result<Vec<Written>> {
    let outbox = Outbox::of(kind.schema());
    let tenant: TenantId = "bench".parse()?;
    let (start, start_micros) = (Instant::now(), now_micros());
    let mut writing = JoinSet::new();
    let mut written = Vec::new();
    let mut sent = 0;
    for tick in 1.. {
        let since = TICK * tick;
        if since > time {
            break;
        }
        sleep_until((start + since).into()).await;
        let until_now = rate * u64::try_from(since.as_millis())? / 1_000;
        let due = start_micros + i64::try_from(since.as_micros())?;
        for number in sent..until_now {
            let (database, tenant) = (database.clone(), tenant.clone());
            writing.spawn(async move {
                let event = event(&tenant, number)?;
                let mut connection = database.acquire().await?;
                let sent = now_micros();
                outbox.append(&mut connection, &[event]).await?;
                anyhow::Ok((number, Written { due, sent }))
            });
        }
        sent = until_now;
        while let Some(ended) = writing.try_join_next() {
            written.push(ended??);
        }
    }
    while let Some(ended) = writing.join_next().await {
        written.push(ended??);
    }
    let mut by_number = vec![Written::default(); written.len()];
    for (number, times) in written {
        if let Some(place) = by_number.get_mut(usize::try_from(number)?) {
            *place = times;
        }
    }
    Ok(by_number)
}

/// How many events such a load has.
pub fn events_of(rate: u64, time: Duration) -> u64 {
    rate * u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / 1_000
}

fn event(tenant: &TenantId, number: u64) -> Result<NewEvent> {
    let aggregate = Uuid::from_u128(u128::from(number % AGGREGATES) + 1);
    let version = Version::new(number / AGGREGATES + 1);
    let payload = json!({ "number": number, "text": "the quick brown fox jumps over the lazy dog" });
    let event = NewEvent::new(tenant, "widget", aggregate, version, "WidgetChanged", &payload, SystemClock.now())?;
    Ok(event.correlated(number.to_string()))
}

fn now_micros() -> i64 {
    SystemClock.now().timestamp_micros()
}

//! What the caller should look at: notices of his quotes and orders, from where he stopped reading.
//!
//! A long poll with a bounded wait, not a stream of server-sent events: the browser's `EventSource` cannot send the bearer
//! token, every proxy understands a request that takes some seconds, and a client that lost its connection goes on by its
//! cursor without a protocol of its own. Must never be the only way to learn of something: screens poll the things themselves.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State as Shared};
use cache_ports::{
    UserKey,
    streams::{Notice, NoticePage, StreamId},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use service_runtime::{ApiResult, Caller, Limit, Params, ProblemDocument};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};
use utoipa::{IntoParams, ToSchema};

use super::State;

/// Longest wait: below every proxy's patience, and below the time a process has to end.
const MAX_WAIT_SECS: u64 = 10;
/// How often a waiting request looks again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Requests of one process that may wait at once; more are answered as they are, so that waiting never fills the server.
const MAX_WAITING: usize = 256;
/// When a screen should look by itself while notices cannot be read.
const POLL_AFTER_SECS: u32 = 15;

/// The places of requests that wait.
#[derive(Clone)]
pub struct Waiting(Arc<Semaphore>);

impl Default for Waiting {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WAITING)))
    }
}

/// From where, and how patiently.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoticeParams {
    /// Where the caller stopped reading; all that is kept unless given.
    cursor: Option<String>,
    /// How long to wait for a notice if there is none: 0 to 10 seconds, not at all unless given.
    #[serde(default)]
    #[param(value_type = u64, minimum = 0, maximum = 10)]
    wait_secs: WaitSecs,
    /// Most notices wanted.
    #[serde(default)]
    limit: Limit,
}

/// Seconds to wait, within the limit.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(try_from = "u64")]
struct WaitSecs(u64);

impl TryFrom<u64> for WaitSecs {
    type Error = String;

    fn try_from(secs: u64) -> Result<Self, String> {
        if secs <= MAX_WAIT_SECS { Ok(Self(secs)) } else { Err(format!("waitSecs must be from 0 to {MAX_WAIT_SECS}")) }
    }
}

/// Notices of the caller.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Notices {
    /// Oldest first. The same notice may come twice.
    items: Vec<Notice>,
    /// Where to go on; absent while nothing was ever read.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Whether notices can be read now. If not, none means nothing: look at the things themselves.
    available: bool,
    /// While notices cannot be read: when to look again, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    poll_after_secs: Option<u32>,
    /// When this was answered.
    generated_at: DateTime<Utc>,
}

/// What happened to the caller's quotes and orders since the cursor; waits a little for something to happen.
#[utoipa::path(get, path = "/notifications", tag = "notifications", params(NoticeParams),
    responses(
        (status = 200, description = "Notices, oldest first", body = Notices),
        (status = 400, description = "Unknown parameter or foreign cursor", body = ProblemDocument)))]
pub async fn notifications_of_caller(
    Shared(service): Shared<State>,
    caller: Caller,
    Params(params): Params<NoticeParams>,
) -> ApiResult<Json<Notices>> {
    let (cursors, list) = (&service.runtime.cursors, format!("notices of {}", caller.subject));
    let open = |cursor: &String| cursors.open::<StreamId>(&caller.tenant, &list, cursor);
    let place = params.cursor.as_ref().map(open).transpose()?.unwrap_or(StreamId::START);
    let page = wait_for_notices(&service, &caller, place, &params).await;
    let available = page.is_some();
    let NoticePage { notices: items, last } = page.unwrap_or(NoticePage { notices: Vec::new(), last: place });
    let seal = |last: StreamId| cursors.seal(&caller.tenant, &list, &last);
    let next_cursor = Some(last).filter(|last| *last > StreamId::START).map(seal).transpose()?;
    let poll_after_secs = (!available).then_some(POLL_AFTER_SECS);
    let generated_at = service.runtime.clock.now();
    Ok(Json(Notices { items, next_cursor, available, poll_after_secs, generated_at }))
}

/// Looks until there is something, the wait is over, or the board cannot be asked.
async fn wait_for_notices(
    service: &State,
    caller: &Caller,
    place: StreamId,
    params: &NoticeParams,
) -> Option<NoticePage> {
    let user = UserKey::of(&caller.tenant, &caller.subject);
    let limit = u16::try_from(params.limit.get()).unwrap_or(u16::MAX);
    let look = || service.runtime.caches.notices.after(&caller.tenant, &user, place, limit);
    let page = look().await?;
    // Dropped with the request: a client that hangs up frees its place.
    let waiting = service.waiting.0.try_acquire();
    if page.last > place || waiting.is_err() {
        return Some(page);
    }
    let deadline = Instant::now() + Duration::from_secs(params.wait_secs.0);
    let mut page = page;
    while page.last == place {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        sleep(left.min(LOOK_EVERY)).await;
        page = look().await?;
    }
    Some(page)
}

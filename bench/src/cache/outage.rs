//! Redis stopped under an even load: what the readers of one service notice.
//!
//! An open loop: requests leave by the clock, whether earlier ones were answered or not, and their time counts from when they
//! were due. The product reads through Redis without its own memory, so that every read notices.

use std::{
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use dev_stack::{Component, Need};
use hdrhistogram::Histogram;
use tokio::{task::JoinSet, time::sleep_until};

use super::{
    Options,
    timing::{micros, note},
};
use crate::{
    product::{Caching, Surroundings},
    seed::{self, Seeded},
};

const PORT: u16 = 18_200;
const WORKER_THREADS: u16 = 2;
/// Requests leave in ticks of this length.
const TICK: Duration = Duration::from_millis(1);
/// A client that waits longer counts as refused.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// The beginning of a phase is shown apart.
const TURN: Duration = Duration::from_secs(1);

/// When a request was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    FirstSecondStopped,
    Stopped,
    FirstSecondBack,
    Back,
}

impl Moment {
    const ALL: [Self; 5] = [Self::Before, Self::FirstSecondStopped, Self::Stopped, Self::FirstSecondBack, Self::Back];

    fn at(since_start: Duration, phase: Duration) -> Self {
        match since_start.checked_sub(phase) {
            None => Self::Before,
            Some(stopped) if stopped < TURN => Self::FirstSecondStopped,
            Some(stopped) if stopped < phase => Self::Stopped,
            Some(stopped) if stopped < phase + TURN => Self::FirstSecondBack,
            Some(_) => Self::Back,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::FirstSecondStopped => "Redis stopped, first second",
            Self::Stopped => "Redis stopped, from then on",
            Self::FirstSecondBack => "Redis continues, first second",
            Self::Back => "Redis continues, from then on",
        }
    }
}

/// What was noticed in one moment.
struct Notes {
    micros: Histogram<u64>,
    wrong: u64,
}

struct Observer {
    notes: Vec<Mutex<Notes>>,
}

impl Observer {
    fn new() -> Result<Self> {
        let mut notes = Vec::new();
        for _ in Moment::ALL {
            notes.push(Mutex::new(Notes { micros: micros()?, wrong: 0 }));
        }
        Ok(Self { notes })
    }

    fn note(&self, moment: Moment, took: Duration, right: bool) {
        let mut notes = self.notes[moment as usize].lock().unwrap_or_else(PoisonError::into_inner);
        note(&mut notes.micros, took);
        notes.wrong += u64::from(!right);
    }

    fn markdown(&self) -> String {
        let mut text = String::from(
            "| when | requests | p50 ms | p99 ms | longest ms | wrong or refused |\n|---|---|---|---|---|---|\n",
        );
        for moment in Moment::ALL {
            let notes = self.notes[moment as usize].lock().unwrap_or_else(PoisonError::into_inner);
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a few seconds")]
            let millis = |micros: u64| micros as f64 / 1_000.0;
            let _ = writeln!(
                text,
                "| {} | {} | {:.2} | {:.2} | {:.1} | {} |",
                moment.words(),
                notes.micros.len(),
                millis(notes.micros.value_at_quantile(0.5)),
                millis(notes.micros.value_at_quantile(0.99)),
                millis(notes.micros.max()),
                notes.wrong,
            );
        }
        text
    }
}

/// One offering and the bytes its readers get.
struct Asked {
    url: String,
    expected: bytes::Bytes,
}

/// Starts the product, stops Redis in the middle of an even load, and returns the table.
pub async fn run(options: &Options) -> Result<String> {
    let (stack, surroundings) = Surroundings::start(&options.quoin, Need::No).await?;
    let token = surroundings.token().await?;
    let server = surroundings.serve(&["all"], PORT, Caching::RedisOnly, WORKER_THREADS).await?;
    let seeded = seed::fill(&format!("http://127.0.0.1:{PORT}"), token).await?;
    surroundings.analyze().await?;
    let client = client(&seeded)?;
    let asked = first_answers(&client, &seeded).await?;
    let observer = Arc::new(Observer::new()?);
    let phase = Duration::from_secs(options.phase_seconds);
    let redis = stack.server(Component::Redis).context("Redis is required")?;
    let begin = Instant::now() + TURN;
    let strike = async {
        sleep_until((begin + phase).into()).await;
        redis.freeze().await?;
        sleep_until((begin + 2 * phase).into()).await;
        redis.thaw().await
    };
    let load = even_load(&client, asked.into(), options.rate, begin, phase, Arc::clone(&observer));
    tokio::try_join!(strike, load)?;
    let text = format!(
        "Redis stopped (SIGSTOP) for {} s at {} requests a second on one service, reads of {} offerings through Redis.\n\n{}\n",
        phase.as_secs(),
        options.rate,
        seeded.offerings.len(),
        observer.markdown(),
    );
    server.stop().await?;
    stack.stop().await?;
    Ok(text)
}

fn client(seeded: &Seeded) -> Result<reqwest::Client> {
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", seeded.token).parse()?);
    Ok(reqwest::Client::builder().default_headers(headers).timeout(CLIENT_PATIENCE).build()?)
}

/// Asks for every offering twice: Redis is warm afterwards, and what is right is known.
async fn first_answers(client: &reqwest::Client, seeded: &Seeded) -> Result<Vec<Asked>> {
    let mut asked = Vec::with_capacity(seeded.offerings.len());
    for offering in &seeded.offerings {
        let url =
            format!("http://127.0.0.1:{PORT}/catalog/v1/publications/{}/offerings/{offering}", seeded.publication);
        let expected = client.get(&url).send().await?.error_for_status()?.bytes().await?;
        let again = client.get(&url).send().await?.error_for_status()?.bytes().await?;
        anyhow::ensure!(expected == again, "two answers for {url}");
        asked.push(Asked { url, expected });
    }
    Ok(asked)
}

async fn even_load(
    client: &reqwest::Client,
    asked: Arc<[Asked]>,
    rate: u64,
    begin: Instant,
    phase: Duration,
    observer: Arc<Observer>,
) -> Result<()> {
    let mut running = JoinSet::new();
    let mut sent = 0_u64;
    for tick in 1.. {
        let since_start = TICK * tick;
        if since_start > 3 * phase {
            break;
        }
        let due = begin + since_start;
        sleep_until(due.into()).await;
        let until_now = rate * u64::try_from(since_start.as_millis())? / 1_000;
        for number in sent..until_now {
            let which = usize::try_from(number)? % asked.len();
            let (client, asked, observer) = (client.clone(), Arc::clone(&asked), Arc::clone(&observer));
            running.spawn(async move {
                let right = ask(&client, &asked[which]).await.unwrap_or(false);
                observer.note(Moment::at(since_start, phase), due.elapsed(), right);
            });
        }
        sent = until_now;
        while running.try_join_next().is_some() {}
    }
    running.join_all().await;
    Ok(())
}

async fn ask(client: &reqwest::Client, asked: &Asked) -> Result<bool> {
    let answer = client.get(&asked.url).send().await?;
    Ok(answer.status().is_success() && answer.bytes().await? == asked.expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_belongs_to_the_moment_it_was_due() {
        let at = |millis| Moment::at(Duration::from_millis(millis), Duration::from_secs(5));
        assert_eq!(at(4_999), Moment::Before);
        assert_eq!(at(5_000), Moment::FirstSecondStopped);
        assert_eq!(at(6_000), Moment::Stopped);
        assert_eq!(at(9_999), Moment::Stopped);
        assert_eq!(at(10_000), Moment::FirstSecondBack);
        assert_eq!(at(11_000), Moment::Back);
    }
}

//! `quoin replay online-retail FILE`: the file's invoices travel through the HTTP API as quotes, final prices,
//! acceptances and orders; its cancellations as cancellations.
//!
//! Owns the order in which steps run and the reading back afterwards. What is sent was decided by `crate::retail::plan`;
//! the closing account compares the file with what the orders say when all is over. Each step is told apart by the
//! invoice's number, so a second run, or one after an interruption, finds what is there and makes only what is missing.

mod directory;
mod returns;
mod sale;
mod settle;
mod summary;
mod wire;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};
use tokio::sync::{oneshot, watch};

pub use self::summary::ReplaySummary;
use self::{directory::Directory, sale::Placed, wire::Cancelled};
use crate::{
    api::{Api, ApiError},
    import::Source,
    progress::Progress,
    retail::plan::{Cancellation, Plan, Sale, Step, Unrepresented, Why, Window},
};

/// The two people a replay needs: whoever asks for a discount may not approve it.
#[derive(Debug, Clone)]
pub struct Speakers {
    /// Quotes, accepts and orders.
    pub requester: Api,
    /// Approves discounts beyond the threshold.
    pub approver: Api,
}

impl Speakers {
    /// Who asks, unless a token says otherwise.
    pub const REQUESTER: &'static str = "replay";
    /// The roles that takes.
    pub const REQUESTER_ROLES: [&'static str; 3] = ["salesRep", "buyer", "orderAgent"];
    /// Who approves, unless a token says otherwise.
    pub const APPROVER: &'static str = "replay-approver";
    /// The role that takes.
    pub const APPROVER_ROLES: [&'static str; 1] = ["approver"];
}

/// How to replay.
#[derive(Debug, Clone, Copy)]
pub struct ReplayOptions {
    /// Which invoices.
    pub window: Window,
    /// How many at a time.
    pub concurrency: usize,
    /// How long to wait at the end for orders that are still being fulfilled.
    pub settle_within: Duration,
}

/// One step that could not be carried out.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Failure {
    /// Number of the invoice.
    pub invoice: String,
    /// What went wrong, with its causes.
    pub error: String,
}

/// What became of the steps.
#[derive(Debug, Default)]
struct Results {
    placed: Vec<Arc<Placed>>,
    cancelled: Vec<Cancelled>,
    not_replayed: Vec<Unrepresented>,
    failures: Vec<Failure>,
}

/// Orders by the number of their sale; `None` when the sale is outside the window and was never replayed.
type Orders = Mutex<HashMap<String, Arc<Placed>>>;

/// Everything a step needs.
struct Desk<'a> {
    speakers: &'a Speakers,
    directory: Directory,
    orders: Orders,
}

/// Replays the wanted invoices and closes the account.
pub async fn online_retail(
    speakers: &Speakers,
    source: &Source,
    options: ReplayOptions,
    progress: &Progress,
) -> anyhow::Result<ReplaySummary> {
    watched(speakers, source, options, progress, None).await
}

/// The same, while somebody watches how many steps are done: the proof on real input breaks things on the way.
pub async fn watched(
    speakers: &Speakers,
    source: &Source,
    options: ReplayOptions,
    progress: &Progress,
    done: Option<&watch::Sender<usize>>,
) -> anyhow::Result<ReplaySummary> {
    let plan = Plan::of(&source.sheet, &source.masters, options.window);
    let directory = Directory::read(&speakers.requester, &source.masters).await?;
    let desk = Desk { speakers, directory, orders: Orders::default() };
    let began = Instant::now();
    let results = run(&desk, &plan, options.concurrency, progress, done).await;
    let replayed_in = began.elapsed();
    let held = settle::read_back(&desk, &results, options, progress).await?;
    Ok(ReplaySummary::of(&plan, &results.not_replayed, held, results.failures, replayed_in))
}

async fn run(
    desk: &Desk<'_>,
    plan: &Plan,
    concurrency: usize,
    progress: &Progress,
    done: Option<&watch::Sender<usize>>,
) -> Results {
    let bar = progress.bar("invoices", plan.steps.len());
    let mut tails: HashMap<&str, oneshot::Receiver<()>> = HashMap::new();
    let mut jobs = Vec::with_capacity(plan.steps.len());
    for step in &plan.steps {
        let (over, next) = oneshot::channel();
        let before = tails.insert(step.chain(), next);
        jobs.push(async move {
            if let Some(before) = before {
                // An error only says that the step before is over without a message: over is all that matters.
                before.await.ok();
            }
            let outcome = desk.step(step).await;
            over.send(()).ok();
            (step, outcome)
        });
    }
    // Started in file order, so a step never waits for one that has not begun.
    let mut outcomes = stream::iter(jobs).buffer_unordered(concurrency.max(1));
    let mut results = Results::default();
    while let Some((step, outcome)) = outcomes.next().await {
        bar.inc(1);
        if let Some(done) = done {
            done.send_modify(|count| *count += 1);
        }
        results.take(step, outcome);
        if !results.failures.is_empty() {
            bar.set_message(format!("{} failed", results.failures.len()));
        }
    }
    bar.finish();
    results
}

enum Outcome {
    Placed(Arc<Placed>),
    Cancelled(Cancelled),
    NotReplayed(Unrepresented),
}

impl Results {
    fn take(&mut self, step: &Step, outcome: Result<Outcome, StepError>) {
        match outcome {
            Ok(Outcome::Placed(placed)) => self.placed.push(placed),
            Ok(Outcome::Cancelled(cancelled)) => self.cancelled.push(cancelled),
            Ok(Outcome::NotReplayed(rest)) => self.not_replayed.push(rest),
            Err(error) => {
                let invoice = match step {
                    Step::Sale(sale) => &sale.invoice,
                    Step::Cancellation(cancellation) => &cancellation.invoice,
                };
                let error = format!("{:#}", anyhow::Error::from(error));
                self.failures.push(Failure { invoice: invoice.clone(), error });
            }
        }
    }
}

/// Why a step could not be carried out.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("the directory has no {0}: import the file first")]
    NotImported(String),
    #[error("the revision is {0} and cannot go on")]
    Stuck(String),
    #[error("the order of invoice {0} does not exist, because placing it failed")]
    NoOrder(String),
    #[error("line {line} of the order is not {code} × {quantity}")]
    OtherLine { line: usize, code: String, quantity: i64 },
}

impl Desk<'_> {
    async fn step(&self, step: &Step) -> Result<Outcome, StepError> {
        match step {
            Step::Sale(sale) => self.sale(sale).await.map(Outcome::Placed),
            Step::Cancellation(cancellation) => self.cancellation(cancellation).await,
        }
    }

    async fn sale(&self, sale: &Sale) -> Result<Arc<Placed>, StepError> {
        let placed = Arc::new(sale::place(self, sale).await?);
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).insert(sale.invoice.clone(), Arc::clone(&placed));
        Ok(placed)
    }

    async fn cancellation(&self, cancellation: &Cancellation) -> Result<Outcome, StepError> {
        let known = self.orders.lock().unwrap_or_else(PoisonError::into_inner).get(&cancellation.sale).cloned();
        let placed = match known {
            Some(placed) => Some(placed),
            None if cancellation.sale_in_window => return Err(StepError::NoOrder(cancellation.sale.clone())),
            None => sale::find(&self.speakers.requester, &cancellation.sale).await?.map(Arc::new),
        };
        Ok(match placed {
            Some(placed) => Outcome::Cancelled(returns::cancel(&self.speakers.requester, &placed, cancellation).await?),
            None => Outcome::NotReplayed(not_replayed(cancellation)),
        })
    }
}

fn not_replayed(cancellation: &Cancellation) -> Unrepresented {
    Unrepresented {
        row: 0,
        invoice: cancellation.invoice.clone(),
        code: format!("of order {}", cancellation.sale),
        quantity: -cancellation.units.iter().map(|units| units.quantity).sum::<i64>(),
        amount: -cancellation.exact(),
        why: Why::OrderNotReplayed,
    }
}

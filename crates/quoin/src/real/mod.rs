//! `quoin real FILE`: the proof on real input.
//!
//! Imports the file and replays its first invoices into a deployment of processes on servers of its own: once in calm
//! weather, twice over, and once more in another tenant while Redis is killed, the workers are killed, and both come
//! back. The account must close to the penny both times, with no order doubled, and the stock must be what the movements
//! say and what the plan says.

mod stock;
mod storm;
mod verdict;

use std::path::Path;

use anyhow::{Context, ensure};
use dev_stack::{Durability, Stack, StackRequest};
use tokio::sync::watch;

pub use self::verdict::{Proof, RunProof};
use crate::{
    api::{Api, Credential, Endpoints, Person},
    deployment::{Deployment, Servers},
    import::{self, Source},
    progress::Progress,
    replay::{self, ReplayOptions, ReplaySummary, Speakers},
    retail::plan::{Plan, Window},
};

/// How long anything may be away before a call gives up: longer than any fault of the storm.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(2);
/// How long orders may take to be fulfilled after the last invoice was sent.
const SETTLE_WITHIN: std::time::Duration = std::time::Duration::from_mins(10);

const CALM_TENANT: &str = "retail-calm";
const STORM_TENANT: &str = "retail-storm";

/// How much to prove.
#[derive(Debug, Clone, Copy)]
pub struct RealOptions {
    /// The first so many invoices.
    pub invoices: usize,
    /// Invoices under way at a time.
    pub concurrency: usize,
}

/// Proves it.
pub async fn prove(file: &Path, options: RealOptions, progress: &Progress) -> anyhow::Result<Proof> {
    let source = Source::open(file)?;
    let request = StackRequest { durability: Durability::Full, ..StackRequest::everything() };
    let stack = Stack::start(request).await.context("the proof needs PostgreSQL, Redis and Kafka")?;
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    let servers = Servers {
        postgres_url: stack.postgres_url()?.to_owned(),
        redis_url: stack.redis_url().map(str::to_owned),
        kafka_brokers: stack.kafka_brokers().unwrap_or_default().to_owned(),
        prefix: "real".to_owned(),
    };
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut deployment = Deployment::start(&program, folder.path(), &servers, &[]).await?;
    let field = Field { source: &source, options, progress };
    let calm = field.calm(&deployment.url()).await.context("in calm weather")?;
    let storm = field.storm(&mut deployment, &stack).await.context("in the storm")?;
    deployment.stop().await?;
    stack.stop().await?;
    Ok(Proof { calm, storm })
}

struct Field<'a> {
    source: &'a Source,
    options: RealOptions,
    progress: &'a Progress,
}

impl Field<'_> {
    async fn calm(&self, url: &str) -> anyhow::Result<RunProof> {
        let tenant = Tenant::of(url, CALM_TENANT)?;
        let first = import::online_retail(&tenant.admin, self.source, self.progress).await?;
        let second = import::online_retail(&tenant.admin, self.source, self.progress).await?;
        let summary = self.replay(&tenant, None).await?;
        let again = self.replay(&tenant, None).await?;
        let repeatable = second.changed_nothing() && again.closing == summary.closing;
        self.proof(&tenant, first, summary, repeatable, Vec::new()).await
    }

    async fn storm(&self, deployment: &mut Deployment, stack: &Stack) -> anyhow::Result<RunProof> {
        let tenant = Tenant::of(&deployment.url(), STORM_TENANT)?;
        let first = import::online_retail(&tenant.admin, self.source, self.progress).await?;
        let (done, seen) = watch::channel(0);
        let steps = self.plan().steps.len();
        let (summary, faults) = tokio::join!(
            async {
                let summary = self.replay(&tenant, Some(&done)).await;
                // The storm waits for steps: a replay that failed early must not leave it waiting.
                done.send_replace(usize::MAX);
                summary
            },
            storm::rage(deployment, stack, seen, steps)
        );
        let faults = faults?;
        ensure!(!faults.is_empty(), "nothing was killed: the servers belong to somebody else");
        self.proof(&tenant, first, summary?, true, faults).await
    }

    fn window(&self) -> Window {
        Window { limit: Some(self.options.invoices), ..Window::default() }
    }

    fn plan(&self) -> Plan {
        Plan::of(&self.source.sheet, &self.source.masters, self.window())
    }

    async fn replay(&self, tenant: &Tenant, done: Option<&watch::Sender<usize>>) -> anyhow::Result<ReplaySummary> {
        let options = ReplayOptions {
            window: self.window(),
            concurrency: self.options.concurrency,
            settle_within: SETTLE_WITHIN,
        };
        replay::watched(&tenant.speakers, self.source, options, self.progress, done).await
    }

    async fn proof(
        &self,
        tenant: &Tenant,
        import: import::ImportSummary,
        replay: ReplaySummary,
        repeatable: bool,
        faults: Vec<String>,
    ) -> anyhow::Result<RunProof> {
        let stock = stock::count(&tenant.admin, self.source, &self.plan()).await.context("cannot count the stock")?;
        Ok(RunProof { tenant: tenant.name, import, replay, repeatable, stock, faults })
    }
}

struct Tenant {
    name: &'static str,
    admin: Api,
    speakers: Speakers,
}

impl Tenant {
    fn of(url: &str, name: &'static str) -> anyhow::Result<Self> {
        let person = |subject: &str, roles: &[&str]| Credential::issued(Person::new(name, subject, roles));
        let admin = person(import::SUBJECT, &import::ROLES);
        let admin = Api::new(std::sync::Arc::new(Endpoints::single(url)), admin, PATIENCE)?;
        let speakers = Speakers {
            requester: admin.acting_as(person(Speakers::REQUESTER, &Speakers::REQUESTER_ROLES)),
            approver: admin.acting_as(person(Speakers::APPROVER, &Speakers::APPROVER_ROLES)),
        };
        Ok(Self { name, admin, speakers })
    }
}

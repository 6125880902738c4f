//! The field: servers of its own, the deployment, and everything that happens to it at the same time.

use std::{
    fmt,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use dev_stack::{Component, Durability, Server, test};
use futures::future::try_join_all;
use quoin::deployment::{Deployment, Role, Servers};
use system_tests::{Shop, system::eventually};
use tokio::{sync::watch, task::JoinSet, time::Instant};

use crate::{
    PROGRAM,
    crew::Crew,
    fate::Fate,
    poisoner::Poisoner,
    scale::Scale,
    sellers::{self, Sold},
    servers,
    tally::{Cause, Tally},
    verdict::{Auditor, Verdict},
};

/// Short leases, so that what the dead held is taken over while the test runs; no patrols, which would only take the time.
const SETTINGS: [(&str, &str); 7] = [
    ("QUOIN__LEASES__TTL_MS", "3000"),
    ("QUOIN__LEASES__RENEW_EVERY_MS", "1000"),
    ("QUOIN__ORDER__TASK_LEASE_MS", "5000"),
    ("QUOIN__ORDER__TASK_RETRIES", "1000"),
    ("QUOIN__AUDIT__ENABLED", "false"),
    ("QUOIN__SWEEP__ENABLED", "false"),
    ("QUOIN__DATABASE__MAX_CONNECTIONS", "5"),
];

/// Sales between two lines about how far it is.
const REPORT_EVERY: usize = 250;

/// Everything that can be killed, and what it is killed for.
pub struct Field {
    scale: Scale,
    postgres: Server,
    kafka: Server,
    /// Shared servers are ended when no test asks for them for a while; this is one test for an hour.
    _redis: Server,
    servers: Servers,
    crew: Arc<Crew>,
    tenant: String,
    began: Instant,
}

/// What came of it.
pub struct Found {
    scale: Scale,
    sales: usize,
    took: Duration,
    pub verdict: Verdict,
    pub tally: Tally,
}

impl Field {
    /// Starts the servers and migrates; nothing of the product runs yet.
    pub async fn prepare(scale: Scale, folder: &Path) -> Result<Self> {
        // A throw-away PostgreSQL would forget what it has confirmed when it is killed.
        let postgres = test::own_with(Component::Postgres, Durability::Full).await?;
        let kafka = test::own(Component::Kafka).await?;
        let redis = test::own(Component::Redis).await?;
        let servers = Servers {
            postgres_url: postgres.url().to_owned(),
            redis_url: Some(redis.url().to_owned()),
            kafka_brokers: kafka.url().to_owned(),
            prefix: test::unique_name("kills"),
        };
        let deployment = Deployment::prepare(Path::new(PROGRAM), folder, &servers, &SETTINGS).await?;
        let crew = Arc::new(Crew {
            deployment,
            folder: folder.to_owned(),
            fate: Mutex::new(Fate::new(scale)),
            tally: Tally::default(),
            sold: watch::Sender::new(0),
            calm: watch::Sender::new(true),
            parking_kills: AtomicBool::new(true),
            lives: AtomicUsize::new(0),
        });
        let tenant = test::unique_name("t");
        Ok(Self { scale, postgres, kafka, _redis: redis, servers, crew, tenant, began: Instant::now() })
    }

    /// Sells and kills until there is enough of both, calms down, and counts.
    pub async fn run(self) -> Result<Found> {
        let mut places = JoinSet::new();
        places.spawn(Arc::clone(&self.crew).keep(Role::Serve));
        for _ in 0..self.scale.workers {
            places.spawn(Arc::clone(&self.crew).keep(Role::Work));
        }
        let (sales, verdict) = tokio::select! {
            // Places are kept for ever: one that ends has failed.
            Some(ended) = places.join_next() => {
                ended??;
                anyhow::bail!("a place was given up")
            }
            done = self.sell_and_count() => done?,
        };
        places.shutdown().await;
        let crew = Arc::into_inner(self.crew).context("the crew is gone")?;
        Ok(Found { scale: self.scale, sales, took: self.began.elapsed(), verdict, tally: crew.tally })
    }

    async fn sell_and_count(&self) -> Result<(usize, Verdict)> {
        // Opening a shop is done by hand and not repeated under keys: nobody dies of it.
        let shop = sellers::open(&self.crew.deployment.url(), &self.tenant).await?;
        self.crew.calm.send_replace(false);
        let poisoner = Poisoner {
            crew: &self.crew,
            scale: self.scale,
            postgres_url: &self.servers.postgres_url,
            tenant: &self.tenant,
        };
        let (sold, (), ()) = tokio::try_join!(
            self.sell(&shop),
            poisoner.work(),
            servers::strike(&self.crew, self.scale, &self.postgres, &self.kafka),
        )?;
        // Those who were killed for the calm have successors that work.
        eventually("everything that was killed is back", async || {
            let total = self.crew.tally.total();
            Ok((total.killed == total.recovered).then_some(()))
        })
        .await?;
        let auditor = Auditor { servers: &self.servers, shop: &shop, sold: &sold };
        auditor.settled().await?;
        Ok((sold.len(), auditor.count().await?))
    }

    /// Several clients at a time, until enough was sold and killed.
    async fn sell(&self, shop: &Shop) -> Result<Vec<Sold>> {
        let tickets = AtomicUsize::new(0);
        let client = async || {
            let mut sold = Vec::new();
            while !is_enough(&self.crew, self.scale) {
                let number = tickets.fetch_add(1, Ordering::SeqCst);
                sold.push(sellers::sell(shop, number).await.with_context(|| format!("sale {number}"))?);
                self.crew.sold.send_modify(|sold| *sold += 1);
                self.report();
            }
            anyhow::Ok(sold)
        };
        let sold = try_join_all((0..self.scale.sellers).map(|_| client())).await?;
        self.crew.calm.send_replace(true);
        Ok(sold.into_iter().flatten().collect())
    }

    /// How far it is, now and then.
    fn report(&self) {
        let sold = *self.crew.sold.borrow();
        if sold.is_multiple_of(REPORT_EVERY) {
            println!("{sold} sales, {} kills, {} s", self.crew.tally.total().killed, self.began.elapsed().as_secs());
        }
    }
}

/// Enough was sold, and killed: in all, and of every kind.
fn is_enough(crew: &Crew, scale: Scale) -> bool {
    *crew.sold.borrow() >= scale.sales && crew.tally.total().killed >= scale.kills && crew.tally.missing().is_empty()
}

impl Found {
    /// The section of `docs/proofs.md`.
    pub fn page(&self) -> String {
        format!(
            "`make prove` sold with {} clients at {} workers and one process that answers; `QUOIN_KILLS_SEED={}`.\n\n{self}",
            self.scale.sellers, self.scale.workers, self.scale.seed
        )
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.tally.total();
        writeln!(f, "| killed | kills | recovered |\n|---|---:|---:|")?;
        for cause in Cause::all() {
            let count = self.tally.of(cause);
            writeln!(f, "| {cause} | {} | {} |", count.killed, count.recovered)?;
        }
        writeln!(f, "| **in all** | **{}** | **{}** |\n", total.killed, total.recovered)?;
        writeln!(f, "{} sales in {} s.\n", self.sales, self.took.as_secs())?;
        write!(f, "{}", self.verdict)
    }
}

//! Poison: an event nobody can read, now and then. It is parked, mended and tried again, and whoever does either dies in the
//! middle of it once.

use std::{os::unix::process::ExitStatusExt, sync::atomic::Ordering, time::Duration};

use anyhow::{Context, Result, ensure};
use fail_points::Step;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use system_tests::{
    doom::{DOOMS, Doom, GRAVE},
    system::eventually,
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    crew::{Crew, until},
    scale::Scale,
    tally::Cause,
};

/// Whoever reads the payload of such an event, by service.
const READERS: [(&str, &str); 4] = [
    ("quote", "quote.orders"),
    ("quote", "quote.notices"),
    ("quote", "quote.quote-list"),
    ("order", "order.order-list"),
];

/// The poison waits its turn behind everything that was published before, which is a backlog while workers die all the time.
const BEHIND_THE_OTHERS: Duration = Duration::from_mins(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Where poison goes.
pub struct Poisoner<'a> {
    pub crew: &'a Crew,
    pub scale: Scale,
    /// The owner's URL.
    pub postgres_url: &'a str,
    pub tenant: &'a str,
}

impl Poisoner<'_> {
    /// Poisons as the sales go on, until the crew is calm. A dose that was begun is brought to its end.
    pub async fn work(&self) -> Result<()> {
        let (mut sold, mut calm) = (self.crew.sold.subscribe(), self.crew.calm.subscribe());
        loop {
            let next = *sold.borrow() + self.scale.poison_every.max(1);
            tokio::select! {
                () = until(&mut calm, |calm| *calm) => return Ok(()),
                () = until(&mut sold, |sold| *sold >= next) => self.dose().await?,
            }
        }
    }

    async fn dose(&self) -> Result<()> {
        let key = self.poison().await?;
        for (service, consumer) in READERS {
            let parking = async {
                while self.is_parked(service, consumer, &key).await != Some(true) {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            };
            timeout(BEHIND_THE_OTHERS, parking).await.with_context(|| format!("nothing was parked by {consumer}"))?;
        }
        // From now on nobody can die at this poison, and a life that begins may die at the next.
        self.crew.parking_kills.store(true, Ordering::SeqCst);
        for (service, consumer) in READERS {
            self.mend(service, consumer, &key).await.with_context(|| format!("for {consumer}"))?;
            self.redrive(service, consumer, &key).await.with_context(|| format!("for {consumer}"))?;
        }
        Ok(())
    }

    /// Whether the key waits in the consumer's parking lot; nothing while PostgreSQL is away.
    async fn is_parked(&self, service: &str, consumer: &str, key: &str) -> Option<bool> {
        let sql =
            format!("select exists (select from \"{service}\".parked_key where consumer = $1 and event_key = $2)");
        let mut conn = PgConnection::connect(self.postgres_url).await.ok()?;
        sqlx::query_scalar(AssertSqlSafe(sql)).bind(consumer).bind(key).fetch_one(&mut conn).await.ok()
    }

    /// An event of an order that does not exist, as a broken program would write it; answers its key.
    async fn poison(&self) -> Result<String> {
        let (order, event) = (Uuid::now_v7(), Uuid::now_v7());
        let insert = r#"insert into "order".outbox (shard, tenant_id, aggregate_type, aggregate_id, aggregate_version,
               event_id, event_type, schema_version, occurred_at, payload)
            select 0, $1, 'order', $2, 1, $3, 'OrderStateChanged', 1, now(), '{}'
            where not exists (select from "order".outbox where event_id = $3)"#;
        eventually("the poison is written", async || {
            let Ok(mut conn) = PgConnection::connect(self.postgres_url).await else { return Ok(None) };
            let written = sqlx::query(insert).bind(self.tenant).bind(order).bind(event).execute(&mut conn).await;
            Ok(written.ok().map(drop))
        })
        .await?;
        Ok(format!("{}:order:{order}", self.tenant))
    }

    /// The parked event says now what a real one of a finished order says, which its quote knows already.
    async fn mend(&self, service: &str, consumer: &str, key: &str) -> Result<()> {
        let mend = format!(
            r#"update "{service}".parked_event set payload = (select payload from "order".outbox
                where tenant_id = $1 and event_type = 'OrderStateChanged' and octet_length(payload) > 2
                order by seq limit 1) where consumer = $2 and event_key = $3"#
        );
        eventually("the poison is mended", async || {
            let Ok(mut conn) = PgConnection::connect(self.postgres_url).await else { return Ok(None) };
            let mend = sqlx::query(AssertSqlSafe(mend.as_str())).bind(self.tenant).bind(consumer).bind(key);
            Ok(mend.execute(&mut conn).await.ok().filter(|done| done.rows_affected() == 1).map(drop))
        })
        .await
    }

    /// Once by somebody who dies between the effect and leaving the lot, then again.
    async fn redrive(&self, service: &str, consumer: &str, key: &str) -> Result<()> {
        let arguments = ["events", "redrive", service, "--consumer", consumer, "--key", key, "--json"];
        let grave = self.crew.folder.join(format!("grave-redrive-{}", Uuid::now_v7()));
        let doom = Doom { step: Step::ConsumerDraining, time: 1 }.to_string();
        let (mut died, mut said) = (false, String::new());
        let free = eventually("the key is free", async || {
            let mut command = self.crew.deployment.command(&arguments);
            if !died {
                command.env(DOOMS, &doom).env(GRAVE, &grave);
            }
            let output = command.output().await?;
            if output.status.signal() == Some(9) {
                ensure!(!died, "nobody doomed it twice");
                died = true;
                self.crew.tally.killed(Cause::At(Step::ConsumerDraining));
                return Ok(None);
            }
            let words = [output.stdout, output.stderr].map(|words| String::from_utf8_lossy(&words).into_owned());
            said = format!("{}: {}", output.status, words.concat());
            // Who freed the key may not have lived to say so; to free it again is refused.
            let free = output.status.success() || self.is_parked(service, consumer, key).await == Some(false);
            Ok(free.then_some(()))
        })
        .await;
        free.with_context(|| format!("the last redrive said {said}"))?;
        if died {
            self.crew.tally.recovered(Cause::At(Step::ConsumerDraining));
        }
        Ok(())
    }
}

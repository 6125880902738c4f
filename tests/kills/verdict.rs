//! What is counted in the end, from PostgreSQL, from Kafka and over HTTP.

mod tables;

use std::{collections::BTreeSet, fmt};

use anyhow::{Context, Result};
use quoin::deployment::Servers;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use system_tests::{
    Shop,
    shop::{OPENING, get},
    system::{come_down, eventually},
    topics::Topics,
};

use crate::sellers::{DELIVERED, Sold};

/// What must not be, counted, and how much there was of what must be.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Orders of accepted quotes.
    pub orders: i64,
    /// Events in the outboxes.
    pub events: usize,
    /// Records in the topics; the surplus are repetitions.
    pub records: usize,
    /// Acceptances of which a customer has the answer, without an order.
    pub lost_sales: usize,
    /// Events of an outbox that are in no topic.
    pub lost_events: usize,
    /// Records of events that are in no outbox.
    pub ghost_events: usize,
    /// Events that came before an earlier one of their aggregate, repetitions apart.
    pub inversions: usize,
    /// Everything else that must be nought, by name.
    pub faults: Vec<(&'static str, i64)>,
}

impl Verdict {
    /// Whether nothing is wrong.
    pub fn holds(&self) -> bool {
        let Self { lost_sales, lost_events, ghost_events, inversions, .. } = self;
        [lost_sales, lost_events, ghost_events, inversions].into_iter().all(|count| *count == 0)
            && self.faults.iter().all(|(_, count)| *count == 0)
            && self.orders > 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let repeated = self.records.saturating_sub(self.events);
        writeln!(f, "| counted | found |\n|---|---:|")?;
        writeln!(f, "| orders | {} |", self.orders)?;
        writeln!(f, "| events in the outboxes | {} |", self.events)?;
        writeln!(f, "| records in the topics | {} ({repeated} repetitions) |", self.records)?;
        writeln!(f, "| acceptances with an answer and without an order | {} |", self.lost_sales)?;
        writeln!(f, "| events that are in no topic | {} |", self.lost_events)?;
        writeln!(f, "| records that are in no outbox | {} |", self.ghost_events)?;
        writeln!(f, "| order inversions of a key | {} |", self.inversions)?;
        for (name, count) in &self.faults {
            writeln!(f, "| {name} | {count} |")?;
        }
        Ok(())
    }
}

/// Who counts.
pub struct Auditor<'a> {
    pub servers: &'a Servers,
    pub shop: &'a Shop,
    pub sold: &'a [Sold],
}

impl Auditor<'_> {
    /// Waits until nothing happens by itself any more: tasks done, events published, everything consumed.
    pub async fn settled(&self) -> Result<()> {
        let mut topics = Topics::open(self.servers)?;
        let resting = come_down("what is under way", async || tables::unfinished(&mut self.owner().await?).await).await;
        if resting.is_err() {
            let open = tables::what_is_unfinished(&mut self.owner().await?).await?;
            resting.with_context(|| format!("{open:?}"))?;
        }
        come_down("what consumers have not read", async || topics.behind(&mut self.owner().await?).await).await?;
        // What consumers do is published in turn, and read by others.
        eventually("nothing new is published or read", async || {
            let before = topics.ends().await?;
            let behind = topics.behind(&mut self.owner().await?).await?;
            if behind > 0 || tables::unfinished(&mut self.owner().await?).await? > 0 {
                return Ok(None);
            }
            let lacking = topics.read().await?.lacking(&tables::outbox(&mut self.owner().await?).await?);
            Ok((lacking == 0 && topics.ends().await? == before).then_some(()))
        })
        .await
    }

    /// Counts everything.
    pub async fn count(&self) -> Result<Verdict> {
        let mut conn = self.owner().await?;
        let outbox = tables::outbox(&mut conn).await?;
        let seen = Topics::open(self.servers)?.read().await?;
        let ordered: BTreeSet<String> = tables::ordered_quotes(&mut conn).await?.into_iter().collect();
        let mut faults = tables::faults(&mut conn).await?;
        faults.push(("goods on hand that differ from what was delivered and sold", self.wrong_stock(&mut conn).await?));
        faults.push(("products whose stock is not the sum of their movements", self.mismatches().await?));
        Ok(Verdict {
            orders: i64::try_from(ordered.len())?,
            events: outbox.len(),
            records: seen.records(),
            lost_sales: self.sold.iter().filter(|sold| !ordered.contains(&sold.quote)).count(),
            lost_events: seen.lacking(&outbox),
            ghost_events: seen.beyond(&outbox),
            inversions: seen.inversions(),
            faults,
        })
    }

    async fn owner(&self) -> Result<PgConnection> {
        PgConnection::connect(&self.servers.postgres_url).await.context("cannot connect as the owner")
    }

    /// Goods of which there is not what was opened with and delivered, less what left and did not come back.
    async fn wrong_stock(&self, conn: &mut PgConnection) -> Result<i64> {
        let mut wrong = 0;
        for good in ["lamp", "chair"] {
            let product = self.shop.ids[good].as_str().context("a product")?;
            let sold = tables::sold(conn, product).await?;
            wrong += i64::from(self.shop.on_hand(good).await? != OPENING + DELIVERED - sold);
        }
        Ok(wrong)
    }

    /// What inventory itself finds wrong.
    async fn mismatches(&self) -> Result<i64> {
        let found = get(&self.shop.admin, "/inventory/v1/reconciliation").await?;
        Ok(i64::from(found["mismatches"] != json!([])))
    }
}

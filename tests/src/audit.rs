//! What the product's own auditor says about a system's cache.
//!
//! Owns asking it: the command, and the counts of the patrol that runs in the worker.

use anyhow::{Context, Result, ensure};
use quoin::deployment::Role;
use serde_json::Value;

use crate::system::{System, eventually};

impl System {
    /// The answer of `quoin cache audit --all --json` for the test's tenant, and its exit code.
    pub async fn audit(&self, more: &[&str]) -> Result<(Value, i32)> {
        let arguments = [&["cache", "audit", "--all", "--json", "--tenant", &self.tenant], more].concat();
        let output = self.deployment.tool(&arguments).await?;
        let code = output.status.code().context("it ended by itself")?;
        let said = || String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((serde_json::from_slice(&output.stdout).with_context(said)?, code))
    }

    /// The sum of a metric's series at the worker that carry `label`.
    pub async fn work_metric(&self, name: &str, label: &str) -> Result<f64> {
        let url = self.deployment.internal_url(Role::Work).context("a worker runs")?;
        let page = reqwest::get(format!("{url}/metrics")).await?.text().await?;
        let series = page.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
        Ok(series.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Reads until there is something to judge in the cache. Fails unless all of it agrees with the authority, and the patrol
    /// has met nothing else either.
    pub async fn cache_agrees(&self, mut read: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        eventually("the cache holds something", async || {
            read().await?;
            let (found, code) = self.audit(&[]).await?;
            ensure!(code == 0 && found["mismatches"] == 0, "the cache does not agree: {found:#}");
            Ok((found["checked"].as_u64() > Some(0)).then_some(()))
        })
        .await?;
        let wrong = self.work_metric("cache_audit_mismatch_total", "").await?;
        ensure!(wrong < 1.0, "the patrol has met {wrong} wrong entries");
        Ok(())
    }
}

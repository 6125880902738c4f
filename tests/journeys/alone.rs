//! Development on a machine that has PostgreSQL and nothing else: the memory store and the in-process bus stand in.

use std::{process::Stdio, time::Duration};

use anyhow::{Context, Result};
use dev_stack::test;
use system_tests::{Shop, shop::OPENING, system::eventually};
use tokio::process::Command;
use uuid::Uuid;

use crate::PROGRAM;

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_completes_without_redis_and_without_kafka() -> Result<()> {
    let database = test::whole_database().await?;
    let folder = tempfile::tempdir()?;
    let (ready, banner) = (folder.path().join("ready"), folder.path().join("banner"));
    let mut product = Command::new(PROGRAM)
        .args(["dev", "--listen", "127.0.0.1:0", "--ready-file"])
        .arg(&ready)
        .env("QUOIN_POSTGRES_URL", database.admin_url())
        .env("QUOIN_STACK", "process")
        // Nothing to start a server with.
        .env("PATH", folder.path())
        .env_remove("JAVA_HOME")
        .env_remove("QUOIN_REDIS_URL")
        .env_remove("QUOIN_KAFKA_BROKERS")
        .env("QUOIN__AUTH__ISSUER_KEY_FILE", folder.path().join("issuer.key"))
        .stdout(std::fs::File::create(&banner)?)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let url = eventually("everything answers", async || {
        anyhow::ensure!(product.try_wait()?.is_none(), "quoin dev ended");
        Ok(std::fs::read_to_string(&ready).ok().map(|url| url.trim().to_owned()))
    })
    .await?;
    let said = std::fs::read_to_string(&banner)?;
    for stands_in in ["the memory store stands in for Redis", "the in-process bus stands in for Kafka"] {
        assert!(said.contains(stands_in), "{said}");
    }

    let shop = Shop::open(&url, &test::unique_name("alone")).await?;
    let presented = shop.presented(&[shop.line("lamp", 2)]).await?;
    shop.accept(&presented, &Uuid::now_v7().to_string()).await?;
    shop.completed(&presented).await?;
    assert_eq!(shop.on_hand("lamp").await?, OPENING - 2);

    let pid = product.id().context("quoin dev ended early")?;
    Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
    let ended = tokio::time::timeout(Duration::from_secs(25), product.wait()).await.context("it did not end")??;
    assert!(ended.success(), "{ended}");
    Ok(())
}

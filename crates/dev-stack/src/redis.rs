//! Redis as a local process: `redis-server` from `PATH`, nothing kept on disk.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{Launch, data_folder};
use crate::settings::on_path;

/// How to start Redis on `port`.
pub(crate) fn launch(port: u16) -> Result<Launch> {
    launch_with(port, [])
}

/// How to start one node of a cluster on `port`, which talks to the others on `bus`.
pub(crate) fn launch_node(port: u16, bus: u16, node_timeout: Duration) -> Result<Launch> {
    let (bus, silence) = (bus.to_string(), node_timeout.as_millis().to_string());
    let own = [
        ["--cluster-enabled", "yes"],
        ["--cluster-port", &bus],
        ["--cluster-node-timeout", &silence],
        // A replica takes over however long it had no word from its primary: there is nothing to lose that must not be lost.
        ["--cluster-replica-validity-factor", "0"],
    ];
    launch_with(port, own.concat())
}

fn launch_with<'a>(port: u16, own: impl IntoIterator<Item = &'a str>) -> Result<Launch> {
    let program =
        on_path("redis-server").or_else(|| on_path("valkey-server")).context("there is no redis-server on PATH")?;
    let data = data_folder("redis")?;
    let args = arguments().into_iter().chain(["--port".into(), port.to_string(), "--bind".into(), "127.0.0.1".into()]);
    Ok(Launch {
        program,
        args: args.chain(own.into_iter().map(str::to_owned)).map(OsString::from).collect(),
        account: None,
        log: data.join("server.log"),
        data,
        signal: "KILL",
    })
}

/// Settings shared with the container: a cache needs no disk.
pub(crate) fn arguments() -> Vec<String> {
    ["--save", "", "--appendonly", "no"].map(str::to_owned).to_vec()
}

//! Redis as a local process: `redis-server` from `PATH`, nothing kept on disk.

use std::ffi::OsString;

use anyhow::{Context, Result};

use crate::process::{Launch, data_folder};
use crate::settings::on_path;

/// How to start Redis on `port`.
pub(crate) fn launch(port: u16) -> Result<Launch> {
    let program =
        on_path("redis-server").or_else(|| on_path("valkey-server")).context("there is no redis-server on PATH")?;
    let data = data_folder("redis")?;
    let args = arguments().into_iter().chain(["--port".into(), port.to_string(), "--bind".into(), "127.0.0.1".into()]);
    Ok(Launch {
        program,
        args: args.map(OsString::from).collect(),
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

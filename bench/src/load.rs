//! One measurement: `wrk` against one address for a few seconds, and what the serving process paid for it.

use std::{fmt::Write as _, path::Path, process::Stdio, time::Duration};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::process::ServerProcess;

/// What one request of a measurement looks like.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Paths that are asked for in turn.
    pub paths: Vec<String>,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// Body; `@UNIQUE@` becomes a number that never repeats.
    pub body: Option<String>,
}

/// What a measurement found.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Answers a second.
    pub per_second: f64,
    /// Median latency, microseconds.
    pub p50_us: f64,
    /// 99th percentile, microseconds.
    pub p99_us: f64,
    /// CPU the serving process used for one request, microseconds.
    pub cpu_us: f64,
    /// Answers that were not 2xx, and connection errors.
    pub failures: u64,
}

/// Runs `request` against `base` for `seconds` over `connections` keep-alive connections.
pub async fn measure(
    base: &str,
    request: &Request,
    connections: u32,
    seconds: u64,
    server: &ServerProcess,
    scratch: &Path,
) -> Result<Sample> {
    let script = scratch.join(format!("{}.lua", uuid::Uuid::now_v7()));
    std::fs::write(&script, lua(request))?;
    let threads = connections.min(2);
    let cpu_before = server.cpu_seconds()?;
    let output = Command::new("wrk")
        .args(["--latency", "-t", &threads.to_string(), "-c", &connections.to_string()])
        .args(["-d", &format!("{seconds}s"), "--timeout", "10s", "-s"])
        .arg(&script)
        .arg(base)
        .stdin(Stdio::null())
        .output()
        .await
        .context("running wrk (Debian package wrk)")?;
    let cpu = server.cpu_seconds()? - cpu_before;
    if !output.status.success() {
        bail!("wrk failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find(|line| line.starts_with("RESULT ")).context("wrk printed no result")?;
    let mut numbers = line.split_whitespace().skip(1).map(str::parse::<f64>);
    let mut next = || numbers.next().context("short result line")?.context("not a number");
    let (requests, duration_us, p50_us, p99_us, failures) = (next()?, next()?, next()?, next()?, next()?);
    if requests < 1.0 {
        bail!("no request was answered by {base}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    let failures = failures as u64;
    Ok(Sample { per_second: requests / (duration_us / 1e6), p50_us, p99_us, cpu_us: cpu * 1e6 / requests, failures })
}

/// Asks the first path once and returns the body; used to make sure that what is measured is an answer.
pub async fn once(base: &str, request: &Request) -> Result<(u16, String)> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build()?;
    let path = request.paths.first().context("a request needs a path")?;
    let mut call = client.request(request.method.parse()?, format!("{base}{path}"));
    for (name, value) in &request.headers {
        call = call.header(name, value.replace("@UNIQUE@", "probe"));
    }
    if let Some(body) = &request.body {
        call = call.body(body.replace("@UNIQUE@", &uuid::Uuid::now_v7().to_string()));
    }
    let answer = call.send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

fn lua(request: &Request) -> String {
    let quoted = |text: &str| format!("{text:?}");
    let mut script = String::from("local paths = {\n");
    for path in &request.paths {
        let _ = writeln!(script, "  {},", quoted(path));
    }
    script.push_str("}\nlocal headers = {}\n");
    for (name, value) in &request.headers {
        let _ = writeln!(script, "headers[{}] = {}", quoted(name), quoted(value));
    }
    let body = request.body.as_deref().map_or_else(|| "nil".to_owned(), quoted);
    let unique = request.body.as_deref().is_some_and(|body| body.contains("@UNIQUE@"))
        || request.headers.iter().any(|(_, value)| value.contains("@UNIQUE@"));
    let _ = writeln!(script, "local method, body, unique = {}, {body}, {unique}", quoted(request.method));
    script.push_str(
        r#"local threads, n = 0, 0
function setup(thread) threads = threads + 1; thread:set("id", threads) end
function init(args) math.randomseed(os.time() * 10 + id); salt = id .. "-" .. math.random(1, 1e9) .. "-" end
function request()
  n = n + 1
  local path = paths[(n % #paths) + 1]
  if not unique then return wrk.format(method, path, headers, body) end
  local mark, own = salt .. n, {}
  for name, value in pairs(headers) do own[name] = value:gsub("@UNIQUE@", mark) end
  return wrk.format(method, path, own, body and (body:gsub("@UNIQUE@", mark)))
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
"#,
    );
    script
}

//! PostgreSQL as a local process: the machine's own installation, else one unpacked by `postgresql_embedded`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::process::{Account, Launch, data_folder, hand_over};
use crate::settings::{Durability, on_path};

/// The oldest major version the product supports.
const OLDEST_MAJOR: u32 = 15;
/// Names the set of binaries to `postgresql_embedded`, which finds their archive by it.
const ZONKY_RELEASES: &str = "https://github.com/zonkyio/embedded-postgres-binaries";
/// Where distributions keep the server's binaries, which are seldom on `PATH`.
const INSTALL_ROOTS: [&str; 3] = ["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt"];

/// How to start PostgreSQL on `port`, over a freshly made cluster.
pub(crate) async fn launch(port: u16, durability: Durability) -> Result<Launch> {
    let binaries = match machine_binaries() {
        Some(folder) => folder,
        None => {
            embedded_binaries().await.context("no PostgreSQL 15 or newer on this machine, and none could be fetched")?
        }
    };
    tokio::task::spawn_blocking(move || prepare(&binaries, port, durability)).await?
}

/// Runs `initdb` and puts the command line together.
fn prepare(binaries: &Path, port: u16, durability: Durability) -> Result<Launch> {
    let data = data_folder("postgres")?;
    let account = Account::unprivileged(&data)?;
    let password = data.join("password");
    fs::write(&password, "postgres\n")?;
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644))?;
    if let Some(account) = account {
        hand_over(&data, account)?;
    }
    let cluster = data.join("cluster");
    // `password`, not scram: the exchange would cost every test connection milliseconds in a debug build.
    let mut initdb = Command::new(binaries.join("initdb"));
    initdb.args([
        "--username=postgres",
        "--auth=password",
        "--encoding=UTF8",
        "--no-locale",
        "--no-sync",
        "--no-instructions",
    ]);
    initdb.arg(format!("--pwfile={}", password.display())).arg("--pgdata").arg(&cluster).current_dir(&data);
    if let Some(account) = account {
        initdb.uid(account.uid).gid(account.gid);
    }
    let output = initdb.output().with_context(|| format!("cannot run {}", binaries.join("initdb").display()))?;
    ensure!(output.status.success(), "initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());

    let mut args: Vec<OsString> = vec!["-D".into(), cluster.into(), "-p".into(), port.to_string().into()];
    args.extend(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="].map(OsString::from));
    args.extend(arguments(durability).into_iter().map(OsString::from));
    let program = binaries.join("postgres");
    Ok(Launch { program, args, account, log: data.join("server.log"), data, signal: "QUIT" })
}

/// Server settings shared with the container. Every test has a database and a pool of its own, hence the connections.
pub(crate) fn arguments(durability: Durability) -> Vec<String> {
    let mut settings = vec!["max_connections=400", "shared_buffers=256MB", "max_locks_per_transaction=256", "jit=off"];
    if durability == Durability::Throwaway {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=2GB"]);
    }
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting.to_owned()]).collect()
}

/// The folder of the newest installed server that is new enough.
fn machine_binaries() -> Option<PathBuf> {
    let versioned = INSTALL_ROOTS
        .iter()
        .filter_map(|root| fs::read_dir(root).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let from_path = on_path("postgres").and_then(|program| program.parent().map(Path::to_path_buf));
    let candidates = versioned.chain(from_path).filter(|folder| folder.join("initdb").is_file());
    let known = candidates.filter_map(|folder| Some((major_version(&folder)?, folder)));
    known.filter(|(major, _)| *major >= OLDEST_MAJOR).max_by_key(|(major, _)| *major).map(|(_, folder)| folder)
}

/// The major version in `postgres (PostgreSQL) 15.14 (Debian …)`.
fn major_version(folder: &Path) -> Option<u32> {
    let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

fn parse_major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Downloads and unpacks PostgreSQL once; later calls find it in the cache folder.
async fn embedded_binaries() -> Result<PathBuf> {
    use postgresql_embedded::{PostgreSQL, Settings};

    let scratch = tempfile::tempdir()?;
    // The crate must only unpack: its own initdb refuses root. A data folder that looks initialised keeps it from trying.
    fs::write(scratch.path().join("postgresql.conf"), "")?;
    let mut settings = Settings::new();
    for leftover in [Some(settings.data_dir.as_path()), settings.password_file.parent()].into_iter().flatten() {
        fs::remove_dir(leftover).ok(); // `new` makes temporary folders and keeps them
    }
    ZONKY_RELEASES.clone_into(&mut settings.releases_url);
    settings.installation_dir = installation_folder(scratch.path())?;
    settings.data_dir = scratch.path().to_path_buf();
    settings.password_file = scratch.path().join("password");
    let mut postgresql = PostgreSQL::new(settings);
    postgresql.setup().await?;
    let binaries = postgresql.settings().binary_dir();
    if !binaries.join("postgres").is_file() {
        bail!("the unpacked PostgreSQL has no server in {}", binaries.display());
    }
    Ok(binaries)
}

/// The user's cache folder; under root a folder that the account PostgreSQL runs under can read as well.
fn installation_folder(owned_by_me: &Path) -> Result<PathBuf> {
    Ok(match Account::unprivileged(owned_by_me)? {
        None => crate::settings::cache_folder().join("postgresql"),
        Some(_) => PathBuf::from("/var/cache/quoin/postgresql"),
    })
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn the_major_version_is_read_from_what_the_server_prints() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(parse_major("no number"), None);
    }
}

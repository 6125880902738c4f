//! Kafka as a local process: one broker in KRaft mode from its Maven jars, under the machine's Java.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::process::{Launch, data_folder};
use crate::settings::{Durability, cache_folder, on_path};

/// The jars are fetched by Maven from this list, which the image build reads as well.
const POM: &str = include_str!("../kafka/pom.xml");
/// Written last into the jar folder, so that an interrupted download is not mistaken for a whole one.
const COMPLETE: &str = ".complete";
/// Any 22 characters of base64url; one broker needs no more identity.
const CLUSTER_ID: &str = "cXVvaW4tZGV2LXN0YWNrMQ";

/// How to start Kafka on `port`, over freshly formatted storage.
pub(crate) fn launch(port: u16, controller_port: u16, durability: Durability) -> Result<Launch> {
    let java = java()?;
    let jars = jars()?;
    let data = data_folder("kafka")?;
    let properties = data.join("server.properties");
    fs::write(&properties, server_properties(&data.join("log"), port, controller_port, durability))?;
    let class_path = jars.join("*");

    let mut format = Command::new(&java);
    format
        .args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp"])
        .arg(&class_path);
    format.args(["kafka.tools.StorageTool", "format", "--cluster-id", CLUSTER_ID, "--config"]).arg(&properties);
    let output = format.output().with_context(|| format!("cannot run {}", java.display()))?;
    ensure!(
        output.status.success(),
        "Kafka's storage could not be formatted: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );

    // A short life on few cores: the serial collector and the first compiler tier start fastest and disturb least.
    let mut args: Vec<OsString> =
        ["-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"].map(OsString::from).to_vec();
    args.extend(["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".into(), "-cp".into(), class_path.into()]);
    args.extend(["kafka.Kafka".into(), properties.into()]);
    Ok(Launch { program: java, args, account: None, log: data.join("server.log"), data, signal: "KILL" })
}

/// Broker settings that the local process and the container have in common. Topics are made on purpose, never by a typo.
pub(crate) fn common_settings(durability: Durability) -> Vec<(&'static str, &'static str)> {
    let mut settings = vec![
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("controller.listener.names", "CONTROLLER"),
        ("inter.broker.listener.name", "PLAINTEXT"),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"),
        ("auto.create.topics.enable", "false"),
        ("num.partitions", "1"),
        ("offsets.topic.replication.factor", "1"),
        ("offsets.topic.num.partitions", "4"),
        ("transaction.state.log.replication.factor", "1"),
        ("transaction.state.log.min.isr", "1"),
        ("group.initial.rebalance.delay.ms", "0"),
    ];
    if durability == Durability::Throwaway {
        // Hundreds of small topics: keep what is allocated for each one small.
        settings.extend([("log.segment.bytes", "16777216"), ("log.index.size.max.bytes", "131072")]);
    }
    settings
}

fn server_properties(log: &Path, port: u16, controller_port: u16, durability: Durability) -> String {
    let address = format!("PLAINTEXT://127.0.0.1:{port}");
    let own = [
        ("listeners", format!("{address},CONTROLLER://127.0.0.1:{controller_port}")),
        ("advertised.listeners", address),
        ("controller.quorum.voters", format!("1@127.0.0.1:{controller_port}")),
        ("log.dirs", log.display().to_string()),
    ];
    let common = common_settings(durability).into_iter().map(|(key, value)| format!("{key}={value}\n"));
    common.chain(own.map(|(key, value)| format!("{key}={value}\n"))).collect()
}

fn java() -> Result<PathBuf> {
    let home = crate::settings::variable("JAVA_HOME")
        .map(|home| Path::new(&home).join("bin/java"))
        .filter(|java| java.is_file());
    home.or_else(|| on_path("java")).context("there is no java (17 or newer) on PATH")
}

/// The folder with Kafka's jars, filled by Maven on first use and kept in the cache folder.
fn jars() -> Result<PathBuf> {
    let folder = cache_folder().join(format!("kafka-{}", version(POM).context("the pom names no Kafka version")?));
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = File::create(folder.join(".lock"))?;
    lock.lock()?; // two programs that start at once must not both download
    let complete = folder.join(COMPLETE);
    if fs::read_to_string(&complete).is_ok_and(|pom| pom == POM) {
        return Ok(folder);
    }
    let maven = on_path("mvn").context("Kafka's jars are not there yet and there is no mvn on PATH to fetch them")?;
    let pom = folder.join("pom.xml");
    fs::write(&pom, POM)?;
    let mut fetch = Command::new(maven);
    fetch.args(["--batch-mode", "--quiet", "--file"]).arg(&pom).arg("dependency:copy-dependencies");
    fetch.arg(format!("-DoutputDirectory={}", folder.display())).arg("-DincludeScope=runtime");
    let output = fetch.output()?;
    ensure!(output.status.success(), "Maven could not fetch Kafka: {}", String::from_utf8_lossy(&output.stdout).trim());
    fs::write(complete, POM)?;
    Ok(folder)
}

/// The version of the artifact `kafka_2.13`.
fn version(pom: &str) -> Option<&str> {
    pom.split_once("<artifactId>kafka_2.13</artifactId>")?
        .1
        .split_once("<version>")?
        .1
        .split_once("</version>")
        .map(|(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::{POM, version};
    use crate::Component;

    #[test]
    fn the_jars_and_the_image_are_the_same_kafka() {
        let image = Component::Kafka.default_image();
        assert_eq!(version(POM), image.split_once(':').map(|(_, tag)| tag));
    }
}

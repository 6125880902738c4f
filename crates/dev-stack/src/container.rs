//! A server as a container, started through testcontainers.
//!
//! The host's port is chosen by us and stays the same when the container is stopped and started again, so that clients see
//! an outage and not a move. The container is removed by [`remove`] or by its keeper, never by a destructor of
//! testcontainers: shared servers must outlive the test that started them.

use std::collections::HashMap;
use std::env;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use futures::StreamExt;
use testcontainers::bollard::Docker;
use testcontainers::bollard::models::PortBinding;
use testcontainers::bollard::query_parameters::{LogsOptionsBuilder, RemoveContainerOptionsBuilder};
use testcontainers::core::IntoContainerPort;
use testcontainers::core::client::docker_client_instance;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerRequest, GenericImage, ImageExt};
use tokio::time::timeout;

use crate::component::Component;
use crate::settings::Durability;
use crate::{kafka, postgres, redis};

/// How long an engine may take to say that it is there.
const ENGINE_LIMIT: Duration = Duration::from_secs(3);
/// How long one image may take to be pulled before the next way is tried.
const PULL_LIMIT: Duration = Duration::from_mins(5);
/// Pause between two looks at whether a container still runs.
const STATE_PAUSE: Duration = Duration::from_millis(500);
/// The label by which `docker ps --filter label=dev.quoin.stack` finds our containers.
const LABEL: &str = "dev.quoin.stack";
/// Shared memory of the PostgreSQL container, in bytes; Docker's own 64 MiB is too little for parallel queries.
const SHARED_MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// Whether a container of this component can be started: an engine answers and has, or can pull, the image.
pub(crate) async fn available(component: Component) -> Result<()> {
    let docker = engine().await?;
    let image = component.image();
    if docker.inspect_image(&image).await.is_ok() {
        return Ok(());
    }
    let (name, tag) = split(&image);
    let pull = GenericImage::new(name, tag).pull_image();
    match timeout(PULL_LIMIT, pull).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(anyhow!("the image {image} is not here and cannot be pulled: {error}")),
        Err(_) => Err(anyhow!("the image {image} could not be pulled within {} s", PULL_LIMIT.as_secs())),
    }
}

/// Starts a container that answers on `port` of the engine's host; returns its id.
pub(crate) async fn run(component: Component, port: u16, durability: Durability) -> Result<String> {
    let image = component.image();
    let (name, tag) = split(&image);
    let request = request(component, GenericImage::new(name, tag), port, durability);
    let container_port = component.container_port().tcp();
    let only_local = host() == "127.0.0.1";
    let request = request.with_label(LABEL, component.slug()).with_host_config_modifier(move |config| {
        let host_ip = only_local.then(|| "127.0.0.1".to_owned());
        let binding = PortBinding { host_ip, host_port: Some(port.to_string()) };
        config.publish_all_ports = Some(false);
        config.port_bindings = Some(HashMap::from([(container_port.to_string(), Some(vec![binding]))]));
    });
    let container = request.start().await.with_context(|| format!("cannot start a container of {image}"))?;
    let id = container.id().to_owned();
    std::mem::forget(container); // see the module's doc
    Ok(id)
}

/// What each image is told. The variables are those of the official images.
fn request(
    component: Component,
    image: GenericImage,
    port: u16,
    durability: Durability,
) -> ContainerRequest<GenericImage> {
    let image = image.with_exposed_port(component.container_port().tcp());
    match component {
        Component::Postgres => image
            .with_cmd(postgres::arguments(durability))
            .with_shm_size(SHARED_MEMORY_BYTES)
            .with_env_var("POSTGRES_PASSWORD", "postgres")
            .with_env_var("POSTGRES_HOST_AUTH_METHOD", "password")
            .with_env_var("POSTGRES_INITDB_ARGS", "--encoding=UTF8 --no-locale --no-sync"),
        Component::Redis => image.with_cmd(std::iter::once("redis-server".to_owned()).chain(redis::arguments())),
        Component::Kafka => {
            let own = [
                ("listeners".to_owned(), "PLAINTEXT://:9092,CONTROLLER://localhost:9093".to_owned()),
                ("advertised.listeners".to_owned(), format!("PLAINTEXT://{}:{port}", host())),
                ("controller.quorum.voters".to_owned(), "1@localhost:9093".to_owned()),
            ];
            let common =
                kafka::common_settings(durability).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
            let heap = image.with_env_var("KAFKA_HEAP_OPTS", "-Xmx512m -Xms128m");
            common.chain(own).fold(heap, |request, (key, value)| request.with_env_var(kafka_variable(&key), value))
        }
    }
}

/// The official image reads the setting `a.b` from the variable `KAFKA_A_B`.
fn kafka_variable(setting: &str) -> String {
    format!("KAFKA_{}", setting.replace('.', "_").to_uppercase())
}

/// Where published ports are reached: this machine, or the host of a remote engine.
pub(crate) fn host() -> String {
    let engine = env::var("DOCKER_HOST").unwrap_or_default();
    let remote =
        engine.strip_prefix("tcp://").map(|address| address.split([':', '/']).next().unwrap_or_default().to_owned());
    remote.filter(|host| !host.is_empty() && host != "localhost").unwrap_or_else(|| "127.0.0.1".to_owned())
}

/// Ends a container at once, as a crash would.
pub(crate) async fn kill(id: &str) -> Result<()> {
    Ok(engine().await?.kill_container(id, None).await?)
}

/// Starts a killed container again.
pub(crate) async fn restart(id: &str) -> Result<()> {
    Ok(engine().await?.start_container(id, None).await?)
}

/// Makes a container stand still: its port stays open and nothing answers.
pub(crate) async fn pause(id: &str) -> Result<()> {
    Ok(engine().await?.pause_container(id).await?)
}

/// The opposite of [`pause`].
pub(crate) async fn unpause(id: &str) -> Result<()> {
    Ok(engine().await?.unpause_container(id).await?)
}

/// Removes a container and its anonymous volumes.
pub(crate) async fn remove(id: &str) -> Result<()> {
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    Ok(engine().await?.remove_container(id, Some(options)).await?)
}

/// Returns when the container runs no more.
pub(crate) async fn ended(id: &str) {
    loop {
        tokio::time::sleep(STATE_PAUSE).await;
        let Ok(docker) = engine().await else { return };
        let state = docker.inspect_container(id, None).await.ok().and_then(|container| container.state);
        if !state.and_then(|state| state.running).unwrap_or(false) {
            return;
        }
    }
}

/// The last lines a container wrote, for an error message.
pub(crate) async fn log_tail(id: &str) -> String {
    let Ok(docker) = engine().await else { return String::new() };
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail("15").build();
    let lines = docker.logs(id, Some(options)).filter_map(|line| async move { line.ok().map(|line| line.to_string()) });
    lines.collect::<Vec<_>>().await.concat()
}

async fn engine() -> Result<Docker> {
    let docker = docker_client_instance().await.map_err(|error| anyhow!("no Docker engine: {error}"))?;
    timeout(ENGINE_LIMIT, docker.ping())
        .await
        .context("the Docker engine is silent")?
        .context("no Docker engine answers")?;
    Ok(docker)
}

/// Splits `registry:5000/name:tag` into name and tag.
fn split(image: &str) -> (String, String) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), tag.to_owned()),
        _ => (image.to_owned(), "latest".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{kafka_variable, split};

    #[test]
    fn the_tag_of_an_image_is_not_confused_with_a_port() {
        assert_eq!(split("postgres:15"), ("postgres".into(), "15".into()));
        assert_eq!(split("registry:5000/site/redis"), ("registry:5000/site/redis".into(), "latest".into()));
        assert_eq!(split("registry:5000/site/redis:7.0"), ("registry:5000/site/redis".into(), "7.0".into()));
    }

    #[test]
    fn kafka_settings_become_the_variables_of_the_official_image() {
        assert_eq!(kafka_variable("auto.create.topics.enable"), "KAFKA_AUTO_CREATE_TOPICS_ENABLE");
    }
}

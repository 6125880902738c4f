//! Servers shared by all test binaries: started once, remembered in `target/stack`, found by whoever comes next.
//!
//! Each component has a state file (where the server is), a lock file (held while somebody looks or starts) and a `.used`
//! file (the server's keeper ends it when that file goes away or grows old). Nothing here trusts the state file: the server
//! has to answer in its own protocol before it is handed out.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::container;
use crate::keeper::{self, Lifetime};
use crate::ready;
use crate::server::{Origin, Server};
use crate::settings::{Durability, Source, shared_folder, variable};

/// How long the keepers may take to end the shared servers.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// What is remembered about a shared server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SharedState {
    /// Which server.
    pub component: Component,
    /// Where it listens.
    pub host: String,
    /// The port it listens on.
    pub port: u16,
    /// How it came to be.
    pub origin: Origin,
    container: Option<String>,
    used: PathBuf,
}

impl SharedState {
    /// How a client addresses the server.
    pub fn url(&self) -> String {
        self.component.url(&self.host, self.port)
    }

    async fn answers(&self) -> bool {
        self.used.exists() && ready::probe(self.component, &self.host, self.port).await.is_ok()
    }
}

/// The server all tests share: the one named in the environment, else the one that runs already, else a new one.
pub(crate) async fn attach(component: Component) -> Result<Server> {
    let name = component.test_url_variable();
    if let Some(url) = variable(name) {
        return Ok(Server::external(component, name, url));
    }
    let folder = shared_folder();
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let _lock = lock(&folder, component).await?;
    let source = Source::from_environment()?;
    if let Some(state) = read(&folder, component) {
        if state.origin.satisfies(source) && state.answers().await {
            keeper::touch(&state.used)?;
            return Ok(Server::attached(component, state.host, state.port, state.origin));
        }
        retire(&state).await;
    }
    start(&folder, component, source).await
}

async fn start(folder: &Path, component: Component, source: Source) -> Result<Server> {
    let used =
        tempfile::Builder::new().prefix(&format!("{}-", component.slug())).suffix(".used").tempfile_in(folder)?;
    let used = used.into_temp_path().keep()?;
    keeper::touch(&used)?;
    let lifetime = Lifetime::Shared { used: used.clone() };
    let server = match Server::obtain(component, source, Durability::Throwaway, &lifetime).await {
        Ok(server) => server,
        Err(error) => {
            fs::remove_file(&used).ok();
            return Err(error);
        }
    };
    let (host, port) = server.address();
    let container = server.container_id().map(str::to_owned);
    let state =
        SharedState { component, host: host.to_owned(), port, origin: server.origin().clone(), container, used };
    let path = state_file(folder, component);
    fs::write(&path, serde_json::to_vec_pretty(&state)?).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(server.release())
}

/// The shared servers that answer now.
pub async fn shared_state() -> Vec<SharedState> {
    let folder = shared_folder();
    let mut alive = Vec::new();
    for state in Component::ALL.into_iter().filter_map(|component| read(&folder, component)) {
        if state.answers().await {
            alive.push(state);
        }
    }
    alive
}

/// Ends the shared servers of this target folder and returns when they are gone.
pub async fn stop_shared() -> Result<()> {
    let folder = shared_folder();
    if !folder.exists() {
        return Ok(());
    }
    for component in Component::ALL {
        let _lock = lock(&folder, component).await?;
        let Some(state) = read(&folder, component) else { continue };
        retire(&state).await;
        let asked = Instant::now();
        while ready::probe(component, &state.host, state.port).await.is_ok() {
            if asked.elapsed() > STOP_LIMIT {
                bail!("{component} at {}:{} does not stop; its keeper must have been killed", state.host, state.port);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        fs::remove_file(state_file(&folder, component))?;
    }
    Ok(())
}

/// Tells a server's keeper to end it. A container is removed at once, because its keeper may have no `docker` to call.
async fn retire(state: &SharedState) {
    fs::remove_file(&state.used).ok();
    if let Some(id) = &state.container {
        container::remove(id).await.ok();
    }
}

/// Waits for the component's lock; other binaries may be starting the server right now.
async fn lock(folder: &Path, component: Component) -> Result<File> {
    let file = File::create(folder.join(format!("{}.lock", component.slug())))?;
    tokio::task::spawn_blocking(move || file.lock().map(|()| file)).await?.context("cannot lock the shared stack")
}

fn read(folder: &Path, component: Component) -> Option<SharedState> {
    serde_json::from_slice(&fs::read(state_file(folder, component)).ok()?).ok()
}

fn state_file(folder: &Path, component: Component) -> PathBuf {
    folder.join(format!("{}.json", component.slug()))
}

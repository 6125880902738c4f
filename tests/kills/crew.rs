//! The processes: each lives until its doom, and another takes its place at once.

use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use fail_points::Step;
use quoin::deployment::{Deployment, Role, is_ready};
use system_tests::doom::{DOOMS, Doom, GRAVE};
use tokio::{process::Child, sync::watch};

use crate::{
    fate::{Fate, Life},
    tally::{Cause, Tally},
};

const POLL: Duration = Duration::from_millis(50);
/// What a process says that cannot open its door.
const PORT_TAKEN: &str = "cannot listen on";
const SIGKILL: i32 = 9;
/// How native code breaks down: SIGBUS and SIGSEGV. Rust of its own ends with an exit code or SIGABRT.
const BREAKDOWNS: [i32; 2] = [7, 11];
/// Lines of a log that are shown.
const LAST_WORDS: usize = 8;

/// What all processes share.
pub struct Crew {
    pub deployment: Deployment,
    pub folder: PathBuf,
    pub fate: Mutex<Fate>,
    pub tally: Tally,
    /// Sales made so far.
    pub sold: watch::Sender<usize>,
    /// Nobody is doomed: before the first sale, and after the last.
    pub calm: watch::Sender<bool>,
    /// Whether lives that begin now die where they park an event.
    pub parking_kills: AtomicBool,
    /// Lives begun so far.
    pub lives: AtomicUsize,
}

impl Crew {
    /// Keeps one place filled until it is dropped.
    pub async fn keep(self: Arc<Self>, role: Role) -> Result<()> {
        // The kill whose successor was not seen at work yet.
        let mut owed = None;
        loop {
            let life = self.draw(role);
            let Some(cause) = self.live(role, life, &mut owed).await? else { continue };
            self.tally.killed(cause);
            if cause == Cause::At(Step::ConsumerParking) {
                self.parking_kills.store(false, Ordering::SeqCst);
            }
            owed = Some(cause);
        }
    }

    fn draw(&self, role: Role) -> Option<Life> {
        let fate = || self.fate.lock().unwrap_or_else(PoisonError::into_inner).next(role, &self.tally);
        (!*self.calm.borrow()).then(fate)
    }

    /// One life from its start to its end; `None` if it never began, because somebody else was quicker to take its port.
    /// Without a doom it ends with the calm it began in, or with the crew.
    async fn live(&self, role: Role, life: Option<Life>, owed: &mut Option<Cause>) -> Result<Option<Cause>> {
        let number = self.lives.fetch_add(1, Ordering::SeqCst);
        let grave = self.folder.join(format!("grave-{number}"));
        let (mut child, url) = self.start(role, life, &grave)?;
        let end_of_patience = *self.sold.borrow() + life.map_or(0, |life| life.sales);
        let (mut sold, mut calm) = (self.sold.subscribe(), self.calm.subscribe());
        loop {
            tokio::select! {
                status = child.wait() => {
                    let cause = self.ended(role, status?, &grave)?;
                    // Whoever got to a step was at work, and so was whoever broke down.
                    if cause.is_some() {
                        self.settle(owed);
                    }
                    return Ok(cause);
                }
                () = ready(&url), if owed.is_some() => self.settle(owed),
                () = until(&mut sold, |sold| *sold >= end_of_patience), if life.is_some() && owed.is_none() => {
                    return kill(child, role, &grave).await.map(Some);
                }
                // The calm before the storm ends, or it begins after it.
                () = until(&mut calm, |calm| *calm == life.is_some()), if owed.is_none() => {
                    return kill(child, role, &grave).await.map(Some);
                }
            }
        }
    }

    /// What ended a process that nobody killed from outside.
    fn ended(&self, role: Role, status: ExitStatus, grave: &Path) -> Result<Option<Cause>> {
        let step = buried(grave).filter(|_| status.signal() == Some(SIGKILL));
        if let Some(step) = step {
            return Ok(Some(Cause::At(step)));
        }
        let words = self.last_words(role);
        if role == Role::Work && status.signal().is_some_and(|signal| BREAKDOWNS.contains(&signal)) {
            println!("a worker broke down, {status}: {words}");
            return Ok(Some(Cause::Breakdown));
        }
        ensure!(words.contains(PORT_TAKEN), "a process ended by itself, {status}: {words}");
        Ok(None)
    }

    fn start(&self, role: Role, life: Option<Life>, grave: &Path) -> Result<(Child, String)> {
        let (mut command, url) = self.deployment.process(role)?;
        let mut dooms: Vec<Doom> = life.and_then(|life| life.doom).into_iter().collect();
        if life.is_some() && role == Role::Work && self.parking_kills.load(Ordering::SeqCst) {
            dooms.push(Doom { step: Step::ConsumerParking, time: 1 });
        }
        if !dooms.is_empty() {
            let text: Vec<String> = dooms.iter().map(ToString::to_string).collect();
            command.env(DOOMS, text.join(",")).env(GRAVE, grave);
        }
        let log = File::options().create(true).append(true).open(self.deployment.log(role))?;
        let child = command.stderr(log).spawn().context("a process does not start")?;
        Ok((child, url))
    }

    fn settle(&self, owed: &mut Option<Cause>) {
        if let Some(cause) = owed.take() {
            self.tally.recovered(cause);
        }
    }

    fn last_words(&self, role: Role) -> String {
        let log = std::fs::read_to_string(self.deployment.log(role)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(LAST_WORDS).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// Kills from outside, unless it was quicker itself.
async fn kill(mut child: Child, role: Role, grave: &Path) -> Result<Cause> {
    child.kill().await?;
    let from_outside = if role == Role::Serve { Cause::Serve } else { Cause::Worker };
    Ok(buried(grave).map_or(from_outside, Cause::At))
}

/// The step at which the process of this grave died by itself.
pub fn buried(grave: &Path) -> Option<Step> {
    let words = std::fs::read_to_string(grave).ok()?;
    words.lines().next().and_then(Step::named)
}

async fn ready(url: &str) {
    while !is_ready(url).await {
        tokio::time::sleep(POLL).await;
    }
}

/// Waits until a watched value is enough; for ever when nobody changes it any more.
pub async fn until<T>(seen: &mut watch::Receiver<T>, enough: impl FnMut(&T) -> bool) {
    if seen.wait_for(enough).await.is_err() {
        std::future::pending::<()>().await;
    }
}

//! All interleavings of two readers who fill, two writers who commit and invalidate, and a store that forgets.
//!
//! The invariant: what lies there is never older than the newest invalidation that was applied. The same schedules run on any
//! store; the store in memory runs all of them, Redis a sample. With one guard switched off the model must find a violation.

use std::time::Duration;

use cache_ports::catalog::keyspaces::{OFFERING, offering_key};
use kernel::{OfferingId, PublicationId, TenantId, Version};

use super::{Subject, content, new_tenant};
use crate::{
    frame::{self, Content, Glance, Kind, Life, glance},
    store::{ByteStore, FillRequest, LeaseReply, LeaseRequest, LeaseToken},
};

const LIFE: Duration = Duration::from_mins(1);
/// Schedules replayed on a store behind a network.
const SAMPLE: usize = 300;

/// One step of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// A reader asks for the lease.
    Lease(usize),
    /// A reader reads the authority.
    Load(usize),
    /// A reader fills what it read.
    Fill(usize),
    /// A writer commits.
    Commit,
    /// The consumer of a writer's event invalidates that version.
    Invalidate(u64),
    /// The store forgets the key: an eviction, a flush, a failover that lost it, or the end of its life.
    Forget,
}

/// What may go wrong beside the order of steps. A replica that lags and a tombstone that is forgotten, both at once, are the
/// one hole this protocol does not close: fills read the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// The store forgets; readers read the primary.
    Forgetful,
    /// The store remembers; the second reader reads a replica one commit behind.
    Lagging,
}

fn actors(world: World) -> Vec<Vec<Step>> {
    let reader = |who| vec![Step::Lease(who), Step::Load(who), Step::Fill(who)];
    let mut actors =
        vec![reader(0), reader(1), vec![Step::Commit, Step::Invalidate(2)], vec![Step::Commit, Step::Invalidate(3)]];
    if world == World::Forgetful {
        actors.push(vec![Step::Forget]);
    }
    actors
}

/// Every interleaving. The second commit follows the first (a lock on the row sees to that); events come in any order.
fn schedules(world: World) -> Vec<Vec<Step>> {
    fn extend(actors: &[Vec<Step>], alike: bool, at: &mut [usize], taken: &mut Vec<Step>, out: &mut Vec<Vec<Step>>) {
        if at.iter().zip(actors).all(|(next, steps)| *next == steps.len()) {
            out.push(taken.clone());
            return;
        }
        for who in 0..actors.len() {
            let Some(step) = actors[who].get(at[who]) else { continue };
            // The second commit waits for the first; of two readers who do the same, the first begins.
            let (late_commit, same_readers) = (who == 3 && at[2] == 0, who == 1 && at[0] == 0 && alike);
            if late_commit || same_readers {
                continue;
            }
            at[who] += 1;
            taken.push(*step);
            extend(actors, alike, at, taken, out);
            taken.pop();
            at[who] -= 1;
        }
    }
    let (actors, mut out) = (actors(world), Vec::new());
    let alike = world == World::Forgetful;
    extend(&actors, alike, &mut vec![0; actors.len()], &mut Vec::new(), &mut out);
    out
}

/// An old value where a newer one was already invalidated.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Violation(String);

struct Run<'a> {
    subject: &'a dyn Subject,
    store: &'a dyn ByteStore,
    key: String,
    world: World,
    committed: u64,
    invalidated: u64,
    tokens: [Option<LeaseToken>; 2],
    loaded: [u64; 2],
}

impl Run<'_> {
    async fn step(&mut self, step: Step) {
        let at = content(&self.key);
        match step {
            Step::Lease(who) => {
                let token = LeaseToken::unique();
                let request = LeaseRequest { token, ttl: LIFE, over: None };
                let reply = self.store.lease(at, request).await.expect("the store answers");
                // Without the lease this reader answers its caller from the authority and fills nothing; a negative control
                // that switches the guard off lets it fill all the same.
                self.tokens[who] = Some(token);
                if !matches!(reply, LeaseReply::Granted { .. }) {
                    self.tokens[who] = None;
                }
            }
            Step::Load(who) => {
                let behind = u64::from(self.world == World::Lagging && who == 1 && self.committed > 1);
                self.loaded[who] = self.committed - behind;
            }
            Step::Fill(who) => {
                let Some(token) = self.tokens[who] else { return };
                let version = Version::new(self.loaded[who]);
                let frame = frame_of(&self.key, version);
                let request = FillRequest { token, version, frame: &frame, ttl: LIFE };
                self.store.fill(at, request).await.expect("the store answers");
            }
            Step::Commit => self.committed += 1,
            Step::Invalidate(version) => {
                self.store.invalidate(at, Version::new(version), LIFE).await.expect("the store answers");
                self.invalidated = self.invalidated.max(version);
            }
            Step::Forget => self.subject.evict(at).await,
        }
    }

    async fn lying(&self) -> Option<u64> {
        let stored = self.subject.peek(content(&self.key)).await?;
        match glance(&stored.bytes) {
            Glance::Ours(header) if header.kind == Kind::Value => Some(header.version.get()),
            _ => None,
        }
    }

    /// Whoever comes after it all can fill the newest version.
    async fn ends_well(&self) -> bool {
        let token = LeaseToken::unique();
        let over = self.lying().await.map(Version::new);
        if over == Some(Version::new(self.committed)) {
            return true;
        }
        let at = content(&self.key);
        let request = LeaseRequest { token, ttl: LIFE, over };
        let granted = matches!(self.store.lease(at, request).await, Ok(LeaseReply::Granted { .. }));
        let version = Version::new(self.committed);
        let frame = frame_of(&self.key, version);
        let fill = FillRequest { token, version, frame: &frame, ttl: LIFE };
        granted && self.store.fill(at, fill).await == Ok(crate::store::FillReply::Stored)
    }
}

fn frame_of(key: &str, version: Version) -> Vec<u8> {
    let life = Life { soft: LIFE, hard: LIFE };
    let content = Content { keyspace: &OFFERING, key, version, life, generated_at_ms: 0, payload: Some(b"{}") };
    frame::write(&content).expect("it fits")
}

async fn run(
    subject: &dyn Subject,
    store: &dyn ByteStore,
    tenant: &TenantId,
    world: World,
    schedule: &[Step],
) -> Result<(), Violation> {
    let key = offering_key(tenant, PublicationId::generate(), OfferingId::generate(), "en").text();
    let mut run = Run { subject, store, key, world, committed: 1, invalidated: 0, tokens: [None; 2], loaded: [0; 2] };
    for (at, step) in schedule.iter().enumerate() {
        run.step(*step).await;
        if let Some(version) = run.lying().await
            && version < run.invalidated
        {
            let so_far = &schedule[..=at];
            return Err(Violation(format!(
                "version {version} lies there after {} was invalidated: {so_far:?}",
                run.invalidated
            )));
        }
    }
    if run.ends_well().await { Ok(()) } else { Err(Violation(format!("nobody can fill any more: {schedule:?}"))) }
}

/// Runs every interleaving; gives the number of them, or the first violation.
pub async fn all_interleavings(subject: &dyn Subject, world: World) -> Result<usize, Violation> {
    every(subject, world, 1).await
}

async fn every(subject: &dyn Subject, world: World, stride: usize) -> Result<usize, Violation> {
    let (store, tenant, schedules) = (subject.store(), new_tenant(), schedules(world));
    let mut count = 0;
    for schedule in schedules.iter().step_by(stride) {
        run(subject, &*store, &tenant, world, schedule).await?;
        count += 1;
    }
    Ok(count)
}

/// A sample of both worlds, spread over all interleavings.
pub async fn no_sampled_interleaving_leaves_an_old_value(subject: &dyn Subject) {
    for world in [World::Forgetful, World::Lagging] {
        // An odd stride, so that the sample is not one branch of the tree.
        let stride = (schedules(world).len() / SAMPLE) | 1;
        let count = every(subject, world, stride).await.unwrap_or_else(|violation| panic!("{world:?}: {violation}"));
        assert!(count >= SAMPLE / 2, "{count}");
    }
}

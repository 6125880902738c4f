//! The patrol: a few entries of each keyspace, round after round, for as long as a process works.
//!
//! Owns where each keyspace's walk stands, which entries are to be looked at again, and the bounds of one round. Must never
//! hurry: it shares the store and the authority with everybody who is served.

use std::collections::VecDeque;

use cache_ports::key::Scope;
use tokio::time::Instant;

use super::{Auditor, Outcome, Suspect, report::Report};
use crate::{scan::Position, store::StoreError};

/// Most entries waiting for their second look; further ones are met again on a later walk.
const MAX_SUSPECTS: usize = 1_000;
/// Pages of one keyspace that one round goes through in search of keys: in a large store a small keyspace is sparse.
const MAX_PAGES: u32 = 10;

/// See the module.
pub struct Patrol {
    auditor: Auditor,
    sample: usize,
    walks: Vec<Position>,
    /// The keyspace whose turn it is.
    turn: usize,
    suspects: VecDeque<Suspect>,
}

impl Patrol {
    /// A patrol that looks at `sample` entries of each keyspace in a round.
    pub fn of(auditor: Auditor, sample: usize) -> Self {
        let walks = vec![Position::default(); auditor.keyspaces().len()];
        Self { auditor, sample, walks, turn: 0, suspects: VecDeque::new() }
    }

    /// One round. A store that does not answer ends it; the next one begins with the keyspace after that, so that a store
    /// which answers only now and then keeps no keyspace from its turn.
    pub async fn round(&mut self) -> Result<Report, StoreError> {
        let mut report = Report::on(self.auditor.keyspaces());
        self.settle(&mut report).await?;
        for _ in 0..self.walks.len() {
            let at = self.turn;
            self.turn = (at + 1) % self.walks.len();
            self.visit(at, &mut report).await?;
        }
        Ok(report)
    }

    /// Looks again at what is due; suspects are in the order in which they fall due. One about which the store does not
    /// answer is met again on a later walk.
    async fn settle(&mut self, report: &mut Report) -> Result<(), StoreError> {
        while let Some(suspect) = self.suspects.pop_front_if(|suspect| suspect.due <= Instant::now()) {
            let outcome = self.auditor.look_again(&suspect).await?;
            report.note(suspect.keyspace, outcome);
        }
        Ok(())
    }

    async fn visit(&mut self, at: usize, report: &mut Report) -> Result<(), StoreError> {
        let keyspace = self.auditor.keyspaces()[at];
        let scope = Scope { keyspace, tenant: None };
        let mut left = self.sample;
        for _ in 0..MAX_PAGES {
            let mut page = self.auditor.page(&scope, self.walks[at].clone()).await?;
            let is_last = page.next.is_none();
            // Before anything is judged: a store that goes away meanwhile costs the rest of this page, not the walk.
            self.walks[at] = page.next.take().unwrap_or_default();
            // Some of a page, not its first: a walk returns keys in the same order every time.
            fastrand::shuffle(&mut page.keys);
            page.keys.truncate(left);
            left -= page.keys.len();
            for key in page.keys {
                let outcome = self.auditor.look(keyspace, &key).await?;
                match outcome {
                    Outcome::Suspect(suspect) if self.suspects.len() < MAX_SUSPECTS => self.suspects.push_back(suspect),
                    settled => report.note(keyspace, settled),
                }
            }
            if is_last || left == 0 {
                break;
            }
        }
        Ok(())
    }
}

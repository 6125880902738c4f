//! Who dies where, drawn from a seed: every step as often as any other.

use std::collections::BTreeMap;

use fail_points::Step;
use fastrand::Rng;
use quoin::deployment::Role;
use system_tests::doom::Doom;

use crate::{
    scale::Scale,
    tally::{Cause, Tally},
};

/// Steps a worker gets to by itself. Parking needs poison, draining a redrive: both are the poisoner's.
const OF_WORKERS: [Step; 11] = [
    Step::OutboxAppended,
    Step::TaskPerformed,
    Step::RelayRead,
    Step::RelayHalfProduced,
    Step::RelayAcknowledged,
    Step::RelayCursorStored,
    Step::RelayRenewing,
    Step::ConsumerRead,
    Step::ConsumerApplied,
    Step::ConsumerCommitted,
    Step::ConsumerSettled,
];

/// Steps of a process that answers.
const OF_SERVICES: [Step; 2] = [Step::OutboxAppended, Step::CommandCommitted];

/// How much deeper in its life a process that answers dies: if it died with every few commands, nobody would get through.
const COMMANDS_A_BATCH: usize = 20;

/// What one process is doomed to.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    /// To die there by itself; `None`: nothing but the end from outside.
    pub doom: Option<Doom>,
    /// To be killed from outside when so many sales were made since it began.
    pub sales: usize,
}

/// Draws lives.
pub struct Fate {
    scale: Scale,
    rng: Rng,
    drawn: BTreeMap<(Role, Option<Step>), usize>,
}

impl Fate {
    pub fn new(scale: Scale) -> Self {
        Self { scale, rng: Rng::with_seed(scale.seed), drawn: BTreeMap::new() }
    }

    /// The next life of a process of this role: doomed to what was drawn least often, by lot among equals. Where everybody has
    /// died often enough it is a long one, so that what waits behind the dead gets done.
    pub fn next(&mut self, role: Role, tally: &Tally) -> Life {
        let steps: &[Step] = if role == Role::Serve { &OF_SERVICES } else { &OF_WORKERS };
        let due = |step: &Step| tally.of(Cause::At(*step)).killed < self.scale.rounds;
        let mut choices: Vec<Option<Step>> = steps.iter().copied().filter(due).map(Some).collect();
        if choices.is_empty() {
            return Life { doom: None, sales: usize::MAX / 2 };
        }
        choices.push(None);
        self.rng.shuffle(&mut choices);
        let times = |choice: &Option<Step>| self.drawn.get(&(role, *choice)).copied().unwrap_or_default();
        let step = choices.iter().min_by_key(|choice| times(choice)).copied().flatten();
        *self.drawn.entry((role, step)).or_default() += 1;
        // A sale is many commands and few batches.
        let deepest = self.scale.depth * if role == Role::Serve { COMMANDS_A_BATCH } else { 1 };
        let doom = step.map(|step| Doom { step, time: self.rng.usize(1..=deepest) });
        let sales = if doom.is_some() { self.scale.patience } else { self.rng.usize(1..=self.scale.patience) };
        Life { doom, sales }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_drawn_equally_often_and_a_seed_draws_the_same_again() {
        let scale = Scale { seed: 7, ..Scale::from_environment().unwrap() };
        let tally = Tally::default();
        let draw = || {
            let mut fate = Fate::new(scale);
            (0..48).map(|_| fate.next(Role::Work, &tally)).map(|life| life.doom).collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
        for step in OF_WORKERS {
            assert_eq!(draw().iter().flatten().filter(|doom| doom.step == step).count(), 4, "{step:?}");
        }
        for step in OF_WORKERS {
            tally.killed(Cause::At(step));
        }
        let after = Fate::new(Scale { rounds: 1, ..scale }).next(Role::Work, &tally);
        assert!(after.doom.is_none(), "everybody died once");
    }
}

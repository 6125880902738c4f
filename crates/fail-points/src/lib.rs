//! The steps at which a process may die, by name: where commands, relays, consumers and task runners say how far they are.
//!
//! In a product build [`reached`] is an empty function. With the feature `watched`, which only the system tests switch on,
//! a program may call `watch` once with what shall happen at each step; the executable under test kills itself there.
//! Nothing here reads the environment or a configuration, so a step cannot be armed from outside.
//!
//! Owns the list of steps. Must never know what is done at them, and never change how the code around them goes on.

/// A moment between two effects, at which dying must cost nothing. The order is that of an event's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A transaction has written its outbox rows and is not committed.
    OutboxAppended,
    /// A command is committed, and its caller has no answer.
    CommandCommitted,
    /// A task's effect was made at its receiver, and its outcome is not recorded.
    TaskPerformed,
    /// A relay has read outbox rows and produced none of them.
    RelayRead,
    /// The log has acknowledged the first half of a relay's batch.
    RelayHalfProduced,
    /// The log has acknowledged a whole batch, and the relay's cursor still stands before it.
    RelayAcknowledged,
    /// A relay's cursor was stored.
    RelayCursorStored,
    /// A relay's leases were renewed, and what they changed is not followed yet.
    RelayRenewing,
    /// A consumer has read records and begun no transaction.
    ConsumerRead,
    /// Effects and position are written and not committed.
    ConsumerApplied,
    /// Effects and position are committed, and the effects outside PostgreSQL are not begun.
    ConsumerCommitted,
    /// The effects outside PostgreSQL were made, and nobody has noted it.
    ConsumerSettled,
    /// An event is being parked: written to the lot and not committed.
    ConsumerParking,
    /// A parked event was applied and committed, and is still in the lot.
    ConsumerDraining,
}

impl Step {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::OutboxAppended,
        Self::CommandCommitted,
        Self::TaskPerformed,
        Self::RelayRead,
        Self::RelayHalfProduced,
        Self::RelayAcknowledged,
        Self::RelayCursorStored,
        Self::RelayRenewing,
        Self::ConsumerRead,
        Self::ConsumerApplied,
        Self::ConsumerCommitted,
        Self::ConsumerSettled,
        Self::ConsumerParking,
        Self::ConsumerDraining,
    ];

    /// Its name: who is at it, and what was done last.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutboxAppended => "outbox.appended",
            Self::CommandCommitted => "command.committed",
            Self::TaskPerformed => "task.performed",
            Self::RelayRead => "relay.read",
            Self::RelayHalfProduced => "relay.half-produced",
            Self::RelayAcknowledged => "relay.acknowledged",
            Self::RelayCursorStored => "relay.cursor-stored",
            Self::RelayRenewing => "relay.renewing",
            Self::ConsumerRead => "consumer.read",
            Self::ConsumerApplied => "consumer.applied",
            Self::ConsumerCommitted => "consumer.committed",
            Self::ConsumerSettled => "consumer.settled",
            Self::ConsumerParking => "consumer.parking",
            Self::ConsumerDraining => "consumer.draining",
        }
    }

    /// The step of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == name)
    }
}

#[cfg(feature = "watched")]
mod watcher {
    use std::sync::OnceLock;

    use super::Step;

    /// What happens at a step.
    type Watcher = Box<dyn Fn(Step) + Send + Sync>;

    static WATCHER: OnceLock<Watcher> = OnceLock::new();

    /// From now on calls `watcher` at every step of this process. The first caller wins.
    pub fn watch(watcher: impl Fn(Step) + Send + Sync + 'static) {
        WATCHER.set(Box::new(watcher)).ok();
    }

    pub(super) fn notify(step: Step) {
        if let Some(watcher) = WATCHER.get() {
            watcher(step);
        }
    }
}

#[cfg(feature = "watched")]
pub use watcher::watch;

/// This process has reached `step`. Does nothing in a product build.
#[inline]
pub fn reached(step: Step) {
    #[cfg(feature = "watched")]
    watcher::notify(step);
    #[cfg(not(feature = "watched"))]
    let _ = step;
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let names: HashSet<&str> = Step::ALL.into_iter().map(Step::name).collect();
        assert_eq!(names.len(), Step::ALL.len());
        for step in Step::ALL {
            assert_eq!(Step::named(step.name()), Some(step));
        }
        assert_eq!(Step::named("relay.never"), None);
    }

    #[test]
    fn nothing_happens_where_nobody_watches() {
        Step::ALL.into_iter().for_each(reached);
    }
}

//! The state machines of ordering, each as one declarative table. From it come the checks of the commands, the allowed
//! list of a 409, and (compared by a test) the transition table the database enforces.
//!
//! Source: the order, item, task and cancellation tables of the domain study, section 2 (TMF622 with MEF's refinements).
//! Two refinements of ours: a task that waits for its retry is taken in one step, and it can be cancelled while it waits.

use crate::model::{CancellationState, ItemState, OrderState, TaskState};

/// How orders move.
pub const ORDER: &[(OrderState, OrderState)] = {
    use OrderState::{
        Acknowledged, AssessingCancellation, Cancelled, Completed, Failed, Held, InProgress, Partial, Pending,
        PendingCancellation, Rejected,
    };
    &[
        (Acknowledged, Rejected),
        (Acknowledged, Pending),
        (Acknowledged, InProgress),
        (InProgress, Pending),
        (InProgress, Held),
        (InProgress, Completed),
        (InProgress, Failed),
        (InProgress, Partial),
        (InProgress, AssessingCancellation),
        (InProgress, PendingCancellation),
        (Pending, InProgress),
        (Pending, Cancelled),
        (Pending, AssessingCancellation),
        (Held, InProgress),
        (Held, Cancelled),
        (Held, AssessingCancellation),
        (AssessingCancellation, InProgress),
        (AssessingCancellation, Pending),
        (AssessingCancellation, Held),
        (AssessingCancellation, PendingCancellation),
        (PendingCancellation, Cancelled),
    ]
};

/// How items move.
pub const ITEM: &[(ItemState, ItemState)] = {
    use ItemState::{
        Acknowledged, AssessingCancellation, Cancelled, Completed, Failed, Held, InProgress, Pending,
        PendingCancellation, Rejected,
    };
    &[
        (Acknowledged, InProgress),
        (Acknowledged, Pending),
        (Acknowledged, Rejected),
        (InProgress, Pending),
        (InProgress, Held),
        (InProgress, Completed),
        (InProgress, Failed),
        (InProgress, AssessingCancellation),
        (Pending, InProgress),
        (Pending, Cancelled),
        (Pending, AssessingCancellation),
        (Held, InProgress),
        (Held, Failed),
        (Held, Cancelled),
        (Held, AssessingCancellation),
        (AssessingCancellation, InProgress),
        (AssessingCancellation, Pending),
        (AssessingCancellation, Held),
        (AssessingCancellation, PendingCancellation),
        (PendingCancellation, Cancelled),
    ]
};

/// How tasks move.
pub const TASK: &[(TaskState, TaskState)] = {
    use TaskState::{Cancelled, Completed, Fallout, Locked, Planned, Ready, RetryWait, Skipped};
    &[
        (Planned, Ready),
        (Planned, Cancelled),
        (Ready, Locked),
        (Ready, Cancelled),
        (Locked, Completed),
        (Locked, Skipped),
        (Locked, RetryWait),
        (Locked, Fallout),
        (RetryWait, Locked),
        (RetryWait, Cancelled),
        (Fallout, Ready),
        (Fallout, Cancelled),
    ]
};

/// How cancellations move.
pub const CANCELLATION: &[(CancellationState, CancellationState)] = {
    use CancellationState::{Acknowledged, Done, InProgress, TerminatedWithError};
    &[
        (Acknowledged, InProgress),
        (Acknowledged, TerminatedWithError),
        (InProgress, Done),
        (InProgress, TerminatedWithError),
    ]
};

/// Whether an item may go from one state to another.
pub fn item_may_go(from: ItemState, to: ItemState) -> bool {
    ITEM.contains(&(from, to))
}

/// Whether the order may go from one state to another.
pub fn order_may_go(from: OrderState, to: OrderState) -> bool {
    ORDER.contains(&(from, to))
}

impl OrderState {
    /// Nothing moves an order out of such a state.
    pub fn has_ended(self) -> bool {
        !ORDER.iter().any(|(from, _)| *from == self)
    }
}

impl TaskState {
    /// The task does nothing more, and does not stand in the way of its successors.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Skipped | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_reachable() {
        for state in OrderState::ALL {
            assert!(*state == OrderState::Acknowledged || ORDER.iter().any(|(_, to)| to == state), "{state:?}");
        }
        for state in ItemState::ALL {
            assert!(*state == ItemState::Acknowledged || ITEM.iter().any(|(_, to)| to == state), "{state:?}");
        }
        for state in TaskState::ALL {
            let initial = matches!(state, TaskState::Planned | TaskState::Ready);
            assert!(initial || TASK.iter().any(|(_, to)| to == state), "{state:?}");
        }
    }

    #[test]
    fn ended_orders_stay_ended() {
        use OrderState::{Cancelled, Completed, Failed, Partial, Rejected};
        let ended: Vec<_> = OrderState::ALL.iter().filter(|state| state.has_ended()).collect();
        assert_eq!(ended, [&Rejected, &Cancelled, &Completed, &Failed, &Partial]);
    }

    #[test]
    fn an_acknowledged_order_cannot_be_cancelled_directly() {
        assert!(!order_may_go(OrderState::Acknowledged, OrderState::AssessingCancellation));
        assert!(!order_may_go(OrderState::Completed, OrderState::Cancelled));
    }
}

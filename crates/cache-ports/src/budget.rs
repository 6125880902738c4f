//! A request waits in vain for a silent store once.
//!
//! Owns carrying from one command of a request to the next that a whole budget was waited for nothing, past the ports in between.
//! Breakers learn of a silence from calls that found out; until they have, a request of several calls would wait a budget for
//! each. Must never keep an invalidation from being sent.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

/// Whether the request that is polled on this thread has spent its budget; nothing outside of any.
type Spent = Option<bool>;

thread_local! {
    static SPENT: Cell<Spent> = const { Cell::new(None) };
}

/// A request with one budget for all its commands.
pub struct OneBudget<F> {
    spent: bool,
    request: F,
}

/// Gives `request` one budget for all it asks of stores. Work that it spawns has its own.
pub const fn one_budget<F: Future + Unpin>(request: F) -> OneBudget<F> {
    OneBudget { spent: false, request }
}

/// Whether the request has waited a whole budget for nothing: what is asked now is not worth waiting for.
pub fn is_budget_spent() -> bool {
    SPENT.get() == Some(true)
}

/// A command waited a whole budget for nothing.
pub fn spend_budget() {
    SPENT.set(SPENT.get().map(|_| true));
}

impl<F: Future + Unpin> Future for OneBudget<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = Before(SPENT.replace(Some(self.spent)));
        let polled = Pin::new(&mut self.request).poll(context);
        self.spent = is_budget_spent();
        drop(before);
        polled
    }
}

/// What was so before a poll, and is again after it, however it ends.
struct Before(Spent);

impl Drop for Before {
    fn drop(&mut self) {
        SPENT.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        panic::{AssertUnwindSafe, catch_unwind},
        task::Waker,
    };

    use super::*;

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Spends the budget at the first poll, and says at the second whether it is spent.
    fn spender() -> impl Future<Output = bool> + Unpin {
        let mut polls = 0;
        poll_fn(move |_| {
            polls += 1;
            if polls > 1 {
                return Poll::Ready(is_budget_spent());
            }
            spend_budget();
            Poll::Pending
        })
    }

    #[test]
    fn it_is_spent_for_its_request_and_for_no_other() {
        let mut request = one_budget(spender());
        assert!(poll(&mut request).is_pending());
        assert_eq!(poll(&mut one_budget(poll_fn(|_| Poll::Ready(is_budget_spent())))), Poll::Ready(false));
        assert!(!is_budget_spent());
        assert_eq!(poll(&mut request), Poll::Ready(true));
    }

    #[test]
    fn outside_of_a_request_nothing_is_spent() {
        let mut work = spender();
        assert!(poll(&mut work).is_pending());
        assert_eq!(poll(&mut work), Poll::Ready(false));
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let mut panics = one_budget(poll_fn(|_| -> Poll<()> {
            spend_budget();
            panic!("as meant")
        }));
        assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut panics))).is_err());
        assert!(!is_budget_spent());
    }
}

//! When the change was committed that an invalidation answers to.
//!
//! Owns carrying that moment to whoever drops the keys, past the ports in between: it is measured there, and nothing is decided
//! by it. Must never be taken for a version: moments come from clocks.

use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};

use chrono::{DateTime, Utc};

thread_local! {
    /// Of the future that is polled on this thread.
    static COMMITTED_AT: Cell<Option<DateTime<Utc>>> = const { Cell::new(None) };
}

/// What is done about a change that was committed `at`.
pub fn committed_at<F: Future>(at: DateTime<Utc>, about_it: F) -> impl Future<Output = F::Output> {
    About { at, about_it: Box::pin(about_it) }
}

/// When the change was committed that is answered here; `None` where nobody said so.
pub fn commit_time() -> Option<DateTime<Utc>> {
    COMMITTED_AT.get()
}

struct About<F> {
    at: DateTime<Utc>,
    about_it: Pin<Box<F>>,
}

impl<F: Future> Future for About<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _before = Before(COMMITTED_AT.replace(Some(self.at)));
        self.about_it.as_mut().poll(context)
    }
}

/// What was so before a poll, and is again after it, however it ends.
struct Before(Option<DateTime<Utc>>);

impl Drop for Before {
    fn drop(&mut self) {
        COMMITTED_AT.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        panic::{AssertUnwindSafe, catch_unwind},
        task::Waker,
    };

    use super::*;

    fn moment(secs: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(secs, 0).unwrap()
    }

    fn polled<F: Future>(future: F) -> F::Output {
        match Box::pin(future).as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => answer,
            Poll::Pending => panic!("it waits for nothing"),
        }
    }

    #[test]
    fn it_is_known_inside_and_nowhere_else() {
        let inner = async || (commit_time(), committed_at(moment(2), async { commit_time() }).await, commit_time());
        let told = polled(committed_at(moment(1), inner()));
        assert_eq!(told, (Some(moment(1)), Some(moment(2)), Some(moment(1))));
        assert_eq!(commit_time(), None);
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let panics = AssertUnwindSafe(|| polled(committed_at(moment(1), async { panic!("as meant") })));
        assert!(catch_unwind(panics).is_err());
        assert_eq!(commit_time(), None);
    }
}

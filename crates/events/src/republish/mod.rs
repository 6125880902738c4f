//! Targeted re-publish: a consumer whose key waits for a version asks its source for exactly that aggregate, from that
//! version on, and the source answers from its outbox.
//!
//! A request is a record on a topic beside the source's ([`requests_topic`]), under the key of the aggregate. It changes
//! nothing by itself, may be lost (whoever waits asks again) and may come twice (an answer is recognised by its versions).

mod answering;
mod request;

pub use answering::{Republish, RepublishNames};
pub use request::requests_topic;
pub(crate) use request::{Wanted, request};

//! Request bodies, their limits, and how they become a command's input.

use serde::{Deserialize, Serialize};
use service_runtime::Caller;
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use crate::{
    error::{HubError, HubResult},
    model::{MAX_CALLBACK, MAX_QUERY, NewSubscription},
    rules::{
        filter::{self, Filter, Vocabulary},
        secret::Secret,
    },
};

/// A callback to be registered.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventSubscriptionInput {
    /// Where events are to be sent: an https URL at a public address, without user and fragment.
    #[validate(length(min = 1, max = MAX_CALLBACK))]
    callback: String,
    /// Which events: `eventType=QuoteAccepted,QuoteExpired&aggregateType=quote`. Everything unless said otherwise.
    #[validate(length(max = MAX_QUERY))]
    query: Option<String>,
}

/// Where to go on.
#[derive(Debug, Default, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeBody {
    /// Sends everything from this number on, whether it was acknowledged or not, and gives up what waits before it. Goes
    /// on where it stood unless said otherwise.
    #[validate(range(min = 1))]
    pub from_sequence: Option<i64>,
}

impl EventSubscriptionInput {
    /// The command's input, with a new id and a new secret.
    pub(super) fn new_subscription(&self, vocabulary: Vocabulary, caller: &Caller) -> HubResult<NewSubscription> {
        let filter = match &self.query {
            Some(query) => filter::parse(query, vocabulary).map_err(HubError::Filter)?,
            None => Filter::default(),
        };
        Ok(NewSubscription {
            id: Uuid::now_v7(),
            callback: self.callback.clone(),
            query: self.query.clone().filter(|query| !query.is_empty()),
            filter,
            secret: Secret::generate()?,
            created_by: caller.subject.to_string(),
        })
    }
}

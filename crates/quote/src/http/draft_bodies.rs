//! Edits of a draft as they are sent, kept and saved: the same limits at each step.

use std::collections::HashSet;

use kernel::QuoteItemId;
use serde::{Deserialize, Serialize};
use service_runtime::{ApiResult, FieldProblem, Problem};
use utoipa::ToSchema;
use validator::Validate;

use super::bodies::{ItemPatchBody, NewItemBody};
use crate::commands::Edits;

/// Most edits of one kind that wait together.
const MAX_EDITS: u64 = 200;

/// Edits of a draft: applied together when they are saved, removals first.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DraftEditsBody {
    /// Lines to be removed.
    #[serde(default)]
    #[validate(length(max = MAX_EDITS))]
    remove: Vec<QuoteItemId>,
    /// Lines to be changed.
    #[serde(default)]
    #[validate(nested, length(max = MAX_EDITS))]
    change: Vec<ItemEditBody>,
    /// Lines to be added at the end.
    #[serde(default)]
    #[validate(nested, length(max = MAX_EDITS))]
    add: Vec<NewItemBody>,
}

/// A change of one line.
#[derive(Debug, Deserialize, Serialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ItemEditBody {
    /// The line.
    item_id: QuoteItemId,
    /// What changes on it (merge patch).
    #[validate(nested)]
    patch: ItemPatchBody,
}

impl DraftEditsBody {
    /// What concerns several edits at once: there is one, and each line is named once.
    pub(super) fn check(&self) -> ApiResult<()> {
        if self.remove.is_empty() && self.change.is_empty() && self.add.is_empty() {
            return Err(Problem::invalid().pointer("", "required", "there is nothing to keep or save"));
        }
        let mut named = HashSet::new();
        let removed = self.remove.iter().enumerate().map(|(n, item)| (format!("/remove/{n}"), *item));
        let changed = self.change.iter().enumerate().map(|(n, edit)| (format!("/change/{n}/itemId"), edit.item_id));
        let twice = removed.chain(changed).filter(|(_, item)| !named.insert(*item));
        let fields: Vec<FieldProblem> =
            twice.map(|(pointer, _)| FieldProblem::new(pointer, "duplicate", "is named by another edit")).collect();
        if fields.is_empty() { Ok(()) } else { Err(Problem::invalid().fields(fields)) }
    }

    pub(super) fn into_edits(self) -> Edits {
        Edits {
            remove: self.remove,
            change: self.change.into_iter().map(|edit| (edit.item_id, edit.patch.into_change())).collect(),
            add: self.add.into_iter().map(NewItemBody::into_new).collect(),
        }
    }
}

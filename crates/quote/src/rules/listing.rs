//! What the quote list shows of a quote after an event.

use crate::model::{QuoteHeader, RevisionState};

/// The current revision after an event that carries `header` and touched the revisions `also_changed`: the one it is about,
/// or the draft it opened. A new draft has the same lines and no price yet.
pub fn current_after(header: QuoteHeader, also_changed: &[u32]) -> QuoteHeader {
    match also_changed.iter().copied().max() {
        Some(opened) if opened > header.revision_no => QuoteHeader {
            revision_no: opened,
            revision_state: RevisionState::Draft,
            price_stale: true,
            content_hash: None,
            price_result_id: None,
            totals: None,
            valid_until: None,
            ..header
        },
        _ => header,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::content::tests::submitted;

    #[test]
    fn a_new_draft_is_the_current_revision_and_an_older_one_is_not() {
        let header = submitted().header();
        assert_eq!(current_after(header.clone(), &[]), header);
        let second = QuoteHeader { revision_no: 2, ..header };
        assert_eq!(current_after(second.clone(), &[1]), second, "an offer that was superseded");
        let opened = current_after(second.clone(), &[1, 3]);
        assert_eq!((opened.revision_no, opened.revision_state), (3, RevisionState::Draft));
        assert!(opened.price_stale && opened.totals.is_none() && opened.content_hash.is_none());
        assert_eq!((opened.item_count, opened.version), (second.item_count, second.version), "the same lines");
    }
}

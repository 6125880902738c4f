//! Unsaved edits.

use std::time::Duration;

use cache_ports::draft::{DraftOwner, KeptEdits, Unsaved, UnsavedEdits, keyspaces};
use kernel::{ContentHash, QuoteId, TenantId, Version};
use serde_json::json;

use super::{Subject, new_tenant, over, process};
use crate::{NoStore, store::Place};

fn edits(text: &str) -> UnsavedEdits {
    UnsavedEdits {
        base_version: Version::new(4),
        revision_no: 2,
        buffered_at: chrono::DateTime::UNIX_EPOCH,
        edits: json!({ "remove": [text] }),
    }
}

fn owner() -> DraftOwner {
    DraftOwner { user: ContentHash::of_bytes(b"sam").into(), quote: QuoteId::generate() }
}

async fn kept(subject: &dyn Subject, tenant: &TenantId, owner: DraftOwner) -> KeptEdits {
    match process(subject).draft.unsaved(tenant, owner).await {
        Unsaved::Kept(kept) => kept,
        other => panic!("{other:?}"),
    }
}

/// By another process as well; for half an hour, and not for another user, quote or tenant.
pub async fn unsaved_edits_are_found_again_by_their_user_alone(subject: &dyn Subject) {
    let (buffer, tenant, owner) = (process(subject).draft, new_tenant(), owner());
    assert_eq!(buffer.unsaved(&tenant, owner).await, Unsaved::Nothing);
    let life = buffer.keep(&tenant, owner, &edits("a")).await.expect("the store keeps it");
    assert!(Duration::from_mins(29) < life && life <= Duration::from_mins(33), "{life:?}");
    let found = kept(subject, &tenant, owner).await;
    assert_eq!(found.edits, edits("a"));
    assert!(found.remaining <= life);
    let others = [
        (new_tenant(), owner),
        (tenant.clone(), DraftOwner { user: ContentHash::of_bytes(b"kim").into(), ..owner }),
        (tenant.clone(), DraftOwner { quote: QuoteId::generate(), ..owner }),
    ];
    for (tenant, owner) in others {
        assert_eq!(buffer.unsaved(&tenant, owner).await, Unsaved::Nothing);
    }
}

/// What came afterwards stays.
pub async fn only_the_edits_that_were_seen_are_forgotten(subject: &dyn Subject) {
    let (buffer, tenant, owner) = (process(subject).draft, new_tenant(), owner());
    buffer.keep(&tenant, owner, &edits("a")).await.expect("the store keeps it");
    let first = kept(subject, &tenant, owner).await;
    buffer.keep(&tenant, owner, &edits("b")).await.expect("the store keeps it");
    buffer.forget(&tenant, owner, &first.mark).await;
    let second = kept(subject, &tenant, owner).await;
    assert_eq!(second.edits, edits("b"));
    buffer.forget(&tenant, owner, &second.mark).await;
    assert_eq!(buffer.unsaved(&tenant, owner).await, Unsaved::Nothing);
}

/// Garbage, another user's edits, edits without end; and a store that keeps nothing says so at once.
pub async fn edits_that_are_not_ours_are_nobodys(subject: &dyn Subject) {
    let (buffer, tenant, owner) = (process(subject).draft, new_tenant(), owner());
    let other = DraftOwner { user: ContentHash::of_bytes(b"kim").into(), ..owner };
    buffer.keep(&tenant, other, &edits("a")).await.expect("the store keeps it");
    let (own, foreign) =
        (keyspaces::quote_draft_key(&tenant, &owner).text(), keyspaces::quote_draft_key(&tenant, &other).text());
    let place = |key| Place { workload: keyspaces::QUOTE_DRAFT.workload, key };
    let foreign = subject.peek(place(&foreign)).await.expect("it is kept").bytes.to_vec();
    let long = Some(Duration::from_mins(5));
    for (bytes, ttl) in [(b"garbage".to_vec(), long), (foreign.clone(), long), (foreign, None)] {
        subject.plant(place(&own), &bytes, ttl).await;
        assert_eq!(buffer.unsaved(&tenant, owner).await, Unsaved::Nothing);
    }
    let nowhere = over(std::sync::Arc::new(NoStore), false).draft;
    assert_eq!(nowhere.keep(&tenant, owner, &edits("a")).await, None);
}

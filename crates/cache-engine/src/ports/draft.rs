//! The buffer of unsaved edits.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cache_ports::{
    DraftBuffer,
    draft::{DraftMark, DraftOwner, KeptEdits, Unsaved, UnsavedEdits, keyspaces},
};
use kernel::{TenantId, Version};

use crate::{
    engine::Core,
    frame::{self, Content, HEADER_BYTES, Life, Verdict, judge_by},
    meters::Meters,
    store::Place,
};

pub(super) struct Drafts {
    core: Arc<Core>,
    meters: Meters,
}

impl Drafts {
    pub(super) fn over(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), meters: Meters::of(&keyspaces::QUOTE_DRAFT) }
    }
}

const fn at(key: &str) -> Place<'_> {
    Place { workload: keyspaces::QUOTE_DRAFT.workload, key }
}

#[async_trait]
impl DraftBuffer for Drafts {
    async fn keep(&self, tenant: &TenantId, owner: DraftOwner, edits: &UnsavedEdits) -> Option<Duration> {
        let key = keyspaces::quote_draft_key(tenant, &owner).text();
        let keyspace = &keyspaces::QUOTE_DRAFT;
        let payload = serde_json::to_vec(edits).ok()?;
        let life = Life::drawn(keyspace);
        let generated_at_ms = self.core.config.clock.now().timestamp_millis();
        let (version, payload) = (edits.base_version, Some(payload.as_slice()));
        let content = Content { keyspace, key: &key, version, life, generated_at_ms, payload };
        let Ok(frame) = frame::write(&content) else {
            self.meters.oversize();
            return None;
        };
        self.core.store.put(at(&key), &frame, life.hard).await.ok()?;
        // Nobody else has these edits: a store that keeps nothing, or said so and did not, must be found out now.
        let kept = self.core.store.read(at(&key)).await.ok()??;
        (kept.bytes == frame).then_some(kept.remaining?)
    }

    async fn unsaved(&self, tenant: &TenantId, owner: DraftOwner) -> Unsaved {
        let key = keyspaces::quote_draft_key(tenant, &owner).text();
        let stored = match self.core.store.read(at(&key)).await {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                self.meters.miss_absent.increment(1);
                return Unsaved::Nothing;
            }
            Err(why) => {
                self.meters.unread(why);
                return Unsaved::Away;
            }
        };
        match judge_by(self.core.guards, &keyspaces::QUOTE_DRAFT, &key, Version::ZERO, &stored) {
            Verdict::Value { payload, .. } => {
                self.meters.hit_l2.increment(1);
                let mark = DraftMark(stored.bytes.iter().take(HEADER_BYTES).copied().collect());
                let remaining = stored.remaining.unwrap_or_default();
                let edits = serde_json::from_slice(&payload).ok();
                edits.map_or(Unsaved::Nothing, |edits| Unsaved::Kept(KeptEdits { edits, remaining, mark }))
            }
            Verdict::Rejected(why, _) => {
                self.meters.rejected(why);
                Unsaved::Nothing
            }
            Verdict::Negative { .. } | Verdict::Tombstone { .. } | Verdict::Nothing => Unsaved::Nothing,
        }
    }

    async fn forget(&self, tenant: &TenantId, owner: DraftOwner, mark: &DraftMark) {
        let key = keyspaces::quote_draft_key(tenant, &owner).text();
        if let Some(header) = mark.0.first_chunk::<HEADER_BYTES>() {
            let _ = self.core.store.discard(at(&key), header).await;
        }
    }
}

//! What the guards of a write cost: lease and fill beside SET, invalidation beside DEL.

use std::sync::Arc;

use anyhow::Result;

use super::{
    redis::{KEYS, Redis},
    table::{Line, Table},
    timing::seconds_for,
};

/// Passes over all keys in a round.
const PASSES: usize = 20;
const TASKS: usize = 64;

/// One round. Every pass leaves every key filled.
pub async fn measure(redis: &Arc<Redis>, table: &mut Table) -> Result<()> {
    macro_rules! pass {
        ($method:ident) => {{
            let redis = Arc::clone(redis);
            seconds_for(TASKS, KEYS, move |number| {
                let redis = Arc::clone(&redis);
                async move { redis.$method(number).await }
            })
            .await?
        }};
    }
    let (mut set, mut lease, mut fill, mut invalidate, mut delete) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for _ in 0..PASSES {
        set += pass!(set);
        delete += pass!(delete);
        lease += pass!(lease);
        fill += pass!(fill);
        invalidate += pass!(invalidate);
        pass!(delete);
        pass!(lease);
        pass!(fill);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let each = |seconds: f64| seconds * 1e6 / (PASSES * KEYS) as f64;
    let line = |what, floor| Line { row: "writes, 64 tasks", what, unit: "µs/call", floor };
    table.add(line("fred, SET", None), each(set));
    table.add(line("store, fill under a lease", Some("fred, SET")), each(fill));
    table.add(line("store, lease and fill", Some("fred, SET")), each(lease + fill));
    table.add(line("fred, DEL", None), each(delete));
    table.add(line("store, invalidate", Some("fred, DEL")), each(invalidate));
    Ok(())
}

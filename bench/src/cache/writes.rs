//! What the guards of a write cost: lease and fill beside SET, invalidation beside DEL.

use std::sync::Arc;

use anyhow::Result;

use super::{
    redis::{KEYS, Redis},
    table::{Line, Table},
    timing::seconds_for,
};

/// Passes over all keys in a round, for each number of tasks. A single task has no other's calls to be sent with, so it is
/// what one caller waits for: mostly for threads to be woken, which takes twice as long in some stretches as in others.
const WAYS: [(usize, usize, &str); 2] = [(64, 20, "writes, 64 tasks"), (1, 20, "writes, 1 task")];

/// One round.
pub async fn measure(redis: &Arc<Redis>, table: &mut Table) -> Result<()> {
    for (tasks, passes, row) in WAYS {
        measure_with(redis, table, tasks, passes, row).await?;
    }
    Ok(())
}

/// Every pass leaves every key filled.
async fn measure_with(
    redis: &Arc<Redis>,
    table: &mut Table,
    tasks: usize,
    passes: usize,
    row: &'static str,
) -> Result<()> {
    macro_rules! pass {
        ($method:ident) => {{
            let redis = Arc::clone(redis);
            seconds_for(tasks, KEYS, move |number| {
                let redis = Arc::clone(&redis);
                async move { redis.$method(number).await }
            })
            .await?
        }};
    }
    let (mut set, mut scripted, mut lease, mut fill, mut invalidate, mut delete) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
    for _ in 0..passes {
        set += pass!(set);
        scripted += pass!(set_by_script);
        delete += pass!(delete);
        lease += pass!(lease);
        fill += pass!(fill);
        invalidate += pass!(invalidate);
        pass!(delete);
        pass!(lease);
        pass!(fill);
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand calls")]
    let each = |seconds: f64| seconds * 1e6 / (passes * KEYS) as f64;
    let line = |what, floor| Line { row, what, unit: "µs/call", floor };
    table.add(line("fred, SET", None), each(set));
    table.add(line("fred, SET by a script", Some("fred, SET")), each(scripted));
    table.add(line("store, fill under a lease", Some("fred, SET")), each(fill));
    table.add(line("store, lease and fill", Some("fred, SET")), each(lease + fill));
    table.add(line("fred, DEL", None), each(delete));
    table.add(line("store, invalidate", Some("fred, DEL")), each(invalidate));
    Ok(())
}

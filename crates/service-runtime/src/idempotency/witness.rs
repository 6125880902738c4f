//! What an auditor may ask about remembered answers: the committed record, as the fast path would remember it.

use cache_ports::{Loaded, Witness, coordination::keyspaces};

use crate::{ServiceState, TenantTx};

/// Knows the answers of this service's own commands, whose names begin with the service's.
pub fn idempotency_witness(state: &ServiceState) -> Witness {
    let own = format!("{}.", state.service);
    Witness::of(&keyspaces::IDEMPOTENCY, state.clone(), |state, key| async move {
        let mut tx = TenantTx::read(&state.pool, key.tenant()).await?;
        let done =
            state.records().answer_of(&mut tx, key.tenant(), key.text("routeName")?, key.hash("keyHash")?).await?;
        tx.rollback().await?;
        Ok(Loaded::immutable(done.map(|(fingerprint, response)| response.to_cached(fingerprint))))
    })
    .covering(move |key| key.text("routeName").is_ok_and(|route| route.starts_with(&own)))
}

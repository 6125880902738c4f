//! The contract every store must keep, run on the store alone, through the engine, and by a model over all interleavings.
//!
//! Owns the cases; an adapter's tests name them all by `cache_engine::contract_suite!(subject)`. A case fails by panicking. Must
//! never assume that a key of another case is absent: each case makes its own tenant.

pub mod audit;
pub mod authority;
pub mod batch;
pub mod coordination;
pub mod counters;
pub mod drafts;
pub mod drivers;
pub mod hints;
pub mod invalidation;
pub mod liars;
pub mod lies;
pub mod loading;
pub mod lying;
pub mod lying_bus;
pub mod model;
pub mod mutations;
pub mod protocol;
pub mod rates;
pub mod reads;
pub mod rolling;
mod samples;
pub mod scan;
pub mod streams;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use cache_ports::{Caches, keyspace::Workload};
use kernel::{EventId, TenantId};

use crate::{
    Engine, EngineConfig, Guards, MemoryStore,
    store::{ByteStore, Place, Stored},
};

/// A store under test, and hands to hurt it with.
#[async_trait]
pub trait Subject: Send + Sync + 'static {
    /// The store.
    fn store(&self) -> Arc<dyn ByteStore>;
    /// Makes it forget everything.
    async fn flush(&self);
    /// Makes it forget one key.
    async fn evict(&self, at: Place<'_>);
    /// Puts anything under a key, past the protocol.
    async fn plant(&self, at: Place<'_>, bytes: &[u8], ttl: Option<Duration>);
    /// What lies under a key, past the protocol.
    async fn peek(&self, at: Place<'_>) -> Option<Stored>;
    /// What is left of the life of whatever lies under a key, a frame or not; `None` when nothing does, or it has no end.
    async fn life(&self, at: Place<'_>) -> Option<Duration>;
    /// The guards of the engines that a case puts over the store.
    fn guards(&self) -> Guards {
        Guards::ALL
    }
}

/// The store in memory as a subject.
#[derive(Clone)]
pub struct MemorySubject {
    store: Arc<MemoryStore>,
    guards: Guards,
}

impl Default for MemorySubject {
    fn default() -> Self {
        Self::with_guards(Guards::ALL)
    }
}

impl MemorySubject {
    /// A subject with a guard switched off, in its store and in the engines over it.
    pub fn with_guards(guards: Guards) -> Self {
        Self { store: Arc::new(MemoryStore::with_guards(guards)), guards }
    }
}

#[async_trait]
impl Subject for MemorySubject {
    fn store(&self) -> Arc<dyn ByteStore> {
        self.store.clone()
    }

    async fn flush(&self) {
        self.store.flush();
    }

    async fn evict(&self, at: Place<'_>) {
        self.store.evict(at.key);
    }

    async fn plant(&self, at: Place<'_>, bytes: &[u8], ttl: Option<Duration>) {
        self.store.plant(at.key, Bytes::copy_from_slice(bytes), ttl);
    }

    async fn peek(&self, at: Place<'_>) -> Option<Stored> {
        self.store.peek(at.key)
    }

    fn guards(&self) -> Guards {
        self.guards
    }

    async fn life(&self, at: Place<'_>) -> Option<Duration> {
        self.store.life(at.key)
    }
}

/// A tenant that no other case has.
pub fn new_tenant() -> TenantId {
    let name = format!("t{}", EventId::generate().uuid().simple());
    name.parse().expect("letters and digits make a tenant")
}

/// The ports over the subject's store, as one process without memory of its own would have them.
pub fn process(subject: &dyn Subject) -> Caches {
    engine(subject, false)
}

/// The ports over the subject's store, as a process with memory of its own has them.
pub fn remembering_process(subject: &dyn Subject) -> Caches {
    engine(subject, true)
}

fn engine(subject: &dyn Subject, in_memory: bool) -> Caches {
    let config = EngineConfig { in_memory, ..EngineConfig::default() };
    Engine::with_guards(subject.guards(), subject.store(), config).caches()
}

/// The ports over a store.
pub fn over(store: Arc<dyn ByteStore>, in_memory: bool) -> Caches {
    Engine::new(store, EngineConfig { in_memory, ..EngineConfig::default() }).caches()
}

/// Waits until `condition` holds; panics when it does not within a few seconds.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    for _ in 0..2_000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("{what} did not happen");
}

/// A place of the content stores.
pub const fn content(key: &str) -> Place<'_> {
    Place { workload: Workload::Catalog, key }
}

/// Runs every case on the subject that the given async function makes. A store whose time is the runtime's own may add
/// `start_paused = true`: then no case waits.
#[macro_export]
macro_rules! contract_suite {
    ($subject:path $(, $runtime:ident = $value:expr)?) => {
        $crate::contract_suite! { @all cases $subject; $($runtime = $value)? }
    };
    (@all $how:ident $($subject:path; $($runtime:ident = $value:expr)?)?) => {
        $crate::contract_suite! { @$how $($subject; $($runtime = $value)?)?,
            protocol::a_fill_needs_its_lease,
            protocol::an_old_fill_cannot_follow_an_invalidation,
            protocol::an_invalidation_of_the_same_version_changes_nothing,
            protocol::a_lease_that_was_evicted_or_flushed_rejects_the_fill,
            protocol::a_lease_is_held_by_one_until_it_ends,
            protocol::a_refresh_leaves_the_value_readable,
            protocol::a_lease_over_a_value_ends_before_the_value,
            protocol::a_lease_does_not_lengthen_the_life_of_a_value,
            protocol::a_tombstone_outlives_the_lease_taken_over_it,
            protocol::absence_is_older_than_any_version,
            protocol::garbage_gives_way_and_newer_formats_do_not,
            protocol::only_the_frame_that_was_seen_is_discarded,
            protocol::versions_are_ordered_beyond_what_doubles_hold,
            protocol::many_reads_come_back_in_order,
            protocol::everything_written_has_an_end,
            reads::a_miss_loads_and_the_next_read_hits,
            reads::memory_serves_what_never_changes,
            reads::an_internal_value_is_never_ready_to_send,
            reads::absence_is_remembered_where_declared,
            reads::a_stale_value_is_served_while_one_refresh_runs,
            reads::an_expired_value_is_not_served,
            reads::a_value_too_big_is_served_and_not_kept,
            reads::large_values_are_kept_small_and_come_back_whole,
            invalidation::an_event_removes_exactly_its_key,
            invalidation::a_slow_reader_cannot_store_what_was_invalidated,
            invalidation::nobody_joins_a_load_older_than_the_invalidation,
            invalidation::nobody_joins_a_load_that_another_process_made_old,
            invalidation::a_demanded_version_is_never_undercut,
            invalidation::a_created_object_is_seen_after_its_event,
            batch::a_batch_loads_only_what_is_missing,
            batch::a_refusal_is_kept_apart_from_a_consent,
            batch::a_changed_customer_or_policy_is_evaluated_anew,
            loading::concurrent_misses_load_once,
            loading::two_processes_load_once_between_them,
            loading::a_failed_load_gives_the_lease_back,
            loading::a_panicking_load_frees_its_key,
            loading::a_caller_who_leaves_does_not_stop_the_load,
            loading::a_flush_in_the_middle_of_a_load_changes_no_answer,
            loading::the_authority_is_asked_by_a_bounded_number,
            lies::what_is_not_ours_is_rejected_and_replaced,
            lies::a_newer_schema_is_left_alone,
            lies::an_older_schema_is_replaced,
            lies::a_value_too_big_is_rejected_where_it_is_read,
            liars::what_lies_there_is_never_believed_blindly,
            liars::writes_that_are_dropped_late_or_doubled_change_no_answer,
            liars::slow_answers_change_no_answer,
            liars::refusals_change_no_answer,
            liars::a_store_that_forgets_changes_no_answer,
            liars::what_is_granted_twice_changes_no_answer,
            rolling::an_old_and_a_new_program_share_a_store,
            rolling::a_program_that_reads_nothing_older_replaces_it,
            rolling::programs_of_three_schemas_never_misread_or_evict_each_other,
            coordination::a_lock_belongs_to_its_holder,
            coordination::a_lock_is_never_held_longer_than_declared,
            coordination::a_limit_lets_exactly_its_units_pass,
            coordination::limits_are_taken_together_or_not_at_all,
            coordination::a_changed_policy_counts_anew,
            coordination::a_shadow_counts_and_never_refuses,
            coordination::an_exhausted_caller_costs_no_round_trip,
            coordination::processes_together_never_exceed_a_limit,
            coordination::a_done_command_is_remembered_byte_for_byte,
            counters::a_count_is_what_all_processes_counted,
            counters::units_are_taken_once_however_many_take,
            counters::the_most_counted_come_first_and_few_are_kept,
            counters::a_count_ends_a_day_after_its_first_unit,
            counters::a_flushed_store_counts_from_the_beginning,
            streams::a_stream_is_read_in_order_from_a_place,
            streams::a_group_shares_the_entries,
            streams::what_a_reader_left_is_given_to_another,
            streams::a_stream_is_trimmed_and_ends,
            streams::a_warm_task_is_done_by_one_worker,
            streams::a_user_is_told_what_happened_since,
            streams::entries_that_cannot_be_read_are_passed_over,
            drafts::unsaved_edits_are_found_again_by_their_user_alone,
            drafts::only_the_edits_that_were_seen_are_forgotten,
            drafts::edits_that_are_not_ours_are_nobodys,
            model::no_sampled_interleaving_leaves_an_old_value,
        }
    };
    (@cases $subject:path; $($runtime:ident = $value:expr)?, $($module:ident :: $case:ident),* $(,)?) => {
        $crate::contract_suite! { @each [$subject] [$($runtime = $value)?] $($module :: $case),* }
    };
    (@each $subject:tt $runtime:tt $($module:ident :: $case:ident),*) => {
        $($crate::contract_suite! { @one $subject $runtime $module :: $case })*
    };
    (@one [$subject:path] [$($runtime:ident = $value:expr)?] $module:ident :: $case:ident) => {
        #[tokio::test($($runtime = $value)?)]
        async fn $case() {
            let subject = $subject().await;
            $crate::contract::$module::$case(&subject).await;
        }
    };
    (@table, $($module:ident :: $case:ident),* $(,)?) => {
        [$((stringify!($case), (|subject| Box::pin(async move { $crate::contract::$module::$case(&subject).await })) as $crate::contract::mutations::Case<_>)),*]
    };
}

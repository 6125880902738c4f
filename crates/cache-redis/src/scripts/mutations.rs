//! Every line by which a script keeps a wrong value out is missed by a case of the contract suite when it is gone.
//!
//! Owns the list of those lines, and who misses each. One is taken out at a time, in a store of its own over a real Redis; the
//! same cases are green over the same Redis in the contract suite.

use std::{
    cell::Cell,
    collections::BTreeMap,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use cache_engine::contract::mutations::cases;
use futures::FutureExt;

use super::Scripts;
use crate::{
    RedisStore,
    contract::{RedisSubject, patient},
};

/// A piece of a script, and what stands in its place once it is gone.
struct Mutation {
    guard: &'static str,
    from: &'static str,
    to: &'static str,
    /// The case that turns red.
    missed_by: &'static str,
}

const MUTATIONS: &[Mutation] = &[
    Mutation {
        guard: "lease: a newer format is left alone",
        from: "if kind == 'newer' then return {3} end",
        to: "",
        missed_by: "garbage_gives_way_and_newer_formats_do_not",
    },
    Mutation {
        guard: "lease: one holder at a time",
        from: "if token ~= NOBODY and life > floor then return {2} end",
        to: "",
        missed_by: "a_lease_is_held_by_one_until_it_ends",
    },
    Mutation {
        guard: "lease: only over the version that was seen",
        from: "if holds_answer and ARGV[4] ~= version then return {3} end",
        to: "",
        missed_by: "a_refresh_leaves_the_value_readable",
    },
    Mutation {
        guard: "lease: what is remembered outlives the lease over it",
        from: "if not holds_answer and life < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end",
        to: "",
        missed_by: "a_tombstone_outlives_the_lease_taken_over_it",
    },
    Mutation {
        guard: "lease: the least acceptable version is told",
        from: "return {1, version}",
        to: "return {1, ZERO}",
        missed_by: "an_old_fill_cannot_follow_an_invalidation",
    },
    Mutation {
        guard: "lease: over a value it ends before the value",
        from: "floor = life - ttl",
        to: "floor = 0",
        missed_by: "a_lease_over_a_value_ends_before_the_value",
    },
    Mutation {
        guard: "fill: a token that stands",
        from: "if token ~= ARGV[1] then return 2 end",
        to: "if not token then return 2 end",
        missed_by: "a_fill_needs_its_lease",
    },
    Mutation {
        guard: "fill: a place that was emptied takes nothing",
        from: "if token ~= ARGV[1] then return 2 end",
        to: "if token and token ~= ARGV[1] then return 2 end\nversion = version or ZERO",
        missed_by: "a_lease_that_was_evicted_or_flushed_rejects_the_fill",
    },
    Mutation {
        guard: "fill: nothing older than remembered",
        from: "if older(ARGV[2], version) then",
        to: "if false then",
        missed_by: "an_old_fill_cannot_follow_an_invalidation",
    },
    Mutation {
        guard: "invalidate: a late event changes nothing",
        from: " and not older(version, ARGV[1])",
        to: " and false",
        missed_by: "an_invalidation_of_the_same_version_changes_nothing",
    },
    Mutation {
        guard: "invalidate: a tombstone counts as known",
        from: "(kind == 'V' or kind == 'T')",
        to: "(kind == 'V')",
        missed_by: "an_invalidation_of_the_same_version_changes_nothing",
    },
    Mutation {
        guard: "abandon: by the holder",
        from: "if token ~= ARGV[1] then return 0 end",
        to: "if not token then return 0 end",
        missed_by: "a_lease_is_held_by_one_until_it_ends",
    },
    Mutation {
        guard: "abandon: the value stays",
        from: "if kind == 'L' then redis.call('DEL', KEYS[1]) else unmark(KEYS[1]) end",
        to: "redis.call('DEL', KEYS[1])",
        missed_by: "a_refresh_leaves_the_value_readable",
    },
    Mutation {
        guard: "discard: no tombstone",
        from: " or string.sub(bytes, 4, 4) == 'T'",
        to: "",
        missed_by: "only_the_frame_that_was_seen_is_discarded",
    },
    Mutation {
        guard: "discard: the version that was seen",
        from: "if string.sub(bytes, 1, 12) ~= string.sub(ARGV[1], 1, 12) then return 0 end",
        to: "",
        missed_by: "only_the_frame_that_was_seen_is_discarded",
    },
    Mutation {
        guard: "discard: the frame that was seen",
        from: "if string.sub(bytes, 33, 64) ~= string.sub(ARGV[1], 33, 64) then return 0 end",
        to: "",
        missed_by: "only_the_frame_that_was_seen_is_discarded",
    },
    Mutation {
        guard: "release: by the holder",
        from: "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end",
        to: "",
        missed_by: "a_lock_belongs_to_its_holder",
    },
    Mutation {
        guard: "versions: the upper half counts first",
        from: "if one_high ~= other_high then return one_high < other_high end",
        to: "",
        missed_by: "versions_are_ordered_beyond_what_doubles_hold",
    },
    Mutation {
        guard: "frames: they begin with our mark",
        from: " or string.sub(bytes, 1, 2) ~= 'qF'",
        to: "",
        missed_by: "garbage_gives_way_and_newer_formats_do_not",
    },
    Mutation {
        guard: "frames: they are of a known kind",
        from: "if kind ~= 'V' and kind ~= 'T' and kind ~= 'N' and kind ~= 'L' then return end",
        to: "",
        missed_by: "garbage_gives_way_and_newer_formats_do_not",
    },
    Mutation {
        guard: "count: all limits or none",
        from: "if passes then",
        to: "if true then",
        missed_by: "limits_are_taken_together_or_not_at_all",
    },
    Mutation {
        guard: "count: a shadow keeps nobody out",
        from: "(allowed or shadow == 1)",
        to: "allowed",
        missed_by: "a_shadow_counts_and_never_refuses",
    },
    Mutation {
        guard: "count: what is taken is remembered",
        from: "if allowed then states[i]",
        to: "if false then states[i]",
        missed_by: "a_limit_lets_exactly_its_units_pass",
    },
    Mutation {
        guard: "counter: units are taken once",
        from: "if pending > 0 then redis.call('HSET', KEYS[1], 'p', 0) end",
        to: "",
        missed_by: "units_are_taken_once_however_many_take",
    },
    Mutation {
        guard: "counter: a share has an end",
        from: "if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end",
        to: "",
        missed_by: "a_count_ends_a_day_after_its_first_unit",
    },
    Mutation {
        guard: "counter: few are kept",
        from: "redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))",
        to: "",
        missed_by: "the_most_counted_come_first_and_few_are_kept",
    },
    Mutation {
        guard: "stream: few are kept",
        from: "'MAXLEN', '~', ARGV[1], ",
        to: "",
        missed_by: "a_stream_is_trimmed_and_ends",
    },
    Mutation {
        guard: "stream: it has an end",
        from: "redis.call('PEXPIRE', KEYS[1], ARGV[2])\nreturn 1",
        to: "return 1",
        missed_by: "a_stream_is_trimmed_and_ends",
    },
    Mutation {
        guard: "stream: what was left lying is given away",
        from: "  give(claimed[2])\n",
        to: "",
        missed_by: "what_a_reader_left_is_given_to_another",
    },
];

/// The scripts without one piece, and in how many of them it was.
fn mutated(mutation: &Mutation) -> (Scripts, usize) {
    let found = Cell::new(0);
    let scripts = Scripts::read(|text| {
        found.set(found.get() + text.matches(mutation.from).count());
        text.replace(mutation.from, mutation.to)
    });
    (scripts, found.get())
}

/// Failing is what the cases are here to do; their reports would drown a real one. Until the flag is taken back, this thread's
/// are left out.
fn fail_silently() -> Arc<AtomicBool> {
    let (meant, own, report) = (Arc::new(AtomicBool::new(true)), thread::current().id(), panic::take_hook());
    let is_meant = Arc::clone(&meant);
    panic::set_hook(Box::new(move |what| {
        if thread::current().id() != own || !is_meant.load(Ordering::SeqCst) {
            report(what);
        }
    }));
    meant
}

#[tokio::test]
async fn every_line_that_guards_is_missed_by_a_case() {
    let cases: BTreeMap<_, _> = cases::<RedisSubject>().into_iter().collect();
    let url = dev_stack::test::redis().await.expect("a Redis for tests");
    let meant = fail_silently();
    let mut odd = Vec::new();
    for mutation in MUTATIONS {
        let (scripts, found) = mutated(mutation);
        if found != 1 {
            odd.push(format!("{}: its piece is there {found} times", mutation.guard));
            continue;
        }
        let case = cases[mutation.missed_by];
        let config = patient(url);
        let store = RedisStore::connect(&config).expect("a Redis URL").with_scripts(scripts);
        let subject = RedisSubject::of(store, &config).await;
        if AssertUnwindSafe(case(subject)).catch_unwind().await.is_ok() {
            odd.push(format!("{}: not missed by {}", mutation.guard, mutation.missed_by));
        }
    }
    meant.store(false, Ordering::SeqCst);
    assert!(odd.is_empty(), "{odd:#?}");
}

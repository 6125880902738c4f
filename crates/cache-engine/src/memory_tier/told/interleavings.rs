//! All interleavings of two readers who keep what they read, a change whose hint arrives, and a change whose hint is lost.
//!
//! The invariant: what is served from memory is never older than the newest hint that was applied, nor than what had changed when
//! something was last known to be missing. With one rule switched off there must be an interleaving that breaks it. And, whatever
//! is heard: no copy is used longer than its keyspace allows.

use std::{sync::Arc, time::Duration};

use cache_ports::{
    Served, ServedFrom,
    catalog::keyspaces::{ACTIVE_PUBLICATION, active_publication_key},
};
use kernel::{TenantId, Version};
use proptest::prelude::*;

use super::{super::Keep, super::MemoryTier, MOST_KEYS, Rules, Ticket, Watch};
use crate::hints::{Doubt, KeyHash, Told};

const FAR_MS: u64 = 1_000_000;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A reader begins.
    Begin(usize),
    /// It reads the store.
    Read(usize),
    /// It keeps what it read.
    Keep(usize),
    /// Something changes, in the store as well.
    Change,
    /// The hint of a change is applied.
    Hear,
    /// It is noticed that a hint is missing.
    Miss,
}

fn schedules() -> Vec<Vec<Step>> {
    fn extend(actors: &[Vec<Step>], at: &mut [usize], taken: &mut Vec<Step>, out: &mut Vec<Vec<Step>>) {
        if at.iter().zip(actors).all(|(next, steps)| *next == steps.len()) {
            out.push(taken.clone());
        }
        for who in 0..actors.len() {
            let Some(step) = actors[who].get(at[who]) else { continue };
            at[who] += 1;
            taken.push(*step);
            extend(actors, at, taken, out);
            taken.pop();
            at[who] -= 1;
        }
    }
    let reader = |who| vec![Step::Begin(who), Step::Read(who), Step::Keep(who)];
    let actors = [reader(0), reader(1), vec![Step::Change, Step::Hear], vec![Step::Change, Step::Miss]];
    let mut out = Vec::new();
    extend(&actors, &mut [0; 4], &mut Vec::new(), &mut out);
    out
}

fn tier(rules: Rules) -> MemoryTier<u64> {
    let mut tier = MemoryTier::of(&ACTIVE_PUBLICATION).unwrap();
    tier.watch = Some(Watch::ruled_by(&ACTIVE_PUBLICATION, rules));
    tier.trust_until(FAR_MS, 0);
    tier
}

struct Run {
    tier: MemoryTier<u64>,
    tenant: TenantId,
    hash: KeyHash,
    stored: u64,
    /// The version of the change whose hint is on its way.
    hint: u64,
    at_least: u64,
    readers: [(Option<Ticket>, u64); 2],
}

impl Run {
    fn new(rules: Rules) -> Self {
        let tenant: TenantId = "acme".parse().unwrap();
        let hash = KeyHash::of(&active_publication_key(&tenant).text());
        Self { tier: tier(rules), tenant, hash, stored: 1, hint: 0, at_least: 0, readers: [(None, 0); 2] }
    }

    fn keep(&self, version: u64, ticket: &Ticket, now_ms: u64) {
        let packed = active_publication_key(&self.tenant).packed();
        let (age, source) = (Duration::ZERO, ServedFrom::L2);
        let served = Served { value: Arc::new(version), json: None, version: Version::new(version), age, source };
        let left = Duration::from_mins(1);
        let keep = Keep { key: packed.as_slice(), served: &served, payload_bytes: 8, left, ticket: Some(ticket) };
        self.tier.keep(&keep, now_ms);
    }

    fn served(&self, now_ms: u64) -> Option<u64> {
        let packed = active_publication_key(&self.tenant).packed();
        self.tier.get(&packed, Version::ZERO, now_ms).map(|served| *served.value)
    }

    fn step(&mut self, step: Step, seen: &[Step]) {
        match step {
            Step::Begin(who) => self.readers[who].0 = self.tier.watch.as_ref().map(|watch| watch.ticket(self.hash, 0)),
            Step::Read(who) => self.readers[who].1 = self.stored,
            Step::Keep(who) => {
                let (ticket, version) = self.readers[who];
                self.keep(version, &ticket.unwrap(), 0);
            }
            Step::Change => {
                self.stored += 1;
                // The change that was heard of is the first of its actor's steps: the later of the two may be the lost one.
                if !seen.iter().any(|step| matches!(step, Step::Hear)) {
                    self.hint = self.stored;
                }
            }
            Step::Hear => {
                self.tier.apply(self.hash, Version::new(self.hint), 0);
                self.at_least = self.at_least.max(self.hint);
            }
            Step::Miss => {
                self.tier.flush(Doubt::Gap);
                self.at_least = self.stored;
            }
        }
    }
}

fn first_violation(rules: Rules) -> Option<String> {
    let schedules = schedules();
    assert_eq!(schedules.len(), 25_200);
    schedules.into_iter().find_map(|schedule| {
        let mut run = Run::new(rules);
        for at in 0..schedule.len() {
            run.step(schedule[at], &schedule[..at]);
            if let Some(version) = run.served(1).filter(|version| *version < run.at_least) {
                return Some(format!("{version} after {} in {:?}", run.at_least, &schedule[..=at]));
            }
        }
        None
    })
}

#[test]
fn no_interleaving_leaves_an_old_copy() {
    assert_eq!(first_violation(super::ALL_RULES), None);
}

#[test]
fn each_missing_rule_is_noticed() {
    for rules in [Rules { changes: false, ..super::ALL_RULES }, Rules { generations: false, ..super::ALL_RULES }] {
        assert!(first_violation(rules).is_some(), "{rules:?}");
    }
}

#[test]
fn trust_ends_by_itself_and_begins_with_an_empty_memory() {
    let run = Run::new(super::ALL_RULES);
    run.tier.trust_until(0, 10);
    run.keep(1, &run.tier.watch.as_ref().unwrap().ticket(run.hash, 11), 12);
    assert_eq!(run.tier.bytes(), 0, "without trust nothing is even kept");
    run.tier.trust_until(500, 13);
    let ticket = run.tier.watch.as_ref().unwrap().ticket(run.hash, 14);
    run.keep(1, &ticket, 20);
    assert_eq!((run.served(499), run.served(500)), (Some(1), None));
    run.keep(1, &ticket, 600);
    run.tier.trust_until(5_000, 700);
    assert_eq!(run.served(701), None, "between two leases anything may have been missed");
    run.keep(1, &ticket, 702);
    assert_eq!(run.served(703), None, "and that read began before");
    assert_eq!(run.tier.state(703).flushes_for("silence"), 1);
}

#[test]
fn what_is_forgotten_to_make_room_is_not_kept_either() {
    let run = Run::new(super::ALL_RULES);
    let watch = run.tier.watch.as_ref().unwrap();
    let ticket = watch.ticket(run.hash, 0);
    run.tier.apply(run.hash, Version::new(7), 1);
    for number in 0..MOST_KEYS {
        run.tier.apply(KeyHash::of(&number.to_string()), Version::FIRST, 1);
    }
    assert!(watch.lock().changes.len() <= MOST_KEYS);
    assert_eq!(watch.ticket(run.hash, 2).at_least, Version::ZERO, "the change is forgotten");
    run.keep(6, &ticket, 2);
    assert_eq!(run.served(3), None);
}

#[derive(Debug, Clone)]
enum Happening {
    Begin,
    Keep { left_ms: u64, version: u64 },
    Hear(u64),
    Miss,
    Trust(u64),
    Wait(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => Just(Happening::Begin),
        4 => (0_u64..100_000, 1_u64..20).prop_map(|(left_ms, version)| Happening::Keep { left_ms, version }),
        1 => (1_u64..20).prop_map(Happening::Hear),
        1 => Just(Happening::Miss),
        3 => (0_u64..9_000).prop_map(Happening::Trust),
        4 => (0_u64..1_500).prop_map(Happening::Wait),
    ]
}

proptest! {
    #[test]
    fn no_copy_is_used_longer_than_its_keyspace_allows(happenings in prop::collection::vec(happening(), 1..80)) {
        let (_, max_age) = ACTIVE_PUBLICATION.in_memory().unwrap();
        let max_age_ms = u64::try_from(max_age.as_millis()).unwrap();
        let run = Run::new(super::ALL_RULES);
        let watch = run.tier.watch.as_ref().unwrap();
        let mut now_ms = 0;
        // When the question behind each version was asked last.
        let mut asked_ms = [0; 20];
        let mut ticket = watch.ticket(run.hash, now_ms);
        for happening in happenings {
            match happening {
                Happening::Begin => ticket = watch.ticket(run.hash, now_ms),
                Happening::Keep { left_ms, version } => {
                    asked_ms[usize::try_from(version).unwrap()] = ticket.began_ms;
                    let packed = active_publication_key(&run.tenant).packed();
                    let (age, source) = (Duration::ZERO, ServedFrom::L2);
                    let version = Version::new(version);
                    let served = Served { value: Arc::new(version.get()), json: None, version, age, source };
                    let left = Duration::from_millis(left_ms);
                    let keep = Keep { key: packed.as_slice(), served: &served, payload_bytes: 8, left, ticket: Some(&ticket) };
                    run.tier.keep(&keep, now_ms);
                }
                Happening::Hear(version) => run.tier.apply(run.hash, Version::new(version), now_ms),
                Happening::Miss => run.tier.flush(Doubt::Gap),
                Happening::Trust(more_ms) => run.tier.trust_until(now_ms + more_ms, now_ms),
                Happening::Wait(ms) => now_ms += ms,
            }
            if let Some(version) = run.served(now_ms) {
                let since = asked_ms[usize::try_from(version).unwrap()];
                prop_assert!(now_ms < since + max_age_ms, "{} asked at {} is served at {}", version, since, now_ms);
            }
        }
    }
}

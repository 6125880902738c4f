//! The design review of every keyspace, as a document.
//!
//! Owns the text of `docs/keyspaces.md`. Must never say anything that the declarations do not.

use std::{fmt::Write, time::Duration};

use crate::keyspace::{
    Audit, Authority, Coherence, Exposure, Heat, InvalidatingEvent, Keyspace, LoadLimits, OnUnavailable, Owner,
    Revalidation, Service, Slot, Ttl,
};

/// `docs/keyspaces.md`.
pub fn keyspaces_markdown() -> String {
    let mut out = String::from(
        "# Keyspaces\n\n\
         Generated from the registry in `crates/cache-ports` by `quoin generate`; do not edit.\n\n\
         Redis is an accelerator, never the authority: for each keyspace the last line says why commands stay right when \
         Redis loses it, returns an old value, or is gone.\n\n\
         | keyspace | key | soft / hard | kept right by | when the store is away |\n|---|---|---|---|---|\n",
    );
    for keyspace in super::all() {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| [{}](#{}) | `{}` | {} | {} | {} |",
            keyspace.name,
            anchor(keyspace.name),
            keyspace.template,
            lifetime(keyspace.ttl),
            coherence_word(keyspace.coherence),
            unavailable(keyspace.on_unavailable),
        );
    }
    for keyspace in super::all() {
        let _ = write!(out, "\n## {}\n\n| question | answer |\n|---|---|\n", keyspace.name);
        for (question, answer) in answers(keyspace) {
            let _ = writeln!(out, "| {question} | {answer} |");
        }
    }
    out
}

fn anchor(name: &str) -> String {
    name.replace(' ', "-")
}

fn answers(keyspace: &Keyspace) -> Vec<(&'static str, String)> {
    let ttl = keyspace.ttl;
    let dimensions: Vec<&str> = keyspace.dimensions.iter().map(|dimension| dimension.name).collect();
    vec![
        ("What is the key?", format!("`{}`", keyspace.template)),
        (
            "Which dimensions does it have?",
            format!("{} (the tenant first, from the authenticated caller)", dimensions.join(", ")),
        ),
        ("Which cluster slot?", slot(keyspace.slot).into()),
        ("Who writes it?", owner(keyspace.owner)),
        ("Who else reads it?", services(keyspace.readers)),
        (
            "Which work is it for?",
            format!("{}; the {} pool", keyspace.workload.as_str(), keyspace.workload.pool().as_str()),
        ),
        ("Where is the truth when the store is empty?", authority(keyspace.authority)),
        ("What keeps a stale value from being served?", coherence(keyspace.coherence)),
        ("How is it audited?", audit(keyspace)),
        ("May a command rest on it?", revalidation(keyspace.revalidation).into()),
        ("How long does it live?", format!("{}, jitter 0–{} %", lifetime(ttl), ttl.jitter_percent)),
        ("How long is absence remembered?", ttl.negative.map_or_else(|| "not under this key".into(), length)),
        (
            "How long is an invalidation remembered?",
            ttl.tombstone.map_or_else(|| "nothing invalidates it".into(), length),
        ),
        ("How is it loaded?", keyspace.loading.map_or_else(|| "it is not".into(), loading)),
        (
            "Which schema versions?",
            format!("writes {}, reads {} and later up to it", keyspace.schema.current, keyspace.schema.oldest_readable),
        ),
        (
            "How big may it be?",
            format!(
                "{}, compressed above {}",
                bytes(keyspace.size.max_bytes),
                bytes(keyspace.size.compress_above_bytes)
            ),
        ),
        ("Can it leak?", exposure(keyspace.exposure).into()),
        ("May it become hot?", heat(keyspace.heat)),
        ("What happens when the store is down?", unavailable(keyspace.on_unavailable).into()),
        ("Why do commands stay right without it?", keyspace.correctness.into()),
    ]
}

const fn slot(slot: Slot) -> &'static str {
    match slot {
        Slot::ByKey => "any: keys are used one at a time",
        Slot::ByTenant => "the tenant's, written in braces: several keys are used in one script",
    }
}

fn owner(owner: Owner) -> String {
    match owner {
        Owner::One(service) => service.as_str().into(),
        Owner::EveryService => "every service, for its own routes, quotes and loads".into(),
    }
}

fn services(services: &[Service]) -> String {
    if services.is_empty() {
        return "nobody".into();
    }
    services.iter().map(|service| service.as_str()).collect::<Vec<_>>().join(", ")
}

fn authority(authority: Authority) -> String {
    match authority {
        Authority::Table(table) => format!("the table `{table}`"),
        Authority::Computed(from) => format!("computed from {from}"),
        Authority::Metrics => "the metrics, which get it from here; what is lost on the way is missing there".into(),
        Authority::Ephemeral => "nowhere: it is worth nothing a moment later".into(),
    }
}

fn coherence(coherence: Coherence) -> String {
    match coherence {
        Coherence::Versioned => "the key names everything the value depends on; it never changes under its key".into(),
        Coherence::TtlOnly => "its time to live".into(),
        Coherence::EventInvalidated(events) => {
            let event = |e: &InvalidatingEvent| format!("{} (version of {})", e.event_type, e.versioned_by);
            format!("events, guarded by versions: {}", events.iter().map(event).collect::<Vec<_>>().join(", "))
        }
        Coherence::Hybrid(events) => {
            let event = |e: &InvalidatingEvent| format!("{} (version of {})", e.event_type, e.versioned_by);
            let events = events.iter().map(event).collect::<Vec<_>>().join(", ");
            format!(
                "the key names one part of what the value depends on; for the rest a read demands the version last told by {events}"
            )
        }
    }
}

const fn coherence_word(coherence: Coherence) -> &'static str {
    match coherence {
        Coherence::Versioned => "versioned key",
        Coherence::TtlOnly => "time to live",
        Coherence::EventInvalidated(_) => "events",
        Coherence::Hybrid(_) => "versioned key and demanded version",
    }
}

fn audit(keyspace: &Keyspace) -> String {
    let judged = match keyspace.audit {
        Audit::Compared => "sampled entries are compared with the authority, version first, then content".to_owned(),
        Audit::VersionOnly(why) => {
            format!("sampled entries are compared with the authority: existence and version. {why}")
        }
        Audit::EntryAlone(why) => format!("sampled entries are judged by themselves. {why}"),
        Audit::NothingToJudge => "there is nothing to compare it with".to_owned(),
    };
    match keyspace.numbered_by() {
        Some(_) => format!("{judged}; superseded versions are swept"),
        None => judged,
    }
}

const fn revalidation(revalidation: Revalidation) -> &'static str {
    match revalidation {
        Revalidation::NeverAnInput => "never: it is only shown",
        Revalidation::BeforeCommit => "as an input that is read again from the authority before the commit",
    }
}

fn lifetime(ttl: Ttl) -> String {
    format!("{} / {}", length(ttl.soft), length(ttl.hard))
}

fn loading(limits: LoadLimits) -> String {
    format!(
        "one load a process and key, one process at a time for {}; a load may take {}; {} at once in a process",
        length(limits.lease),
        length(limits.timeout),
        limits.at_once
    )
}

const fn exposure(exposure: Exposure) -> &'static str {
    match exposure {
        Exposure::Public => "no: everybody in the tenant who may ask may see all of it",
        Exposure::Internal => {
            "fields depend on the reader's role and are removed after the read, on a hit as on a miss"
        }
    }
}

fn heat(heat: Heat) -> String {
    match heat {
        Heat::Even => "no".into(),
        Heat::Hot => "yes; the store carries it".into(),
        Heat::Sharded { shards } => format!("yes; each object is spread over {shards} keys"),
        Heat::HotInMemory { max_bytes, max_age } => {
            format!("yes; each process keeps up to {} of it in memory, for up to {}", bytes(max_bytes), length(max_age))
        }
        Heat::HintedInMemory { max_bytes, max_age } => format!(
            "yes; each process keeps up to {} of it in memory; hints tell it what changed, and whatever happens to them a copy \
             is used for no longer than {}",
            bytes(max_bytes),
            length(max_age)
        ),
    }
}

const fn unavailable(on_unavailable: OnUnavailable) -> &'static str {
    match on_unavailable {
        OnUnavailable::FallBackToAuthority => "the authority answers, behind a limit of concurrent loads",
        OnUnavailable::RecomputeGuarded => "it is computed again, behind a limit of concurrent computations",
        OnUnavailable::AsPolicySays => "each policy says: counted by one process alone, or refused",
        OnUnavailable::Skip => "it is left out",
        OnUnavailable::SaveAtOnce => "what would be kept is saved to the authority at once",
    }
}

fn length(length: Duration) -> String {
    match length.as_secs() {
        secs if secs > 0 && secs % 3600 == 0 => format!("{} h", secs / 3600),
        secs if secs > 0 && secs % 60 == 0 => format!("{} min", secs / 60),
        secs => format!("{secs} s"),
    }
}

fn bytes(count: u32) -> String {
    if count >= 1 << 20 { format!("{} MiB", count >> 20) } else { format!("{} KiB", count >> 10) }
}

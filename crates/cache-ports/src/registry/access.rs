//! The access rules of Redis: one user a service and pool of connections, with the keys it may touch and the commands it needs.
//!
//! Owns the text of `deploy/redis/users.acl`. Must never hold a password: the file names variables that a deployment fills in
//! with SHA-256 digests, and does not load until it has.

use std::fmt::Write;

use crate::{
    key,
    keyspace::{Audit, Keyspace, Owner, Pool, Service, Workload},
};

/// What every connection needs: to be made, to run our scripts, to show how its server is doing, and to find a key in a cluster.
const SESSION: &str = "+ping +hello +auth +client|setname +client|id +script|load +script|exists +evalsha +info +cluster|slots +cluster|info +asking";
/// What the scripts of versioned values need, and reads beside them.
const CONTENT: &str = "+get +mget +getrange +set +setrange +pttl +pexpire +del";
/// What limits need.
const COUNTS: &str = "+get +set +pttl +time";
/// What live counts need beside that, where a service has some.
const LIVE_COUNTS: &str = "+hincrby +hget +hmget +hset +pexpire +zadd +zremrangebyrank +zrevrange";
/// What remembered answers and locks need.
const COORDINATION: &str = "+get +set +pttl +del";

/// What hints need. The one channel of hints is granted to every service: a hint carries no value, and a false
/// one costs a read of the store.
const SIGNALS: &str = "+publish +subscribe";
/// What streams need beside that, where a service has some.
const STREAMS: &str = "+exists +pexpire +xadd +xrange +xgroup|create +xreadgroup +xautoclaim +xack";

/// The channel that carries hints, after the deployment's prefix.
pub const HINT_CHANNEL: &str = "hints";

/// What the auditor needs to walk over keys, to look at them, and to remove what is wrong. SCAN shows the names of all keys in a
/// database, whoever's they are; never what lies under them.
const AUDIT: &str = "+scan +get +pttl +getrange +unlink";
/// What removing an entry only if it is still the same needs, inside its script.
const DISCARD: &str = "+del";
/// What the sweeper needs beside that, to see how big something is.
const SWEEP: &str = "+strlen";

/// The access-control file, for keys that begin with `prefix`. Everything not listed is denied: there is no `FLUSHALL`, `KEYS`,
/// `CONFIG` or `DEBUG`, and no `EVAL` of free text.
pub fn users_acl(prefix: &str) -> String {
    let mut out = String::from(
        "# Generated from the keyspace registry by `quoin generate`; do not edit.\n\
         # Fill in each #${...} with the SHA-256 of that user's password (lower-case hexadecimal).\n\
         user default off\n",
    );
    for service in Service::ALL {
        for pool in Pool::ALL {
            let here: Vec<&Keyspace> = super::all().filter(|keyspace| keyspace.workload.pool() == pool).collect();
            let mut keys: Vec<String> = here.iter().filter_map(|keyspace| grant(keyspace, *service, prefix)).collect();
            keys.extend((pool == Pool::Hints).then(|| format!("&{prefix}{HINT_CHANNEL}")));
            let written: Vec<&Keyspace> = here.into_iter().filter(|keyspace| writes(keyspace, *service)).collect();
            // Every process connects every pool; where it has no keys it may only look whether the server is well.
            let commands = if keys.is_empty() { String::new() } else { commands(pool, &written) };
            let user = user_name(*service, pool);
            let variable = variable_name(*service, pool);
            let line = format!("user {user} on #${{{variable}}} resetchannels resetkeys");
            let parts = [&line, &keys.join(" "), "-@all", SESSION, &commands];
            let words: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{}", words.join(" "));
        }
    }
    out
}

/// The user that `service` connects `pool` with.
pub fn user_name(service: Service, pool: Pool) -> String {
    format!("quoin-{}-{}", service.as_str(), pool.as_str())
}

fn variable_name(service: Service, pool: Pool) -> String {
    format!("redis_sha256_{}_{}", service.as_str(), pool.as_str()).replace('-', "_").to_uppercase()
}

fn grant(keyspace: &Keyspace, service: Service, prefix: &str) -> Option<String> {
    let pattern = key::pattern(keyspace);
    if writes(keyspace, service) {
        Some(format!("%RW~{prefix}{pattern}"))
    } else {
        keyspace.readers.contains(&service).then(|| format!("%R~{prefix}{pattern}"))
    }
}

fn writes(keyspace: &Keyspace, service: Service) -> bool {
    match keyspace.owner {
        Owner::One(owner) => owner == service,
        Owner::EveryService => true,
    }
}

/// What the pool is for, and beside it what some of the keyspaces in it need that the service writes: live counts, and what is
/// audited or swept.
fn commands(pool: Pool, written: &[&Keyspace]) -> String {
    let everyday = match pool {
        Pool::Content | Pool::Preview | Pool::Session => CONTENT,
        Pool::RateLimit => COUNTS,
        Pool::Coordination => COORDINATION,
        Pool::Hints => SIGNALS,
    };
    let mut commands: Vec<&str> = everyday.split_whitespace().collect();
    let mut and = |more: &'static str| {
        let missing: Vec<&str> = more.split_whitespace().filter(|command| !commands.contains(command)).collect();
        commands.extend(missing);
    };
    for (workload, needs) in [(Workload::Counter, LIVE_COUNTS), (Workload::Stream, STREAMS)] {
        if written.iter().any(|keyspace| keyspace.workload == workload) {
            and(needs);
        }
    }
    if written.iter().any(|keyspace| keyspace.audit != Audit::NothingToJudge) {
        and(AUDIT);
        and(DISCARD);
    }
    if written.iter().any(|keyspace| keyspace.numbered_by().is_some()) {
        and(SWEEP);
    }
    commands.join(" ")
}

//! Whether a run with a lying store is the run without a cache.
//!
//! Owns the comparison of answers: exactly, or, where the registry lets something be shown late, with what was true before
//! and not for longer than it says. Must never leave a field out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::{
    names::{Kind, Name, Pairs, Piece, pieces, time},
    visitor::{Exchange, Rule, Tenants, Transcript},
};

/// Fields that say when an answer was computed; a cache shows them as they were then, for as long as it keeps the answer.
const STAMPS: [&str; 3] = ["generatedAt", "calculatedAt", "evaluatedAt"];
/// A field that is counted from such a stamp.
const COUNTED: &str = "expiresAt";
/// A position in a list; sealed, so that nothing in it can be compared.
const CURSOR: &str = "nextCursor";
/// The trace of one request, which no other has: that a problem names one is compared.
const TRACE: &str = "traceId";
/// The longest life of anything that carries a stamp, and time for a slow machine to answer.
const LONGEST_STAMP: TimeDelta = TimeDelta::minutes(6);

/// What one journey came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Score {
    /// Answers that had to be the same.
    pub exact: usize,
    /// Answers that could have been old.
    pub may_be_old: usize,
    /// Of those, the ones that were.
    pub old: usize,
}

/// Where two runs differ.
#[derive(Debug, Clone)]
pub struct Difference(pub String);

/// Compares two runs; gives the scores by journey and the pairs of names.
pub fn compare(
    without: (&Transcript, &Tenants),
    lied_to: (&Transcript, &Tenants),
) -> (Vec<(&'static str, Score)>, Pairs, Vec<Difference>) {
    let mut judge = Judge { tenants: [without.1.clone(), lied_to.1.clone()], pairs: Pairs::default() };
    let (mut scores, mut differences): (Vec<(&'static str, Score)>, Vec<Difference>) = (Vec::new(), Vec::new());
    for (truth, told) in without.0.exchanges.iter().zip(&lied_to.0.exchanges) {
        if scores.last().is_none_or(|(journey, _)| *journey != truth.journey) {
            scores.push((truth.journey, Score::default()));
        }
        let Some((_, score)) = scores.last_mut() else { continue };
        let outcome = match truth.rule {
            Rule::Exact => {
                score.exact += 1;
                judge.same(truth, told)
            }
            Rule::MayBeOld(bound) => {
                score.may_be_old += 1;
                judge.same(truth, told).or_else(|why| {
                    score.old += 1;
                    judge.was_true(without.0, lied_to.0, truth, told, bound).map_err(|old| format!("{why}; {old}"))
                })
            }
        };
        if let Err(why) = outcome {
            differences.push(Difference(format!("{}: {}: {why}", told.journey, told.asked)));
        }
    }
    (scores, judge.pairs, differences)
}

/// Whether one of the runs has answers that the other has not.
pub fn missing(without: &Transcript, lied_to: &Transcript) -> Option<String> {
    let (one, other) = (without.exchanges.len(), lied_to.exchanges.len());
    (one != other).then(|| format!("{one} answers without a cache, {other} with one"))
}

struct Judge {
    tenants: [Tenants; 2],
    pairs: Pairs,
}

impl Judge {
    /// The same answer. Names are paired only if all of it is the same.
    fn same(&mut self, truth: &Exchange, told: &Exchange) -> Result<(), String> {
        let mut pairs = self.pairs.clone();
        if truth.status != told.status {
            return Err(format!("{} became {}: {}", truth.status, told.status, told.body));
        }
        let (one, other) = (object(&truth.headers), object(&told.headers));
        self.same_value(&mut pairs, "headers", &one, &other, told)?;
        self.same_value(&mut pairs, "", &truth.body, &told.body, told)?;
        self.pairs = pairs;
        Ok(())
    }

    /// An answer that was true before, and not too long ago.
    fn was_true(
        &mut self,
        without: &Transcript,
        lied_to: &Transcript,
        truth: &Exchange,
        told: &Exchange,
        bound: Duration,
    ) -> Result<(), String> {
        let looks = truth.look.and_then(|look| without.looks.get(look)).ok_or("nobody looked before")?;
        let before = looks.iter().enumerate().rev().filter(|(_, look)| look.moment <= truth.moment);
        for (at, look) in before {
            if self.same(look, told).is_err() {
                continue;
            }
            // It was over with the first later look that saw something else; that is when this run's own command was done.
            let over = looks[at + 1..]
                .iter()
                .map(|later| later.moment)
                .find_map(|moment| moment.checked_sub(1).and_then(|command| lied_to.moments.get(command)));
            let Some(over) = over else { return Ok(()) };
            let old_by = told.sent.signed_duration_since(over).to_std().unwrap_or_default();
            return if old_by <= bound { Ok(()) } else { Err(format!("over for {old_by:?}, {bound:?} are allowed")) };
        }
        Err("and it was never true".to_owned())
    }

    fn same_value(
        &self,
        pairs: &mut Pairs,
        path: &str,
        one: &Value,
        other: &Value,
        told: &Exchange,
    ) -> Result<(), String> {
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => self.same_object(pairs, path, one, other, told),
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
                let mut places = one.iter().zip(other).enumerate();
                places.try_for_each(|(at, (one, other))| {
                    self.same_value(pairs, &format!("{path}/{at}"), one, other, told)
                })
            }
            (Value::String(one), Value::String(other)) => {
                let same = self.same_text(pairs, one, other);
                if same { Ok(()) } else { Err(format!("{path}: {one:?} became {other:?}")) }
            }
            _ if one == other => Ok(()),
            _ => Err(format!("{path}: {one} became {other}")),
        }
    }

    fn same_object(
        &self,
        pairs: &mut Pairs,
        path: &str,
        one: &Map<String, Value>,
        other: &Map<String, Value>,
        told: &Exchange,
    ) -> Result<(), String> {
        if !one.keys().eq(other.keys()) {
            let keys = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>().join(" ");
            return Err(format!("{path}: fields {} became {}", keys(one), keys(other)));
        }
        let counted_from = |map: &Map<String, Value>| STAMPS.iter().find_map(|stamp| stamp_of(map.get(*stamp)?));
        for ((name, one_field), (_, other_field)) in one.iter().zip(other) {
            let path = format!("{path}/{name}");
            if STAMPS.contains(&name.as_str()) {
                is_recent(other_field, told).map_err(|why| format!("{path}: {why}"))?;
            } else if name == TRACE {
                if !(is_trace(one_field) && is_trace(other_field)) {
                    return Err(format!("{path}: no trace"));
                }
            } else if let (COUNTED, Some(from_one), Some(from_other)) =
                (&**name, counted_from(one), counted_from(other))
            {
                let lasts = |field: &Value, from| Some(stamp_of(field)?.signed_duration_since(from));
                if lasts(one_field, from_one) != lasts(other_field, from_other) {
                    return Err(format!("{path}: it lasts longer or shorter"));
                }
            } else if let (true, Some(one), Some(other)) = (*name == CURSOR, one_field.as_str(), other_field.as_str()) {
                let sealed = |text: &str| Name { kind: Kind::Cursor, text: text.to_owned() };
                if !pairs.pair(&sealed(one), &sealed(other)) {
                    return Err(format!("{path}: another position"));
                }
            } else {
                self.same_value(pairs, &path, one_field, other_field, told)?;
            }
        }
        Ok(())
    }

    fn same_text(&self, pairs: &mut Pairs, one: &str, other: &str) -> bool {
        let (one, other) = (pieces(&self.tenants[0].neutral(one)), pieces(&self.tenants[1].neutral(other)));
        one.len() == other.len()
            && one.iter().zip(&other).all(|pieces| match pieces {
                (Piece::Name(one), Piece::Name(other)) => pairs.pair(one, other),
                (one, other) => one == other,
            })
    }
}

impl Tenants {
    /// A text in which the tenants are called by what they are.
    pub fn neutral(&self, text: &str) -> String {
        text.replace(&self.shop, "the shop").replace(&self.other, "the other")
    }
}

fn object(headers: &std::collections::BTreeMap<&'static str, String>) -> Value {
    headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.clone()))).collect::<Map<_, _>>().into()
}

fn stamp_of(value: &Value) -> Option<DateTime<Utc>> {
    time(value.as_str()?)
}

fn is_trace(field: &Value) -> bool {
    let pieces = field.as_str().map(pieces).unwrap_or_default();
    matches!(&*pieces, [Piece::Name(name)] if name.kind == Kind::Hash)
}

/// A stamp lies between the longest life of what carries it and now.
fn is_recent(stamp: &Value, told: &Exchange) -> Result<(), String> {
    let stamp = stamp_of(stamp).ok_or("no time")?;
    let slack = TimeDelta::seconds(1);
    if stamp > told.answered + slack || stamp < told.sent - LONGEST_STAMP {
        return Err(format!("{stamp} is not recent at {}", told.sent));
    }
    Ok(())
}

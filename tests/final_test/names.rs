//! Names that differ from run to run: ids, hashes, times. Two runs are the same when one run's names can be put in the
//! place of the other's, one for one.
//!
//! Owns finding them in a text, and the pairs. Must never ignore one: each is paired, or the runs differ.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, Utc};

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Piece {
    /// The same in every run.
    Text(String),
    /// Different in every run.
    Name(Name),
}

/// A name, written in one way.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// What kind: only names of one kind are paired.
    pub kind: Kind,
    /// How it is written.
    pub text: String,
}

/// What kind of name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A UUID.
    Id,
    /// A digest or a trace id, hexadecimal.
    Hash,
    /// A point in time.
    Time,
    /// A position in a list, sealed.
    Cursor,
}

/// Lengths of hexadecimal names: digest, trace id, span id.
const HEX: [usize; 3] = [64, 32, 16];
/// `2026-11-25T07:05:33` is the shortest time.
const SHORTEST_TIME: usize = 20;
const UUID: usize = 36;

/// The pieces of a text.
pub fn pieces(text: &str) -> Vec<Piece> {
    let (mut pieces, mut plain, mut at) = (Vec::new(), String::new(), 0);
    while let Some(next) = text[at..].chars().next() {
        let begins = !plain.chars().last().is_some_and(|before| before.is_ascii_alphanumeric() && before != 'x');
        if let Some((name, length)) = begins.then(|| name_at(&text[at..])).flatten() {
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Name(name));
            at += length;
        } else {
            plain.push(next);
            at += next.len_utf8();
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    pieces
}

fn name_at(text: &str) -> Option<(Name, usize)> {
    let word = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-:.+".contains(c))).next()?;
    if let Some(id) = word.get(..UUID).filter(|id| is_uuid(id)) {
        return Some((Name { kind: Kind::Id, text: id.to_owned() }, UUID));
    }
    if word.len() >= SHORTEST_TIME
        && let Some(time) = time(word)
    {
        return Some((Name { kind: Kind::Time, text: written(time) }, word.len()));
    }
    let hex = word.len() - word.trim_start_matches(|c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase()).len();
    let ends = !word[hex..].starts_with(|c: char| c.is_ascii_alphanumeric());
    // Sixteen digits alone may be a number; with letters they are a span.
    let is_name = HEX.contains(&hex) && ends && word[..hex].bytes().any(|byte| byte.is_ascii_alphabetic());
    is_name.then(|| (Name { kind: Kind::Hash, text: word[..hex].to_owned() }, hex))
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// A point in time, to the microsecond PostgreSQL keeps.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc().trunc_subsecs(6))
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

/// Pairs of names, one of each run.
#[derive(Debug, Clone, Default)]
pub struct Pairs {
    forth: HashMap<Name, Name>,
    back: HashMap<Name, Name>,
}

impl Pairs {
    /// Pairs two names, or says that one of them has another partner.
    pub fn pair(&mut self, one: &Name, other: &Name) -> bool {
        if one.kind != other.kind {
            return false;
        }
        let forth = self.forth.entry(one.clone()).or_insert_with(|| other.clone());
        let back = self.back.entry(other.clone()).or_insert_with(|| one.clone());
        forth == other && back == one
    }

    /// The first run's name for one of the second's.
    pub fn first(&self, of_second: &Name) -> Option<&Name> {
        self.back.get(of_second)
    }

    /// Whether a name of the first run has a partner.
    pub fn knows(&self, of_first: &Name) -> bool {
        self.forth.contains_key(of_first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_hashes_and_times_are_found_wherever_they_stand() {
        let id = "0198f000-0000-7000-8000-00000000000a";
        let hash = "ab".repeat(32);
        let text =
            format!("/quotes/{id}/x of {hash} at 2026-11-25T07:05:33.1234567+00:00, \\x{hash} 12345678901234567");
        let names: Vec<String> = pieces(&text)
            .into_iter()
            .filter_map(|piece| if let Piece::Name(name) = piece { Some(name.text) } else { None })
            .collect();
        assert_eq!(names, [id, &*hash, "2026-11-25T07:05:33.123456Z", &*hash]);
    }

    #[test]
    fn a_name_has_one_partner_in_both_directions() {
        let name = |text: &str| Name { kind: Kind::Id, text: text.to_owned() };
        let mut pairs = Pairs::default();
        assert!(pairs.pair(&name("a"), &name("1")) && pairs.pair(&name("a"), &name("1")));
        assert!(!pairs.pair(&name("a"), &name("2")), "a is 1");
        assert!(!pairs.pair(&name("b"), &name("1")), "1 is a");
    }
}

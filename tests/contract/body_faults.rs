//! A good body made bad, one field at a time.
//!
//! Every place of the body gets values of the wrong type and of the right type but wrong in themselves. Whether one of them
//! must be refused is the schema's word; where the schema allows it, any documented answer will do.

mod change;
mod values;

use serde_json::{Map, Value, json};

use crate::{
    chance::Chance,
    document::BodyShape,
    judge::{Expect, short},
};
pub use change::Change;
use values::Bad;

/// What makes a good body bad.
#[derive(Debug)]
pub struct BodyFault {
    /// What it is, in words.
    pub name: String,
    /// What is done to the good body.
    pub change: Change,
    /// What must come of it.
    pub expect: Expect,
}

/// A member no schema has.
const UNKNOWN: &str = "noSuchMember";

/// All of them for one good body.
pub fn of(good: &Value, shape: &BodyShape, chance: &mut Chance) -> Vec<BodyFault> {
    let mut made = Making { good, shape, chance, faults: as_a_whole(shape.required) };
    made.place("", good);
    made.faults
}

struct Making<'a> {
    good: &'a Value,
    shape: &'a BodyShape,
    chance: &'a mut Chance,
    faults: Vec<BodyFault>,
}

impl Making<'_> {
    /// Goes through a value and everything in it; of a long list only the beginning, the others are alike.
    fn place(&mut self, at: &str, value: &Value) {
        for bad in values::instead_of(value, self.chance) {
            self.replaced(at, bad);
        }
        match value {
            Value::Object(members) => {
                self.members(at, members);
                members.iter().for_each(|(name, member)| self.place(&below(at, name), member));
            }
            Value::Array(items) => {
                const ENOUGH: usize = 3;
                let first = items.iter().enumerate().take(ENOUGH);
                first.for_each(|(number, item)| self.place(&format!("{at}/{number}"), item));
            }
            _ => {}
        }
    }

    fn replaced(&mut self, at: &str, bad: Bad) {
        let place = at.to_owned();
        match bad {
            Bad::Value(value) => {
                let name = format!("{at:?} is {}", short(&value.to_string()));
                self.judged(name, at, Change::Replace(place, value));
            }
            Bad::Refused(value) => {
                let name = format!("{at:?} is {}", short(&value.to_string()));
                let expect = Expect::Refused(Some(place.clone()));
                self.faults.push(BodyFault { name, change: Change::Replace(place, value), expect });
            }
            Bad::Raw(text) => {
                let name = format!("{at:?} is {}", short(&text));
                let change = Change::ReplaceRaw(place, text);
                self.faults.push(BodyFault { name, change, expect: Expect::Refused(None) });
            }
        }
    }

    fn members(&mut self, at: &str, members: &Map<String, Value>) {
        for name in members.keys() {
            let lost = below(at, name);
            self.judged(format!("{lost:?} is missing"), &lost, Change::Remove(lost.clone()));
        }
        let added = below(at, UNKNOWN);
        let unknown = Change::Insert(added.clone(), json!("x"));
        let is_map = self.allows(&unknown);
        self.judged(format!("{added:?} is there"), &added, unknown);
        // JSON parsers disagree about which one counts, so neither may.
        if let Some(name) = members.keys().next() {
            let twice = below(at, name);
            let expect = if is_map { Expect::Documented } else { Expect::Refused(Some(twice.clone())) };
            let name = format!("{twice:?} is there twice");
            self.faults.push(BodyFault { name, change: Change::Repeat(twice), expect });
        }
    }

    /// Refused if the schema says so; else as documented.
    fn judged(&mut self, name: String, at: &str, change: Change) {
        let expect = if self.allows(&change) { Expect::Documented } else { Expect::Refused(Some(at.to_owned())) };
        self.faults.push(BodyFault { name, change, expect });
    }

    fn allows(&self, change: &Change) -> bool {
        let body = serde_json::from_slice(&change.applied_to(self.good));
        body.is_ok_and(|body| self.shape.validator.is_valid(&body))
    }
}

fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// Bodies that are wrong as a whole, whatever the schema is.
fn as_a_whole(required: bool) -> Vec<BodyFault> {
    let whole = |name: &str, bytes: Vec<u8>, expect: Expect| BodyFault {
        name: name.to_owned(),
        change: Change::Whole(bytes),
        expect,
    };
    let refused = |name: &str, bytes: Vec<u8>| whole(name, bytes, Expect::Refused(None));
    let around = |name: &str, before: &'static [u8], after: &'static [u8]| BodyFault {
        name: name.to_owned(),
        change: Change::Around(before, after),
        expect: Expect::Refused(None),
    };
    // Without a body a command whose members may all be absent is complete; white space is neither body nor JSON.
    let empty = if required { Expect::Refused(None) } else { Expect::Documented };
    vec![
        whole("nothing", Vec::new(), empty),
        refused("white space", b" \n".to_vec()),
        refused("a list", b"[]".to_vec()),
        refused("a text", b"\"x\"".to_vec()),
        refused("a number", b"7".to_vec()),
        refused("null", b"null".to_vec()),
        refused("a zero byte", vec![0]),
        refused("bytes that are no UTF-8", b"{\"a\":\"\xff\xfe\"}".to_vec()),
        refused("a member without a value", b"{\"a\":}".to_vec()),
        refused("NaN", b"{\"a\":NaN}".to_vec()),
        refused("ten thousand brackets", b"[".repeat(10_000)),
        refused("deep nesting", [b"{\"a\":".repeat(5_000), b"1".to_vec(), b"}".repeat(5_000)].concat()),
        around("in a list", b"[", b"]"),
        around("something behind it", b"", b" x"),
        around("another body behind it", b"", b"{}"),
        around("a byte order mark", b"\xef\xbb\xbf", b""),
        around("a comment", b"/* x */", b""),
    ]
}

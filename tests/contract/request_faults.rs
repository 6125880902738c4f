//! A good call made bad outside its body: token, path, query, conditions, keys, media type.

mod places;

use serde_json::json;

use crate::{
    chance::Chance,
    document::Operation,
    judge::Expect,
    wire::{Call, Key},
};

/// What makes a good call bad.
pub struct CallFault {
    /// What it is, in words.
    pub name: String,
    /// What is done to the good call.
    pub change: Change,
    /// What must come of it.
    pub expect: Expect,
}

/// One change.
#[derive(Debug, Clone)]
pub enum Change {
    /// Other words in `Authorization`.
    Authorization(Option<String>),
    /// Another text between two slashes of the path, counted from 0.
    Segment(usize, String),
    /// Another query.
    Query(String),
    /// Another value of a header, or none.
    Header(&'static str, Option<Vec<u8>>),
    /// A header more, whatever is there.
    Another(&'static str, Vec<u8>),
    /// Another idempotency key.
    Key(Key),
    /// Another media type of the same body.
    Media(&'static str),
}

impl Change {
    /// The changed call.
    pub fn applied_to(&self, good: &Call) -> Call {
        let mut call = good.clone();
        match self {
            Self::Authorization(words) => call.authorization.clone_from(words),
            Self::Segment(at, text) => {
                let segments = call.path.split('/').enumerate();
                let segments = segments.map(|(number, segment)| if number == *at { text } else { segment });
                call.path = segments.collect::<Vec<_>>().join("/");
            }
            Self::Query(query) => call.query.clone_from(query),
            Self::Header(name, Some(value)) => call = call.with_header(name, value),
            Self::Header(name, None) => call.headers.retain(|(known, _)| known != name),
            Self::Another(name, value) => call.headers.push(((*name).to_owned(), value.clone())),
            Self::Key(key) => call.key = key.clone(),
            Self::Media(media) => call.body = call.body.map(|(_, bytes)| ((*media).to_owned(), bytes)),
        }
        call
    }
}

/// All of them for an operation and its good call.
pub fn of(operation: &Operation, good: &Call, chance: &mut Chance) -> Vec<CallFault> {
    let mut faults = tokens(good.authorization.as_deref().unwrap_or_default());
    faults.extend(places::in_path(operation, chance));
    faults.extend(places::in_query(operation, good, chance));
    faults.extend(conditions(operation));
    faults.extend(keys(operation));
    faults.extend(versions(operation));
    faults.extend(odd_headers(operation));
    faults.extend(unnamed_headers(operation));
    faults.extend(media(operation));
    faults
}

fn fault(name: impl Into<String>, change: Change, expect: Expect) -> CallFault {
    CallFault { name: name.into(), change, expect }
}

/// Words in the place of a token, and tokens somebody touched.
fn tokens(good: &str) -> Vec<CallFault> {
    // {"alg":"none","typ":"JWT"}
    const UNSIGNED: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let (signed, signature) = good.rsplit_once('.').unwrap_or((good, ""));
    let claims = signed.rsplit('.').next().unwrap_or_default();
    let another = signature.char_indices().map(|(at, letter)| match (at, letter) {
        (9, 'A') => 'B',
        (9, _) => 'A',
        _ => letter,
    });
    let forged = [
        ("no token", None),
        ("an empty token", Some("Bearer ".to_owned())),
        ("another scheme", Some("Basic YTpi".to_owned())),
        ("no scheme", Some(good.trim_start_matches("Bearer ").to_owned())),
        ("another signature", Some(format!("{signed}.{}", another.collect::<String>()))),
        ("no signature", Some(format!("{signed}."))),
        ("the algorithm none", Some(format!("Bearer {UNSIGNED}.{claims}."))),
        ("three letters", Some("Bearer a.b.c".to_owned())),
        ("a very long token", Some(format!("Bearer {}", "a".repeat(20_000)))),
    ];
    let mut faults: Vec<CallFault> =
        forged.map(|(name, words)| fault(name, Change::Authorization(words), Expect::Status(401))).into();
    faults.push(fault("two tokens", Change::Another("authorization", b"Bearer x".into()), Expect::Status(401)));
    faults
}

fn conditions(operation: &Operation) -> Vec<CallFault> {
    const IF_MATCH: &str = "if-match";
    let Some(required) = operation.header(IF_MATCH).map(|header| header.required) else { return Vec::new() };
    let names_no_version: [&[u8]; 11] = [
        b"1",
        b"\"\"",
        b"\"-1\"",
        b"\"x\"",
        b"W/\"1\"",
        b"\"999999\"",
        b"\"18446744073709551615\"",
        b"\"18446744073709551616\"",
        b"\"1\", \"2\"",
        b"",
        b"\"\xff\"",
    ];
    let mut faults: Vec<CallFault> = names_no_version
        .into_iter()
        .map(|tag| {
            // A tag of another version is well-formed; everything else breaks the documented shape as well.
            let named = tag == b"\"999999\"";
            assert_eq!(documented(operation, IF_MATCH, tag), named, "{}", String::from_utf8_lossy(tag));
            let name = format!("If-Match is {}", String::from_utf8_lossy(tag));
            fault(name, Change::Header(IF_MATCH, Some(tag.into())), Expect::Status(412))
        })
        .collect();
    if required {
        faults.push(fault("If-Match is missing", Change::Header(IF_MATCH, None), Expect::Status(428)));
        faults.push(fault("If-Match is *", Change::Header(IF_MATCH, Some(b"*".into())), Expect::Status(428)));
    }
    faults
}

fn keys(operation: &Operation) -> Vec<CallFault> {
    let Some(required) = operation.header("idempotency-key").map(|header| header.required) else { return Vec::new() };
    let bad: [(&str, Vec<Vec<u8>>); 7] = [
        ("empty", vec![Vec::new()]),
        ("too long", vec![vec![b'k'; 256]]),
        ("an empty string", vec![b"\"\"".to_vec()]),
        ("one with a quote in it", vec![b"a\"b".to_vec()]),
        ("one with a tab in it", vec![b"a\tb".to_vec()]),
        ("no text", vec![b"\xff\xfe".to_vec()]),
        ("there twice", vec![b"a".to_vec(), b"a".to_vec()]),
    ];
    let given = |(name, values): (&str, Vec<Vec<u8>>)| {
        let shaped = values.iter().all(|value| documented(operation, "idempotency-key", value));
        assert_eq!(shaped, values.len() > 1, "Idempotency-Key {name}");
        fault(format!("Idempotency-Key is {name}"), Change::Key(Key::Given(values)), Expect::Status(400))
    };
    let mut faults: Vec<CallFault> = bad.into_iter().map(given).collect();
    if required {
        faults.push(fault("Idempotency-Key is missing", Change::Key(Key::Absent), Expect::Status(400)));
    }
    faults
}

fn versions(operation: &Operation) -> Vec<CallFault> {
    const MIN_VERSION: &str = "min-version";
    if operation.header(MIN_VERSION).is_none() {
        return Vec::new();
    }
    let given = |value: &str| {
        fault(format!("Min-Version is {value:?}"), Change::Header(MIN_VERSION, Some(value.into())), Expect::Status(400))
    };
    // The third last is one more than PostgreSQL's bigint holds.
    ["x", "-1", "1.5", "9223372036854775808", "18446744073709551616", ""].map(given).into()
}

/// Whether a header's value has the shape the document gives it.
fn documented(operation: &Operation, header: &str, value: &[u8]) -> bool {
    let schema = operation.header(header).map(|header| &header.schema);
    std::str::from_utf8(value).is_ok_and(|text| schema.is_some_and(|schema| jsonschema::is_valid(schema, &json!(text))))
}

/// Headers nobody asked for, or only somebody between us and the client.
fn odd_headers(operation: &Operation) -> Vec<CallFault> {
    let odd: [(&'static str, &[u8]); 7] = [
        ("accept", b"application/xml"),
        ("accept-language", b"\xff"),
        ("if-none-match", b"\"x\", W/, *, \"18446744073709551616\""),
        ("traceparent", b"00-ffffffffffffffffffffffffffffffff-0000000000000000-zz"),
        ("tracestate", b"\xc0\x80"),
        ("x-correlation-id", b"a b\tc"),
        ("x-forwarded-for", b"'; drop table x; --"),
    ];
    // Where a header is part of the operation, it changes what the call means.
    let unknown = odd.into_iter().filter(|(name, _)| operation.header(name).is_none());
    let given = |(name, value): (&'static str, &[u8])| {
        fault(format!("{name} is odd"), Change::Header(name, Some(value.into())), Expect::Documented)
    };
    unknown.map(given).collect()
}

/// Headers that mean something elsewhere: where the document does not name them, they must not matter.
fn unnamed_headers(operation: &Operation) -> Vec<CallFault> {
    let meant: [(&'static str, &[u8]); 3] = [("if-match", b"x"), ("idempotency-key", b""), ("min-version", b"x")];
    let unnamed = meant.into_iter().filter(|(name, _)| operation.header(name).is_none());
    let given = |(name, value): (&'static str, &[u8])| {
        fault(format!("{name}, which the document does not name"), Change::Another(name, value.into()), Expect::LetIn)
    };
    unnamed.map(given).collect()
}

fn media(operation: &Operation) -> Vec<CallFault> {
    let others = [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
        "",
    ];
    let given =
        |media: &'static str| fault(format!("the body is {media:?}"), Change::Media(media), Expect::Status(415));
    if operation.body.is_some() { others.into_iter().map(given).collect() } else { Vec::new() }
}

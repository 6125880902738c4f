//! What is said over a bus: hints, signs of life, farewells.
//!
//! Owns the written form. Old and new programs share a bus during a deployment: unknown fields are skipped, and a message that
//! cannot be read is a doubt like a missing one. Must never carry a value, a tenant or an id.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use kernel::{ContentHash, Version};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longer messages are not read.
const LONGEST_BYTES: usize = 1024;

/// Who publishes: one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublisherId(Uuid);

impl PublisherId {
    /// An id nobody else has. Whoever gives an engine the id of an earlier one makes its listeners notice the change at once.
    pub fn unique() -> Self {
        Self(Uuid::now_v7())
    }
}

/// One count of a publisher's messages; new whenever the count begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(Uuid);

impl Epoch {
    /// An epoch that never was.
    pub fn begin() -> Self {
        Self(Uuid::now_v7())
    }
}

/// Stands for a key: enough of its SHA-256 to tell keys of one keyspace apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyHash([u8; 16]);

impl KeyHash {
    /// The hash of a key's text.
    pub fn of(key: &str) -> Self {
        let digest = ContentHash::of_bytes(key.as_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest.as_bytes()[..16]);
        Self(half)
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from(*self))
    }
}

impl From<KeyHash> for String {
    fn from(hash: KeyHash) -> Self {
        format!("{:032x}", u128::from_be_bytes(hash.0))
    }
}

/// The text is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key hash has 32 hexadecimal digits")]
pub struct InvalidKeyHash;

impl TryFrom<String> for KeyHash {
    type Error = InvalidKeyHash;

    fn try_from(text: String) -> Result<Self, InvalidKeyHash> {
        let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| plain).ok_or(InvalidKeyHash)?;
        Ok(Self(number.to_be_bytes()))
    }
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hint {
    /// The name of the keyspace.
    pub keyspace: Cow<'static, str>,
    /// The key in it.
    pub key: KeyHash,
    /// Nothing older is acceptable.
    pub version: Version,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// Something changed. Takes a number of its own.
    Hint(Hint),
    /// The publisher lives; repeats the number of its last hint.
    #[serde(rename_all = "camelCase")]
    Beat {
        /// When it was said, in milliseconds since the publisher began; nobody else's clock can be compared with it.
        at_ms: u64,
    },
    /// The publisher ends in order; repeats the number of its last hint.
    Leave,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Who says it.
    pub publisher: PublisherId,
    /// In which count.
    pub epoch: Epoch,
    /// The number of the publisher's last hint, counting this one.
    pub seq: u64,
    /// What it says.
    pub word: Word,
}

impl Message {
    /// As it is sent.
    pub fn to_bytes(&self) -> Bytes {
        // Numbers, strings and one enum: JSON can say all of it.
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }

    /// As it was sent, if it can be read.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= LONGEST_BYTES).then(|| serde_json::from_slice(bytes).ok()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(word: Word) -> Message {
        Message { publisher: PublisherId::unique(), epoch: Epoch::begin(), seq: 7, word }
    }

    #[test]
    fn what_is_said_is_heard_and_names_no_tenant() {
        let hint =
            Hint { keyspace: "a".into(), key: KeyHash::of("catalog-index:acme:x"), version: Version::new(u64::MAX) };
        for word in [Word::Hint(hint), Word::Beat { at_ms: 3 }, Word::Leave] {
            let said = message(word);
            let bytes = said.to_bytes();
            assert_eq!(Message::parse(&bytes), Some(said));
            assert!(!String::from_utf8_lossy(&bytes).contains("acme"));
        }
    }

    #[test]
    fn a_later_program_may_say_more() {
        let text = String::from_utf8(message(Word::Leave).to_bytes().to_vec()).unwrap();
        let more = text.replacen('{', r#"{"later":1,"#, 1);
        assert!(Message::parse(more.as_bytes()).is_some());
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Message::parse(&bytes), None);
        }

        #[test]
        fn distinct_keys_have_distinct_hashes(one in "[a-z:]{0,9}", other in "[a-z:]{0,9}") {
            prop_assert_eq!(KeyHash::of(&one) == KeyHash::of(&other), one == other);
            prop_assert_eq!(KeyHash::try_from(String::from(KeyHash::of(&one))), Ok(KeyHash::of(&one)));
        }
    }
}

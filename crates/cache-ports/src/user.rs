//! Users as caches know them.

use kernel::{ContentHash, TenantId};

/// A user in a key: a hash, so that no name and no address gets into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserKey(ContentHash);

impl UserKey {
    /// Of the subject of a token.
    pub fn of(tenant: &TenantId, subject: &str) -> Self {
        // A tenant is a DNS label, so the line break cannot be in it.
        Self(ContentHash::of_bytes(format!("{tenant}\n{subject}").as_bytes()))
    }

    /// The hash.
    pub const fn hash(&self) -> ContentHash {
        self.0
    }
}

/// Of a user known by the hash alone, as from a key.
impl From<ContentHash> for UserKey {
    fn from(hash: ContentHash) -> Self {
        Self(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_another_user_in_another_tenant() {
        let tenant = |name: &str| name.parse::<TenantId>().unwrap();
        assert_eq!(UserKey::of(&tenant("a"), "sam"), UserKey::of(&tenant("a"), "sam"));
        assert_ne!(UserKey::of(&tenant("a"), "sam"), UserKey::of(&tenant("b"), "sam"));
        assert_ne!(UserKey::of(&tenant("a"), "sam"), UserKey::of(&tenant("a"), "kim"));
    }
}

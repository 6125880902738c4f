//! Pages by keyset: a cursor is the last row's sort key, signed, so that nobody can ask for a place of his own making.
//!
//! A cursor is bound to its tenant, its list and that list's filters; used anywhere else it is refused.

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use kernel::TenantId;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use crate::{Limit, Problem};

/// Bytes of the signature kept: 128 bits.
const TAG_BYTES: usize = 16;

/// Longest cursor looked at.
const MAX_CURSOR_BYTES: usize = 1_024;

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent after the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page from `limit + 1` rows: the extra row only shows that there is more. `cursor` makes a cursor of the last item.
    pub fn from_rows(mut rows: Vec<T>, limit: Limit, cursor: impl FnOnce(&T) -> String) -> Self {
        let size = limit.get() as usize;
        let more = rows.len() > size;
        rows.truncate(size);
        let next_cursor = rows.last().filter(|_| more).map(cursor);
        Self { items: rows, next_cursor }
    }

    /// The same page of other items.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next_cursor: self.next_cursor }
    }
}

/// How list positions are signed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorConfig {
    /// The same in all replicas. Empty: a new one a process, so that a cursor lives as long as its process.
    pub secret: SecretString,
}

/// Signs and opens cursors. All replicas of a service share the key.
#[derive(Clone)]
pub struct CursorSigner(hmac::Key);

impl CursorSigner {
    /// A signer with a secret.
    pub fn new(secret: &SecretString) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes()))
    }

    /// A signer as configured.
    pub fn from_config(config: &CursorConfig) -> Result<Self, aws_lc_rs::error::Unspecified> {
        if !config.secret.expose_secret().is_empty() {
            return Ok(Self::new(&config.secret));
        }
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut secret)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
    }

    /// A cursor that stands for `position` in the list `list` of `tenant`. `list` also names the filters in force.
    pub fn seal<P: Serialize>(&self, tenant: &TenantId, list: &str, position: &P) -> Result<String, Problem> {
        let mut bytes = serde_json::to_vec(position).map_err(Problem::internal)?;
        let tag = self.tag(tenant, list, &bytes);
        bytes.extend_from_slice(&tag);
        Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The position a cursor stands for; 400 for anything that was not made by [`CursorSigner::seal`] for this very list.
    pub fn open<P: DeserializeOwned>(&self, tenant: &TenantId, list: &str, cursor: &str) -> Result<P, Problem> {
        self.try_open(tenant, list, cursor).ok_or_else(|| {
            Problem::new(StatusCode::BAD_REQUEST, "invalid-cursor", "The cursor does not belong to this list")
        })
    }

    fn try_open<P: DeserializeOwned>(&self, tenant: &TenantId, list: &str, cursor: &str) -> Option<P> {
        if cursor.len() > MAX_CURSOR_BYTES {
            return None;
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (position, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.tag(tenant, list, position), tag).ok()?;
        serde_json::from_slice(position).ok()
    }

    /// Each part is preceded by its length: no two different inputs look alike.
    fn tag(&self, tenant: &TenantId, list: &str, position: &[u8]) -> [u8; TAG_BYTES] {
        let mut signing = hmac::Context::with_key(&self.0);
        for part in [tenant.as_str().as_bytes(), list.as_bytes(), position] {
            signing.update(&(part.len() as u64).to_be_bytes());
            signing.update(part);
        }
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&signing.sign().as_ref()[..TAG_BYTES]);
        tag
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn signer() -> CursorSigner {
        CursorSigner::new(&SecretString::from("a secret for tests"))
    }

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    #[test]
    fn a_cursor_opens_where_it_was_made_and_nowhere_else() {
        let cursor = signer().seal(&tenant("acme"), "quotes?state=open", &(7, "x")).unwrap();
        let open = |tenant: &TenantId, list| signer().open::<(u32, String)>(tenant, list, &cursor);
        assert_eq!(open(&tenant("acme"), "quotes?state=open").unwrap(), (7, "x".to_owned()));
        assert!(open(&tenant("other"), "quotes?state=open").is_err());
        assert!(open(&tenant("acme"), "quotes?state=won").is_err());
        let other_key = CursorSigner::new(&SecretString::from("another secret"));
        assert!(other_key.open::<(u32, String)>(&tenant("acme"), "quotes?state=open", &cursor).is_err());
    }

    #[test]
    fn the_extra_row_only_shows_that_there_is_more() {
        let page = Page::from_rows((1..=21).collect(), Limit::default(), ToString::to_string);
        assert_eq!((page.items.len(), page.next_cursor.as_deref()), (20, Some("20")));
        let last = Page::from_rows((1..=20).collect(), Limit::default(), ToString::to_string);
        assert_eq!((last.items.len(), last.next_cursor), (20, None));
    }

    proptest! {
        #[test]
        fn no_invented_text_is_a_cursor(text in "\\PC{0,80}") {
            prop_assert!(signer().open::<serde_json::Value>(&tenant("acme"), "quotes", &text).is_err());
        }

        #[test]
        fn one_changed_byte_is_noticed(at in 0usize..40, flip in 1u8..) {
            let cursor = signer().seal(&tenant("acme"), "quotes", &"0190a5b2-aaaa-7bbb-8ccc-000000000000").unwrap();
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(&cursor).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let forged = BASE64_URL_SAFE_NO_PAD.encode(bytes);
            prop_assert!(signer().open::<String>(&tenant("acme"), "quotes", &forged).is_err());
        }
    }
}

//! What a callback must look like before anybody looks up where it is.

use std::net::IpAddr;

use reqwest::Url;

/// What is wrong with a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackFault {
    /// It is no absolute URL with a host.
    #[error("must be an absolute URL with a host")]
    NoUrl,
    /// The scheme is not https.
    #[error("must begin with https://")]
    Scheme,
    /// It carries a user or a password.
    #[error("must not carry a user or a password")]
    UserInfo,
    /// It has a fragment, which is never sent.
    #[error("must not have a fragment")]
    Fragment,
    /// The host has no public address.
    #[error("must be at a public address")]
    Address,
    /// The host has no address at all.
    #[error("must be at a host that can be found")]
    Unknown,
}

impl CallbackFault {
    /// The stable code of the fault.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoUrl => "invalid-url",
            Self::Scheme => "scheme-not-allowed",
            Self::UserInfo => "user-info-not-allowed",
            Self::Fragment => "fragment-not-allowed",
            Self::Address => "address-not-allowed",
            Self::Unknown => "host-not-found",
        }
    }
}

/// Reads a callback. Plain http only where it is allowed.
pub fn parse(text: &str, allow_http: bool) -> Result<Url, CallbackFault> {
    let url = Url::parse(text).map_err(|_| CallbackFault::NoUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if allow_http => {}
        _ => return Err(CallbackFault::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(CallbackFault::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(CallbackFault::Fragment);
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(CallbackFault::NoUrl);
    }
    Ok(url)
}

/// The address a URL spells out instead of a name. Every spelling of one (`0x7f.1`, `2130706433`) was made plain when the
/// URL was parsed.
pub fn spelled_out(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_https_without_a_user() {
        assert!(parse("https://example.com:8443/hook?key=1", false).is_ok());
        for (text, fault) in [
            ("", CallbackFault::NoUrl),
            ("example.com/hook", CallbackFault::NoUrl),
            ("/hook", CallbackFault::NoUrl),
            ("https://", CallbackFault::NoUrl),
            ("http://example.com", CallbackFault::Scheme),
            ("ftp://example.com", CallbackFault::Scheme),
            ("file:///etc/passwd", CallbackFault::Scheme),
            ("https://user@example.com", CallbackFault::UserInfo),
            ("https://:secret@example.com", CallbackFault::UserInfo),
            ("https://example.com/#here", CallbackFault::Fragment),
        ] {
            assert_eq!(parse(text, false), Err(fault), "{text}");
        }
        assert!(parse("http://example.com", true).is_ok());
        assert_eq!(parse("gopher://example.com", true), Err(CallbackFault::Scheme));
    }

    #[test]
    fn every_spelling_of_an_address_is_seen() {
        let spelled = |text: &str| spelled_out(&parse(text, true).unwrap()).map(|address| address.to_string());
        for text in ["http://127.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://0177.0.0.1/"] {
            assert_eq!(spelled(text).as_deref(), Some("127.0.0.1"), "{text}");
        }
        assert_eq!(spelled("http://[::ffff:7f00:1]/").as_deref(), Some("::ffff:127.0.0.1"));
        assert_eq!(spelled("http://localhost/"), None);
    }
}

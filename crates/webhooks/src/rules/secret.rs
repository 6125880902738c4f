//! The secret of a subscription and what it signs, by the Standard Webhooks specification
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use aws_lc_rs::{error::Unspecified, hmac, rand};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretSlice, SecretString};

/// Bytes of a secret: as many as the hash that uses it has.
pub const SECRET_BYTES: usize = 32;

/// What a written secret begins with.
const PREFIX: &str = "whsec_";

/// A secret that is shared with one receiver. Its bytes are in no log and no `Debug`.
#[derive(Debug, Clone)]
pub struct Secret(SecretSlice<u8>);

impl Secret {
    /// A new one, from the system's randomness.
    pub fn generate() -> Result<Self, Unspecified> {
        let mut bytes = vec![0; SECRET_BYTES];
        rand::fill(&mut bytes)?;
        Ok(Self(bytes.into()))
    }

    /// As it is stored.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    /// To be stored.
    pub fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    /// As it is shown, once: `whsec_` and base64.
    pub fn written(&self) -> SecretString {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(self.bytes())).into()
    }

    /// The signature of one message: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.bytes());
        let mut signing = hmac::Context::with_key(&key);
        signing.update(format!("{id}.{timestamp}.").as_bytes());
        signing.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(signing.sign()))
    }
}

/// The header of a message signed with every secret in force; the newest first.
pub fn signatures(secrets: &[Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signed: Vec<String> = secrets.iter().map(|secret| secret.sign(id, timestamp, body)).collect();
    signed.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification() {
        // The example of the reference libraries of Standard Webhooks.
        let secret = Secret::from_bytes(BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap());
        let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_sign_side_by_side() {
        let (new, old) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        let both = signatures(&[new.clone(), old.clone()], "id", 1, b"{}");
        assert_eq!(both, format!("{} {}", new.sign("id", 1, b"{}"), old.sign("id", 1, b"{}")));
        assert_ne!(new.sign("id", 1, b"{}"), old.sign("id", 1, b"{}"));
    }

    #[test]
    fn a_secret_is_long_new_and_not_shown_by_accident() {
        let secret = Secret::generate().unwrap();
        let written = secret.written();
        let text = written.expose_secret();
        assert_eq!(BASE64_STANDARD.decode(text.strip_prefix("whsec_").unwrap()).unwrap(), secret.bytes());
        assert_eq!(secret.bytes().len(), SECRET_BYTES);
        assert_ne!(Secret::generate().unwrap().bytes(), secret.bytes());
        assert!(!format!("{secret:?} {written:?}").contains(&text[6..]));
    }
}

//! Identity providers sign with elliptic curves or RSA: both are believed, each key for its own algorithm only.

use std::sync::Arc;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use kernel::{Clock, SystemClock};
use serde_json::{Value, json};
use service_runtime::auth::{TokenRejected, TokenVerifier, TrustedIssuer};

const ISSUER: &str = "https://id.example";

fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn token(alg: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let claims = json!({"iss": ISSUER, "aud": ["other", "quoin"], "sub": "keeper", "tenant": "acme",
                        "exp": SystemClock.now().timestamp() + 60});
    let header = json!({"alg": alg, "kid": "k"});
    let message = format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
    format!("{message}.{}", text(&sign(message.as_bytes())))
}

fn verifier(jwk: &Value) -> TokenVerifier {
    let jwks = serde_json::from_value(json!({"keys": [jwk]})).unwrap();
    TokenVerifier::new(&[TrustedIssuer { name: ISSUER.to_owned(), jwks }], Arc::new(SystemClock)).unwrap()
}

#[test]
fn es256_is_believed_for_an_elliptic_key_only() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let verifier =
        verifier(&json!({"kty": "EC", "crv": "P-256", "kid": "k", "x": text(&point[1..33]), "y": text(&point[33..])}));
    let sign = |message: &[u8]| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec();
    assert_eq!(verifier.verify(&token("ES256", sign)).unwrap().tenant.as_str(), "acme");
    assert_eq!(verifier.verify(&token("RS256", sign)).unwrap_err(), TokenRejected::UnknownKey);
    assert_eq!(verifier.verify(&token("ES256", |_| vec![0; 64])).unwrap_err(), TokenRejected::Invalid);
}

#[test]
fn rs256_is_believed_for_an_rsa_key_only() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = pair.public_key();
    let (n, e) = (public.modulus(), public.exponent());
    let verifier = verifier(&json!({"kty": "RSA", "kid": "k", "use": "sig",
        "n": text(n.big_endian_without_leading_zero()), "e": text(e.big_endian_without_leading_zero())}));
    let sign = |message: &[u8]| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    assert_eq!(verifier.verify(&token("RS256", sign)).unwrap().tenant.as_str(), "acme");
    // Other uses of the same key are not what it was published for.
    for alg in ["RS512", "PS256", "HS256"] {
        assert_eq!(verifier.verify(&token(alg, sign)).unwrap_err(), TokenRejected::UnknownKey, "{alg}");
    }
}

#[test]
fn symmetric_and_encryption_keys_are_never_trusted() {
    let shared = verifier(&json!({"kty": "oct", "kid": "k", "k": text(b"a shared secret"), "alg": "HS256"}));
    assert!(shared.has_no_keys());
    let point = [7; 32];
    let for_encryption =
        verifier(&json!({"kty": "OKP", "crv": "Ed25519", "kid": "k", "x": text(&point), "use": "enc"}));
    assert!(for_encryption.has_no_keys());
}

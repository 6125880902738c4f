//! Every token that was not made by the trusted issuer, for us, for now, is answered 401.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{Router, routing::get};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use kernel::{Clock, SystemClock};
use serde_json::{Value, json};
use service_runtime::{
    Caller, ServiceState,
    auth::{TokenVerifier, TrustedIssuer},
    testing::{TestIdentity, TestService},
};

use crate::counters::without_cache;

const ISSUER: &str = "https://id.example";
const KID: &str = "key-1";

struct Signer {
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

impl Signer {
    fn new() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        Self { pkcs8: pair.to_pkcs8().unwrap().as_ref().to_vec(), public: pair.public_key().as_ref().to_vec() }
    }

    fn jwk(&self) -> Value {
        let x = BASE64_URL_SAFE_NO_PAD.encode(&self.public);
        json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": KID, "x": x})
    }

    /// Signs any header and any claims: what a forger with a stolen key could do is part of the corpus.
    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let pair = Ed25519KeyPair::from_pkcs8(&self.pkcs8).unwrap();
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes()).as_ref()))
    }
}

fn now() -> i64 {
    SystemClock.now().timestamp()
}

fn good_header() -> Value {
    json!({"typ": "JWT", "alg": "EdDSA", "kid": KID})
}

fn good_claims() -> Value {
    json!({"iss": ISSUER, "aud": "quoin", "sub": "keeper", "tenant": "acme", "roles": ["salesRep"],
           "exp": now() + 600, "iat": now(), "jti": "1"})
}

/// `base` with members replaced; `null` removes.
fn with(mut base: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            base.as_object_mut().unwrap().remove(name);
        } else {
            base[name] = value.clone();
        }
    }
    base
}

async fn service(signer: &Signer) -> TestService {
    let jwks = serde_json::from_value(json!({"keys": [signer.jwk()]})).unwrap();
    let trusted = TrustedIssuer { name: ISSUER.to_owned(), jwks };
    let verifier = TokenVerifier::new(&[trusted], Arc::new(SystemClock)).unwrap();
    let identity = TestIdentity::new();
    let pool = sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").unwrap();
    let mut parts = identity.service_parts("catalog", pool, without_cache());
    parts.verifier = Arc::new(verifier);
    let whoami = get(|caller: Caller| async move { format!("{} {}", caller.tenant, caller.subject) });
    TestService::start(Router::new().route("/me", whoami).with_state(ServiceState::new(parts)), &identity).await
}

fn corpus(signer: &Signer) -> Vec<(&'static str, String)> {
    let sealed = |header: Value, claims: Value| signer.sign(&header, &claims);
    let headed = |changes: Value| sealed(with(good_header(), changes), good_claims());
    let claimed = |changes: Value| sealed(good_header(), with(good_claims(), changes));
    let stranger = Signer::new();
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let good = sealed(good_header(), good_claims());
    let mut pieces = good.split('.');
    let (head, body, signature) = (pieces.next().unwrap(), pieces.next().unwrap(), pieces.next().unwrap());
    let admin = part(with(good_claims(), json!({"roles": ["tenantAdmin"]})));
    let mut cases = vec![
        ("alg none", format!("{}.{body}.", part(json!({"typ": "JWT", "alg": "none", "kid": KID})))),
        ("alg None", format!("{}.{body}.{signature}", part(json!({"typ": "JWT", "alg": "None", "kid": KID})))),
        ("HS256 keyed with the public key", hs256(&signer.public)),
        ("HS256 keyed with the JWK's text", hs256(signer.jwk()["x"].as_str().unwrap().as_bytes())),
        ("an algorithm of another family", headed(json!({"alg": "RS256"}))),
        ("another key under our key id", stranger.sign(&good_header(), &good_claims())),
        ("an unknown key id", headed(json!({"kid": "key-2"}))),
        ("no key id", headed(json!({"kid": null}))),
        ("a key id that is a path", headed(json!({"kid": "../../dev/null"}))),
        ("its own key in the header", own_key(&stranger)),
        ("a key behind a URL", headed(json!({"jku": "https://evil.example/jwks"}))),
        ("a certificate behind a URL", headed(json!({"x5u": "https://evil.example/cert"}))),
        ("a certificate", headed(json!({"x5c": ["AAAA"]}))),
        ("a critical extension", headed(json!({"crit": ["exp"]}))),
        ("compressed", headed(json!({"zip": "DEF"}))),
        ("nested", headed(json!({"cty": "JWT"}))),
        ("another type", headed(json!({"typ": "dpop+jwt"}))),
        ("changed claims", format!("{head}.{admin}.{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("half a signature", format!("{head}.{body}.{}", &signature[..40])),
        ("two parts", format!("{head}.{body}")),
        ("four parts", format!("{good}.x")),
        ("padding", format!("{good}=")),
        ("no text at all", String::new()),
        ("no token", "x".to_owned()),
        ("far too long", sealed(good_header(), with(good_claims(), json!({"x": "y".repeat(5_000)})))),
    ];
    let claims = [
        ("another issuer", json!({"iss": "https://evil.example"})),
        ("no issuer", json!({"iss": null})),
        ("another audience", json!({"aud": "other"})),
        ("no audience", json!({"aud": null})),
        ("no subject", json!({"sub": null})),
        ("an empty subject", json!({"sub": ""})),
        ("expired", json!({"exp": now() - 31})),
        ("no expiry", json!({"exp": null})),
        ("an expiry that is no number", json!({"exp": "never"})),
        ("not valid yet", json!({"nbf": now() + 120})),
        ("issued in the future", json!({"iat": now() + 120})),
        ("no tenant", json!({"tenant": null})),
        ("an empty tenant", json!({"tenant": ""})),
        ("a tenant that is SQL", json!({"tenant": "a'; drop table x; --"})),
        ("two tenants", json!({"tenant": ["acme", "other"]})),
        ("roles that are no list", json!({"roles": "salesRep"})),
    ];
    cases.extend(claims.map(|(name, changes)| (name, claimed(changes))));
    cases
}

fn hs256(secret: &[u8]) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some(KID.to_owned());
    encode(&header, &good_claims(), &EncodingKey::from_secret(secret)).unwrap()
}

fn own_key(stranger: &Signer) -> String {
    stranger.sign(&with(good_header(), json!({"jwk": stranger.jwk()})), &good_claims())
}

#[tokio::test]
async fn a_true_token_is_believed_and_every_forged_one_is_401() {
    let signer = Signer::new();
    let service = service(&signer).await;
    let good = signer.sign(&good_header(), &good_claims());
    let call = |token: String| {
        let client = service.client_with_token(Some(token));
        async move { client.get("/me").send().await }
    };
    assert_eq!(call(good.clone()).await.expect(200).text(), "acme keeper");
    for (name, token) in corpus(&signer) {
        let reply = call(token).await;
        assert_eq!(reply.status, 401, "{name}: {}", reply.text());
        assert!(reply.header("www-authenticate").starts_with("Bearer"), "{name}");
    }
    // The true one still works: nothing a forger sends spoils it.
    assert_eq!(call(good).await.status, 200);
}

#[tokio::test]
async fn a_token_anywhere_but_in_one_bearer_header_is_401() {
    let signer = Signer::new();
    let service = service(&signer).await;
    let good = signer.sign(&good_header(), &good_claims());
    let anonymous = service.client_with_token(None);
    let bearer = format!("Bearer {good}");
    let twice = anonymous.get("/me").header("authorization", &bearer).header("authorization", &bearer).send().await;
    twice.expect_problem(401, "invalid-token");
    anonymous.get("/me").send().await.expect_problem(401, "missing-token");
    anonymous
        .get("/me")
        .header("authorization", &format!("Basic {good}"))
        .send()
        .await
        .expect_problem(401, "missing-token");
    anonymous.get(&format!("/me?access_token={good}")).send().await.expect_problem(401, "missing-token");
    anonymous.get("/me").header("cookie", &format!("token={good}")).send().await.expect_problem(401, "missing-token");
    let _ = anonymous.get("/me").header("authorization", &format!("bearer {good}")).send().await.expect(200);
}

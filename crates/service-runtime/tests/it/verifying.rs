//! The verifier's memory: quick for the next request, never longer than the token or its key.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use kernel::ManualClock;
use service_runtime::{
    Role,
    auth::{DevIssuer, JwksSource, KeyRefresher, TokenRejected, TokenVerifier, TrustedIssuer, jwks_router},
    testing::{TestIdentity, TestService},
};

use crate::counters::tenant;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::starting_at(DateTime::from_timestamp(1_800_000_000, 0).unwrap()))
}

#[test]
fn a_known_token_is_not_checked_again_but_expires_on_time() {
    let clock = clock();
    let identity = TestIdentity::with_clock(clock.clone());
    let token = identity.token(&tenant("acme"), "keeper", &[Role::Buyer]);
    let first = identity.verifier.verify(token.expose()).unwrap();
    let again = identity.verifier.verify(token.expose()).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    // Thirty minutes and the thirty seconds by which clocks may differ.
    clock.advance(TimeDelta::seconds(30 * 60 + 29));
    assert!(identity.verifier.verify(token.expose()).is_ok());
    clock.advance(TimeDelta::seconds(1));
    assert_eq!(identity.verifier.verify(token.expose()).unwrap_err(), TokenRejected::Expired);
}

#[test]
fn a_withdrawn_key_takes_its_known_tokens_along() {
    let identity = TestIdentity::new();
    let token = identity.token(&tenant("acme"), "keeper", &[]);
    assert!(identity.verifier.verify(token.expose()).is_ok());
    let other = DevIssuer::generate(identity.issuer.name(), identity.clock.clone()).unwrap();
    let trusted = TrustedIssuer { name: other.name().to_owned(), jwks: other.jwks().clone() };
    identity.verifier.replace_keys(&[trusted]).unwrap();
    assert_eq!(identity.verifier.verify(token.expose()).unwrap_err(), TokenRejected::UnknownKey);
    let fresh = other.issue(&tenant("acme"), "keeper", Role::Buyer.into(), TimeDelta::minutes(1)).unwrap();
    assert!(identity.verifier.verify(fresh.expose()).is_ok());
}

#[test]
fn one_issuer_cannot_speak_in_anothers_name() {
    let clock: Arc<ManualClock> = clock();
    let mine = DevIssuer::generate("https://one.example", clock.clone()).unwrap();
    // The same name, another key: what a second, less trusted issuer could sign.
    let posing = DevIssuer::generate("https://one.example", clock.clone()).unwrap();
    let trusted = [
        TrustedIssuer { name: "https://one.example".to_owned(), jwks: mine.jwks().clone() },
        TrustedIssuer { name: "https://two.example".to_owned(), jwks: posing.jwks().clone() },
    ];
    let verifier = TokenVerifier::new(&trusted, clock).unwrap();
    let forged = posing.issue(&tenant("acme"), "keeper", Role::Buyer.into(), TimeDelta::minutes(1)).unwrap();
    assert_eq!(verifier.verify(forged.expose()).unwrap_err(), TokenRejected::Invalid);
    let honest = mine.issue(&tenant("acme"), "keeper", Role::Buyer.into(), TimeDelta::minutes(1)).unwrap();
    assert!(verifier.verify(honest.expose()).is_ok());
}

#[tokio::test]
async fn keys_behind_a_url_are_read_and_a_flood_is_not() {
    let clock = clock();
    let issuer = DevIssuer::generate("https://id.example", clock.clone()).unwrap();
    let flood = axum::Router::new().route("/flood", axum::routing::get(|| async { "[".repeat(300_000) }));
    let provider = TestService::start(jwks_router(&issuer).merge(flood), &TestIdentity::new()).await;
    let verifier = Arc::new(TokenVerifier::new(&[], clock.clone()).unwrap());
    let from = |path: &str| {
        let source = JwksSource::Url(format!("{}{path}", provider.base_url()));
        KeyRefresher::new(vec![(issuer.name().to_owned(), source)], Arc::clone(&verifier), reqwest::Client::new())
    };
    from("/flood").refresh().await;
    assert!(verifier.has_no_keys());
    from("/.well-known/jwks.json").refresh().await;
    let token = issuer.issue(&tenant("acme"), "keeper", Role::Buyer.into(), TimeDelta::minutes(1)).unwrap();
    assert!(verifier.verify(token.expose()).is_ok());
}

#[tokio::test]
async fn keys_in_a_file_are_rotated_and_an_unreadable_file_keeps_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let clock = clock();
    let write = |issuer: &DevIssuer| std::fs::write(&file, serde_json::to_vec(issuer.jwks()).unwrap()).unwrap();
    let old = DevIssuer::generate("https://id.example", clock.clone()).unwrap();
    write(&old);
    let verifier = Arc::new(TokenVerifier::new(&[], clock.clone()).unwrap());
    let source = ("https://id.example".to_owned(), JwksSource::File(file.clone()));
    let refresher = KeyRefresher::new(vec![source], Arc::clone(&verifier), reqwest::Client::new());
    refresher.refresh().await;
    let token =
        |issuer: &DevIssuer| issuer.issue(&tenant("acme"), "a", Role::Buyer.into(), TimeDelta::hours(1)).unwrap();
    assert!(verifier.verify(token(&old).expose()).is_ok());

    std::fs::write(&file, "not JSON").unwrap();
    refresher.refresh().await;
    assert!(verifier.verify(token(&old).expose()).is_ok());

    let new = DevIssuer::generate("https://id.example", clock.clone()).unwrap();
    write(&new);
    assert!(refresher.refresh_for_unknown_key().await);
    assert!(verifier.verify(token(&new).expose()).is_ok());
    assert!(verifier.verify(token(&old).expose()).is_err());
    // Strangers cannot make us look again and again.
    assert!(!refresher.refresh_for_unknown_key().await);
}

#[test]
fn the_issuers_key_file_is_shared_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys/issuer.p8");
    let clock = clock();
    // Several processes start at once on an empty folder.
    let open = || DevIssuer::from_file("https://id.example", &file, clock.clone()).unwrap().jwks().clone();
    let keys: Vec<_> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        starting.into_iter().map(|process| process.join().unwrap()).collect()
    });
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

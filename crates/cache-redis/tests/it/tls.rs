//! TLS: a server is believed when an authority we named has signed for its name, and never otherwise. The server's side of TLS
//! stands in front of the Redis of the other tests, so that no special server is needed.

use std::{path::PathBuf, sync::Arc};

use cache_engine::{
    ByteStore, Place, StoreError,
    contract::until,
    store::{LeaseToken, Workload},
};
use cache_redis::{RedisConfig, RedisStore};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use cache_redis::contract::config;

/// An authority, and the folder its certificate lies in.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(parameters, key).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("the authority's certificate");
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// The server's side of TLS as `name`.
    fn sign(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let parameters = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a certificate");
        let chain = vec![CertificateDer::from(certificate)];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key in PKCS #8");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a server");
        TlsAcceptor::from(Arc::new(server))
    }
}

/// Ends TLS in front of the Redis at `url`, for as long as the test runs; returns the port.
async fn in_front_of(url: &str, acceptor: TlsAcceptor) -> u16 {
    let behind = url.rsplit('/').next().expect("host and port").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                if let (Ok(mut front), Ok(mut back)) =
                    (acceptor.accept(connection).await, TcpStream::connect(behind).await)
                {
                    // Either side may hang up whenever it likes.
                    let _ = copy_bidirectional(&mut front, &mut back).await;
                }
            });
        }
    });
    port
}

fn over_tls(port: u16, redis: &str, authority: &Authority) -> RedisStore {
    let url = format!("rediss://localhost:{port}");
    let config = RedisConfig { url, ca_file: Some(authority.file()), ..config(redis) };
    RedisStore::connect(&config).expect("a usable configuration")
}

const KEY: Place<'static> = Place { workload: Workload::Lock, key: "lock:t1:quote:q1:preview:p1" };

#[tokio::test]
async fn a_server_signed_for_by_our_authority_is_believed() {
    let redis = dev_stack::test::redis().await.expect("a Redis");
    let authority = Authority::new();
    let port = in_front_of(redis, authority.sign("localhost")).await;
    let store = over_tls(port, redis, &authority);
    until("all pools connected over TLS", async || store.state().iter().all(|pool| pool.connected)).await;
    let acquired = store.acquire(KEY, LeaseToken::unique(), std::time::Duration::from_secs(1)).await;
    assert_eq!(acquired, Ok(true));
}

#[tokio::test]
async fn a_stranger_and_a_wrong_name_are_not_believed() {
    let redis = dev_stack::test::redis().await.expect("a Redis");
    let (ours, theirs) = (Authority::new(), Authority::new());
    let stranger = in_front_of(redis, theirs.sign("localhost")).await;
    let misnamed = in_front_of(redis, ours.sign("elsewhere.example")).await;
    for port in [stranger, misnamed] {
        let store = over_tls(port, redis, &ours);
        for _ in 0..20 {
            let refused = store.acquire(KEY, LeaseToken::unique(), std::time::Duration::from_secs(1)).await;
            assert!(matches!(refused, Err(StoreError::Unavailable | StoreError::BreakerOpen)), "{refused:?}");
        }
        assert!(store.state().iter().all(|pool| !pool.connected));
    }
}

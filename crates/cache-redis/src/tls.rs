//! TLS towards servers whose certificates an authority of one's own has signed.
//!
//! Owns which authorities are believed. Must never switch the check of a certificate or its name off.

use std::{path::Path, sync::Arc};

use fred::types::config::{TlsConfig, TlsConnector};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::config::InvalidRedisConfig;

/// Believes servers whose certificates the authorities in `file` (PEM) have signed, and no others.
pub(crate) fn believing(file: &Path) -> Result<TlsConfig, InvalidRedisConfig> {
    let unusable = |reason: String| InvalidRedisConfig::Authorities { file: file.to_owned(), reason };
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))? {
        let certificate = certificate.map_err(|error| unusable(error.to_string()))?;
        authorities.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if authorities.is_empty() {
        return Err(unusable("there is none in it".to_owned()));
    }
    // Named, because a process in which several libraries bring a provider each has no default one.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = versions.map_err(|error| unusable(error.to_string()))?;
    let client = client.with_root_certificates(authorities).with_no_client_auth();
    Ok(TlsConnector::from(client).into())
}

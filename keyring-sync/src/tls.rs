//! Whom we believe when we connect to somebody.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where the system keeps the authorities that it trusts.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// PEM of the authorities in `file`, or of the system's. A system without any is one that nobody over TLS is believed
/// by; a file that was named must be there.
pub fn roots(file: Option<&Path>) -> Result<Vec<u8>, (PathBuf, std::io::Error)> {
    match file {
        Some(file) => std::fs::read(file).map_err(|error| (file.to_owned(), error)),
        None => Ok(std::fs::read(SYSTEM_ROOTS).unwrap_or_default()),
    }
}

/// Believes servers that one of these authorities vouches for, and nobody else.
pub fn client(roots: &[u8]) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    let certificates: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(roots).collect();
    let certificates = certificates.map_err(|error| format!("the authorities are no PEM: {error:?}"))?;
    // Systems keep authorities of kinds that are believed no more: without them fewer servers are believed.
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        return Err("there is no authority that could vouch for the server".to_owned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(config.map_err(|error| error.to_string())?.with_root_certificates(store).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_authority_nobody_is_believed() {
        let none = "there is no authority that could vouch for the server";
        for roots in ["", "no PEM\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert_eq!(client(roots.as_bytes()).unwrap_err(), none, "{roots}");
        }
        assert!(client(b"-----BEGIN CERTIFICATE-----\n!\n").is_err());
        let (file, _) = roots(Some(Path::new("missing.pem"))).unwrap_err();
        assert_eq!(file, Path::new("missing.pem"));
    }
}

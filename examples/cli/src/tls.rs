//! TLS: whom to trust, and what went wrong in words.

use std::path::Path;
use std::sync::Arc;

use mailkeep::sasl::ChannelBinding;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Connection, ProtocolVersion,
    RootCertStore, ServerConfig,
};
use rustls_platform_verifier::BuilderVerifierExt;

use crate::exit::Failure;

/// A TLS session that has yet to shake hands. With `ca`, its authorities are trusted and no others.
pub(crate) fn session(host: &str, ca: Option<&Path>) -> Result<ClientConnection, Failure> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Failure::usage(format!("{host} is no name that a certificate can have")))?;
    let failed = |error: rustls::Error| Failure::network(format!("TLS cannot be used here: {error}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = match ca {
        Some(file) => builder.with_root_certificates(roots(file)?),
        None => builder.with_platform_verifier().map_err(failed)?,
    };
    ClientConnection::new(Arc::new(builder.with_no_client_auth()), name).map_err(failed)
}

/// The certificates in a PEM file.
pub(crate) fn roots(file: &Path) -> Result<RootCertStore, Failure> {
    let wrong = |why: String| Failure::usage(format!("--ca {}: {why}", file.display()));
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| wrong(format!("not PEM: {error:?}")))?;
        roots.add(certificate).map_err(|error| wrong(format!("not a certificate: {error}")))?;
    }
    if roots.is_empty() { Err(wrong("there is no certificate in it".into())) } else { Ok(roots) }
}

/// What a server shows its clients: a chain of certificates and the key of the first, both PEM.
pub(crate) fn server(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, Failure> {
    let wrong =
        |file: &Path, why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", file.display()));
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(certificates, &error))?;
    if chain.is_empty() {
        return Err(wrong(certificates, &"there is no certificate in it"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, secret))
        .map(Arc::new)
        .map_err(|error| wrong(certificates, &error))
}

/// What ties a login to this session (RFC 9266), where both ends can compute it.
pub(crate) fn binding(tls: &Connection) -> Option<ChannelBinding> {
    if tls.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    let data = tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()?;
    Some(ChannelBinding { kind: "tls-exporter".into(), data: data.to_vec() })
}

/// Why a session failed, for a person.
pub(crate) fn failure(host: &str, error: &rustls::Error) -> Failure {
    use rustls::Error as E;
    Failure::network(match error {
        E::InvalidCertificate(wrong) => {
            format!("{host}'s certificate is not accepted: {}", certificate(wrong))
        }
        E::InvalidMessage(_) => {
            format!("{host} does not speak TLS on this port; is it one for STARTTLS (--security starttls)?")
        }
        E::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
        | E::PeerIncompatible(_) => format!("{host} speaks only TLS that is too old to be safe ({error})"),
        E::NoCertificatesPresented => format!("{host} shows no certificate"),
        other => format!("TLS with {host} failed: {other}"),
    })
}

fn certificate(wrong: &CertificateError) -> String {
    use CertificateError as C;
    match wrong {
        C::Expired | C::ExpiredContext { .. } => "it has expired (or this computer's clock is wrong)".into(),
        C::NotValidYet | C::NotValidYetContext { .. } => {
            "it is not valid yet (or this computer's clock is wrong)".into()
        }
        C::UnknownIssuer => "whoever issued it is not trusted here; for a private authority give its \
                             certificate with --ca"
            .into(),
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            "it belongs to another name; use the host name that the certificate has".into()
        }
        C::Revoked => "it has been revoked".into(),
        C::BadSignature => "its signature is wrong".into(),
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "it is an authority's, not a server's".into()
        }
        other => other.to_string(),
    }
}

//! TLS for MLLP, in and out, and for DICOM: rustls with the ring provider, versions 1.2 and 1.3. Who takes a connection shows a certificate; who begins one
//! does if it has one, and must where the door names who vouches for senders.
//!
//! Not here: which systems speak it: `config`, `outgoing/config.rs`. HTTP has a proxy in front.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use yiqiao_host::config::ConfigPath;

/// `tls` of a door.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DoorTls {
    /// The door's certificate and those that lead to who vouches for it, in PEM.
    certificate: ConfigPath,
    /// Its private key, in PEM.
    key: ConfigPath,
    /// Certificates of those who vouch for senders; every sender is let in if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    senders: Option<ConfigPath>,
}

/// `tls` of a system that is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutTls {
    /// Certificates of those who vouch for the system.
    authorities: ConfigPath,
    /// The name in its certificate; the host of its address if it is left out.
    #[serde(default)]
    name: Option<String>,
    /// What this node shows of itself, if it is asked: certificate and key.
    #[serde(default)]
    certificate: Option<ConfigPath>,
    #[serde(default)]
    key: Option<ConfigPath>,
}

/// What takes connections of a door.
#[derive(Clone)]
pub(crate) struct Acceptor(TlsAcceptor);

impl Acceptor {
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.0.accept(stream).await
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Acceptor")
    }
}

/// How a system is reached by TLS.
#[derive(Clone)]
pub(crate) struct Connector {
    pub(crate) tls: TlsConnector,
    pub(crate) name: ServerName<'static>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("name", &self.name).finish_non_exhaustive()
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

impl DoorTls {
    /// What takes connections.
    pub(crate) fn acceptor(&self) -> anyhow::Result<Acceptor> {
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = match &self.senders {
            None => builder.with_no_client_auth(),
            Some(senders) => {
                let roots = Arc::new(roots(senders.as_path())?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
                builder.with_client_cert_verifier(verifier.context("`tls.senders`")?)
            }
        };
        let (chain, key) = identity(self.certificate.as_path(), self.key.as_path())?;
        let config = builder.with_single_cert(chain, key).context("`tls.certificate` and `tls.key`")?;
        Ok(Acceptor(TlsAcceptor::from(Arc::new(config))))
    }
}

impl OutTls {
    /// What begins connections to a host.
    pub(crate) fn connector(&self, host: &str) -> anyhow::Result<Connector> {
        let builder =
            ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        let builder = builder.with_root_certificates(roots(self.authorities.as_path())?);
        let config = match (&self.certificate, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (certificate, key) => {
                let both = certificate.as_ref().zip(key.as_ref());
                let (certificate, key) = both.context("`tls.certificate` and `tls.key` come together")?;
                let (chain, key) = identity(certificate.as_path(), key.as_path())?;
                builder.with_client_auth_cert(chain, key).context("`tls.certificate` and `tls.key`")?
            }
        };
        let name = self.name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).context("`tls.name`")?;
        Ok(Connector { tls: TlsConnector::from(Arc::new(config)), name })
    }
}

fn roots(path: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).with_context(|| path.display().to_string())?;
    }
    Ok(roots)
}

fn identity(
    certificate: &Path,
    key: &Path,
) -> anyhow::Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let private = PrivateKeyDer::from_pem_file(key);
    Ok((certificates(certificate)?, private.with_context(|| key.display().to_string())?))
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.with_context(|| path.display().to_string())?;
    ensure!(!certificates.is_empty(), "{} has no certificate", path.display());
    Ok(certificates)
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Who vouches for certificates, in a folder with them.
    pub(crate) struct Authority {
        folder: TempDir,
        certificate: Certificate,
        key: KeyPair,
    }

    impl Authority {
        pub(crate) fn new() -> Self {
            let mut of = CertificateParams::new(Vec::new()).unwrap();
            of.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let (folder, key) = (tempfile::tempdir().unwrap(), KeyPair::generate().unwrap());
            let certificate = of.self_signed(&key).unwrap();
            std::fs::write(folder.path().join("authority.pem"), certificate.pem()).unwrap();
            Self { folder, certificate, key }
        }

        /// Paths of the authority's certificate, and of a certificate and key of this machine's own.
        pub(crate) fn issue(&self) -> [String; 3] {
            let of = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
            let key = KeyPair::generate().unwrap();
            let certificate = of.signed_by(&key, &self.certificate, &self.key).unwrap();
            let path = |name: &str| self.folder.path().join(name).display().to_string();
            let paths = ["authority.pem", "own.pem", "own.key"].map(path);
            std::fs::write(&paths[1], certificate.pem()).unwrap();
            std::fs::write(&paths[2], key.serialize_pem()).unwrap();
            paths
        }
    }

    pub(crate) fn door(text: &str) -> Acceptor {
        toml::from_str::<DoorTls>(text).unwrap().acceptor().unwrap()
    }

    pub(crate) fn out(text: &str) -> Connector {
        toml::from_str::<OutTls>(text).unwrap().connector("127.0.0.1").unwrap()
    }

    /// Whether a byte goes through a connection and comes back.
    async fn passes(door: &Acceptor, out: &Connector) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taking = async {
            let mut stream = door.accept(listener.accept().await?.0).await?;
            let byte = stream.read_u8().await?;
            stream.write_u8(byte).await?;
            stream.flush().await
        };
        let sending = async {
            let stream = TcpStream::connect(address).await?;
            let mut stream = out.tls.connect(out.name.clone(), stream).await?;
            stream.write_u8(7).await?;
            stream.flush().await?;
            stream.read_u8().await
        };
        let (taken, came) = tokio::join!(taking, sending);
        taken.is_ok() && came.is_ok_and(|byte| byte == 7)
    }

    #[tokio::test]
    async fn a_door_and_a_system_believe_those_only_for_whom_the_configured_vouch() {
        let (own, other) = (Authority::new(), Authority::new());
        let ([authority, certificate, key], [stranger, strange, strange_key]) = (own.issue(), other.issue());
        let identity = format!("certificate = {certificate:?}\nkey = {key:?}\n");
        let anybody = door(&identity);
        let named = door(&format!("{identity}senders = {authority:?}\n"));
        let silent = out(&format!("authorities = {authority:?}\n"));
        let shown = out(&format!("authorities = {authority:?}\n{identity}"));
        let misnamed = out(&format!("authorities = {authority:?}\nname = \"elsewhere.example\"\n"));
        let unknown = out(&format!("authorities = {stranger:?}\n"));
        let forged = format!("certificate = {strange:?}\nkey = {strange_key:?}\n");
        let forged = out(&format!("authorities = {authority:?}\n{forged}"));
        for (taker, sender, expected) in [
            (&anybody, &silent, true),
            (&anybody, &shown, true),
            (&anybody, &misnamed, false),
            (&anybody, &unknown, false),
            (&named, &shown, true),
            (&named, &silent, false),
            (&named, &forged, false),
        ] {
            assert_eq!(passes(taker, sender).await, expected, "{sender:?}");
        }
    }

    #[test]
    fn what_is_no_certificate_stops_the_start() {
        let vouching = Authority::new();
        let [authority, certificate, key] = vouching.issue();
        for text in [
            format!("certificate = {certificate:?}\nkey = {certificate:?}"),
            format!("certificate = {key:?}\nkey = {key:?}"),
            format!("certificate = \"none.pem\"\nkey = {key:?}"),
        ] {
            assert!(toml::from_str::<DoorTls>(&text).unwrap().acceptor().is_err(), "{text}");
        }
        let half = toml::from_str::<OutTls>(&format!("authorities = {authority:?}\nkey = {key:?}")).unwrap();
        assert!(half.connector("his").is_err());
    }
}

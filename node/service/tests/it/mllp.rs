//! The MLLP door: what senders do wrong, and what they are answered.

use std::fs;
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use yiqiao_intake::charset::Charset;
use yiqiao_intake::hl7::mllp::encode;

use crate::feeds::{NAMELESS, admission};
use crate::rig::Node;
use crate::wire;

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_answered_message_by_message_whatever_comes() {
    let node = Node::started().await;
    let mut line = node.mllp().await;
    assert!(line.send(admission(1).as_bytes()).await.unwrap().starts_with("MSA|AA|a1"));
    assert!(line.send(NAMELESS.as_bytes()).await.unwrap().starts_with("MSA|AA|nameless-1"), "it is kept");
    assert!(line.send(b"PID|1").await.unwrap().starts_with("MSA|AR"));
    assert!(line.send(b"MSH|^~\\&|HIS\r").await.unwrap().starts_with("MSA|AR"));
    let chinese = Charset::Gb18030.encode(&admission(2));
    assert!(line.send(&chinese).await.unwrap().starts_with("MSA|AA|a2"));
    let unfinished = [b"\x0bMSH|^~", b"\x0b".as_slice(), admission(3).as_bytes(), b"\x1c\r"].concat();
    assert!(line.send_raw(&unfinished).await.unwrap().starts_with("MSA|AR"), "the frame without an end");
    assert!(line.send_raw(b"").await.unwrap().starts_with("MSA|AA|a3"), "the frame after it");
    let enhanced = admission(4).replace("|P|2.4", "|P|2.4|||AL|NE");
    assert!(line.send(enhanced.as_bytes()).await.unwrap().starts_with("MSA|CA|a4"));
    let status = node.status().await;
    assert_eq!(status["systems"]["his"]["applied"], 4);
    assert_eq!(status["open_reviews"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_configured_senders_are_let_in() {
    let mut node = Node::joined().await;
    let config = fs::read_to_string(node.config()).unwrap();
    fs::write(node.config(), config + "senders = [\"192.0.2.1\"]\n").unwrap();
    node.start().await;
    assert!(node.mllp().await.send(admission(1).as_bytes()).await.is_err());
    assert_eq!(node.status().await["systems"]["his"]["applied"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_behind_tls_takes_messages_of_who_shows_a_certificate_and_nothing_in_the_open() {
    let mut node = Node::joined().await;
    let path = |name: &str| node.folder().join(name);
    let (key, of) =
        (KeyPair::generate().unwrap(), CertificateParams::new(vec!["localhost".to_owned()]).unwrap());
    let own = of.self_signed(&key).unwrap();
    fs::write(path("door.pem"), own.pem()).unwrap();
    fs::write(path("door.key"), key.serialize_pem()).unwrap();
    let config = fs::read_to_string(node.config()).unwrap();
    let door = "[door.tls]\ncertificate = \"door.pem\"\nkey = \"door.key\"\nsenders = \"door.pem\"\n";
    fs::write(node.config(), format!("{config}\n{door}")).unwrap();
    node.start().await;
    node.connected().await;
    let open = wire::Mllp::connect(&node.mllp_address()).await.unwrap().send(admission(1).as_bytes()).await;
    assert!(open.is_err(), "{open:?}");

    let roots = [own.der().clone()].into_iter().fold(RootCertStore::empty(), |mut roots, certificate| {
        roots.add(certificate).unwrap();
        roots
    });
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let private = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
    let client = builder.with_client_auth_cert(vec![own.der().clone()], private).unwrap();
    let stream = TcpStream::connect(node.mllp_address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    stream.write_all(&encode(admission(1).as_bytes())).await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = [0; 4_096];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer[..read]).contains("MSA|AA|a1"));
}

//! What the two ends agree on, asked of the TLS that libp2p configures, in memory. Noise has nothing to agree on.

use std::net::Ipv4Addr;
use std::sync::Arc;

use libp2p::identity::Keypair;
use libp2p::tls::{make_client_config, make_server_config};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ServerConfig, ServerConnection};

/// How often each end has its say until all is said: two flights each way, and the tickets.
const FLIGHTS: usize = 4;

pub(crate) fn print() {
    let client = Arc::new(make_client_config(&Keypair::generate_ed25519(), None).unwrap());
    let server = Arc::new(make_server_config(&Keypair::generate_ed25519()).unwrap());
    println!("Noise: Noise_XX_25519_ChaChaPoly_SHA256, the only one that libp2p has");
    for what in ["first time", "again"] {
        println!("TLS 1.3, {what}: {}", agreed(&client, &server));
    }
}

fn agreed(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) -> String {
    // libp2p names no server: it dials this address, whoever is meant.
    let name = ServerName::IpAddress(Ipv4Addr::UNSPECIFIED.into());
    let mut client = Connection::from(ClientConnection::new(Arc::clone(client), name).unwrap());
    let mut server = Connection::from(ServerConnection::new(Arc::clone(server)).unwrap());
    for _ in 0..FLIGHTS {
        carry(&mut client, &mut server);
        carry(&mut server, &mut client);
    }
    let suite = client.negotiated_cipher_suite().unwrap().suite();
    let exchange = client.negotiated_key_exchange_group().unwrap().name();
    let kind = client.handshake_kind().unwrap();
    format!("{suite:?}, {exchange:?}, handshake {kind:?}")
}

fn carry(from: &mut Connection, to: &mut Connection) {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut unread = bytes.as_slice();
    while !unread.is_empty() {
        to.read_tls(&mut unread).unwrap();
        to.process_new_packets().unwrap();
    }
}

//! From the dial until both ends have the connection: TCP, the security upgrade, yamux. Once with a peer that was never
//! met, whose key and certificate are made beforehand, and once with the same peer again, where TLS can resume.

use futures::StreamExt as _;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm};
use libp2p_stream::{Behaviour, IncomingStreams};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Plan;
use crate::measure::{self, Cost, Meter, Small};
use crate::road::{self, PROTOCOL, Security};

pub(crate) async fn measure(plan: &Plan) {
    let mut noise = Server::start(Security::Noise).await;
    let mut tls = Server::start(Security::Tls).await;
    let mut turns: [Vec<Small>; 4] = Default::default();
    let [noise_first, tls_first, noise_again, tls_again] = &mut turns;
    for _ in 0..plan.rounds {
        noise_first.push(noise.first(plan.handshakes).await);
        tls_first.push(tls.first(plan.handshakes).await);
        noise_again.push(noise.again(plan.handshakes).await);
        tls_again.push(tls.again(plan.handshakes).await);
    }
    measure::head("connections, one after the other", &["per second", "p50 us", "p99 us", "CPU us each"]);
    measure::small("  Noise, first time", noise_first);
    measure::small("  TLS 1.3, first time", tls_first);
    measure::small("  Noise, again", noise_again);
    measure::small("  TLS 1.3, again", tls_again);
}

/// Who is connected to.
struct Server {
    security: Security,
    id: PeerId,
    address: Multiaddr,
    /// One word for each connection that it has.
    established: mpsc::Receiver<()>,
    arriving: IncomingStreams,
    _driver: JoinSet<()>,
}

impl Server {
    async fn start(security: Security) -> Self {
        let (mut swarm, address) = road::listening(security).await;
        let (tell, established) = mpsc::channel(1);
        let (id, arriving) =
            (*swarm.local_peer_id(), swarm.behaviour().new_control().accept(PROTOCOL).unwrap());
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            loop {
                if let SwarmEvent::ConnectionEstablished { .. } = swarm.select_next_some().await {
                    tell.send(()).await.unwrap();
                }
            }
        });
        Self { security, id, address, established, arriving, _driver: driver }
    }

    /// Connections of peers that each come once.
    async fn first(&mut self, count: usize) -> Small {
        let mut costs = Vec::with_capacity(count);
        for _ in 0..count {
            costs.push(self.connect(&mut road::swarm(self.security)).await);
        }
        Small::of(&costs)
    }

    /// Connections of one peer that was there before.
    async fn again(&mut self, count: usize) -> Small {
        let mut client = road::swarm(self.security);
        self.connect(&mut client).await;
        let mut costs = Vec::with_capacity(count);
        for _ in 0..count {
            costs.push(self.connect(&mut client).await);
        }
        Small::of(&costs)
    }

    /// Connects, lets a byte pass so that what the server sends afterwards (TLS's tickets) has come, and disconnects.
    /// The cost is that of connecting.
    async fn connect(&mut self, client: &mut Swarm<Behaviour>) -> Cost {
        let meter = Meter::start();
        client.dial(self.address.clone()).unwrap();
        while !matches!(client.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {}
        road::driving(client, self.established.recv()).await.unwrap();
        let cost = meter.cost();
        self.talk(client).await;
        client.disconnect_peer_id(self.id).unwrap();
        while !matches!(client.select_next_some().await, SwarmEvent::ConnectionClosed { .. }) {}
        cost
    }

    async fn talk(&mut self, client: &mut Swarm<Behaviour>) {
        let mut control = client.behaviour().new_control();
        let id = self.id;
        let exchange = async {
            let mut near = control.open_stream(id, PROTOCOL).await.unwrap();
            road::greet(&mut near).await;
            let (_, mut far) = self.arriving.next().await.unwrap();
            road::be_greeted(&mut far).await;
            road::greet(&mut far).await;
            road::be_greeted(&mut near).await;
        };
        road::driving(client, exchange).await;
    }
}

//! Patients of a node with a document each, whom a member has permitted to itself, and whose consent it takes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures::{StreamExt, stream};
use yiqiao_proto::calls::{ActNotice, Done, Method};
use yiqiao_proto::directive::{Act, Revocation};
use yiqiao_proto::id::DirectiveId;
use yiqiao_proto::person::{Identifier, check_character};
use yiqiao_proto::token::Token;

use crate::gate::Gate;
use crate::member::{Member, Released, code};
use crate::pulling::{Stopped, Times, is_end, is_lease_over, until_refused};
use crate::rig::{Node, Region, free_port, until};

/// The node.
const HOLDER: &str = "qzrm";
/// The member that asks.
const ASKER: &str = "qzdx";
/// What a lease that was renewed in time has left at least: half of its length, and a second for the question.
const LEASE_LEFT: jiff::SignedDuration = jiff::SignedDuration::from_secs(14);
/// What is prepared at once.
const AT_ONCE: usize = 8;
/// Pulls at once over many patients.
const PULLS: usize = 8;

pub(crate) struct Scene {
    pub(crate) node: Node,
    /// Between the node and the registry.
    pub(crate) gate: Gate,
    member: Member,
    tokens: Vec<Token>,
    released: Vec<Released>,
    /// How often all have permitted.
    round: u8,
}

impl Scene {
    pub(crate) async fn set_up(patients: usize) -> Self {
        let (region, gate) = gated().await;
        let region = Arc::new(region);
        let mut node = Node::applied_to(Arc::clone(&region), HOLDER);
        node.admit();
        node.start().await;
        node.connected().await;
        feed(&node, patients).await;
        let member = Member::admitted(&region, ASKER).await;
        let ids: Vec<_> = (0..patients).map(|n| Identifier::resident_id(&resident_id(n)).unwrap()).collect();
        let tokens = stream::iter(&ids).map(|id| member.token(id)).buffered(AT_ONCE).collect().await;
        Self { node, gate, member, tokens, released: Vec::new(), round: 0 }
    }

    pub(crate) fn patients(&self) -> usize {
        self.tokens.len()
    }

    /// Permits, and has every document let go and one chunk of it served.
    pub(crate) async fn permit_all(&mut self) {
        self.round += 1;
        let (this, head) = (&*self, self.head());
        let released = stream::iter(self.tokens.iter().zip(0..)).map(|(token, patient)| async move {
            this.member.permit_as(this.permit_of(patient), *token, ASKER, head).await;
            let found = async || this.member.search(*token).await.into_iter().next();
            let entry = until("the document to be found", found).await;
            let request = this.member.request(&entry);
            let let_go = async || this.member.release(&request).await.ok();
            let released = until("the permit to count", let_go).await;
            this.member.range(&released, 0, 1).await.unwrap();
            released
        });
        self.released = released.buffered(AT_ONCE).collect().await;
    }

    /// The version of each head before this round's permit: each round before it was a permit and a revocation.
    fn head(&self) -> u64 {
        2 * (u64::from(self.round) - 1)
    }

    /// The id of a patient's permit in this round.
    fn permit_of(&self, patient: usize) -> DirectiveId {
        let mut id = [self.round; 32];
        id[..8].copy_from_slice(&(patient as u64).to_be_bytes());
        DirectiveId::new(id).unwrap()
    }

    fn revocation_of(&self, patient: usize) -> Act<Revocation> {
        self.member.revocation(self.permit_of(patient), self.tokens[patient], self.head() + 1)
    }

    /// Takes a consent back through the registry.
    pub(crate) async fn revoke(&self, patient: usize) {
        self.member.say(&self.revocation_of(patient)).await;
    }

    /// Takes a consent back and tells the holder alone (F-9).
    pub(crate) async fn tell(&self, patient: usize) {
        let notice =
            ActNotice { envelope: self.member.sign(&self.revocation_of(patient)).as_bytes().to_vec() };
        self.member.ask::<Done>(&code(HOLDER), Method::ActNotice, &notice).await.unwrap();
    }

    /// What was told stands in the log, too.
    pub(crate) async fn settle_revocations(&self) {
        let patients = stream::iter(0..self.patients());
        patients.for_each_concurrent(AT_ONCE, |patient| self.revoke(patient)).await;
    }

    /// Waits until the registry has all that the node has to say, and it has a lease that lasts a while.
    pub(crate) async fn settle_leases(&self) {
        self.node.connected().await;
        let mut waiting = u64::MAX;
        while waiting > 0 {
            waiting = until("words to go on", async || {
                let exchange = self.node.status().await["exchange"].take();
                let now = exchange["events_waiting"].as_u64()? + exchange["acts_waiting"].as_u64()?;
                (now < waiting).then_some(now)
            })
            .await;
        }
        until("a lease", async || {
            let status = self.node.status().await;
            let ends: jiff::Timestamp = status["exchange"]["lease_ends"].as_str()?.parse().unwrap();
            (ends.duration_since(jiff::Timestamp::now()) >= LEASE_LEFT).then_some(())
        })
        .await;
    }

    /// Pulls one chunk after another while something is done about a patient's consent.
    pub(crate) async fn until_stopped(&self, patient: usize, act: impl Future<Output = ()>) -> Stopped {
        let released = &self.released[patient];
        self.member.range(released, 0, 1).await.unwrap();
        let sent = Instant::now();
        let answer = async {
            act.await;
            Instant::now()
        };
        let (answered, (last, refused, lease_over)) =
            futures::join!(answer, until_refused(&self.member, released));
        Stopped { sent, answered, last, refused, lease_over }
    }

    /// Takes every consent back through the registry while all documents are pulled in turn, until nothing comes any more.
    pub(crate) async fn all_until_stopped(&self) -> Times {
        let acts = Mutex::new(BTreeMap::new());
        let revoking = stream::iter(0..self.patients()).for_each_concurrent(AT_ONCE, |patient| {
            let acts = &acts;
            async move {
                let sent = Instant::now();
                self.revoke(patient).await;
                acts.lock().unwrap().insert(patient, (sent, Instant::now()));
            }
        });
        let ((), ends) = futures::join!(revoking, self.pull_all());
        let acts = acts.into_inner().unwrap();
        let mut times = Times::default();
        for (patient, (last, refused, lease_over)) in ends.into_iter().enumerate() {
            let (sent, answered) = acts[&patient];
            times.add(&Stopped { sent, answered, last, refused, lease_over });
        }
        times
    }

    /// Pulls of all patients in turn: when each one's chunk came last and was first refused.
    async fn pull_all(&self) -> Vec<(Instant, Instant, bool)> {
        let started = Instant::now();
        let mut ends: Vec<_> = (0..self.patients()).map(|_| (started, None, false)).collect();
        while ends.iter().any(|(_, refused, _)| refused.is_none()) {
            let open: Vec<usize> = (0..ends.len()).filter(|patient| ends[*patient].1.is_none()).collect();
            let pulled = stream::iter(open).map(|patient| async move {
                let answer = self.member.try_range(&self.released[patient], 0, 1).await;
                (patient, answer.map(|_| ()), Instant::now())
            });
            let mut pulled = pulled.buffer_unordered(PULLS);
            while let Some((patient, answer, at)) = pulled.next().await {
                match answer {
                    Ok(()) => ends[patient].0 = at,
                    Err(why) if is_end(&why) => {
                        (ends[patient].1, ends[patient].2) = (Some(at), is_lease_over(&why));
                    }
                    Err(_) => {}
                }
            }
        }
        ends.into_iter().map(|(last, refused, lease_over)| (last, refused.unwrap(), lease_over)).collect()
    }
}

/// A region whose registry is listed where a gate stands.
async fn gated() -> (Region, Gate) {
    let mut region = Region::started().await;
    let (listed, real) = (region.link, free_port());
    let file = region.folder().join("registry/registry.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace(&format!("tcp/{listed}"), &format!("tcp/{real}"))).unwrap();
    region.restart_registry().await;
    region.link = real;
    (region, Gate::open(listed, real).await)
}

/// A report of each patient, all of them published.
async fn feed(node: &Node, patients: usize) {
    let mut line = node.mllp().await;
    for patient in 0..patients {
        let report = format!(
            "MSH|^~\\&|LIS|QZRM|YIQIAO|QZRM|20261101080000||ORU^R01|R{patient:06}|P|2.4||||||UNICODE UTF-8\r\
             PID|1||{number}^^^^51~{resident}^^^^1||患者{patient}\r\
             OBR|1||R{patient:06}|TSH^促甲状腺激素|||20261101073000||||||||||||||||||F\r\
             OBX|1|NM|TSH^促甲状腺激素||2.10|mIU/L|0.27-4.20|N|||F\r",
            number = 500_000 + patient,
            resident = resident_id(patient),
        );
        assert!(line.send(report.as_bytes()).await.unwrap().starts_with("MSA|AA"));
    }
    node.published().await;
}

/// An identity number that is nobody's: no province has 99.
fn resident_id(order: usize) -> String {
    let body = format!(
        "9999991990{:02}{:02}{:03}",
        1 + order / 999 / 28 % 12,
        1 + order / 999 % 28,
        1 + order % 999
    );
    format!("{body}{}", check_character(&body).unwrap())
}

//! Calls that ask for what is not the attacker's own, claim what is not so, or are too large (L-5, L-13 to L-17, V-1, F-7, H-1, W-3).

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::{
    AlarmNotice, CheckRequest, CheckpointNotice, EvaluateRequest, EvidenceRequest, FeedRequest,
    HistoryRequest, InventoryRequest, LeaseRequest, LinksRequest, Method, PersonsRequest, ProofRequest,
    SubmitRequest,
};
use yiqiao_proto::codes::PatientQuestion;
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::id::{Code, Nonce};
use yiqiao_proto::inventory::{Holding, Inventory};
use yiqiao_proto::limits::{EVALUATION_MAX, INVENTORY_SUBJECTS_MAX, PROOFS_MAX, SUBMISSION_MAX};
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::proof::{AttestedLogin, Proof};
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::calls::{Contradiction, Submitted, alarm_notice};

use super::attempt::Probe;
use super::{Hostile, Known};
use crate::network::{Carried, Who};
use crate::region::{For, code, constant};

impl Hostile {
    /// A call that is not answered, or has nothing in it.
    pub(super) fn probes(&mut self, known: &Known<'_>, probe: Probe) -> Option<(Who, Carried)> {
        let own = self.own()?;
        Some(match probe {
            Probe::CompareForged | Probe::CompareOther | Probe::CompareHuge | Probe::CompareOld => {
                let checkpoint = self.note(known, probe)?;
                (self.another(&[&own])?.0, Carried::of(Method::Compare, &CheckpointNotice { checkpoint }))
            }
            Probe::AlarmForged | Probe::AlarmTwice | Probe::AlarmTrue => {
                let (first, second) = self.contradiction(known, probe)?;
                let alarm = alarm_notice::Alarm::Contradiction(Contradiction { first, second });
                (Who::REGISTRY, Carried::of(Method::Alarm, &AlarmNotice { alarm: Some(alarm) }))
            }
            Probe::CheckForged => {
                let (other, publisher) = self.another(&[&own])?;
                let envelope = self.inventory(known, own, publisher)?;
                (other, Carried::of(Method::Check, &CheckRequest { envelope }))
            }
            Probe::History => {
                let patient = *self.tokens(known)?.first()?;
                let envelope = self.question(known, &own, patient)?;
                (Who::REGISTRY, Carried::of(Method::History, &HistoryRequest { envelope }))
            }
            Probe::Persons => self.persons(known, &own)?,
            Probe::Evidence => {
                let (_, release) = self.others_release(known, &own)?;
                let request = EvidenceRequest { release: release.as_bytes().to_vec(), emergency: Vec::new() };
                (Who::REGISTRY, Carried::of(Method::Evidence, &request))
            }
            Probe::Inventory => {
                let entry: Entry = self.some(known, |word: &Entry, _| word.publisher != own)?;
                let request = InventoryRequest { subjects: vec![entry.subject.as_bytes().to_vec()] };
                (Who::REGISTRY, Carried::of(Method::Inventory, &request))
            }
            Probe::Links => {
                let entry: Entry = self.some(known, |word: &Entry, _| word.publisher != own)?;
                let request = LinksRequest { subject: entry.subject.as_bytes().to_vec(), from_number: 1 };
                (Who::REGISTRY, Carried::of(Method::Links, &request))
            }
            Probe::LeaseAhead => {
                let request = LeaseRequest {
                    nonce: self.bytes().to_vec(),
                    term: u64::MAX,
                    feed_number: self.chance.below(9),
                    feed_chain: self.bytes().to_vec(),
                };
                (Who::REGISTRY, Carried::of(Method::Lease, &request))
            }
            Probe::FeedAhead => {
                let request = FeedRequest { after: u64::MAX, count: 8, wait_ms: 0 };
                (Who::REGISTRY, Carried::of(Method::Feed, &request))
            }
            Probe::ManyWords | Probe::ManyElements | Probe::ManyProofs | Probe::ManySubjects => {
                (Who::REGISTRY, self.many(probe))
            }
        })
    }

    /// More than a call may have.
    fn many(&mut self, probe: Probe) -> Carried {
        let bytes = self.bytes().to_vec();
        if probe == Probe::ManyWords {
            let word = || Submitted { envelope: bytes.clone(), link: None };
            let words = std::iter::repeat_with(word).take(SUBMISSION_MAX + 1).collect();
            return Carried::of(Method::Submit, &SubmitRequest { words });
        }
        if probe == Probe::ManyElements {
            let blinded = vec![bytes; EVALUATION_MAX + 1];
            return Carried::of(Method::Evaluate, &EvaluateRequest { epoch: 1, blinded });
        }
        if probe == Probe::ManyProofs {
            let sizes = (1..).take(PROOFS_MAX + 1).collect();
            return Carried::of(Method::Proof, &ProofRequest { sizes });
        }
        Carried::of(
            Method::Inventory,
            &InventoryRequest { subjects: vec![bytes; INVENTORY_SUBJECTS_MAX + 1] },
        )
    }

    /// A signed checkpoint that is none, or an old one.
    fn note(&mut self, known: &Known<'_>, probe: Probe) -> Option<Vec<u8>> {
        if probe == Probe::CompareOld {
            return self.shown.front().cloned();
        }
        let other = (probe == Probe::CompareOther).then(|| constant("log-2"));
        let log_id = other.unwrap_or_else(|| known.members.list().log_id.clone());
        let size = if probe == Probe::CompareHuge { u64::MAX } else { 1 + self.chance.below(99) };
        Some(self.forged(known, &log_id, size))
    }

    /// A checkpoint under the attacker's own key.
    fn forged(&mut self, known: &Known<'_>, log_id: &Code, size: u64) -> Vec<u8> {
        let who = self.who.unwrap_or(Who::REGISTRY);
        let checkpoint = Checkpoint { origin: origin(&code(), log_id), size, root: self.bytes() };
        checkpoint.sign(&self.region.nth_key(who, For::Words, known.keys.words))
    }

    fn contradiction(&mut self, known: &Known<'_>, probe: Probe) -> Option<(Vec<u8>, Vec<u8>)> {
        let log_id = known.members.list().log_id.clone();
        if probe == Probe::AlarmForged {
            return Some((self.forged(known, &log_id, 7), self.forged(known, &log_id, 7)));
        }
        let (first, last) = (self.shown.front()?.clone(), self.shown.back()?.clone());
        if probe == Probe::AlarmTwice {
            return Some((last.clone(), last));
        }
        (first != last).then_some((first, last))
    }

    /// What the registry is to have told of somebody's subjects, signed by the attacker.
    fn inventory(&mut self, known: &Known<'_>, reader: Code, publisher: Code) -> Option<Vec<u8>> {
        let entry: Entry = self.some(known, |word: &Entry, _| word.publisher == publisher)?;
        let holdings = vec![Holding { subject: entry.subject, number: 0, last: None }];
        let checkpoint = self.shown.back()?.clone();
        let inventory = Inventory { publisher, reader, checkpoint, holdings, words: 1 };
        Some(self.sign(known, &inventory).as_bytes().to_vec())
    }

    /// A question of a patient who was never signed in.
    fn question(&mut self, known: &Known<'_>, own: &Code, patient: Token) -> Option<Vec<u8>> {
        let question = PatientQuery {
            patient,
            what: PatientQuestion::Events,
            from_seq: 0,
            count: 64,
            nonce: Nonce::new(self.bytes())?,
            at: known.now,
        };
        let organisation = own.clone();
        let login = AttestedLogin { organisation, account_hash: self.digest()?, at: known.now };
        let act = Act::new(question, Proof::AttestedLogin(login));
        Some(self.sign(known, &act).as_bytes().to_vec())
    }

    /// Who wrote a line of another's audit, asked for a patient who never did.
    fn persons(&mut self, known: &Known<'_>, own: &Code) -> Option<(Who, Carried)> {
        let others = |event: &AccessEvent, _: &str| event.organisation != *own && event.audit_line.is_some();
        let event = self.some(known, others)?;
        let lines = vec![event.audit_line?.as_bytes().to_vec()];
        let envelope = self.question(known, own, event.patient)?;
        let holder = self.region.who(&event.organisation)?;
        Some((holder, Carried::of(Method::Persons, &PersonsRequest { envelope, lines })))
    }
}

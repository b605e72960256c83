//! A hospital's node that lives with the registry: feed, lease, words; and a clinic that asks it for documents.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeSet, VecDeque};

use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::desk::{NewForbid, NewPermit, NewRevocation, Statement};
use yiqiao_node_core::holder::Range;
use yiqiao_node_core::machine::{Effect, Input, Outcome};
use yiqiao_proto::calls::Refusal;
use yiqiao_proto::codes::{PersonRole, Purpose, RevocationReason};
use yiqiao_proto::directive::{Grantee, Notice, What};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Said, Verified};
use yiqiao_proto::id::{Code, Digest, DirectiveId, DocumentId, EntryId, Nonce, PractitionerId, Subject};
use yiqiao_proto::member::MemberList;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::release::{Asker, PullRequest};
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::time::Millis;
use yiqiao_proto::token::Token;
use yiqiao_registry_core::machine as registry;

use crate::region::{CLINIC, Registry, code, key, list, sealing_secret};
use crate::rig::{Node, PowerCut, patient, report};

/// The node, the registry, and what came of their talk.
pub(crate) struct Story {
    pub(crate) node: Node,
    pub(crate) registry: Registry,
    pub(crate) outcomes: Vec<Outcome>,
    /// What the node told members directly.
    pub(crate) told: Vec<(Code, Envelope)>,
    nonces: u8,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self::of(&list(100))
    }

    pub(crate) fn of(list: &MemberList) -> Self {
        let (node, registry) = (Node::new(list), Registry::new(list));
        Self { node, registry, outcomes: Vec::new(), told: Vec::new(), nonces: 0 }
    }

    /// One document of patient `p` is in the index, and the node has a lease.
    pub(crate) fn with_document() -> Self {
        let mut story = Self::new();
        story.node.receive(&report("1", patient("p", Some(1)), "r1"));
        story.live(3_000);
        story
    }

    pub(crate) fn try_live(&mut self, ms: u64) -> Result<(), PowerCut> {
        let end = self.node.now + Millis::new(ms);
        while let Some(time) = self.node.next_wakeup().filter(|time| *time <= end) {
            self.node.now = self.node.now.max(time);
            let mut effects = VecDeque::from(self.node.all_due()?);
            while let Some(effect) = effects.pop_front() {
                effects.extend(self.carry_out(&effect)?);
            }
        }
        self.node.now = end;
        Ok(())
    }

    /// Lets both talk while time passes.
    pub(crate) fn live(&mut self, ms: u64) {
        self.try_live(ms).unwrap();
    }

    pub(crate) fn carry_out(&mut self, effect: &Effect) -> Result<Vec<Effect>, PowerCut> {
        if let Effect::TellAct { member, act } = effect {
            self.told.push((member.clone(), act.clone()));
            return Ok(Vec::new());
        }
        let answer = if let Effect::Compare { ticket, .. } = effect {
            // The other members are not there.
            Input::Failed { ticket: *ticket, refusal: None }
        } else {
            self.registry.answer(self.node.now, effect)
        };
        let handled = self.node.handle(&answer)?.unwrap();
        self.outcomes.push(handled.outcome);
        Ok(handled.effects)
    }

    /// Somebody does something; what follows from it is carried out.
    pub(crate) fn try_act(&mut self, input: &Input) -> Result<Outcome, PowerCut> {
        loop {
            let handled = self.node.handle(input)?.unwrap();
            for effect in handled.effects {
                assert!(self.carry_out(&effect)?.is_empty());
            }
            if !matches!(handled.outcome, Outcome::Waiting(_)) {
                return Ok(handled.outcome);
            }
        }
    }

    pub(crate) fn act(&mut self, input: &Input) -> Outcome {
        self.try_act(input).unwrap()
    }

    pub(crate) fn subject(&self) -> Subject {
        self.node.patient("p").unwrap().subject
    }

    pub(crate) fn token(&self) -> Token {
        *self.node.patient("p").unwrap().tokens.first().unwrap()
    }

    pub(crate) fn statement(&self) -> Statement {
        Statement {
            actor: desk(),
            subject: self.subject(),
            evidence: b"paper 17".to_vec(),
            heads: Vec::new(),
        }
    }

    pub(crate) fn try_permit(&mut self) -> Result<Vec<u64>, PowerCut> {
        let input = Input::Permit(Box::new((self.statement(), permit(self.node.now))));
        let outcome = self.try_act(&input)?;
        let Outcome::Said(numbers) = outcome else { panic!("{outcome:?}") };
        Ok(numbers)
    }

    /// The patient lets the clinic have everything for treatment: the directive.
    pub(crate) fn permit(&mut self) -> DirectiveId {
        let numbers = self.try_permit().unwrap();
        self.live(1_000);
        self.directive(*numbers.first().unwrap())
    }

    pub(crate) fn directive(&self, word: u64) -> DirectiveId {
        self.node.ask(|_, view| yiqiao_node_core::ask::directive(word, view)).unwrap()
    }

    pub(crate) fn revocation(&self, directive: DirectiveId) -> Input {
        let wish = NewRevocation {
            directives: vec![(directive, self.token())],
            reason: RevocationReason::PatientWish,
            lifts: false,
        };
        Input::Revoke(Box::new((self.statement(), wish)))
    }

    /// What the clinic finds in the region.
    pub(crate) fn find(&mut self) -> Vec<Entry> {
        let query = SearchQuery {
            asker: clinic(),
            patients: vec![self.token()],
            classes: BTreeSet::new(),
            types: BTreeSet::new(),
            service_from: None,
            service_until: None,
            superseded: false,
            from_seq: 0,
            count: 256,
            nonce: Nonce::new([7; 32]).unwrap(),
        };
        let query = Envelope::sign(&code("demo"), &query, &key(CLINIC));
        let outcome = self.registry.ask(self.node.now, &query);
        let registry::Outcome::Found(found) = outcome else { panic!("{outcome:?}") };
        let read = |bytes: &[u8]| {
            yiqiao_proto::envelope::Word::decode(Envelope::decode(bytes).unwrap().payload()).unwrap()
        };
        found.entries.iter().map(|opening| read(&opening.envelope)).collect()
    }

    /// The one document in the index.
    pub(crate) fn entry(&self) -> Entry {
        self.registry.entries().into_iter().next().unwrap().0
    }

    /// The clinic's request for it, alive for an hour.
    pub(crate) fn request(&mut self) -> PullRequest {
        self.nonces += 1;
        let entry = self.entry();
        PullRequest {
            holder: code("hospital"),
            asker: clinic(),
            entry_id: entry.entry_id,
            document: entry.document,
            sealing_key: self.registry.directory.sealing_key(&code("clinic")).unwrap().id(),
            nonce: Nonce::new([self.nonces; 32]).unwrap(),
            expires_at: self.node.now + Millis::from_secs(3_600),
        }
    }

    pub(crate) fn ask(&mut self, request: &PullRequest) -> Outcome {
        let input = self.asked(request, CLINIC);
        self.act(&input)
    }

    pub(crate) fn asked(&self, request: &PullRequest, signer: u8) -> Input {
        let request = Envelope::sign(&code("demo"), request, &key(signer));
        let request = Verified::check(request, &self.registry.directory, Said::Now).unwrap();
        Input::Asked { request: Box::new(request), emergency: Vec::new() }
    }

    /// The first chunk under a request.
    pub(crate) fn range(&mut self, request: &PullRequest) -> Outcome {
        self.act(&Input::Range(range_of(request)))
    }
}

pub(crate) fn range_of(request: &PullRequest) -> Range {
    Range { member: code("clinic"), request: hash_of(request), first_chunk: 0, chunks: 16 }
}

pub(crate) fn hash_of(request: &PullRequest) -> Digest {
    yiqiao_proto::envelope::payload_hash(&yiqiao_proto::envelope::Word::encode(request))
}

pub(crate) fn refusal(outcome: &Outcome) -> &Refusal {
    let Outcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
    refusal
}

pub(crate) fn unknown() -> (EntryId, DocumentId) {
    (EntryId::new([9; 32]).unwrap(), DocumentId::new([9; 32]).unwrap())
}

pub(crate) fn desk() -> Actor {
    Actor::Staff(Staff {
        login: "d7".to_owned(),
        name: Phi::new("李前台".to_owned()),
        role: PersonRole::Desk,
        departments: BTreeSet::new(),
        department: None,
    })
}

pub(crate) fn clinic() -> Asker {
    Asker {
        organisation: code("clinic"),
        department: None,
        practitioner: PractitionerId::new([3; 32]).unwrap(),
        role: PersonRole::Physician,
        purpose: Purpose::Treatment,
        referral: None,
        treating: true,
        break_glass: None,
    }
}

pub(crate) fn permit(now: yiqiao_proto::time::Timestamp) -> NewPermit {
    NewPermit {
        grantee: Grantee { organisation: Some(code("clinic")), ..Grantee::default() },
        custodian: None,
        what: What::default(),
        purposes: BTreeSet::from([Purpose::Treatment]),
        valid_from: now,
        valid_until: None,
        notice: notice(),
        existence_visible: false,
        by_guardian: false,
        exceptions: Vec::new(),
    }
}

pub(crate) fn forbid(now: yiqiao_proto::time::Timestamp) -> NewForbid {
    NewForbid {
        grantee: Grantee { organisation: Some(code("clinic")), ..Grantee::default() },
        custodian: None,
        what: What::default(),
        purposes: BTreeSet::new(),
        valid_from: now,
        valid_until: None,
        notice: notice(),
        by_guardian: false,
    }
}

fn notice() -> Notice {
    Notice { version: "2026-1".to_owned(), hash: Digest::new([4; 32]).unwrap() }
}

/// Opens the wrapped key of a release as the clinic does.
pub(crate) fn unwrap_key(release: &Envelope, wrapped: &[u8]) -> Vec<u8> {
    let release: yiqiao_proto::release::Release =
        yiqiao_proto::envelope::Word::decode(release.payload()).unwrap();
    release.unwrap_key(wrapped, &sealing_secret(CLINIC)).unwrap().to_vec()
}

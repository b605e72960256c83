//! Calls as bytes, as the tests of the door need them: one of every kind, and what is read of them.

#![expect(clippy::unwrap_used, reason = "fixed content that is known to be valid")]

use prost::Message;
use yiqiao_proto::calls::{
    AnchorsRequest, ConsentRequest, EvaluateRequest, EvidenceRequest, FeedRequest, HistoryRequest,
    InventoryRequest, LeaseRequest, LinksRequest, MembersRequest, Method, ProofRequest, RecallRequest,
    SearchRequest, SubmitRequest,
};
use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Nonce, Subject};
use yiqiao_proto::lease::feed_start;
use yiqiao_proto::wire::calls::Submitted;
use yiqiao_registry_core::door::{Asked, read};
use yiqiao_registry_core::machine::{ConsentAct, Input, Refused};
use yiqiao_registry_core::take::{ChainWord, Submission};

use crate::rig::{Rig, code, region};
use crate::words::{
    Chain, anchor, credential, delivery, event, id, login, permit, query, question, release, revocation,
    token,
};

/// A call, and who makes it.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) by: &'static str,
    pub(crate) method: u16,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn call(by: &'static str, method: Method, request: &impl Message) -> Call {
    Call { by, method: method as u16, bytes: request.encode_to_vec() }
}

/// A submission of words that are no links.
pub(crate) fn handed(by: &'static str, words: &[Envelope]) -> Call {
    let word = |word: &Envelope| Submitted { envelope: word.as_bytes().to_vec(), link: None };
    call(by, Method::Submit, &SubmitRequest { words: words.iter().map(word).collect() })
}

pub(crate) fn links(by: &'static str, words: &[ChainWord]) -> Call {
    call(by, Method::Submit, &SubmitRequest { words: words.iter().map(submitted).collect() })
}

pub(crate) fn submitted(word: &ChainWord) -> Submitted {
    let (envelope, link) = match word {
        ChainWord::Entry(entry, link) => (entry.envelope(), link),
        ChainWord::Withdrawal(withdrawal, link) => (withdrawal.envelope(), link),
    };
    Submitted { envelope: envelope.as_bytes().to_vec(), link: Some(link.write()) }
}

/// Calls of all kinds that carry signed words, but links.
pub(crate) fn signed(rig: &Rig) -> Vec<Call> {
    let release = release("a", "b", 1, &[token(1)]);
    let act = |what| Act::new(question(rig, token(1), what, 7), login("portal"));
    let consents = rig.sign("portal", 0, &act(PatientQuestion::Consents)).as_bytes().to_vec();
    let events = rig.sign("portal", 0, &act(PatientQuestion::Events)).as_bytes().to_vec();
    let search = rig.sign("b", 0, &query("b", &[token(1)])).as_bytes().to_vec();
    let revoked = Act::new(revocation(1, token(1)), login("b"));
    vec![
        handed("a", &[rig.sign("a", 0, &Chain::new("a", 1).statement(&[token(1)]))]),
        handed("portal", &[rig.sign("portal", 0, &Act::new(permit(1, token(1), "b"), login("portal")))]),
        handed("b", &[rig.sign("b", 0, &revoked)]),
        handed("portal", &[rig.sign("portal", 0, &credential("portal", &[token(1)]))]),
        handed("b", &[rig.sign("b", 0, &event("b", token(1)))]),
        handed("a", &[rig.sign("a", 0, &release)]),
        handed("b", &[rig.sign("b", 0, &delivery(&release))]),
        handed("a", &[rig.sign("a", 0, &anchor("a", 7))]),
        call("b", Method::Search, &SearchRequest { envelope: search }),
        call("portal", Method::Consent, &ConsentRequest { envelope: consents }),
        call("portal", Method::History, &HistoryRequest { envelope: events }),
    ]
}

/// An entry, and the withdrawal of it.
pub(crate) fn chain(rig: &Rig) -> Call {
    let mut chain = Chain::new("a", 1);
    let words = [chain.entry(rig, 1), chain.withdrawal(rig, 1)];
    links("a", &words)
}

/// Calls that carry no signed words.
pub(crate) fn plain() -> Vec<Call> {
    let lease = LeaseRequest {
        nonce: id(Nonce::new, 1).as_bytes().to_vec(),
        term: 3,
        feed_number: 0,
        feed_chain: feed_start(&region(), &code("a")).as_bytes().to_vec(),
    };
    let subject = id(Subject::new, 1).as_bytes().to_vec();
    vec![
        call("a", Method::Lease, &lease),
        call("a", Method::Feed, &FeedRequest { after: 4, count: 9, wait_ms: 250 }),
        call("a", Method::Links, &LinksRequest { subject, from_number: 2 }),
        call("a", Method::Recall, &RecallRequest { from: 7 }),
        call("a", Method::Members, &MembersRequest { after_version: 1 }),
        call("a", Method::Proof, &ProofRequest { sizes: vec![1, 300] }),
        call("a", Method::Evidence, &EvidenceRequest { release: vec![9; 32], emergency: Vec::new() }),
        call("a", Method::Anchors, &AnchorsRequest { after: 3 }),
        call("a", Method::Inventory, &InventoryRequest { subjects: vec![vec![8; 32], vec![9; 32]] }),
        call("a", Method::Evaluate, &EvaluateRequest { epoch: 1, blinded: vec![vec![5; 32]; 2] }),
    ]
}

pub(crate) fn all(rig: &Rig) -> Vec<Call> {
    [signed(rig), vec![chain(rig)], plain()].concat()
}

impl Rig {
    pub(crate) fn read(&self, call: &Call) -> Result<Asked, Refused> {
        self.read_as(call.by, call)
    }

    /// The same bytes, as they come from another member.
    pub(crate) fn read_as(&self, by: &str, call: &Call) -> Result<Asked, Refused> {
        let mut entropy = Entropy::new([9; 32]);
        read(self.directory(), &code(by), call.method, &call.bytes, &mut entropy).map_err(Refused::from)
    }

    /// Code and clause of the refusal of a call.
    pub(crate) fn turns_away(&self, call: &Call) -> (RefusalCode, &'static str) {
        told(&self.read(call).unwrap_err())
    }
}

/// A refusal always names a clause (H-2).
pub(crate) fn told(refused: &Refused) -> (RefusalCode, &'static str) {
    let (letter, number) = refused.clause.split_once('-').unwrap();
    let is_clause = letter.bytes().all(|byte| byte.is_ascii_uppercase()) && number.parse::<u8>().is_ok();
    assert!(letter.len() == 1 && is_clause, "{refused:?}");
    (refused.code, refused.clause)
}

/// For whom an input is.
pub(crate) fn member_of(input: &Input) -> &Code {
    match input {
        Input::Submit(submission) => match submission.as_ref() {
            Submission::Links(words) => match words.first().unwrap() {
                ChainWord::Entry(word, _) => word.signer(),
                ChainWord::Withdrawal(word, _) => word.signer(),
            },
            Submission::Identity(word) => word.signer(),
            Submission::Consent(ConsentAct::Directive(act)) => act.signer(),
            Submission::Consent(ConsentAct::Revocation(act)) => act.signer(),
            Submission::Directives(acts) => match acts.first().unwrap() {
                ConsentAct::Directive(act) => act.signer(),
                ConsentAct::Revocation(act) => act.signer(),
            },
            Submission::Credential(word) => word.signer(),
            Submission::Event(word) => word.signer(),
            Submission::Release(word) => word.signer(),
            Submission::Delivery(word) => word.signer(),
            Submission::Anchor(word) => word.signer(),
        },
        Input::Search(query) => query.signer(),
        Input::PatientQuery(query) => query.signer(),
        Input::Lease(asked) => &asked.member,
        Input::Feed { member, .. }
        | Input::Links { member, .. }
        | Input::Recall { member, .. }
        | Input::Prove { member, .. }
        | Input::Evidence { member, .. }
        | Input::Anchors { member, .. }
        | Input::Inventory { member, .. }
        | Input::Evaluate { member, .. } => member,
        Input::Alarm(raised) => &raised.member,
        Input::Quality(told) => &told.member,
        Input::MemberList(..) => unreachable!("no member hands in a list"),
    }
}

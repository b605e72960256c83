//! Answers and refusals as bytes: members read them strictly, and what they prove, holds (F-3, H-2, L-7, M-2, Q-2, W-3).

#![expect(clippy::unwrap_used, reason = "what cannot happen here fails the test")]

use std::cell::Cell;

use yiqiao_proto::calls::{
    Call, ConsentAnswer, Done, FeedAnswer, HistoryAnswer, LeaseAnswer, LinksAnswer, MembersAnswer,
    ProofAnswer, SearchReply, SubmitAnswer,
};
use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified};
use yiqiao_proto::id::{Code, Nonce};
use yiqiao_proto::lease::{Lease, feed_start};
use yiqiao_proto::limits::{CALL_BYTES_MAX, ENVELOPE_BYTES_MAX};
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::refusal::{RETRY_BUSY, RETRY_FAILED};
use yiqiao_proto::search::SearchAnswer;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::tree::{self, Hash, verify_consistency, verify_inclusion};
use yiqiao_proto::wire::calls::{Receipt, Refused as RefusedWire};
use yiqiao_registry_core::answer::{Log, ProofError, answer, lists, refusal};
use yiqiao_registry_core::lease::LeaseAsked;
use yiqiao_registry_core::limits::{ANSWER_BYTES_MAX, LISTS_MAX};
use yiqiao_registry_core::machine::{Input, Outcome, Refused};
use yiqiao_registry_core::take::{Submission, leaf_of};

use crate::rig::{Rig, TERM, code, region};
use crate::words::{Chain, id, login, permit, query, question, token};

/// The tree over a rig's words, and the checkpoint that the registry signs over it.
struct Signed {
    hashes: Vec<Hash>,
    size: u64,
    root: Hash,
    note: Vec<u8>,
}

impl Signed {
    fn of(rig: &Rig) -> Self {
        let mut hashes: Vec<Hash> = Vec::new();
        for (seq, (kept, _)) in (0..).zip(rig.words()) {
            let leaf = leaf_of(kept, &region()).unwrap().hash();
            hashes.extend(tree::append(hashes.as_slice(), seq, leaf).unwrap());
        }
        let size = rig.words().len() as u64;
        let root = tree::root(hashes.as_slice(), size).unwrap();
        let checkpoint = Checkpoint { origin: origin(&region(), &code("log-1")), size, root };
        Self { hashes, size, root, note: checkpoint.sign(&rig.checkpoint_key()) }
    }

    fn answer(&self, rig: &Rig, outcome: Outcome) -> Result<Result<Vec<u8>, Refused>, ProofError> {
        let log = Log { hashes: self.hashes.as_slice(), size: self.size, root: self.root, note: &self.note };
        answer(outcome, rig.machine(), &log)
    }
}

impl Rig {
    /// Handles an input, and gives the answer that a member gets, strictly read (W-2).
    fn answers<A: Call>(&mut self, input: &Input) -> A {
        let outcome = self.handle(input).unwrap();
        A::from_bytes(&Signed::of(self).answer(self, outcome).unwrap().unwrap()).unwrap()
    }

    fn receipt(&mut self, submission: Submission) -> Receipt {
        let answer: SubmitAnswer = self.answers(&Input::Submit(Box::new(submission)));
        let [receipt] = <[Receipt; 1]>::try_from(answer.receipts).unwrap();
        receipt
    }

    /// A word that the registry signed.
    fn said<W: yiqiao_proto::envelope::Word>(&self, envelope: &[u8]) -> W {
        let verified = Verified::check(Envelope::decode(envelope).unwrap(), self.directory(), Said::Now);
        let (word, signer, _) = verified.unwrap().into_parts();
        assert_eq!(signer, code("registry"));
        word
    }

    fn open(&self, note: &[u8]) -> Checkpoint {
        let log = origin(&region(), &code("log-1"));
        Checkpoint::open(note, &log, &[self.checkpoint_key().public()]).unwrap()
    }
}

/// Whether a receipt proves that a word stands in the log, with what the member itself knows.
fn proves(rig: &Rig, receipt: &Receipt, word: &Envelope) -> bool {
    let opening = Opening {
        seq: receipt.seq,
        term: receipt.term,
        accepted_at: Timestamp::from_unix_ms(receipt.accepted_at).unwrap(),
        salt: receipt.salt.as_slice().try_into().unwrap(),
        envelope: word.as_bytes().to_vec(),
    };
    let leaf = opening.leaf(&region(), word.kind()).hash();
    let path: Vec<Hash> = receipt.path.iter().map(|hash| hash.as_slice().try_into().unwrap()).collect();
    let Checkpoint { size, root, .. } = rig.open(&receipt.checkpoint);
    verify_inclusion(&path, receipt.seq, leaf, size, &root)
}

/// Patient 1 at a, who permits everything to b.
fn region_of_one() -> (Rig, Chain) {
    let (mut rig, mut chain) = (Rig::new(), Chain::new("a", 1));
    rig.state(&mut chain, &[token(1)]);
    rig.publish(&mut chain, 1);
    rig.direct("portal", &permit(1, token(1), "b"));
    (rig, chain)
}

#[test]
fn l7_a_receipt_proves_that_the_word_stands_under_the_checkpoint() {
    let mut rig = Rig::new();
    for number in 1..20 {
        let statement = rig.word("a", &Chain::new("a", number).statement(&[token(number)]));
        let receipt = rig.receipt(Submission::Identity(statement.clone()));
        assert_eq!((receipt.term, receipt.envelope.len()), (TERM, 0));
        assert!(proves(&rig, &receipt, statement.envelope()), "word {}", receipt.seq);
        let other = rig.word("a", &Chain::new("a", number + 1).statement(&[token(number)]));
        assert!(!proves(&rig, &receipt, other.envelope()));
    }
}

#[test]
fn l7_l1_a_repeat_gets_the_envelope_that_stands_in_the_log() {
    let mut rig = Rig::new();
    let statement = Chain::new("a", 1).statement(&[token(1)]);
    let [first, again] = [0, 1].map(|key| rig.word_by_key("a", key, &statement));
    let taken = rig.receipt(Submission::Identity(first.clone()));
    let repeated = rig.receipt(Submission::Identity(again));
    assert_eq!(repeated.envelope, first.envelope().as_bytes());
    assert_eq!((repeated.seq, &repeated.salt), (taken.seq, &taken.salt));
    assert!(proves(&rig, &repeated, first.envelope()));
}

#[test]
fn l13_the_registry_proves_that_earlier_trees_are_the_beginning_of_the_newest() {
    let mut rig = Rig::new();
    for number in 1..9 {
        let statement = rig.word("a", &Chain::new("a", number).statement(&[token(number)]));
        rig.receipt(Submission::Identity(statement));
    }
    let Signed { hashes, size: newest, .. } = Signed::of(&rig);
    let roots: Vec<Hash> = (0..=newest).map(|size| tree::root(hashes.as_slice(), size).unwrap()).collect();
    let sizes: Vec<u64> = (0..=newest + 1).collect();
    let asked = Input::Prove { member: code("a"), sizes: sizes.clone() };
    let answer: ProofAnswer = rig.answers(&asked);
    let checkpoint = rig.open(&answer.checkpoint);
    assert_eq!((checkpoint.size, answer.consistency.len()), (newest, sizes.len()));
    for ((size, proof), root) in sizes.iter().zip(&answer.consistency).zip(&roots) {
        let (proof, rest) = proof.as_chunks::<32>();
        assert!(rest.is_empty() && verify_consistency(proof, *size, root, newest, &checkpoint.root));
    }
    assert_eq!(
        answer.consistency.last(),
        Some(&Vec::new()),
        "of a tree that is not there yet nothing is proved"
    );

    let outcome = rig.handle(&Input::Prove { member: code("a"), sizes: vec![3] }).unwrap();
    let mut damaged = Signed::of(&rig);
    damaged.hashes[3][7] ^= 1;
    let refused = damaged.answer(&rig, outcome).unwrap_err();
    assert_eq!(refused, ProofError::LeadsElsewhere { seq: 3 }, "no proof is given from damaged hashes");
}

#[test]
fn l7_no_receipt_is_given_from_damaged_hashes() {
    let (mut rig, _) = region_of_one();
    let statement = rig.word("c", &Chain::new("c", 1).statement(&[token(2)]));
    let outcome = rig.handle(&Input::Submit(Box::new(Submission::Identity(statement)))).unwrap();
    let whole = Signed::of(&rig);
    assert!(whole.answer(&rig, outcome.clone()).is_ok());
    let seq = whole.size - 1;
    let mut refused = 0;
    for at in 0..whole.hashes.len() {
        let mut bent = Signed::of(&rig);
        bent.hashes.get_mut(at).unwrap()[5] ^= 1;
        match bent.answer(&rig, outcome.clone()) {
            Ok(answer) => assert_eq!(answer, whole.answer(&rig, outcome.clone()).unwrap(), "not on the path"),
            Err(error) => {
                assert_eq!(error, ProofError::LeadsElsewhere { seq });
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "some hash is on the path");
    let mut cut = Signed::of(&rig);
    cut.hashes.clear();
    assert!(matches!(cut.answer(&rig, outcome), Err(ProofError::Missing(_))));
}

#[test]
fn q2_a_search_is_answered_by_the_registry_at_the_checkpoint() {
    let (mut rig, _) = region_of_one();
    let query = rig.word("b", &query("b", &[token(1)]));
    let reply: SearchReply = rig.answers(&Input::Search(query.clone()));
    let answer: SearchAnswer = rig.said(&reply.envelope);
    assert_eq!(answer.query, query.envelope().payload_hash());
    assert_eq!(rig.open(&answer.checkpoint).size, rig.words().len() as u64);
    let [entry] = answer.entries.try_into().unwrap();
    assert_eq!(Envelope::decode(&entry.envelope).unwrap().kind(), Kind::Entry);
}

#[test]
fn a4_n9_f6_what_else_is_answered_is_read_strictly() {
    let (mut rig, chain) = region_of_one();
    let asks = |what, nonce| {
        let act = Act::new(question(&rig, token(1), what, nonce), login("portal"));
        Input::PatientQuery(rig.word("portal", &act))
    };
    let (consents, events) = (asks(PatientQuestion::Consents, 1), asks(PatientQuestion::Events, 2));
    let answer: ConsentAnswer = rig.answers(&consents);
    assert_eq!((answer.head.unwrap().version, answer.directives.len()), (1, 1));
    let answer: HistoryAnswer = rig.answers(&events);
    assert!(!answer.events.is_empty() && answer.next_seq == 0);
    let links = Input::Links { member: code("a"), subject: chain.subject, from_number: 1 };
    let answer: LinksAnswer = rig.answers(&links);
    let statement = Envelope::decode(&answer.statement.unwrap().envelope).unwrap();
    assert_eq!(statement.kind(), Kind::IdentityStatement);
    let [entry] = answer.links.try_into().unwrap();
    assert!(entry.opening.is_some() && entry.link.is_some());
    let answer: LeaseAnswer = rig.answers(&Input::Lease(asked("a")));
    assert_eq!(rig.said::<Lease>(&answer.envelope).nonce, id(Nonce::new, 1));
    let answer: FeedAnswer = rig.answers(&Input::Feed { member: code("a"), after: 0, count: 256 });
    assert!(!answer.items.is_empty());
    let Done {} = rig.answers(&Input::Evaluate { member: code("a"), elements: 1 });
}

/// A lease for a member that has read nothing of its feed.
fn asked(member: &str) -> LeaseAsked {
    let member: Code = code(member);
    let feed_chain = feed_start(&region(), &member);
    LeaseAsked { member, nonce: id(Nonce::new, 1), term: TERM, feed_number: 0, feed_chain }
}

#[test]
fn w3_an_answer_that_is_too_long_for_the_link_is_a_refusal() {
    let rig = Rig::new();
    let answers = |bytes| Signed::of(&rig).answer(&rig, Outcome::Feed(vec![vec![0; bytes]])).unwrap();
    // One byte of a tag and four of a length go before an item.
    assert_eq!(answers(CALL_BYTES_MAX - 5).unwrap().len(), CALL_BYTES_MAX);
    assert_eq!(answers(CALL_BYTES_MAX - 4), Err(Refused::new(RefusalCode::OverLimit, "W-3")));
}

/// A list of some version that takes so many bytes.
fn list(bytes: usize) -> Envelope {
    let wire = |payload| yiqiao_proto::wire::words::Envelope {
        suite: 1,
        key_id: vec![1; 16],
        kind: Kind::MemberList.number(),
        payload: vec![7; payload],
        signature: vec![2; 64],
    };
    let encode = |payload| prost::Message::encode_to_vec(&wire(payload));
    let payload = (bytes.saturating_sub(120)..bytes).find(|payload| encode(*payload).len() == bytes);
    Envelope::decode(&encode(payload.unwrap())).unwrap()
}

fn answered(lists: Result<Vec<u8>, Refused>) -> Vec<usize> {
    let answer = MembersAnswer::from_bytes(&lists.unwrap()).unwrap();
    answer.envelopes.iter().map(Vec::len).collect()
}

#[test]
fn m2_lists_are_answered_in_order_as_many_as_fit() {
    let small = |version| Some(list(300 + usize::try_from(version).unwrap()));
    assert_eq!(answered(lists(2, 5, small)), [303, 304, 305]);
    assert_eq!(answered(lists(0, 1_000, small)).len() as u64, LISTS_MAX);
    for after in [5, 6, u64::MAX] {
        assert!(answered(lists(after, 5, small)).is_empty(), "after {after}");
    }
    let half = ANSWER_BYTES_MAX / 2;
    let (even, odd) = (|_| Some(list(half)), |version| Some(list(half + usize::try_from(version).unwrap())));
    assert_eq!(answered(lists(0, 9, even)), [half; 2]);
    assert_eq!(answered(lists(0, 9, odd)), [half + 1]);
    let largest = ENVELOPE_BYTES_MAX - 256;
    assert_eq!(answered(lists(0, 9, |_| Some(list(largest)))), [largest], "the first always goes");
}

#[test]
fn m2_a_list_that_is_not_there_is_a_refusal_and_none_is_read_in_vain() {
    let read = Cell::new(0);
    let refused = lists(0, 100, |version| {
        read.set(version);
        (version < 3).then(|| list(300))
    });
    assert_eq!((refused, read.get()), (Err(Refused::new(RefusalCode::Failed, "M-2")), 3));
}

#[test]
fn h2_a_refusal_tells_code_clause_and_when_to_come_again() {
    let told = |refused: &Refused| {
        let (code, detail) = refusal(refused);
        let detail: RefusedWire = prost::Message::decode(detail.as_slice()).unwrap();
        assert_eq!((u32::from(code), detail.clause.as_str()), (detail.code, refused.clause));
        assert_eq!(RefusalCode::try_from(detail.code), Ok(refused.code));
        detail.retry_after_ms
    };
    for (code, waits) in [
        (RefusalCode::Busy, RETRY_BUSY),
        (RefusalCode::Failed, RETRY_FAILED),
        (RefusalCode::OverLimit, Millis::new(0)),
        (RefusalCode::NotMember, Millis::new(0)),
        (RefusalCode::Stopped, Millis::new(0)),
    ] {
        let refused = Refused::new(code, "H-2");
        assert_eq!(told(&refused), waits.get());
        let later = Refused { retry_after: Some(Millis::new(77)), ..refused };
        assert_eq!(told(&later), 77, "what the refusal says goes first");
    }
}

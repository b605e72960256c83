//! Messages of calls. They are used as they are on the wire, so every value is one: lists, bytes and numbers of any length.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use yiqiao_proto::calls::{
    ActNotice, AlarmNotice, AnchorsAnswer, AnchorsRequest, CheckAnswer, CheckRequest, CheckpointNotice,
    ConsentAnswer, ConsentRequest, Done, EvaluateAnswer, EvaluateRequest, Evidence, EvidenceAnswer,
    EvidenceRequest, FeedAnswer, FeedRequest, HistoryAnswer, HistoryRequest, HoldingsAnswer, HoldingsRequest,
    InventoryAnswer, InventoryRequest, LeaseAnswer, LeaseRequest, LinksAnswer, LinksRequest, MembersAnswer,
    MembersRequest, Omission, Person, PersonsAnswer, PersonsRequest, ProofAnswer, ProofRequest, RangeRequest,
    ReleaseAnswer, ReleaseRequest, SearchReply, SearchRequest, StepRequest, SubmitAnswer, SubmitRequest,
};
use yiqiao_proto::wire::calls::{
    AcceptedAct, Contradiction, LoggedEvent, LoggedWord, OmissionProof, PublishedLink, Receipt, Submitted,
    accepted_act::Act, alarm_notice::Alarm,
};
use yiqiao_proto::wire::words;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..80)
}

fn list() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(bytes(), 0..5)
}

fn opening() -> impl Strategy<Value = words::Opening> {
    (any::<u64>(), any::<u64>(), any::<i64>(), bytes(), bytes()).prop_map(
        |(seq, term, accepted_at, salt, envelope)| words::Opening { seq, term, accepted_at, salt, envelope },
    )
}

fn accepted_act() -> impl Strategy<Value = AcceptedAct> {
    let act = prop_oneof![opening().prop_map(Act::Opening), bytes().prop_map(Act::Commitment)];
    (any::<u64>(), option::of(act)).prop_map(|(version, act)| AcceptedAct { version, act })
}

fn link() -> impl Strategy<Value = words::Link> {
    (any::<u64>(), bytes(), bytes(), bytes()).prop_map(|(number, previous, replaces, salt)| words::Link {
        number,
        previous,
        replaces,
        salt,
    })
}

fn submitted() -> impl Strategy<Value = Submitted> {
    (bytes(), option::of(link())).prop_map(|(envelope, link)| Submitted { envelope, link })
}

fn published() -> impl Strategy<Value = PublishedLink> {
    (option::of(opening()), option::of(link())).prop_map(|(opening, link)| PublishedLink { opening, link })
}

fn logged() -> impl Strategy<Value = Vec<LoggedWord>> {
    let word = (option::of(opening()), bytes()).prop_map(|(opening, path)| LoggedWord { opening, path });
    vec(word, 0..4)
}

pub(crate) fn evidence_answer() -> impl Strategy<Value = EvidenceAnswer> {
    (bytes(), logged()).prop_map(|(checkpoint, words)| EvidenceAnswer { checkpoint, words })
}

pub(crate) fn evidence() -> impl Strategy<Value = Evidence> {
    ("[a-z]{0,9}", bytes(), bytes(), logged()).prop_map(|(region, request, checkpoint, words)| Evidence {
        region,
        request,
        checkpoint,
        words,
    })
}

fn receipt() -> impl Strategy<Value = Receipt> {
    (any::<u64>(), any::<u64>(), any::<i64>(), bytes(), list(), bytes(), bytes()).prop_map(
        |(seq, term, accepted_at, salt, path, checkpoint, envelope)| Receipt {
            seq,
            term,
            accepted_at,
            salt,
            path,
            checkpoint,
            envelope,
        },
    )
}

/// A function for each message that is one envelope or one list.
macro_rules! of_one_field {
    ($($name:ident: $message:ident { $field:ident: $strategy:expr };)*) => {$(
        pub(crate) fn $name() -> impl Strategy<Value = $message> {
            $strategy.prop_map(|$field| $message { $field })
        }
    )*};
}

pub(crate) fn links_answer() -> impl Strategy<Value = LinksAnswer> {
    (vec(published(), 0..4), option::of(opening()))
        .prop_map(|(links, statement)| LinksAnswer { links, statement })
}

of_one_field! {
    submit_request: SubmitRequest { words: vec(submitted(), 0..4) };
    submit_answer: SubmitAnswer { receipts: vec(receipt(), 0..4) };
    search_request: SearchRequest { envelope: bytes() };
    search_reply: SearchReply { envelope: bytes() };
    feed_answer: FeedAnswer { items: list() };
    inventory_request: InventoryRequest { subjects: list() };
    inventory_answer: InventoryAnswer { envelope: bytes() };
    holdings_request: HoldingsRequest { envelope: bytes() };
    holdings_answer: HoldingsAnswer { envelopes: list() };
    check_request: CheckRequest { envelope: bytes() };
    check_answer: CheckAnswer { agreement: any::<u32>() };
    persons_answer: PersonsAnswer { persons: vec(person(), 0..4) };
    consent_request: ConsentRequest { envelope: bytes() };
    history_request: HistoryRequest { envelope: bytes() };
    members_request: MembersRequest { after_version: any::<u64>() };
    members_answer: MembersAnswer { envelopes: list() };
    anchors_request: AnchorsRequest { after: any::<u64>() };
    anchors_answer: AnchorsAnswer { anchors: vec(opening(), 0..4) };
    step_request: StepRequest { envelope: bytes() };
    act_notice: ActNotice { envelope: bytes() };
}

pub(crate) fn evidence_request() -> impl Strategy<Value = EvidenceRequest> {
    (bytes(), list()).prop_map(|(release, emergency)| EvidenceRequest { release, emergency })
}

pub(crate) fn release_request() -> impl Strategy<Value = ReleaseRequest> {
    let word = (option::of(opening()), bytes()).prop_map(|(opening, path)| LoggedWord { opening, path });
    let event = (option::of(word), bytes()).prop_map(|(word, checkpoint)| LoggedEvent { word, checkpoint });
    (bytes(), vec(event, 0..4)).prop_map(|(envelope, emergency)| ReleaseRequest { envelope, emergency })
}

pub(crate) fn lease_answer() -> impl Strategy<Value = LeaseAnswer> {
    (bytes(), bytes()).prop_map(|(envelope, checkpoint)| LeaseAnswer { envelope, checkpoint })
}

fn left_out() -> impl Strategy<Value = OmissionProof> {
    let word = (option::of(opening()), bytes()).prop_map(|(opening, path)| LoggedWord { opening, path });
    (bytes(), option::of(word), bytes()).prop_map(|(inventory, word, checkpoint)| OmissionProof {
        inventory,
        word,
        link: None,
        checkpoint,
    })
}

pub(crate) fn omission() -> impl Strategy<Value = Omission> {
    ("[a-z]{0,9}", bytes(), option::of(left_out())).prop_map(|(region, list, proof)| Omission {
        region,
        list,
        proof,
    })
}

pub(crate) fn persons_request() -> impl Strategy<Value = PersonsRequest> {
    (bytes(), list()).prop_map(|(envelope, lines)| PersonsRequest { envelope, lines })
}

fn person() -> impl Strategy<Value = Person> {
    (bytes(), "[a-z]{0,9}", any::<u32>(), "[a-z]{0,9}").prop_map(|(line, name, role, department)| Person {
        line,
        name,
        role,
        department,
    })
}

pub(crate) fn alarm_notice() -> impl Strategy<Value = AlarmNotice> {
    let two = (bytes(), bytes()).prop_map(|(first, second)| Contradiction { first, second });
    let alarm = prop_oneof![two.prop_map(Alarm::Contradiction), left_out().prop_map(Alarm::Omission)];
    option::of(alarm).prop_map(|alarm| AlarmNotice { alarm })
}

pub(crate) fn evaluate_request() -> impl Strategy<Value = EvaluateRequest> {
    (any::<u32>(), list()).prop_map(|(epoch, blinded)| EvaluateRequest { epoch, blinded })
}

pub(crate) fn evaluate_answer() -> impl Strategy<Value = EvaluateAnswer> {
    (list(), bytes()).prop_map(|(evaluated, proof)| EvaluateAnswer { evaluated, proof })
}

pub(crate) fn feed_request() -> impl Strategy<Value = FeedRequest> {
    (any::<u64>(), any::<u32>(), any::<u64>()).prop_map(|(after, count, wait_ms)| FeedRequest {
        after,
        count,
        wait_ms,
    })
}

pub(crate) fn lease_request() -> impl Strategy<Value = LeaseRequest> {
    (bytes(), any::<u64>(), any::<u64>(), bytes()).prop_map(|(nonce, term, feed_number, feed_chain)| {
        LeaseRequest { nonce, term, feed_number, feed_chain }
    })
}

pub(crate) fn links_request() -> impl Strategy<Value = LinksRequest> {
    (bytes(), any::<u64>()).prop_map(|(subject, from_number)| LinksRequest { subject, from_number })
}

pub(crate) fn consent_answer() -> impl Strategy<Value = ConsentAnswer> {
    let head = (any::<u64>(), bytes()).prop_map(|(version, root)| words::Head { version, root });
    (option::of(head), vec(accepted_act(), 0..4))
        .prop_map(|(head, directives)| ConsentAnswer { head, directives })
}

pub(crate) fn history_answer() -> impl Strategy<Value = HistoryAnswer> {
    (vec(opening(), 0..4), any::<u64>()).prop_map(|(events, next_seq)| HistoryAnswer { events, next_seq })
}

pub(crate) fn proof_request() -> impl Strategy<Value = ProofRequest> {
    vec(any::<u64>(), 0..4).prop_map(|sizes| ProofRequest { sizes })
}

pub(crate) fn proof_answer() -> impl Strategy<Value = ProofAnswer> {
    (bytes(), list()).prop_map(|(checkpoint, consistency)| ProofAnswer { checkpoint, consistency })
}

pub(crate) fn checkpoint_notice() -> impl Strategy<Value = CheckpointNotice> {
    bytes().prop_map(|checkpoint| CheckpointNotice { checkpoint })
}

pub(crate) fn release_answer() -> impl Strategy<Value = ReleaseAnswer> {
    (bytes(), bytes(), bytes(), list()).prop_map(|(release, wrapped_key, header, chunk_hashes)| {
        ReleaseAnswer { release, wrapped_key, header, chunk_hashes }
    })
}

pub(crate) fn range_request() -> impl Strategy<Value = RangeRequest> {
    (bytes(), any::<u64>(), any::<u32>()).prop_map(|(request, first_chunk, chunks)| RangeRequest {
        request,
        first_chunk,
        chunks,
    })
}

pub(crate) fn done() -> impl Strategy<Value = Done> {
    Just(Done {})
}

//! What a member may send that is no honest call: always a refusal with a code and a clause (H-2), never the end of the process.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what cannot happen here fails the test")]

use prost::Message;
use yiqiao_host::keys;
use yiqiao_host::link::CallError;
use yiqiao_proto::calls::{
    ConsentAnswer, ConsentRequest, EvaluateAnswer, EvaluateRequest, FeedAnswer, FeedRequest, LeaseAnswer,
    LeaseRequest, LinksAnswer, LinksRequest, MembersAnswer, MembersRequest, Method, SubmitAnswer,
    SubmitRequest,
};
use yiqiao_proto::codes::{PatientQuestion, RefusalCode};
use yiqiao_proto::directive::Act;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Digest, Nonce, Subject};
use yiqiao_proto::lease::feed_start;
use yiqiao_proto::limits::{CALL_BYTES_MAX, EVALUATION_MAX, SUBMISSION_MAX};
use yiqiao_proto::token::Blinding;
use yiqiao_proto::wire::calls::Submitted;

use crate::member::{Failure, Member, Signed};
use crate::rig::{Region, region, words_key};
use crate::words::{Chain, desk, from_now, id, now, patient, permit, query, question, some_token};

/// Random requests for every number of a method.
const GARBAGE: usize = 12;
/// What the refusal of any request may cost, in ticks of 10 ms of processor time, unoptimised.
const REFUSAL_TICKS_MAX: u64 = 200;
/// By how much the largest request there can be may make the process grow, in kilobytes.
const GROWTH_KB_MAX: u64 = 128 << 10;

/// A region of two members, one of them misbehaving.
struct Town {
    region: Region,
    a: Member,
    b: Member,
}

impl Town {
    async fn new() -> Self {
        let region = Region::started(&["a", "b"]).await;
        let [a, b] = [Member::connected(&region, "a").await, Member::connected(&region, "b").await];
        Self { region, a, b }
    }

    /// The process is the same one, answers, and still takes words.
    async fn ends_well(mut self) {
        assert!(self.region.is_healthy().await);
        let mut chain = Chain::new("a", 77);
        self.a.say(&chain.entry(&self.a, 77)).await;
        let said = self.region.stop().await;
        assert!(!said.contains("panic"), "{said}");
    }

    async fn refused(&self, words: &[Signed]) -> (RefusalCode, String) {
        refusal(self.a.submit(words).await)
    }
}

fn refusal<T: std::fmt::Debug>(answer: Result<T, Failure>) -> (RefusalCode, String) {
    match answer.unwrap_err() {
        Failure::Refused(code, clause, _) => (code, clause),
        Failure::Link(error) => panic!("no refusal but: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_garbage_is_refused_for_every_method() {
    let town = Town::new().await;
    let mut entropy = Entropy::new([3; 32]);
    for method in 0..40 {
        for length in [1, 7, 200, 5_000].repeat(GARBAGE / 4) {
            let mut garbage = vec![0_u8; length];
            garbage.fill_with(|| u8::from_be_bytes(entropy.bytes()));
            refusal(town.a.raw(method, garbage).await);
        }
        // Nothing at all is a request with defaults, which some methods take.
        if let Err(Failure::Link(error)) = town.a.raw(method, Vec::new()).await {
            panic!("method {method}: {error}");
        }
    }
    refusal(town.a.raw(u16::MAX, vec![1]).await);
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_an_honest_request_with_any_byte_flipped_is_refused_or_answered() {
    let town = Town::new().await;
    let mut chain = Chain::new("a", 1);
    let word = chain.entry(&town.a, 1);
    let words = vec![Submitted {
        envelope: word.envelope.as_bytes().to_vec(),
        link: word.link.map(|link| link.write()),
    }];
    let honest = SubmitRequest { words }.encode_to_vec();
    for at in 0..honest.len() {
        let mut bent = honest.clone();
        if let Some(byte) = bent.get_mut(at) {
            *byte ^= 0x04;
        }
        refusal(town.a.raw(Method::Submit as u16, bent).await);
    }
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn w3_lists_that_are_too_long_are_refused_at_once_and_cost_little() {
    let town = Town::new().await;
    let before = town.region.kilobytes("VmHWM");
    let empty = SubmitRequest { words: vec![Submitted::default(); 100_000] };
    let largest = SubmitRequest { words: vec![Submitted::default(); CALL_BYTES_MAX / 2] };
    for request in [empty, largest] {
        let began = town.region.processor_ticks();
        let refused = refusal(town.a.ask::<SubmitAnswer>(Method::Submit, &request).await);
        assert_eq!(refused, (RefusalCode::OverLimit, "W-3".to_owned()));
        let used = town.region.processor_ticks() - began;
        assert!(used < REFUSAL_TICKS_MAX, "took {used} ticks");
    }
    for (elements, clause) in [(0, "T-3"), (EVALUATION_MAX + 1, "T-3"), (CALL_BYTES_MAX / 2 - 1, "W-3")] {
        let request = EvaluateRequest { epoch: 1, blinded: vec![Vec::new(); elements] };
        let refused = refusal(town.a.ask::<EvaluateAnswer>(Method::Evaluate, &request).await);
        assert_eq!(refused, (RefusalCode::OverLimit, clause.to_owned()));
    }
    let grown = town.region.kilobytes("VmHWM") - before;
    assert!(grown < GROWTH_KB_MAX, "the process grew by {grown} kB");
    let over = town.a.raw(Method::Submit as u16, vec![0; CALL_BYTES_MAX + 1]).await;
    assert!(matches!(over, Err(Failure::Link(CallError::TooLarge { .. }))), "the own link refuses it");
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t5_what_is_not_evaluated_is_not_counted() {
    let town = Town::new().await;
    // The region's quota for a day and for good is 5,020,000 elements: these would use it up.
    for _ in 0..3 {
        let request = EvaluateRequest { epoch: 1, blinded: vec![Vec::new(); CALL_BYTES_MAX / 2 - 1] };
        refusal(town.a.ask::<EvaluateAnswer>(Method::Evaluate, &request).await);
    }
    assert_eq!(town.a.tokens(&[patient()]).await.len(), 1);
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_wrong_epochs_and_what_is_no_element_are_refused() {
    let town = Town::new().await;
    let blinding = Blinding::new(&region(), &[patient()], &mut Entropy::new(keys::random())).unwrap();
    for epoch in [0, 2, u32::MAX] {
        let request = EvaluateRequest { epoch, blinded: blinding.blinded().to_vec() };
        let refused = refusal(town.a.ask::<EvaluateAnswer>(Method::Evaluate, &request).await);
        assert_eq!(refused, (RefusalCode::Malformed, "T-7".to_owned()));
    }
    for element in [vec![0xff; 32], vec![0; 32], vec![1; 31], Vec::new()] {
        let request = EvaluateRequest { epoch: 1, blinded: vec![element] };
        let refused = refusal(town.a.ask::<EvaluateAnswer>(Method::Evaluate, &request).await);
        assert_eq!(refused, (RefusalCode::Malformed, "T-3".to_owned()));
    }
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_words_of_others_are_refused() {
    let town = Town::new().await;
    let (a, b) = (&town.a, &town.b);
    let of_b = Chain::new("b", 2).entry(b, 2);
    assert_eq!(
        town.refused(&[of_b]).await,
        (RefusalCode::NotMember, "E-6".to_owned()),
        "b's word, relayed by a"
    );
    let in_bs_name = Chain::new("b", 2).entry(a, 2);
    assert_eq!(town.refused(&[in_bs_name]).await, (RefusalCode::NotMember, "E-6".to_owned()));
    let act = Act::new(permit(1, some_token(1), "a", 0), desk("b"));
    assert_eq!(town.refused(&[a.signed(&act)]).await, (RefusalCode::NotMember, "E-6".to_owned()));
    let mut foreign = Chain::new("a", 3).entry(a, 3);
    let entry = yiqiao_proto::envelope::Word::decode(foreign.envelope.payload());
    let entry: yiqiao_proto::entry::Entry = entry.unwrap();
    foreign.envelope = Envelope::sign(&region(), &entry, &words_key("stranger"));
    assert_eq!(town.refused(&[foreign.clone()]).await, (RefusalCode::NotMember, "E-5".to_owned()));
    foreign.envelope = Envelope::sign(&crate::rig::code("other"), &entry, &words_key("a"));
    assert_eq!(town.refused(&[foreign]).await, (RefusalCode::BadSignature, "E-2".to_owned()));
    let refused = refusal(a.search(&query("b", some_token(1))).await);
    assert_eq!(refused, (RefusalCode::NotMember, "E-6".to_owned()), "nobody searches as another");
    let as_b = a.history(&question("b", some_token(1), PatientQuestion::Events, now())).await;
    assert_eq!(refusal(as_b), (RefusalCode::NotMember, "E-6".to_owned()));
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn n5_submissions_of_a_wrong_shape_are_refused_whole() {
    let town = Town::new().await;
    let a = &town.a;
    let malformed = |clause: &str| (RefusalCode::Malformed, clause.to_owned());
    assert_eq!(town.refused(&[]).await, (RefusalCode::OverLimit, "N-5".to_owned()));
    let mut chain = Chain::new("a", 1);
    let many: Vec<Signed> = (0..=SUBMISSION_MAX as u64).map(|number| chain.entry(a, number + 1)).collect();
    assert_eq!(town.refused(&many).await, (RefusalCode::OverLimit, "N-5".to_owned()));
    let two = [Chain::new("a", 1).entry(a, 1), Chain::new("a", 2).entry(a, 2)];
    assert_eq!(town.refused(&two).await, malformed("N-5"), "links of two subjects");
    let mut chain = Chain::new("a", 1);
    let mixed = [chain.entry(a, 1), chain.statement(a, &[some_token(1)])];
    assert_eq!(town.refused(&mixed).await, malformed("N-5"), "words of two kinds");
    let mut without = Chain::new("a", 1).entry(a, 1);
    without.link = None;
    assert_eq!(town.refused(&[without]).await, malformed("N-2"), "an entry without its place");
    let mut chain = Chain::new("a", 1);
    let (first, _, third) = (chain.entry(a, 1), chain.entry(a, 2), chain.entry(a, 3));
    assert_eq!(town.refused(&[first, third]).await, (RefusalCode::OutOfOrder, "N-2".to_owned()));
    assert_eq!(town.refused(&[a.signed(&query("a", some_token(1)))]).await, malformed("L-1"));
    assert_eq!(a.links(id(Subject::new, 1)).await.unwrap(), [], "nothing of all that was taken");
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f3_the_largest_numbers_are_answered_as_the_end_or_refused() {
    let town = Town::new().await;
    let a = &town.a;
    let feed = FeedRequest { after: u64::MAX, count: u32::MAX, wait_ms: 0 };
    assert!(a.ask::<FeedAnswer>(Method::Feed, &feed).await.unwrap().items.is_empty());
    let feed = FeedRequest { after: 0, count: u32::MAX, wait_ms: 0 };
    assert_eq!(
        a.ask::<FeedAnswer>(Method::Feed, &feed).await.unwrap().items.len(),
        1,
        "the list that let it in"
    );
    let links = LinksRequest { subject: vec![7; 32], from_number: u64::MAX };
    assert!(a.ask::<LinksAnswer>(Method::Links, &links).await.unwrap().links.is_empty());
    let members = MembersRequest { after_version: u64::MAX };
    assert!(a.ask::<MembersAnswer>(Method::Members, &members).await.unwrap().envelopes.is_empty());
    let lease = LeaseRequest {
        nonce: id(Nonce::new, 1).as_bytes().to_vec(),
        term: u64::MAX,
        feed_number: u64::MAX,
        feed_chain: feed_start(&region(), &a.code).as_bytes().to_vec(),
    };
    let refused = refusal(a.ask::<LeaseAnswer>(Method::Lease, &lease).await);
    assert_eq!(refused, (RefusalCode::OutOfOrder, "F-7".to_owned()));
    let mut far = query("a", some_token(1));
    far.from_seq = u64::MAX;
    assert!(a.search(&far).await.unwrap().0.is_empty());
    let ahead = a.signed(&Act::new(permit(1, some_token(1), "b", u64::MAX), desk("a")));
    assert_eq!(town.refused(&[ahead]).await, (RefusalCode::OutOfOrder, "C-11".to_owned()));
    let mut events = question("a", some_token(1), PatientQuestion::Events, now()).said;
    events.from_seq = u64::MAX;
    assert!(a.history(&Act::new(events, desk("a"))).await.unwrap().events.is_empty());
    town.ends_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a4_stale_and_misplaced_questions_and_ids_of_zeros_are_refused() {
    let town = Town::new().await;
    let a = &town.a;
    for ms in [-301_000, 330_000] {
        let old = question("a", some_token(1), PatientQuestion::Events, from_now(ms));
        assert_eq!(refusal(a.history(&old).await), (RefusalCode::Stale, "A-4".to_owned()));
    }
    let events = question("a", some_token(1), PatientQuestion::Events, now());
    let request = ConsentRequest { envelope: a.sign(&events).as_bytes().to_vec() };
    let refused = refusal(a.ask::<ConsentAnswer>(Method::Consent, &request).await);
    assert_eq!(refused, (RefusalCode::Malformed, "A-4".to_owned()), "a question in the wrong call");
    for subject in [vec![0; 32], vec![1; 31], Vec::new()] {
        let request = LinksRequest { subject, from_number: 1 };
        let refused = refusal(a.ask::<LinksAnswer>(Method::Links, &request).await);
        assert_eq!(refused, (RefusalCode::Malformed, "W-4".to_owned()));
    }
    let request = LeaseRequest {
        nonce: Vec::new(),
        term: 1,
        feed_number: 0,
        feed_chain: id(Digest::new, 1).as_bytes().to_vec(),
    };
    let refused = refusal(a.ask::<LeaseAnswer>(Method::Lease, &request).await);
    assert_eq!(refused, (RefusalCode::Malformed, "F-6".to_owned()));
    town.ends_well().await;
}

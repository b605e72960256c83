//! Documents between members: what a real holder lets go, and what a real recipient takes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use yiqiao_host::keys;
use yiqiao_host::link::PullError;
use yiqiao_proto::calls::{Call, Done, Method, RangeRequest, ReleaseAnswer, ReleaseRequest, StepRequest};
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, DocumentClass, DocumentFormat, LegalBasis, ReferralAct, RefusalCode,
    Sensitivity, Sex, Urgency, Way,
};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Word};
use yiqiao_proto::form::{BirthDate, Clinical, FormPerson, ListedDocument, ReferralForm, Route};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Digest, DocumentId, EntryId, ReferralId};
use yiqiao_proto::limits::CHUNK_BYTES;
use yiqiao_proto::person::Identifier;
use yiqiao_proto::phi::Phi;
use yiqiao_proto::referral::{ReferralStep, StepFacts};
use yiqiao_proto::release::{PullRequest, Release, Terms};
use yiqiao_proto::sealed::{DocumentKey, Header, Opener, Sealer};
use yiqiao_proto::token::Token;
use yiqiao_simnet::feeds::Feed;
use yiqiao_simnet::story::Role;

use crate::crash::{draws, rounds};
use crate::feeds::{about, is_message, resident_id};
use crate::member::{Member, RANGE, Released, code, now};
use crate::rig::{Node, Region, until};
use crate::wire;

/// Length of the long document: more than two ranges of chunks.
pub(crate) const LONG: usize = 35 * CHUNK_BYTES as usize;

/// What a hospital's systems sent about somebody, and one document of them made long; all of it published.
pub(crate) async fn fill(node: &Node) {
    let token = node.token("emr").await;
    let mut line = node.mllp().await;
    let mut padding = LONG;
    for Feed { bytes, .. } in about(&[Role::WalkIn]).iter().filter(|feed| !is_message(feed)) {
        let comment = format!("<!--{}-->", "-x".repeat(std::mem::take(&mut padding) / 2));
        let document = [bytes.as_slice(), comment.as_bytes()].concat();
        let answer = wire::post(node.http, "/api/intake", Some(&token), "text/xml", &document).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    for feed in about(&[Role::WalkIn]).iter().filter(|feed| is_message(feed)) {
        assert!(line.send(&feed.bytes).await.unwrap().starts_with("MSA|AA"));
    }
    node.published().await;
}

/// The token of the patient whom [`fill`] is about.
pub(crate) async fn patient(member: &Member) -> Token {
    member.token(&Identifier::resident_id(&resident_id(Role::WalkIn)).unwrap()).await
}

/// The long document among those that are found.
pub(crate) async fn long(member: &Member, patient: Token) -> Entry {
    let found = member.search(patient).await;
    found.into_iter().max_by_key(|entry| entry.size).unwrap()
}

fn refused<T>(answer: Result<T, (RefusalCode, String)>) -> (RefusalCode, String) {
    answer.map(|_| ()).unwrap_err()
}

fn refusal(code: RefusalCode, clause: &str) -> (RefusalCode, String) {
    (code, clause.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_member_gets_a_document_after_consent_range_by_range_until_it_is_taken_back() {
    let node = Node::started().await;
    fill(&node).await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let token = patient(&member).await;
    assert!(member.search(token).await.is_empty(), "before consent there is nothing to find");
    member.permit(token, "qzdx", 1, 0).await;
    let entry = long(&member, token).await;
    member.revoke(token, 1, 1).await;
    let denied =
        until("the revocation to count", async || member.release(&member.request(&entry)).await.err());
    assert_eq!(denied.await, refusal(RefusalCode::Nothing, "P-4"));

    member.permit(token, "qzdx", 2, 2).await;
    let request = member.request(&entry);
    let released = until("the permit to count", async || member.release(&request).await.ok()).await;
    assert_eq!(released.map.header().length, entry.size, "P-8");
    let again = member.release(&request).await.unwrap();
    assert_eq!(again.release, released.release, "the same request gets the same release (P-5)");
    let plain = open(&released, 0, member.range(&released, 0, 16).await.unwrap());
    assert_eq!(plain.len(), 16 * CHUNK_BYTES as usize);
    assert!(plain.starts_with(b"<?xml"));
    let last = released.map.header().chunks() - 1;
    assert!(open(&released, last, member.range(&released, last, 16).await.unwrap()).ends_with(b"-->"));
    for (first_chunk, chunks) in [(0, 0), (0, 17), (last + 1, 1)] {
        let malformed = refused(member.range(&released, first_chunk, chunks).await);
        assert_eq!(malformed, refusal(RefusalCode::Malformed, "P-6"), "{first_chunk} {chunks}");
    }
    let outstanding = [
        member.begin_range(&released, 0, 16).await.unwrap(),
        member.begin_range(&released, 16, 16).await.unwrap(),
    ];
    let third = refused(member.begin_range(&released, 0, 1).await.map(drop));
    assert_eq!(third, refusal(RefusalCode::Busy, "P-6"));
    drop(outstanding);

    member.revoke(token, 2, 3).await;
    let stopped = until("the revocation to count", async || member.range(&released, 16, 1).await.err());
    assert_eq!(stopped.await, refusal(RefusalCode::Stopped, "P-6"));
    assert_eq!(refused(member.release(&request).await), refusal(RefusalCode::Nothing, "P-4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn p6_a_recipient_that_takes_its_time_gets_no_more_once_the_consent_is_taken_back() {
    let node = Node::started().await;
    fill(&node).await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let token = patient(&member).await;
    member.permit(token, "qzdx", 1, 0).await;
    let entry = long(&member, token).await;
    let request = member.request(&entry);
    let released = until("the permit to count", async || member.release(&request).await.ok()).await;
    let begun = async || member.begin_range(&released, 0, 16).await.ok();
    let mut pull = until("the release to stand in the log", begun).await;
    let begun = Instant::now();
    member.revoke(token, 1, 1).await;
    until("the revocation to count", async || member.range(&released, 16, 1).await.err()).await;
    until("the decision to be over", async || (begun.elapsed() > Duration::from_secs(1)).then_some(())).await;
    let (mut came, stopped) = (0, u16::try_from(RefusalCode::Stopped.number()).unwrap());
    let end = loop {
        match pull.chunk().await {
            Ok(Some(piece)) => came += piece.len(),
            end => break end.map(|_| ()),
        }
    };
    assert!(matches!(end, Err(PullError::Stopped { code }) if code == stopped), "{end:?} after {came} bytes");
    assert!(came < 16 * CHUNK_BYTES as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn p4_of_a_registry_that_is_away_nothing_is_waited_for_before_a_denial() {
    let node = Node::started().await;
    fill(&node).await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let token = patient(&member).await;
    member.permit(token, "qzdx", 1, 0).await;
    let entry = long(&member, token).await;
    let request = member.request(&entry);
    until("the permit to count", async || member.release(&request).await.ok()).await;
    let unknown = Entry { entry_id: EntryId::new([7; 32]).unwrap(), ..entry };
    node.region.kill_registry();
    until("the registry to be missed", async || {
        wire::health(node.http).await.filter(|health| health["ready"] == false)
    })
    .await;
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let (request, asked) = (member.request(&unknown), Instant::now());
        assert_eq!(refused(member.release(&request).await), refusal(RefusalCode::Nothing, "P-4"));
        fastest = fastest.min(asked.elapsed());
    }
    // What the registry might still tell is otherwise waited for two seconds, each time.
    assert!(fastest < Duration::from_millis(1_500), "{fastest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn m7_a_suspended_member_gets_nothing_more() {
    let node = Node::started().await;
    fill(&node).await;
    let member = Member::admitted(&node.region, "qzdx").await;
    let token = patient(&member).await;
    member.permit(token, "qzdx", 1, 0).await;
    let entry = long(&member, token).await;
    let request = member.request(&entry);
    let released = until("the permit to count", async || member.release(&request).await.ok()).await;
    let begun = async || member.begin_range(&released, 0, 16).await.ok();
    let mut pull = until("the release to stand in the log", begun).await;
    node.region.suspend("qzdx");
    until("the connection to end", async || {
        member.try_release(&request).await.err().filter(|(_, said)| !said.contains('-'))
    })
    .await;
    let rest = until("the end of what was on its way", async || match pull.chunk().await {
        Ok(Some(_)) => None,
        end => Some(end.is_err()),
    });
    assert!(rest.await, "the body broke off");
}

/// Plain bytes of chunks from one on.
pub(crate) fn open(released: &Released, first: u64, chunks: Vec<Vec<u8>>) -> Vec<u8> {
    let opener = Opener::new(released.map.clone(), &released.key).unwrap();
    let plain = chunks.into_iter().zip(first..).map(|(mut chunk, number)| {
        opener.open(number, &mut chunk).unwrap();
        chunk
    });
    plain.collect::<Vec<_>>().concat()
}

// ---- A node that receives ----

/// Where a node keeps a document that it has whole.
pub(crate) fn file_of(node: &Node, document: &DocumentId) -> PathBuf {
    let name = document.to_string();
    let part = |range| name.get(range).unwrap();
    node.data().join("vault").join(part(0..2)).join(part(2..4)).join(&name)
}

/// Refers somebody to a node, with documents that it then fetches.
pub(crate) async fn refer(member: &Member, to: &str, patient: Token, mut documents: Vec<ListedDocument>) {
    documents.sort_by_key(|listed| (listed.holder.clone(), listed.entry_id));
    let (to, text) = (code(to), |text: &str| Phi::new(text.to_owned()));
    let form = ReferralForm {
        person: FormPerson {
            identifiers: vec![Identifier::resident_id(&resident_id(Role::WalkIn)).unwrap()],
            name: text("测试患者"),
            sex: Phi::new(Sex::Female),
            birth: Phi::new(BirthDate { year: 1990, month: 1, day: 1 }),
            phone: text(""),
        },
        tokens: vec![patient],
        route: Route {
            from_department: None,
            physician: text("王医生"),
            physician_phone: text(""),
            to_department: Some(code("general")),
            urgency: Urgency::Routine,
            way: Way::Down,
        },
        clinical: Phi::new(Clinical {
            reason: "康复随访".to_owned(),
            impressions: Vec::new(),
            present_history: String::new(),
            past_history: String::new(),
            treatment: String::new(),
            plan: String::new(),
        }),
        documents,
        directives: Vec::new(),
        answer_until: None,
    };
    let key = member.directory.sealing_key(&to).unwrap();
    let facts = StepFacts {
        referral: ReferralId::new(keys::random()).unwrap(),
        number: 1,
        previous: None,
        seen: 0,
        from: member.code.clone(),
        to: to.clone(),
        act: ReferralAct::Send,
        at: now(),
        sealing_key: key.id(),
    };
    let mut entropy = Entropy::new(keys::random());
    let step = ReferralStep::seal(facts, &form.encode(), &key.public_key, &mut entropy).unwrap();
    let request = StepRequest { envelope: member.sign(&step).as_bytes().to_vec() };
    let told = async || member.ask::<Done>(&to, Method::Step, &request).await.ok();
    until("the step to be taken", told).await;
}

fn listed(entry: &Entry) -> ListedDocument {
    ListedDocument {
        holder: entry.publisher.clone(),
        entry_id: entry.entry_id,
        document: entry.document,
        size: entry.size,
        class: entry.class,
        document_type: entry.document_type,
        format: entry.format,
        sensitivity: entry.sensitivity,
        service_start: entry.service_start,
        service_end: entry.service_end,
        created_at: entry.created_at,
        title: Phi::default(),
    }
}

/// A document of a holder that the test plays.
#[derive(Clone)]
pub(crate) struct Sealed {
    pub(crate) document: DocumentId,
    pub(crate) header: Header,
    pub(crate) hashes: Vec<[u8; 32]>,
    pub(crate) chunks: Vec<Vec<u8>>,
    key: DocumentKey,
}

impl Sealed {
    pub(crate) fn new(length: usize) -> Self {
        let key: DocumentKey = DocumentKey::new(keys::random());
        let header = Header::new(&key, length as u64, &mut Entropy::new(keys::random())).unwrap();
        let mut sealer = Sealer::new(header, &key);
        let plain = vec![7; length];
        let mut chunks: Vec<Vec<u8>> = plain.chunks(CHUNK_BYTES as usize).map(<[u8]>::to_vec).collect();
        chunks.iter_mut().for_each(|chunk| sealer.seal(chunk));
        let (header, hashes, document) = sealer.finish();
        Self { document, header, hashes, chunks, key }
    }

    pub(crate) fn listed(&self, holder: &Member, number: u8) -> ListedDocument {
        ListedDocument {
            holder: holder.code.clone(),
            entry_id: EntryId::new([number; 32]).unwrap(),
            document: self.document,
            size: self.header.length,
            class: DocumentClass::Laboratory,
            document_type: 7_u32.try_into().unwrap(),
            format: DocumentFormat::Cda,
            sensitivity: Sensitivity::Normal,
            service_start: None,
            service_end: None,
            created_at: now(),
            title: Phi::default(),
        }
    }

    /// Lets it go to whoever asks.
    pub(crate) fn release(
        &self,
        request: &PullRequest,
        hash: Digest,
        patient: Token,
        to: &[u8; 32],
    ) -> (Release, Vec<u8>) {
        let terms = Terms {
            request: hash,
            holder: request.holder.clone(),
            recipient: request.asker.organisation.clone(),
            sealing_key: request.sealing_key,
            entry_id: request.entry_id,
            document: self.document,
            patient,
            heads: vec![(patient, Head::empty())],
            directive: None,
            referral: request.asker.referral,
            basis: LegalBasis::SeparateConsent,
            expires_at: request.expires_at,
            lease: hash,
            standing: None,
        };
        Release::wrap(terms, &self.key, to, &mut Entropy::new(keys::random())).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn z5_a_holder_that_bends_the_list_or_a_chunk_is_not_believed_and_the_honest_rest_comes() {
    let node = Node::started().await;
    let member = Arc::new(Member::admitted(&node.region, "qzdx").await);
    let token = patient(&member).await;
    let mut documents = [Sealed::new(LONG), Sealed::new(LONG), Sealed::new(LONG)];
    let names: Vec<DocumentId> = documents.iter().map(|sealed| sealed.document).collect();
    let listed: Vec<_> =
        documents.iter().zip(1..).map(|(sealed, number)| sealed.listed(&member, number)).collect();
    documents[0].hashes[3][0] ^= 1;
    documents[1].chunks[20][9] ^= 1;
    let asked = Arc::new([const { AtomicUsize::new(0) }; 3]);
    let (holder, counted) = (Arc::clone(&member), Arc::clone(&asked));
    let to = member.directory.sealing_key(&code("qzrm")).unwrap().public_key;
    let requests = std::sync::Mutex::new(std::collections::BTreeMap::new());
    member.answer(move |method, bytes| {
        if method == RANGE {
            let RangeRequest { request, first_chunk, chunks } = RangeRequest::from_bytes(&bytes).unwrap();
            let at: usize = requests.lock().unwrap()[&request];
            let all = documents[at].chunks.iter().skip(usize::try_from(first_chunk).unwrap());
            return all.take(chunks as usize).flatten().copied().collect();
        }
        let request = ReleaseRequest::from_bytes(&bytes).unwrap();
        let envelope = Envelope::decode(&request.envelope).unwrap();
        let request = PullRequest::decode(envelope.payload()).unwrap();
        let at = usize::from(request.entry_id.as_bytes()[0]) - 1;
        counted[at].fetch_add(1, Ordering::Relaxed);
        let hash = envelope.payload_hash();
        requests.lock().unwrap().insert(hash.as_bytes().to_vec(), at);
        let (release, wrapped_key) = documents[at].release(&request, hash, token, &to);
        let answer = ReleaseAnswer {
            release: holder.sign(&release).as_bytes().to_vec(),
            wrapped_key,
            header: documents[at].header.to_bytes().to_vec(),
            chunk_hashes: documents[at].hashes.iter().map(|hash| hash.to_vec()).collect(),
        };
        Bytes::from(answer.encode_to_vec())
    });
    refer(&member, "qzrm", token, listed).await;
    until("the honest document", async || file_of(&node, &names[2]).exists().then_some(())).await;
    until("both lies to be noticed", async || {
        let noticed = node.said().matches("an answer of a member is not believed").count();
        (noticed >= 2).then_some(())
    })
    .await;
    until("the rest of the bent document to go", async || (node.sealed_files() == 1).then_some(())).await;
    assert_eq!(asked.each_ref().map(|times| times.load(Ordering::Relaxed)), [1, 1, 1]);
}

/// The longest life of a process between two kills.
const LIFE_MS_MAX: u64 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn p7_a_document_arrives_once_and_whole_whenever_holder_and_recipient_are_killed() {
    let region = Arc::new(Region::started().await);
    let mut nodes = ["qzrm", "qzzy"].map(|code| Node::applied_to(Arc::clone(&region), code));
    for node in &mut nodes {
        node.admit();
        node.start().await;
        node.connected().await;
    }
    fill(&nodes[0]).await;
    let member = Member::admitted(&region, "qzdx").await;
    let token = patient(&member).await;
    member.permit(token, "qzdx", 1, 0).await;
    let entry = long(&member, token).await;
    member.permit(token, "qzzy", 2, 1).await;
    refer(&member, "qzzy", token, vec![listed(&entry)]).await;
    let mut draw = draws();
    for round in 0..rounds() {
        let arrived = async || file_of(&nodes[1], &entry.document).exists().then_some(());
        let life = Duration::from_millis(draw(LIFE_MS_MAX));
        // Its life ends in the middle of something, or when all has arrived.
        tokio::time::timeout(life, until("the document", arrived)).await.ok();
        let node = &mut nodes[usize::try_from(round % 2).unwrap()];
        node.kill();
        node.start().await;
    }
    let [from, to] = nodes.each_ref().map(|node| file_of(node, &entry.document));
    until("the document", async || to.exists().then_some(())).await;
    assert!(std::fs::read(from).unwrap() == std::fs::read(&to).unwrap(), "the copy is the holder's file");
    let count = |events: &[yiqiao_proto::access::AccessEvent], act| {
        let done = events.iter().filter(|event| event.outcome == AccessOutcome::Permitted);
        done.filter(|event| event.act == act).count()
    };
    let events = until("the delivery in the log", async || {
        let events = member.history(token).await;
        (count(&events, AccessAct::Delivery) > 0).then_some(events)
    })
    .await;
    assert_eq!(count(&events, AccessAct::Release), 1, "the release is said once");
    assert_eq!(count(&events, AccessAct::Delivery), 1, "and so is the delivery");
    assert_eq!(nodes[1].sealed_files(), 1, "nothing is left over");
}

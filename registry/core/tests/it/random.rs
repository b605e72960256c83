//! Random sequences of good and bad submissions, searches and questions, against a reference that knows only the list
//! of all accepted words.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "what is missing fails the test, and a step looks at a few kinds"
)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use yiqiao_consent::scope::is_same_scope;
use yiqiao_consent::{Document, InForce, Patient, Record, Request, Witness, decide};
use yiqiao_proto::codes::{DefaultRule, DocumentClass, PatientQuestion, Sensitivity, Stance};
use yiqiao_proto::directive::{Act, Directive, Revocation, What};
use yiqiao_proto::entry::{Entry, IdentityStatement, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, Kind, Word, payload_hash};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, DirectiveId, EntryId, Subject};
use yiqiao_proto::log::{LEAF_BYTES, Opening};
use yiqiao_proto::release::Release;
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::suite::Suite;
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;
use yiqiao_registry_core::machine::{Input, Outcome};
use yiqiao_registry_core::take::{ChainWord, Submission};

use crate::rig::{Rig, code, region};
use crate::words::{Chain, event, forbid, login, permit, query, question, release, revocation, token};

const PUBLISHERS: [&str; 3] = ["a", "b", "c"];
const SAYERS: [&str; 3] = ["a", "c", "portal"];
const SUBJECTS: usize = 2;
const TOKENS: u64 = 3;
const ENTRIES: u64 = 5;

/// No leaf holds a token or a subject in the clear (L-2).
pub(crate) fn assert_leaves_tell_nothing(rig: &Rig, tokens: &[Token], subjects: &[Subject]) {
    for (kept, kind) in rig.words() {
        let leaf = Opening::read(kept.opening.clone().unwrap()).unwrap().leaf(&region(), *kind).to_bytes();
        assert_eq!(leaf.len(), LEAF_BYTES);
        let holds = |id: &[u8]| leaf.windows(id.len()).any(|window| window == id);
        assert!(!tokens.iter().any(|token| holds(token.value.as_bytes())));
        assert!(!subjects.iter().any(|subject| holds(subject.as_bytes())));
    }
}

/// What is done to the registry, with numbers small enough to meet again.
#[derive(Clone, Debug)]
enum Step {
    State {
        of: Place,
        tokens: u8,
    },
    Publish {
        of: Place,
        entry: u64,
        replaces: Option<u64>,
        class: DocumentClass,
        sensitivity: Sensitivity,
    },
    Withdraw {
        of: Place,
        entry: u64,
    },
    /// A link that is not the next one.
    Astray {
        of: Place,
        entry: u64,
    },
    Direct(Wish),
    Revoke {
        by: usize,
        number: u64,
        patient: u64,
        seen: u64,
    },
    Release {
        from: usize,
        to: usize,
        entry: u64,
        tokens: u8,
    },
    Event {
        patient: u64,
    },
    Search {
        by: usize,
        tokens: u8,
        superseded: bool,
        from_seq: u64,
        count: u32,
    },
    Ask {
        patient: u64,
        nonce: u64,
    },
    Evaluate {
        by: usize,
        elements: u64,
    },
    /// An earlier submission once more.
    Repeat {
        at: prop::sample::Index,
    },
    Wait {
        ms: u64,
    },
}

/// A directive that somebody wants.
#[derive(Clone, Copy, Debug)]
struct Wish {
    by: usize,
    number: u64,
    patient: u64,
    forbid: bool,
    to: usize,
    from: Option<usize>,
    imaging: bool,
    seen: u64,
    lasts: Option<u64>,
}

impl Wish {
    fn directive(&self, now: Timestamp) -> Directive {
        let patient = token(self.patient);
        let permit = permit(self.number, patient, PUBLISHERS[self.to]);
        let forbid = forbid(self.number, patient);
        let stance = match (self.forbid, self.to) {
            (false, _) => permit,
            (true, 0) => forbid,
            (true, _) => Directive { grantee: permit.grantee, purposes: permit.purposes, ..forbid },
        };
        Directive {
            custodian: self.from.map(|from| code(PUBLISHERS[from])),
            what: What {
                classes: self.imaging.then_some(DocumentClass::Imaging).into_iter().collect(),
                ..What::default()
            },
            head_version: self.seen,
            valid_until: self.lasts.map(|ms| now + Millis::new(ms)),
            ..stance
        }
    }
}

/// A publisher's subject.
#[derive(Clone, Copy, Debug)]
struct Place {
    publisher: usize,
    subject: usize,
}

fn place() -> impl Strategy<Value = Place> {
    (0..PUBLISHERS.len(), 0..SUBJECTS).prop_map(|(publisher, subject)| Place { publisher, subject })
}

fn class() -> impl Strategy<Value = DocumentClass> {
    prop::sample::select(vec![DocumentClass::Imaging, DocumentClass::Laboratory])
}

fn filing() -> impl Strategy<Value = Step> {
    let sensitivity = prop::sample::select(Sensitivity::ALL.to_vec());
    prop_oneof![
        3 => (place(), 0..8_u8).prop_map(|(of, tokens)| Step::State { of, tokens }),
        6 => (place(), 0..ENTRIES, prop::option::weighted(0.3, 0..ENTRIES), class(), sensitivity).prop_map(
            |(of, entry, replaces, class, sensitivity)| Step::Publish { of, entry, replaces, class, sensitivity }
        ),
        2 => (place(), 0..ENTRIES).prop_map(|(of, entry)| Step::Withdraw { of, entry }),
        1 => (place(), 0..ENTRIES).prop_map(|(of, entry)| Step::Astray { of, entry }),
    ]
}

fn consenting() -> impl Strategy<Value = Step> {
    let sayer = || 0..SAYERS.len();
    let member = || 0..PUBLISHERS.len();
    let scope = (any::<bool>(), member(), prop::option::of(member()), any::<bool>());
    let validity = (0..6_u64, prop::option::weighted(0.3, 1..4_000_u64));
    prop_oneof![
        3 => (sayer(), 0..16_u64, 0..TOKENS, scope, validity).prop_map(
            |(by, number, patient, (forbid, to, from, imaging), (seen, lasts))| {
                Step::Direct(Wish { by, number, patient, forbid, to, from, imaging, seen, lasts })
            }
        ),
        1 => (sayer(), 0..16_u64, 0..TOKENS, 0..6_u64)
            .prop_map(|(by, number, patient, seen)| Step::Revoke { by, number, patient, seen }),
    ]
}

fn using() -> impl Strategy<Value = Step> {
    let member = || 0..PUBLISHERS.len();
    let search = (member(), 1..8_u8, any::<bool>(), prop_oneof![Just(0), 0..60_u64], 1..6_u32);
    prop_oneof![
        (member(), member(), 0..ENTRIES, 1..8_u8).prop_map(|(from, to, entry, tokens)| Step::Release {
            from,
            to,
            entry,
            tokens
        }),
        (0..TOKENS).prop_map(|patient| Step::Event { patient }),
        search.prop_map(|(by, tokens, superseded, from_seq, count)| Step::Search {
            by,
            tokens,
            superseded,
            from_seq,
            count
        }),
        (0..TOKENS, any::<u64>()).prop_map(|(patient, nonce)| Step::Ask { patient, nonce }),
        (member(), 0..90_u64).prop_map(|(by, elements)| Step::Evaluate { by, elements }),
        any::<prop::sample::Index>().prop_map(|at| Step::Repeat { at }),
        (0..2_000_u64).prop_map(|ms| Step::Wait { ms }),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(prop_oneof![3 => filing(), 2 => consenting(), 2 => using()], 1..120)
}

/// The tokens of a bit set.
fn tokens(bits: u8) -> Vec<Token> {
    (0..TOKENS).filter(|bit| bits & (1 << bit) != 0).map(token).collect()
}

/// A registry, and its members' sides.
struct World {
    rig: Rig,
    chains: [[Chain; SUBJECTS]; 3],
    submitted: Vec<Submission>,
}

impl World {
    fn new() -> Self {
        let subjects = |publisher| [0, 1].map(|subject| Chain::new(publisher, subject));
        let rig = Rig::of(Suite::Simulation, |list| list.policy.default_rule = DefaultRule::AllNormal);
        Self { rig, chains: PUBLISHERS.map(subjects), submitted: Vec::new() }
    }

    fn submit(&mut self, submission: Submission) -> bool {
        self.submitted.push(submission.clone());
        self.rig.submit(submission).is_ok()
    }

    /// Does to a chain what its publisher wants, and keeps it if the registry took it.
    fn go_on(&mut self, of: Place, next: impl FnOnce(&Rig, &mut Chain) -> Submission) {
        let mut chain = self.chains[of.publisher][of.subject];
        let submission = next(&self.rig, &mut chain);
        if self.submit(submission) {
            self.chains[of.publisher][of.subject] = chain;
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::State { of, tokens: bits } => self.go_on(of, |rig, chain| {
                let statement = chain.statement(&tokens(bits));
                Submission::Identity(rig.word(chain.publisher, &statement))
            }),
            Step::Publish { of, entry, replaces, class, sensitivity } => self.go_on(of, |rig, chain| {
                let change = |entry: &mut Entry| {
                    entry.class = class;
                    entry.sensitivity = sensitivity;
                };
                Submission::Links(vec![chain.entry_with(rig, entry, replaces, change)])
            }),
            Step::Withdraw { of, entry } => {
                self.go_on(of, |rig, chain| Submission::Links(vec![chain.withdrawal(rig, entry)]));
            }
            Step::Astray { of, entry } => {
                let chain = self.chains[of.publisher][of.subject];
                let link =
                    Link { number: chain.number + 2, previous: Some(payload_hash(b"")), ..chain.link() };
                let word = self.rig.word(chain.publisher, &chain.entry_at(&link, entry, |_| {}));
                assert!(!self.submit(Submission::Links(vec![ChainWord::Entry(word, link)])));
            }
            Step::Direct(wish) => {
                let directive = self.rig.directive(SAYERS[wish.by], &wish.directive(self.rig.now));
                self.submit(directive);
            }
            Step::Revoke { by, number, patient, seen } => {
                let revocation = Revocation { head_version: seen, ..revocation(number, token(patient)) };
                let revocation = self.rig.revocation(SAYERS[by], &revocation);
                self.submit(revocation);
            }
            Step::Release { from, to, entry, tokens: bits } => {
                let (from, to) = (PUBLISHERS[from], PUBLISHERS[to]);
                let granted = self.rig.word(from, &release(from, to, entry, &tokens(bits)));
                self.submit(Submission::Release(granted));
            }
            Step::Event { patient } => {
                let said = self.rig.word("b", &event("b", token(patient)));
                self.submit(Submission::Event(said));
            }
            Step::Search { by, tokens: bits, superseded, from_seq, count } => {
                let query = query(PUBLISHERS[by], &tokens(bits));
                self.search(&SearchQuery { superseded, from_seq, count, ..query });
            }
            Step::Ask { patient, nonce } => self.ask(token(patient), nonce),
            Step::Evaluate { by, elements } => {
                let member = code(PUBLISHERS[by]);
                let _ = self.rig.handle(&Input::Evaluate { member, elements });
            }
            Step::Wait { ms } => self.rig.now = self.rig.now + Millis::new(ms),
            Step::Repeat { at } => {
                if !self.submitted.is_empty() {
                    let submission = at.get(&self.submitted).clone();
                    let _ = self.rig.submit(submission);
                }
            }
        }
    }

    /// A patient asks for the own consents: they are what the reference has.
    fn ask(&mut self, patient: Token, nonce: u64) {
        let said = question(&self.rig, patient, PatientQuestion::Consents, nonce);
        let query = self.rig.word("portal", &Act::new(said, login("portal")));
        let outcome = self.rig.handle(&Input::PatientQuery(query)).unwrap();
        let record = Reference::of(&self.rig).record(patient);
        assert!(matches!(outcome, Outcome::Consents(told) if told.head == record.head()));
    }

    /// Searches, and compares with what the reference finds.
    fn search(&mut self, query: &SearchQuery) {
        let expected = Reference::of(&self.rig).search(&self.rig, query);
        let page = expected.iter().take(query.count as usize).copied().collect::<Vec<_>>();
        let found = self.rig.search(query);
        let seqs: Vec<u64> = found.entries.iter().map(|opening| opening.seq).collect();
        assert_eq!(seqs, page);
        assert_eq!(found.next_seq, expected.get(page.len()).copied());
    }

    /// All that must hold in the end.
    fn assert_holds(&mut self) {
        for by in PUBLISHERS {
            for patient in 0..TOKENS {
                self.search(&query(by, &[token(patient)]));
            }
        }
        let reference = Reference::of(&self.rig);
        for member in PUBLISHERS {
            for patient in (0..TOKENS).map(token) {
                let told = self.rig.told(member, patient).map(|change| change.head);
                let due = reference.told.get(&(code(member), patient)).copied();
                assert_eq!(told, due, "{member} holds, held or never held {patient:?}");
            }
        }
        let subjects: Vec<_> = self.chains.as_flattened().iter().map(|chain| chain.subject).collect();
        assert_leaves_tell_nothing(&self.rig, &tokens(u8::MAX), &subjects);
    }
}

/// An entry as the reference keeps it.
struct Listed {
    seq: u64,
    entry: Entry,
    withdrawn: bool,
    replaced: bool,
    replaces: BTreeSet<EntryId>,
}

/// All that follows from the accepted words, by the shortest way from the clauses.
#[derive(Default)]
struct Reference {
    entries: Vec<Listed>,
    statements: BTreeMap<(Code, Subject), Vec<Token>>,
    records: BTreeMap<Token, Record>,
    /// Acts as members said them under tokens.
    said: Vec<(String, DirectiveId, Token)>,
    /// What was taken back along with something else.
    along: BTreeSet<(Token, DirectiveId)>,
    /// Recipients of releases.
    released: BTreeSet<(Code, Token)>,
    /// The head that whoever ever was a holder must have been told last.
    told: BTreeMap<(Code, Token), Head>,
}

impl Reference {
    fn of(rig: &Rig) -> Self {
        let mut reference = Self::default();
        for (kept, kind) in rig.words() {
            let opening = Opening::read(kept.opening.clone().unwrap()).unwrap();
            let envelope = Envelope::decode(&opening.envelope).unwrap();
            let link = kept.link.as_ref().map(|link| Link::read(link).unwrap());
            reference.take(&kept.signer, &opening, *kind, envelope.payload(), link);
            reference.tell_holders();
        }
        reference
    }

    fn take(&mut self, signer: &str, opening: &Opening, kind: Kind, payload: &[u8], link: Option<Link>) {
        match kind {
            Kind::Entry => self.list(opening.seq, Entry::decode(payload).unwrap(), link.unwrap().replaces),
            Kind::Withdrawal => {
                let word = Withdrawal::decode(payload).unwrap();
                self.current(&word.publisher, word.entry_id).withdrawn = true;
            }
            Kind::IdentityStatement => {
                let word = IdentityStatement::decode(payload).unwrap();
                self.statements.insert((word.publisher, word.subject), word.tokens);
            }
            Kind::Directive => {
                let act = Act::<Directive>::decode(payload).unwrap();
                self.said.push((signer.to_owned(), act.said.id, act.said.patient));
                let record = self.records.entry(act.said.patient).or_default();
                let act = InForce {
                    witness: Witness::of(&act.proof),
                    directive: act.said,
                    version: record.version() + 1,
                    seq: opening.seq,
                    commitment: opening.commitment(),
                    accepted_at: opening.accepted_at,
                };
                record.accept_directive(act, opening.accepted_at);
            }
            Kind::Revocation => {
                let said = Act::<Revocation>::decode(payload).unwrap().said;
                if !self.along.remove(&(said.patient, said.directive)) {
                    self.revoke_along(&said, opening.accepted_at);
                    let record = self.records.entry(said.patient).or_default();
                    record.accept_revocation(said.directive, opening.accepted_at);
                }
            }
            Kind::Release => {
                let terms = Release::decode(payload).unwrap().terms;
                let tokens = terms.heads.iter().map(|(token, _)| (terms.recipient.clone(), *token));
                self.released.extend(tokens);
            }
            _ => {}
        }
    }

    /// C-10: the permits that let the same happen, under every token that somebody gives to the same patient.
    fn revoke_along(&mut self, said: &Revocation, at: Timestamp) {
        let acts = self.record(said.patient).in_force().to_vec();
        let permit = acts.iter().map(|act| &act.directive).find(|permit| permit.id == said.directive);
        let Some(permit) = permit.filter(|permit| permit.stance == Stance::Permit) else { return };
        let mut tokens: BTreeSet<Token> = BTreeSet::new();
        self.statements
            .values()
            .filter(|tokens| tokens.contains(&said.patient))
            .for_each(|all| tokens.extend(all));
        for (signer, id, token) in &self.said {
            let is_twin = self.said.contains(&(signer.clone(), *id, said.patient));
            tokens.extend((is_twin && *id == permit.id).then_some(token));
        }
        tokens.remove(&said.patient);
        for token in tokens {
            let record = self.records.entry(token).or_default();
            let others: Vec<Directive> = record.in_force().iter().map(|act| act.directive.clone()).collect();
            for other in others.iter().filter(|it| it.stance == Stance::Permit && is_same_scope(it, permit)) {
                record.accept_revocation(other.id, at);
                self.along.insert((token, other.id));
            }
        }
    }

    fn list(&mut self, seq: u64, entry: Entry, replaces: Option<EntryId>) {
        let mut chain = BTreeSet::new();
        if let Some(replaced) = replaces {
            let earlier = self.current(&entry.publisher, replaced);
            earlier.replaced = true;
            chain.clone_from(&earlier.replaces);
            chain.insert(replaced);
        }
        self.entries.push(Listed { seq, entry, withdrawn: false, replaced: false, replaces: chain });
    }

    /// The newest entry under an id.
    fn current(&mut self, publisher: &Code, id: EntryId) -> &mut Listed {
        let mut all = self.entries.iter_mut().rev();
        all.find(|listed| listed.entry.publisher == *publisher && listed.entry.entry_id == id).unwrap()
    }

    fn tokens(&self, entry: &Entry) -> &[Token] {
        let subject = (entry.publisher.clone(), entry.subject);
        self.statements.get(&subject).map_or(&[], Vec::as_slice)
    }

    fn holders(&self) -> BTreeSet<(Code, Token)> {
        let of_entry = |listed: &Listed| {
            let publisher = listed.entry.publisher.clone();
            self.tokens(&listed.entry)
                .iter()
                .map(move |token| (publisher.clone(), *token))
                .collect::<Vec<_>>()
        };
        self.entries.iter().flat_map(of_entry).chain(self.released.iter().cloned()).collect()
    }

    fn tell_holders(&mut self) {
        for (member, token) in self.holders() {
            let head = self.record(token).head();
            self.told.insert((member, token), head);
        }
    }

    fn record(&self, token: Token) -> Record {
        self.records.get(&token).cloned().unwrap_or_default()
    }

    /// Places of all entries that are permitted, from the query's place on.
    fn search(&self, rig: &Rig, query: &SearchQuery) -> Vec<u64> {
        let due = |listed: &&Listed| {
            let tokens = self.tokens(&listed.entry);
            listed.seq >= query.from_seq
                && !listed.withdrawn
                && (query.superseded || !listed.replaced)
                && tokens.iter().any(|token| query.patients.contains(token))
                && self.permits(rig, query, listed)
        };
        self.entries.iter().filter(due).map(|listed| listed.seq).collect()
    }

    fn permits(&self, rig: &Rig, query: &SearchQuery, listed: &Listed) -> bool {
        let entry = &listed.entry;
        let records: Vec<_> = self.tokens(entry).iter().map(|token| (*token, self.record(*token))).collect();
        let own: Vec<_> = records.iter().map(|(token, record)| (*token, Some(record))).collect();
        let document = Document {
            entry_id: entry.entry_id,
            replaced: listed.replaces.clone(),
            class: entry.class,
            sensitivity: entry.sensitivity,
            service_start: entry.service_start,
            service_end: entry.service_end,
        };
        let request = Request { asker: &query.asker, custodian: &entry.publisher, document: &document };
        let patient = Patient { own: &own, linked: &[] };
        decide(&patient, &request, &rig.directory().list().policy, rig.now).is_permit()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_sequence_of_words_leaves_index_feeds_and_searches_as_the_clauses_say(steps in steps()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        world.assert_holds();
    }
}

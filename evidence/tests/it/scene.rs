//! A region with one access in its log, from keys of fixed seeds; each part can be bent before it is signed.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "fixed content that is known to be valid")]

use std::collections::BTreeSet;

use yiqiao_evidence::file::{File, Logged};
use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::codes::{
    AccessAct, AccessOutcome, DefaultRule, DocumentClass, DocumentFormat, DocumentStatus, DocumentType,
    FacilityKind, KeyUse, LegalBasis, MemberRole, PersonRole, PracticeSetting, Purpose, Sensitivity, Stance,
};
use yiqiao_proto::directive::{Act, Directive, Grantee, Notice, What};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, Word, payload_hash};
use yiqiao_proto::head::{Head, Standing};
use yiqiao_proto::id::{
    Code, Digest, DirectiveId, DocumentId, EntryId, Nonce, PractitionerId, ReferralId, Subject,
};
use yiqiao_proto::log::{Opening, commitment};
use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SealingKey, SigningKey};
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::proof::{AttestedLogin, Proof};
use yiqiao_proto::release::{Asker, Delivery, PullRequest, Release, SealingSecret, Terms};
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};
use yiqiao_proto::time::{Millis, Timestamp};
use yiqiao_proto::token::Token;
use yiqiao_proto::tree;
use yiqiao_simnet::passkey::Passkey;

/// Seeds of the keys: 32 times this byte.
pub(crate) const AUTHORITY: u8 = 1;
pub(crate) const NEXT_AUTHORITY: u8 = 2;
const HOLDER: u8 = 30;
const RECIPIENT: u8 = 40;
const RECIPIENT_SEALING: u8 = 41;
const CHECKPOINT: u8 = 61;

pub(crate) fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_780_000_000_000 + 1_000 * seconds).unwrap()
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::new(Suite::International, &[seed; 32])
}

pub(crate) fn digest(seed: u8) -> Digest {
    Digest::new([seed; 32]).unwrap()
}

pub(crate) fn token(seed: u8) -> Token {
    Token { epoch: 1, value: digest(seed) }
}

fn member(name: &str, role: MemberRole, keys: &[(u8, KeyUse)]) -> Member {
    let signing = |(seed, for_use): &(u8, KeyUse)| SigningKey {
        key: key(*seed).public(),
        for_use: *for_use,
        state: KeyState::Valid,
    };
    Member {
        code: code(name),
        name: format!("示范{name}"),
        contact: "0571-00000000".to_owned(),
        roles: BTreeSet::from([role]),
        suspended: false,
        transports: Vec::new(),
        signing_keys: keys.iter().map(signing).collect(),
        sealing_keys: Vec::new(),
    }
}

fn first_list() -> MemberList {
    let mut recipient = member("clinic", MemberRole::Custodian, &[(RECIPIENT, KeyUse::Words)]);
    let sealing = SealingSecret::new(&[RECIPIENT_SEALING; 32].into()).public();
    let countersigned = SealingKey::countersigned(&code("demo"), &code("clinic"), sealing, &key(RECIPIENT));
    recipient.sealing_keys.push(countersigned);
    let registry = [(60, KeyUse::Words), (CHECKPOINT, KeyUse::Checkpoint), (62, KeyUse::Lease)];
    MemberList {
        region: code("demo"),
        version: 1,
        previous: None,
        issued_at: at(0),
        authority: key(AUTHORITY).public(),
        policy: Policy {
            suites: BTreeSet::from([Suite::International]),
            lease: Millis::from_secs(30),
            default_rule: DefaultRule::Deny,
            break_glass: false,
            proofs: 7,
            open_without_lease: false,
            evaluations_per_day: 1,
            evaluations_backfill: 0,
            rp_id: Some("demo.example".to_owned()),
            origins: vec!["https://demo.example".to_owned()],
            vouchers: vec![code("hospital")],
        },
        members: vec![
            recipient,
            member("hospital", MemberRole::Custodian, &[(HOLDER, KeyUse::Words)]),
            member("registry", MemberRole::Registry, &registry),
        ],
        token_keys: Vec::new(),
        log_id: code("log-1"),
    }
}

/// How a part is bent.
type Bend<T> = Box<dyn Fn(&mut T)>;

fn straight<T>() -> Bend<T> {
    Box::new(|_| {})
}

/// One access, and how its parts are bent.
pub(crate) struct Scene {
    /// Bends the list that counted.
    pub(crate) list: Bend<MemberList>,
    /// Lists between the first and the one that counted, each bent from the one before.
    pub(crate) earlier: Vec<Bend<MemberList>>,
    /// Lists after the release.
    pub(crate) later: Vec<Bend<MemberList>>,
    pub(crate) entry: Bend<Entry>,
    pub(crate) directive: Bend<Directive>,
    /// Without it the patient said the directive by a login.
    pub(crate) by_passkey: bool,
    /// Whether the directive stands in the head on which it was decided.
    pub(crate) in_force: bool,
    pub(crate) request: Bend<PullRequest>,
    pub(crate) terms: Bend<Terms>,
    pub(crate) decision: Bend<AccessEvent>,
    pub(crate) delivery: Bend<Delivery>,
    /// The recipient's events of a broken glass, the first of them cited: with them it is an emergency and no directive counts.
    pub(crate) glass: Vec<Bend<AccessEvent>>,
    /// How long before the rest they were accepted.
    pub(crate) glass_age: Millis,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            list: straight(),
            earlier: Vec::new(),
            later: Vec::new(),
            entry: straight(),
            directive: straight(),
            by_passkey: true,
            in_force: true,
            request: straight(),
            terms: straight(),
            decision: straight(),
            delivery: straight(),
            glass: Vec::new(),
            glass_age: Millis::new(0),
        }
    }
}

/// The log as it grows.
struct Log(Vec<Opening>);

impl Log {
    fn add(&mut self, envelope: &Envelope) -> Digest {
        let seq = self.0.len() as u64;
        let mut salt = [0x51; 32];
        salt[..8].copy_from_slice(&seq.to_be_bytes());
        let (term, accepted_at, envelope) = (3, at(100 + seq.cast_signed()), envelope.as_bytes().to_vec());
        let committed = commitment(&salt, &envelope);
        self.0.push(Opening { seq, term, accepted_at, salt, envelope });
        committed
    }

    fn say<W: Word>(&mut self, word: &W, seed: u8) -> Digest {
        self.add(&Envelope::sign(&code("demo"), word, &key(seed)))
    }

    /// The words with their paths, and the checkpoint over them.
    fn close(self) -> (Vec<u8>, Vec<Logged>) {
        let mut stored: Vec<tree::Hash> = Vec::new();
        let envelope = |opening: &Opening| Envelope::decode(&opening.envelope).unwrap();
        for opening in &self.0 {
            let leaf = opening.leaf(&code("demo"), envelope(opening).kind()).hash();
            let hashes = tree::append(stored.as_slice(), opening.seq, leaf).unwrap();
            stored.extend(hashes);
        }
        let size = self.0.len() as u64;
        let root = tree::root(stored.as_slice(), size).unwrap();
        let origin = origin(&code("demo"), &code("log-1"));
        let note = Checkpoint { origin, size, root }.sign(&key(CHECKPOINT));
        let word = |opening: Opening| Logged {
            path: tree::prove_inclusion(stored.as_slice(), opening.seq, size).unwrap(),
            envelope: envelope(&opening),
            opening,
        };
        (note, self.0.into_iter().map(word).collect())
    }
}

impl Scene {
    pub(crate) fn with(bend: impl FnOnce(&mut Self)) -> Self {
        let mut scene = Self::default();
        bend(&mut scene);
        scene
    }

    /// An access in an emergency.
    pub(crate) fn emergency(bend: impl FnOnce(&mut Self)) -> Self {
        let mut scene = Self { by_passkey: false, glass: vec![straight()], ..Self::default() };
        scene.list = Box::new(|list| list.policy.break_glass = true);
        scene.terms = Box::new(|terms| {
            (terms.directive, terms.standing, terms.basis) = (None, None, LegalBasis::Emergency);
        });
        scene.decision = Box::new(|event| {
            "D-8".clone_into(&mut event.clause);
            event.purpose = Purpose::Emergency;
        });
        bend(&mut scene);
        scene
    }

    /// The file of this access.
    pub(crate) fn file(&self) -> File {
        let mut log = Log(Vec::new());
        let mut authority = AUTHORITY;
        let mut list = first_list();
        if self.earlier.is_empty() {
            (self.list)(&mut list);
        }
        add_list(&mut log, &list, &mut authority);
        for (at, bend) in self.earlier.iter().enumerate() {
            list = next(&list, bend);
            if at + 1 == self.earlier.len() {
                (self.list)(&mut list);
            }
            add_list(&mut log, &list, &mut authority);
        }
        let request = self.access(&mut log);
        for bend in &self.later {
            list = next(&list, bend);
            add_list(&mut log, &list, &mut authority);
        }
        let (checkpoint, words) = log.close();
        File { region: code("demo"), request, checkpoint, words }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.file().write()
    }

    fn access(&self, log: &mut Log) -> Envelope {
        let passkey = Passkey::new([9; 32], "demo.example", "https://demo.example");
        if self.by_passkey {
            log.say(&passkey.credential(&code("hospital"), &[token(7), token(8)]), HOLDER);
        }
        let mut entry = entry();
        (self.entry)(&mut entry);
        log.say(&entry, HOLDER);
        let mut directive = directive();
        (self.directive)(&mut directive);
        let act = if self.by_passkey {
            passkey.act(&code("demo"), directive.clone())
        } else {
            Act::new(directive.clone(), login())
        };
        let broken: Vec<Digest> = self.glass.iter().map(|bend| self.break_glass(log, bend)).collect();
        let committed = if broken.is_empty() { log.say(&act, HOLDER) } else { digest(0x12) };
        let others = [(1, digest(0x11)), (3, digest(0x13))];
        let all: Vec<_> = others.into_iter().chain(self.in_force.then_some((2, committed))).collect();
        let standing = Standing::prove(&[others[0], others[1], (2, committed)], &committed);
        let mut request = request();
        if let Some(cited) = broken.first() {
            (request.asker.purpose, request.asker.break_glass) = (Purpose::Emergency, Some(*cited));
        }
        (self.request)(&mut request);
        let request = Envelope::sign(&code("demo"), &request, &key(RECIPIENT));
        let mut terms = Terms { standing, ..terms(&request, &directive, Head::of(4, all)) };
        (self.terms)(&mut terms);
        let recipient = SealingSecret::new(&[RECIPIENT_SEALING; 32].into()).public();
        let mut entropy = Entropy::new([0x21; 32]);
        let (release, _) = Release::wrap(terms, &[0x42; 32].into(), &recipient, &mut entropy).unwrap();
        let hash = payload_hash(&release.encode());
        log.say(&release, HOLDER);
        let mut decision = event("hospital", "clinic", AccessAct::Release, hash);
        decision.directive = release.terms.directive;
        (self.decision)(&mut decision);
        log.say(&decision, HOLDER);
        let (holder, recipient, document) = (code("hospital"), code("clinic"), release.terms.document);
        let mut delivery = Delivery { release: hash, holder, recipient, document, at: at(210) };
        (self.delivery)(&mut delivery);
        log.say(&delivery, RECIPIENT);
        let received = event("clinic", "hospital", AccessAct::Delivery, hash);
        log.say(&AccessEvent { directive: release.terms.directive, ..received }, RECIPIENT);
        request
    }

    /// Somebody of the recipient breaks the glass: the hash of the event.
    fn break_glass(&self, log: &mut Log, bend: &Bend<AccessEvent>) -> Digest {
        let of = event("clinic", "hospital", AccessAct::BreakGlass, digest(1));
        let mut broken = AccessEvent {
            counterpart: None,
            clause: "D-11".to_owned(),
            classes: BTreeSet::new(),
            purpose: Purpose::Emergency,
            referral: None,
            release: None,
            ..of
        };
        bend(&mut broken);
        let seed = if broken.organisation == code("clinic") { RECIPIENT } else { HOLDER };
        log.say(&broken, seed);
        let told = log.0.last_mut().unwrap();
        told.accepted_at = told.accepted_at - self.glass_age;
        payload_hash(&broken.encode())
    }
}

fn next(list: &MemberList, bend: &Bend<MemberList>) -> MemberList {
    let mut next = MemberList {
        version: list.version + 1,
        previous: Some(payload_hash(&list.encode())),
        ..list.clone()
    };
    bend(&mut next);
    next
}

/// The list is signed by the key that the one before names.
fn add_list(log: &mut Log, list: &MemberList, authority: &mut u8) {
    log.say(list, *authority);
    let named = |seed: &u8| key(*seed).public() == list.authority;
    *authority = [AUTHORITY, NEXT_AUTHORITY].into_iter().find(named).unwrap();
}

pub(crate) fn authority() -> PublicKey {
    key(AUTHORITY).public()
}

pub(crate) fn entry() -> Entry {
    Entry {
        publisher: code("hospital"),
        subject: Subject::new([0xa1; 32]).unwrap(),
        link: digest(0x31),
        entry_id: EntryId::new([0xe1; 32]).unwrap(),
        document: DocumentId::new([0xd1; 32]).unwrap(),
        size: 300_000,
        class: DocumentClass::Laboratory,
        document_type: DocumentType::from_code("C0007").unwrap(),
        format: DocumentFormat::CdaWst,
        facility: FacilityKind::GeneralHospital,
        practice: PracticeSetting::Laboratory,
        service_start: None,
        service_end: None,
        created_at: at(-100),
        sensitivity: Sensitivity::Normal,
        status: DocumentStatus::Final,
    }
}

fn directive() -> Directive {
    Directive {
        id: DirectiveId::new([0xc1; 32]).unwrap(),
        patient: token(7),
        stance: Stance::Permit,
        grantee: Grantee { organisation: Some(code("clinic")), ..Grantee::default() },
        custodian: None,
        what: What::default(),
        purposes: BTreeSet::from([Purpose::Treatment]),
        valid_from: at(0),
        valid_until: Some(at(86_400)),
        notice: Notice { version: "2026-05".to_owned(), hash: digest(0x91) },
        existence_visible: false,
        basis: LegalBasis::SeparateConsent,
        head_version: 1,
    }
}

fn login() -> Proof {
    Proof::AttestedLogin(AttestedLogin {
        organisation: code("hospital"),
        account_hash: digest(0x66),
        at: at(90),
    })
}

pub(crate) fn request() -> PullRequest {
    PullRequest {
        holder: code("hospital"),
        asker: Asker {
            organisation: code("clinic"),
            department: None,
            practitioner: PractitionerId::new([0xb1; 32]).unwrap(),
            role: PersonRole::Physician,
            purpose: Purpose::Treatment,
            referral: Some(ReferralId::new([0xf1; 32]).unwrap()),
            treating: false,
            break_glass: None,
        },
        entry_id: EntryId::new([0xe1; 32]).unwrap(),
        document: DocumentId::new([0xd1; 32]).unwrap(),
        sealing_key: first_list().members[0].sealing_keys[0].id(),
        nonce: Nonce::new([0x81; 32]).unwrap(),
        expires_at: at(3_600),
    }
}

fn terms(request: &Envelope, directive: &Directive, head: Head) -> Terms {
    let word = PullRequest::decode(request.payload()).unwrap();
    Terms {
        request: request.payload_hash(),
        holder: word.holder,
        recipient: word.asker.organisation,
        sealing_key: word.sealing_key,
        entry_id: word.entry_id,
        document: word.document,
        patient: token(7),
        heads: vec![(token(7), head)],
        directive: Some(directive.id),
        referral: word.asker.referral,
        basis: directive.basis,
        expires_at: word.expires_at,
        lease: digest(0x61),
        standing: None,
    }
}

fn event(by: &str, other: &str, act: AccessAct, release: Digest) -> AccessEvent {
    let (request, entry) = (request(), entry());
    AccessEvent {
        organisation: code(by),
        counterpart: Some(code(other)),
        patient: token(7),
        act,
        outcome: AccessOutcome::Permitted,
        clause: if act == AccessAct::Release { "D-3" } else { "P-7" }.to_owned(),
        classes: BTreeSet::from([entry.class]),
        purpose: request.asker.purpose,
        role: request.asker.role,
        head_version: 4,
        directive: None,
        referral: request.asker.referral,
        release: Some(release),
        documents: 1,
        size: entry.size,
        at: at(200),
        audit_line: Some(digest(0xaa)),
    }
}

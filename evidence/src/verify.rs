//! What must hold before a file proves an access (V-3 to V-5).
//!
//! Each part must stand in the log under the one checkpoint, be signed by a member that counted, and be of this very access; what
//! belongs to nothing of it is refused, too. Not here: whether another directive forbade it, which only the holder could see.

use std::collections::BTreeSet;

use yiqiao_consent::credential::{Claim, is_proved};
use yiqiao_consent::{
    Decision, Document, Grounds, InForce, Patient, Record, Request, Stated, Witness, decide,
};
use yiqiao_proto::access::{AccessEvent, InLog, emergency};
use yiqiao_proto::codes::{AccessAct, AccessOutcome};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, Directive};
use yiqiao_proto::directory::{ListError, SignerError};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::id::Code;
use yiqiao_proto::note::NoteError;
use yiqiao_proto::proof::{CredentialStatement, Proof};
use yiqiao_proto::release::{Delivery, PullRequest, Release};
use yiqiao_proto::suite::PublicKey;
use yiqiao_proto::time::Timestamp;

use crate::file::{File, Logged};
use crate::lists::Lists;
use crate::proved::Proved;

/// Why a file proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no such file.
    #[error("this is no evidence of this version, or it was changed: {0}")]
    Decode(#[from] DecodeError),
    /// The key given signed none of the lists.
    #[error(
        "the key given signed no member list that was in force at the access: give the region's key of then, or an earlier one (M-8)"
    )]
    OtherAuthority,
    /// A member list is not the authority's, or does not follow.
    #[error("the member list at {seq} does not count: {cause}")]
    List {
        /// Its place.
        seq: u64,
        /// Why not.
        #[source]
        cause: ListError,
    },
    /// It is not proved which list counted.
    #[error(
        "the list after member list {counted} is missing: another one may have counted at the access (M-2)"
    )]
    ListMissing {
        /// The list that is said to have counted.
        counted: u64,
    },
    /// The checkpoint is not the registry's.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A word does not stand in the log.
    #[error("the word at {seq} does not stand under the checkpoint (L-6)")]
    Path {
        /// Its place.
        seq: u64,
    },
    /// A part is not there, or there are several.
    #[error("the file has {count} of what must be there once: {what} (V-2)")]
    Count {
        /// Which part.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// A part is not believed.
    #[error("the {what} does not count: {cause}")]
    Word {
        /// Which part.
        what: &'static str,
        /// Why not.
        #[source]
        cause: EnvelopeError,
    },
    /// A side of the access was no member in good standing.
    #[error("at the access {0}")]
    Member(SignerError),
    /// A word that has nothing to do with the access.
    #[error("the word at {seq} belongs to nothing of this access (V-4)")]
    Foreign {
        /// Its place.
        seq: u64,
    },
    /// Parts do not fit each other.
    #[error("{what} ({clause})")]
    Unfit {
        /// What does not hold.
        what: &'static str,
        /// The clause that wants it.
        clause: &'static str,
    },
}

/// A part of the access that stands in the log.
#[derive(Clone, Debug)]
pub struct Part<W> {
    /// Its place.
    pub seq: u64,
    /// When the registry accepted it.
    pub accepted_at: Timestamp,
    /// What its leaf commits to.
    pub(crate) commitment: yiqiao_proto::id::Digest,
    /// The word and who said it.
    pub said: Verified<W>,
}

impl<W> Part<W> {
    /// What it says.
    pub const fn word(&self) -> &W {
        self.said.word()
    }
}

impl Part<AccessEvent> {
    fn in_log(&self) -> InLog<'_> {
        let hash = self.said.envelope().payload_hash();
        InLog { hash, event: self.word(), accepted_at: self.accepted_at }
    }
}

/// Whether a file proves an access, by nothing but a public key of the region's authority.
///
/// # Errors
/// [`Fault`]: it does not, for this reason.
pub fn verify(bytes: &[u8], authority: &PublicKey) -> Result<Proved, Fault> {
    let file = File::read(bytes)?;
    let released = only(&file, Kind::Release, "release")?.opening.seq;
    let lists = Lists::of(&file, authority, released)?;
    let tree = lists.tree(&file)?;
    let astray = file.words.iter().find(|word| !word.stands_under(&file.region, &tree));
    if let Some(word) = astray {
        return Err(Fault::Path { seq: word.opening.seq });
    }
    let parts = Parts::of(&file, &lists)?;
    parts.check(&lists)?;
    Ok(parts.proved(lists.counted, tree))
}

/// The parts of one access.
struct Parts {
    request: Verified<PullRequest>,
    release: Part<Release>,
    entry: Part<Entry>,
    decision: Part<AccessEvent>,
    directive: Option<Part<Act<Directive>>>,
    credentials: Vec<Part<CredentialStatement>>,
    delivery: Option<Part<Delivery>>,
    received: Option<Part<AccessEvent>>,
    /// The events by which the recipient broke the glass.
    emergency: Vec<Part<AccessEvent>>,
}

impl Parts {
    fn of(file: &File, lists: &Lists) -> Result<Self, Fault> {
        let release: Part<Release> = read(only(file, Kind::Release, "release")?, lists, "release")?;
        let said = Said::AtSeq(release.seq);
        let request = Verified::check(file.request.clone(), &lists.newest, said);
        let (mut decision, mut received, mut emergency) = (Vec::new(), Vec::new(), Vec::new());
        for word in &file.words {
            match word.envelope.kind() {
                Kind::AccessEvent => {
                    let event: Part<AccessEvent> = read(word, lists, "access event")?;
                    let by_recipient = event.word().organisation == release.word().terms.recipient;
                    if by_recipient && event.word().act == AccessAct::BreakGlass {
                        emergency.push(event);
                    } else {
                        side_of(&event, &release, &mut decision, &mut received)?.push(event);
                    }
                }
                Kind::MemberList
                | Kind::Entry
                | Kind::Directive
                | Kind::CredentialStatement
                | Kind::Release
                | Kind::Delivery => {}
                Kind::Withdrawal
                | Kind::IdentityStatement
                | Kind::Revocation
                | Kind::ReferralStep
                | Kind::PullRequest
                | Kind::SearchQuery
                | Kind::SearchAnswer
                | Kind::Lease
                | Kind::PatientQuery
                | Kind::AuditAnchor
                | Kind::Inventory => return Err(Fault::Foreign { seq: word.opening.seq }),
            }
        }
        Ok(Self {
            request: request.map_err(|cause| Fault::Word { what: "request", cause })?,
            entry: read(only(file, Kind::Entry, "entry")?, lists, "entry")?,
            decision: one(decision, "decision")?.ok_or(Fault::Count { what: "decision", count: 0 })?,
            directive: one(all(file, Kind::Directive, lists, "directive")?, "directive")?,
            credentials: all(file, Kind::CredentialStatement, lists, "statement of a passkey")?,
            delivery: one(all(file, Kind::Delivery, lists, "delivery")?, "delivery")?,
            received: one(received, "event of the delivery")?,
            emergency,
            release,
        })
    }

    fn check(&self, lists: &Lists) -> Result<(), Fault> {
        self.check_members(lists)?;
        self.check_request()?;
        self.check_entry()?;
        self.check_decision()?;
        self.check_emergency()?;
        self.check_ground(lists)?;
        self.check_delivery()
    }

    /// Both sides were members when the release was accepted, and the holder's key signed then (M-5, M-7).
    fn check_members(&self, lists: &Lists) -> Result<(), Fault> {
        let counted = &lists.counted;
        let key = self.release.said.envelope().key_id();
        counted.signer(key, Kind::Release, Said::Now).map_err(Fault::Member)?;
        let recipient = &self.release.word().terms.recipient;
        let member = counted.member(recipient);
        let stands = member.is_some_and(|member| !member.suspended);
        if !stands {
            return Err(Fault::Member(SignerError::Suspended { member: recipient.clone() }));
        }
        let sealing = self.release.word().terms.sealing_key;
        let has = member.is_some_and(|member| member.sealing_keys.iter().any(|key| key.id() == sealing));
        require(has, "the document's key was wrapped to a key that is not the recipient's", "M-4")
    }

    fn check_request(&self) -> Result<(), Fault> {
        let (terms, request) = (&self.release.word().terms, self.request.word());
        let named = terms.request == self.request.envelope().payload_hash();
        require(named, "the release answers another request", "P-2")?;
        let same = terms.holder == request.holder
            && terms.recipient == request.asker.organisation
            && terms.sealing_key == request.sealing_key
            && terms.entry_id == request.entry_id
            && terms.document == request.document
            && terms.referral == request.asker.referral;
        require(same, "the release is of other terms than its request", "P-2")?;
        let lives = terms.expires_at <= request.expires_at;
        require(lives, "the release outlives its request", "P-2")
    }

    fn check_entry(&self) -> Result<(), Fault> {
        let (terms, entry) = (&self.release.word().terms, self.entry.word());
        let same = entry.publisher == terms.holder
            && entry.entry_id == terms.entry_id
            && entry.document == terms.document;
        require(same, "the entry is of another document", "P-8")?;
        require(self.entry.seq < self.release.seq, "the document was published after it was released", "P-8")
    }

    /// The holder's own account of its decision.
    fn check_decision(&self) -> Result<(), Fault> {
        let (event, terms, asker) =
            (self.decision.word(), &self.release.word().terms, &self.request.word().asker);
        let permits = event.outcome == AccessOutcome::Permitted;
        require(permits, "the decision is no permission", "A-1")?;
        let same = event.counterpart.as_ref() == Some(&terms.recipient)
            && event.patient == terms.patient
            && event.directive == terms.directive
            && event.referral == terms.referral
            && event.purpose == asker.purpose
            && event.role == asker.role
            && event.classes == BTreeSet::from([self.entry.word().class])
            && event.size == self.entry.word().size
            && event.documents == 1;
        require(same, "the decision is of another access", "A-2")?;
        require(event.at < terms.expires_at, "it was decided after the release had expired", "P-2")
    }

    /// What it rests on: a directive that was in force, or a rule of the region. The same decision must follow from it again (D-9).
    fn check_ground(&self, lists: &Lists) -> Result<(), Fault> {
        match (&self.directive, self.release.word().terms.directive) {
            (Some(part), Some(_)) => self.check_directive(part, lists)?,
            (None, Some(_)) => return Err(Fault::Count { what: "directive", count: 0 }),
            (directive, None) => {
                let apart = directive.is_none() && self.credentials.is_empty();
                require(apart, "a directive stands beside a release that rests on none", "V-4")?;
            }
        }
        let grounds = self.decide_again(lists);
        let terms = &self.release.word().terms;
        let same = grounds.is_some_and(|grounds| {
            grounds.clause.number() == self.decision.word().clause
                && grounds.directives.first().copied() == terms.directive
                && grounds.basis == Some(terms.basis)
        });
        require(same, "what is shown does not permit this to this recipient at this time", "D-9")
    }

    fn check_directive(&self, part: &Part<Act<Directive>>, lists: &Lists) -> Result<(), Fault> {
        let (terms, directive) = (&self.release.word().terms, &part.word().said);
        let same = Some(directive.id) == terms.directive && directive.patient == terms.patient;
        require(
            same,
            "the directive is another one than the release rests on, or of another patient",
            "P-2",
        )?;
        require(part.seq < self.release.seq, "the directive came after the release", "C-11")?;
        self.check_in_force(part)?;
        self.check_passkey(part, lists)?;
        let ends = directive.valid_until.is_none_or(|until| terms.expires_at <= until);
        require(ends, "the release outlives its directive", "P-2")
    }

    /// Why it is permitted by what the file shows, at the holder's own time and by the policy that counted; none if it is not.
    fn decide_again(&self, lists: &Lists) -> Option<Grounds> {
        let (entry, at) = (self.entry.word(), self.decision.word().at);
        let document = Document {
            entry_id: entry.entry_id,
            replaced: BTreeSet::new(),
            class: entry.class,
            sensitivity: entry.sensitivity,
            service_start: entry.service_start,
            service_end: entry.service_end,
        };
        let in_force = self.directive.as_ref().map(|part| InForce {
            directive: part.word().said.clone(),
            witness: Witness::of(&part.word().proof),
            version: self.decision.word().head_version,
            seq: part.seq,
            commitment: part.commitment,
            accepted_at: part.accepted_at,
        });
        let record = Record::told(self.decision.word().head_version, in_force.into_iter().collect());
        let own = [(self.release.word().terms.patient, Some(&record))];
        let (asker, custodian) = (&self.request.word().asker, &entry.publisher);
        let request = Request { asker, custodian, document: &document };
        let policy = &lists.counted.list().policy;
        match decide(&Patient { own: &own, linked: &[] }, &request, policy, at) {
            Decision::Permit(grounds) => Some(grounds),
            Decision::Deny(_) => None,
        }
    }

    /// The head on which the holder decided is made over this directive, too (C-10): it was neither revoked nor replaced.
    fn check_in_force(&self, part: &Part<Act<Directive>>) -> Result<(), Fault> {
        let terms = &self.release.word().terms;
        let head = terms.heads.iter().find(|(token, _)| *token == terms.patient).map(|(_, head)| head);
        let stands = head.zip(terms.standing.as_ref());
        let in_force = stands.is_some_and(|(head, standing)| standing.leads_to(&part.commitment, head));
        require(in_force, "the directive was not in force when it was decided", "C-10")?;
        let same = head.is_some_and(|head| self.decision.word().head_version == head.version);
        require(same, "it was decided on another head", "D-9")
    }

    /// A passkey signed the directive, and a voucher gives it to the patient (C-14); of logins and desks the envelope says it (C-8).
    fn check_passkey(&self, part: &Part<Act<Directive>>, lists: &Lists) -> Result<(), Fault> {
        let act = part.word();
        let Proof::Passkey(assertion) = &act.proof else {
            let foreign = self.credentials.first();
            return foreign.map_or(Ok(()), |stated| Err(Fault::Foreign { seq: stated.seq }));
        };
        let is_of_it = |stated: &&Part<CredentialStatement>| {
            stated.word().credential_id == assertion.credential_id && stated.seq < part.seq
        };
        if let Some(other) = self.credentials.iter().find(|stated| !is_of_it(stated)) {
            return Err(Fault::Foreign { seq: other.seq });
        }
        let stated: Vec<Stated> = (self.credentials.iter())
            .map(|stated| Stated { seq: stated.seq, statement: stated.word().clone() })
            .collect();
        let claim = Claim {
            act: &act.challenge(lists.counted.region()),
            patient: &act.said.patient,
            basis: Some(act.said.basis),
            seq: part.seq,
            at: part.accepted_at,
        };
        let proved = is_proved(assertion, &claim, &stated, &lists.counted.list().policy);
        require(proved, "no passkey that was vouched for this patient signed the directive", "C-14")
    }

    /// The emergency that the request cites stood in the log: the recipient's own, of the release's patient, and not long before (D-8).
    fn check_emergency(&self) -> Result<(), Fault> {
        let Some(cited) = self.request.word().asker.break_glass else {
            let foreign = self.emergency.first();
            return foreign.map_or(Ok(()), |event| Err(Fault::Foreign { seq: event.seq }));
        };
        let before = self.emergency.iter().filter(|event| event.seq < self.release.seq);
        let events: Vec<_> = before.map(Part::in_log).collect();
        let patient = self.release.word().terms.patient;
        let about = emergency(&events, &cited, self.release.accepted_at, |token| *token == patient);
        let about = about.ok_or(Fault::Unfit {
            what: "the log has no emergency of this patient at the recipient that its request cites, or it was long before",
            clause: "D-8",
        })?;
        let is_of_it = |event: &&Part<AccessEvent>| {
            let hash = event.said.envelope().payload_hash();
            hash == cited || hash == about.hash
        };
        let foreign = self.emergency.iter().find(|event| !is_of_it(event));
        foreign.map_or(Ok(()), |event| Err(Fault::Foreign { seq: event.seq }))
    }

    fn check_delivery(&self) -> Result<(), Fault> {
        let (terms, release) = (&self.release.word().terms, self.release.said.envelope().payload_hash());
        if let Some(delivery) = &self.delivery {
            let word = delivery.word();
            let same = word.release == release
                && word.holder == terms.holder
                && word.recipient == terms.recipient
                && word.document == terms.document;
            require(same, "the receipt is of another release", "P-7")?;
            require(delivery.seq > self.release.seq, "the receipt came before the release", "P-7")?;
        }
        let Some(event) = &self.received else { return Ok(()) };
        let event = event.word();
        let same = self.delivery.is_some()
            && event.counterpart.as_ref() == Some(&terms.holder)
            && event.patient == terms.patient
            && event.directive == terms.directive;
        require(same, "the event of the delivery is of another access", "A-2")
    }

    fn proved(
        self,
        members: yiqiao_proto::directory::Directory,
        tree: yiqiao_proto::note::Checkpoint,
    ) -> Proved {
        let vouchers = self.credentials.iter().map(|stated| stated.word().voucher.clone()).collect();
        Proved {
            members,
            tree,
            request: self.request,
            release: self.release,
            entry: self.entry,
            decision: self.decision,
            directive: self.directive,
            vouchers,
            delivery: self.delivery,
            received: self.received,
            emergency: self.emergency,
        }
    }
}

/// Where an event of this release belongs: the holder's decision, or the recipient's delivery.
fn side_of<'p>(
    event: &Part<AccessEvent>,
    release: &Part<Release>,
    decision: &'p mut Vec<Part<AccessEvent>>,
    received: &'p mut Vec<Part<AccessEvent>>,
) -> Result<&'p mut Vec<Part<AccessEvent>>, Fault> {
    let (word, terms) = (event.word(), &release.word().terms);
    let of_release = word.release == Some(release.said.envelope().payload_hash());
    let by = |member: &Code, act| of_release && word.organisation == *member && word.act == act;
    if by(&terms.holder, AccessAct::Release) {
        Ok(decision)
    } else if by(&terms.recipient, AccessAct::Delivery) {
        Ok(received)
    } else {
        Err(Fault::Foreign { seq: event.seq })
    }
}

/// A word as the part that it is, judged by the newest list for its place in the log (M-6).
fn read<W: Word>(logged: &Logged, lists: &Lists, what: &'static str) -> Result<Part<W>, Fault> {
    let Logged { opening, envelope, .. } = logged;
    let said = Verified::check(envelope.clone(), &lists.newest, Said::AtSeq(opening.seq));
    Ok(Part {
        seq: opening.seq,
        accepted_at: opening.accepted_at,
        commitment: opening.commitment(),
        said: said.map_err(|cause| Fault::Word { what, cause })?,
    })
}

fn all<W: Word>(file: &File, kind: Kind, lists: &Lists, what: &'static str) -> Result<Vec<Part<W>>, Fault> {
    file.of_kind(kind).map(|word| read(word, lists, what)).collect()
}

fn only<'f>(file: &'f File, kind: Kind, what: &'static str) -> Result<&'f Logged, Fault> {
    one(file.of_kind(kind).collect(), what)?.ok_or(Fault::Count { what, count: 0 })
}

/// None or one.
fn one<T>(mut parts: Vec<T>, what: &'static str) -> Result<Option<T>, Fault> {
    let count = parts.len();
    let part = parts.pop();
    if parts.is_empty() { Ok(part) } else { Err(Fault::Count { what, count }) }
}

const fn require(holds: bool, what: &'static str, clause: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::Unfit { what, clause }) }
}

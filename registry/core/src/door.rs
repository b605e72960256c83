//! A member's call: from bytes to what it asks for, with all checked that needs nothing stored (E-1 to E-6, H-1, M-11, W-2).
//!
//! Not here: what is answered ([`crate::answer`]), and the queue between the two.

use std::collections::BTreeSet;

use yiqiao_proto::access;
use yiqiao_proto::calls::{
    AnchorsRequest, Call, ConsentRequest, EvaluateRequest, EvidenceRequest, FeedRequest, HistoryRequest,
    HoldingsRequest, InventoryRequest, LeaseRequest, LinksRequest, MembersRequest, Method, ProofRequest,
    RecallRequest, SearchRequest, SubmitRequest,
};
use yiqiao_proto::codes::{MemberRole, PatientQuestion, RefusalCode};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, PatientQuery};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::entry::Link;
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::id::{Code, Digest, Nonce, Subject};
use yiqiao_proto::limits::{FEED_WAIT_MS_MAX, INVENTORY_SUBJECTS_MAX, PROOFS_MAX, SUBMISSION_MAX};
use yiqiao_proto::time::Millis;
use yiqiao_proto::wire::calls::Submitted;

use crate::alarm::{self, AlarmFault};
use crate::evaluate::Blinded;
use crate::lease::LeaseAsked;
use crate::machine::{ConsentAct, Input, Refused};
use crate::quality;
use crate::take::{ChainWord, Submission};

/// What a call asks for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Something of the machine: [`crate::answer::answer`] makes the answer of its outcome.
    Machine(Input),
    /// Items of the member's feed (F-3), likewise; if there are none yet, the call may be kept until there are.
    Feed {
        /// What the machine handles.
        input: Input,
        /// How long the call may be kept.
        wait: Millis,
    },
    /// Member lists after a version (M-2), which stand outside the log: [`crate::answer::lists`].
    Lists {
        /// The version that the member has.
        after_version: u64,
    },
    /// Evaluations (T-3), which the machine counts and the token key makes.
    Evaluate(Blinded),
}

/// The member that a connection belongs to (M-11), by the bytes of its peer id.
///
/// # Errors
/// [`CallFault::NotMember`] if it is no member's, or that of a suspended one (M-7).
pub fn asker<'d>(directory: &'d Directory, peer_id: &[u8]) -> Result<&'d Code, CallFault> {
    directory.member_at(peer_id).map(|member| &member.code).ok_or(CallFault::NotMember)
}

/// Reads a call of a member. What comes of it is the asking member's own: its words, its feed, its quota.
///
/// # Errors
/// [`CallFault`]: the call is refused, and nothing changes.
pub fn read(
    directory: &Directory,
    asker: &Code,
    method: u16,
    request: &[u8],
    entropy: &mut Entropy,
) -> Result<Asked, CallFault> {
    let hand = Hand { directory, asker };
    let method = Method::try_from(method).map_err(|number| CallFault::Method { number })?;
    let member = || asker.clone();
    Ok(Asked::Machine(match method {
        Method::Members => {
            let MembersRequest { after_version } = call(request)?;
            return Ok(Asked::Lists { after_version });
        }
        Method::Evaluate => {
            let request: EvaluateRequest = call(request)?;
            return Ok(Asked::Evaluate(Blinded { member: member(), request }));
        }
        Method::Submit => {
            hand.may_submit()?;
            Input::Submit(Box::new(hand.submission(&call(request)?, entropy)?))
        }
        Method::Search => {
            let SearchRequest { envelope } = call(request)?;
            Input::Search(hand.check(read_envelope(&envelope)?)?)
        }
        Method::Consent => {
            let ConsentRequest { envelope } = call(request)?;
            hand.question(&envelope, PatientQuestion::Consents)?
        }
        Method::History => {
            let HistoryRequest { envelope } = call(request)?;
            hand.question(&envelope, PatientQuestion::Events)?
        }
        Method::Lease => Input::Lease(lease(member(), &call(request)?).map_err(CallFault::Lease)?),
        Method::Feed => {
            let FeedRequest { after, count, wait_ms } = call(request)?;
            let input = Input::Feed { member: member(), after, count };
            return Ok(Asked::Feed { input, wait: Millis::new(wait_ms.min(FEED_WAIT_MS_MAX)) });
        }
        Method::Links => {
            let LinksRequest { subject, from_number } = call(request)?;
            let subject = Subject::read("links_request.subject", &subject).map_err(CallFault::Subject)?;
            Input::Links { member: member(), subject, from_number }
        }
        Method::Proof => {
            let ProofRequest { sizes } = call(request)?;
            if sizes.len() > PROOFS_MAX {
                return Err(CallFault::Proofs { sizes: sizes.len() });
            }
            Input::Prove { member: member(), sizes }
        }
        Method::Evidence => evidence(member(), &call(request)?).map_err(CallFault::Evidence)?,
        Method::Anchors => Input::Anchors { member: member(), after: call::<AnchorsRequest>(request)?.after },
        Method::Recall => Input::Recall { member: member(), from: call::<RecallRequest>(request)?.from },
        Method::Holdings => {
            let HoldingsRequest { envelope } = call(request)?;
            hand.question(&envelope, PatientQuestion::Holdings)?
        }
        Method::Inventory => Input::Inventory { member: member(), subjects: subjects(&call(request)?)? },
        Method::Alarm => Input::Alarm(Box::new(alarm::read(directory, asker, call(request)?)?)),
        Method::Quality => {
            let told = quality::read(asker, call(request)?).map_err(CallFault::Quality)?;
            Input::Quality(Box::new(told))
        }
        Method::Release
        | Method::Step
        | Method::ActNotice
        | Method::Compare
        | Method::Check
        | Method::Persons => return Err(CallFault::Method { number: method as u16 }),
    }))
}

/// Of which release evidence is asked for, and which events of an emergency it cites.
fn evidence(member: Code, request: &EvidenceRequest) -> Result<Input, DecodeError> {
    let release = Digest::read("evidence_request.release", &request.release)?;
    let emergency = access::read_events(&request.emergency)?;
    Ok(Input::Evidence { member, release, emergency })
}

/// Why a call is refused before the machine sees it. Its message is for the registry's operator; the member gets code and clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallFault {
    /// The connection belongs to no current member.
    #[error("the peer is no current member's (M-11)")]
    NotMember,
    /// A method that does not exist, or that a registry does not answer.
    #[error("a registry answers no method {number} (H-1)")]
    Method {
        /// Its number.
        number: u16,
    },
    /// The call is not what the schema says.
    #[error("a call cannot be read: {0}")]
    Call(#[source] DecodeError),
    /// The member hands in nothing.
    #[error("{member} is neither custodian nor portal and hands in no words (E-5)")]
    MayNotSubmit {
        /// The member.
        member: Code,
    },
    /// No words, or too many.
    #[error("a submission has {words} words, not 1 to {SUBMISSION_MAX} (N-5)")]
    Count {
        /// How many.
        words: usize,
    },
    /// Several words that are not all links.
    #[error("a submission has links and other words, or several other words (N-5)")]
    Mixed,
    /// A link without its place, or with one that cannot be read.
    #[error("the place of a link cannot be read: {0}")]
    Place(#[source] DecodeError),
    /// Words of this kind are not handed in.
    #[error("a {kind:?} is not handed in (L-1)")]
    NotKept {
        /// The kind.
        kind: Kind,
    },
    /// What should be a signed word is no envelope.
    #[error("an envelope cannot be read: {0}")]
    Envelope(#[source] DecodeError),
    /// A word is not believed.
    #[error("a word is not believed: {0}")]
    Word(#[from] EnvelopeError),
    /// A word of another member than the one that calls.
    #[error("{asker} hands in a word of {signer} (E-6)")]
    OthersWord {
        /// Who calls.
        asker: Code,
        /// Who signed.
        signer: Code,
    },
    /// A patient's question in the call of another question.
    #[error("a patient's question came in the call of another one (A-4)")]
    OtherQuestion,
    /// Too many proofs at once.
    #[error("{sizes} proofs are asked for at once, more than {PROOFS_MAX} (L-13)")]
    Proofs {
        /// How many.
        sizes: usize,
    },
    /// The lease that is asked for cannot be given to anybody.
    #[error("the request for a lease cannot be read: {0}")]
    Lease(#[source] DecodeError),
    /// Too many subjects at once.
    #[error("{subjects} subjects are asked for at once, not 1 to {INVENTORY_SUBJECTS_MAX} (L-15)")]
    Subjects {
        /// How many.
        subjects: usize,
    },
    /// What a member tells is nothing to be kept.
    #[error(transparent)]
    Alarm(#[from] AlarmFault),
    /// What a member tells of quality is no figures.
    #[error("figures of quality cannot be read: {0}")]
    Quality(#[source] DecodeError),
    /// What should name a release does not.
    #[error("a release cannot be named: {0}")]
    Evidence(#[source] DecodeError),
    /// What should name a subject does not.
    #[error("a subject cannot be read: {0}")]
    Subject(#[source] DecodeError),
}

impl CallFault {
    /// What the member is told of it.
    pub const fn refused(&self) -> Refused {
        use RefusalCode::{BadSignature, Malformed, NotMember, OverLimit};
        let (code, clause) = match self {
            Self::NotMember => (NotMember, "M-11"),
            Self::Method { .. } => (Malformed, "H-1"),
            Self::Call(DecodeError::TooMany { .. } | DecodeError::TooLarge { .. }) => (OverLimit, "W-3"),
            Self::Call(_) | Self::Word(EnvelopeError::Decode(_)) => (Malformed, "W-2"),
            Self::MayNotSubmit { .. } | Self::Word(EnvelopeError::Signer(_)) => (NotMember, "E-5"),
            Self::Count { .. } => (OverLimit, "N-5"),
            Self::Proofs { .. } => (OverLimit, "L-13"),
            Self::Subjects { .. } => (OverLimit, "L-15"),
            Self::Alarm(_) => (Malformed, "L-17"),
            Self::Quality(_) => (Malformed, "Y-3"),
            Self::Mixed => (Malformed, "N-5"),
            Self::Place(_) => (Malformed, "N-2"),
            Self::NotKept { .. } => (Malformed, "L-1"),
            Self::Envelope(_) => (Malformed, "E-1"),
            Self::Word(EnvelopeError::WrongKind { .. }) => (Malformed, "E-4"),
            Self::Word(EnvelopeError::OtherSayer { .. }) | Self::OthersWord { .. } => (NotMember, "E-6"),
            Self::Word(EnvelopeError::OtherAddressee { .. }) => (NotMember, "E-7"),
            Self::Word(EnvelopeError::BadSignature) => (BadSignature, "E-2"),
            Self::OtherQuestion => (Malformed, "A-4"),
            Self::Lease(_) => (Malformed, "F-6"),
            Self::Subject(_) | Self::Evidence(_) => (Malformed, "W-4"),
        };
        Refused::new(code, clause)
    }
}

impl From<CallFault> for Refused {
    fn from(fault: CallFault) -> Self {
        fault.refused()
    }
}

/// The asking member, and the members by whom its words are checked.
#[derive(Clone, Copy)]
struct Hand<'a> {
    directory: &'a Directory,
    asker: &'a Code,
}

impl Hand<'_> {
    fn may_submit(self) -> Result<(), CallFault> {
        let says = [MemberRole::Custodian, MemberRole::Portal];
        let member = self.directory.member(self.asker);
        let may = member.is_some_and(|member| says.iter().any(|role| member.roles.contains(role)));
        if may { Ok(()) } else { Err(CallFault::MayNotSubmit { member: self.asker.clone() }) }
    }

    /// A word that the calling member itself says now.
    fn check<W: Word>(self, envelope: Envelope) -> Result<Verified<W>, CallFault> {
        self.own(Verified::check(envelope, self.directory, Said::Now)?)
    }

    /// A member hands in its own words only.
    fn own<W>(self, verified: Verified<W>) -> Result<Verified<W>, CallFault> {
        if verified.signer() == self.asker {
            return Ok(verified);
        }
        Err(CallFault::OthersWord { asker: self.asker.clone(), signer: verified.signer().clone() })
    }

    /// A patient's question, in the call whose answer it asks for.
    fn question(self, envelope: &[u8], what: PatientQuestion) -> Result<Input, CallFault> {
        let query: Verified<Act<PatientQuery>> = self.check(read_envelope(envelope)?)?;
        let fits = query.word().said.what == what;
        if fits { Ok(Input::PatientQuery(query)) } else { Err(CallFault::OtherQuestion) }
    }

    /// The words of a submission: links of one subject, directives of one act, or one word of another kind.
    fn submission(self, request: &SubmitRequest, entropy: &mut Entropy) -> Result<Submission, CallFault> {
        if !(1..=SUBMISSION_MAX).contains(&request.words.len()) {
            return Err(CallFault::Count { words: request.words.len() });
        }
        let envelopes = request.words.iter().map(|word| read_envelope(&word.envelope));
        let envelopes: Vec<Envelope> = envelopes.collect::<Result<_, _>>()?;
        let is_link = |envelope: &Envelope| matches!(envelope.kind(), Kind::Entry | Kind::Withdrawal);
        if envelopes.iter().all(is_link) {
            return self.links(&request.words, envelopes, entropy).map(Submission::Links);
        }
        let is_directive = |envelope: &Envelope| envelope.kind() == Kind::Directive;
        if envelopes.len() > 1 && envelopes.iter().all(is_directive) {
            let act = |envelope| Ok(ConsentAct::Directive(Box::new(self.check(envelope)?)));
            let acts = envelopes.into_iter().map(act).collect::<Result<_, CallFault>>()?;
            return Ok(Submission::Directives(acts));
        }
        let [envelope] = <[Envelope; 1]>::try_from(envelopes).map_err(|_| CallFault::Mixed)?;
        self.one(envelope)
    }

    fn links(
        self,
        words: &[Submitted],
        envelopes: Vec<Envelope>,
        entropy: &mut Entropy,
    ) -> Result<Vec<ChainWord>, CallFault> {
        let places: Vec<Link> = words.iter().map(place).collect::<Result<_, _>>()?;
        let kinds: Vec<Kind> = envelopes.iter().map(Envelope::kind).collect();
        // Entries are checked together, which is several times cheaper than one by one (S-3).
        let (entries, withdrawals): (Vec<_>, Vec<_>) =
            envelopes.into_iter().partition(|envelope| envelope.kind() == Kind::Entry);
        let mut entries = Verified::check_all(entries, self.directory, entropy).into_iter();
        let mut withdrawals = Verified::check_all(withdrawals, self.directory, entropy).into_iter();
        let word = |(kind, link): (Kind, Link)| {
            Ok(if kind == Kind::Entry {
                ChainWord::Entry(self.own(entries.next().ok_or(CallFault::Mixed)??)?, link)
            } else {
                ChainWord::Withdrawal(self.own(withdrawals.next().ok_or(CallFault::Mixed)??)?, link)
            })
        };
        kinds.into_iter().zip(places).map(word).collect()
    }

    fn one(self, envelope: Envelope) -> Result<Submission, CallFault> {
        Ok(match envelope.kind() {
            Kind::IdentityStatement => Submission::Identity(self.check(envelope)?),
            Kind::Directive => Submission::Consent(ConsentAct::Directive(Box::new(self.check(envelope)?))),
            Kind::Revocation => Submission::Consent(ConsentAct::Revocation(Box::new(self.check(envelope)?))),
            Kind::CredentialStatement => Submission::Credential(self.check(envelope)?),
            Kind::AccessEvent => Submission::Event(self.check(envelope)?),
            Kind::Release => Submission::Release(self.check(envelope)?),
            Kind::Delivery => Submission::Delivery(self.check(envelope)?),
            Kind::AuditAnchor => Submission::Anchor(self.check(envelope)?),
            kind @ (Kind::MemberList
            | Kind::Entry
            | Kind::Withdrawal
            | Kind::ReferralStep
            | Kind::PullRequest
            | Kind::SearchQuery
            | Kind::SearchAnswer
            | Kind::Lease
            | Kind::PatientQuery
            | Kind::Inventory) => return Err(CallFault::NotKept { kind }),
        })
    }
}

fn call<C: Call>(bytes: &[u8]) -> Result<C, CallFault> {
    C::from_bytes(bytes).map_err(CallFault::Call)
}

fn read_envelope(bytes: &[u8]) -> Result<Envelope, CallFault> {
    Envelope::decode(bytes).map_err(CallFault::Envelope)
}

/// The place in its chain to which a link commits (N-2).
fn place(word: &Submitted) -> Result<Link, CallFault> {
    let link = word.link.as_ref().ok_or(DecodeError::Missing { field: "submitted.link" });
    link.and_then(Link::read).map_err(CallFault::Place)
}

/// The subjects that a member asks for: a set (W-8).
fn subjects(request: &InventoryRequest) -> Result<BTreeSet<Subject>, CallFault> {
    if !(1..=INVENTORY_SUBJECTS_MAX).contains(&request.subjects.len()) {
        return Err(CallFault::Subjects { subjects: request.subjects.len() });
    }
    let ascending = request.subjects.is_sorted_by(|a, b| a < b);
    if !ascending {
        let (field, rule) = ("inventory_request.subjects", "ascending (W-8)");
        return Err(CallFault::Subject(DecodeError::Invalid { field, rule }));
    }
    let read = |subject: &Vec<u8>| Subject::read("inventory_request.subjects", subject);
    request.subjects.iter().map(read).collect::<Result<_, _>>().map_err(CallFault::Subject)
}

fn lease(member: Code, request: &LeaseRequest) -> Result<LeaseAsked, DecodeError> {
    Ok(LeaseAsked {
        member,
        nonce: Nonce::read("lease_request.nonce", &request.nonce)?,
        term: request.term,
        feed_number: request.feed_number,
        feed_chain: Digest::read("lease_request.feed_chain", &request.feed_chain)?,
    })
}

//! What an attacker tries with a hospital's keys: each with the name that it has in the trace.

use core::fmt;

use crate::network::{Carried, Who};

/// A call that an attacker makes.
pub(crate) struct Attempt {
    pub(crate) what: Tried,
    pub(crate) to: Who,
    pub(crate) body: Carried,
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tried {
    /// A call that it has heard, to anybody.
    Heard,
    /// A request for a document of the log, under every pretext.
    Request,
    /// A range of a release to another.
    Range,
    /// Somebody's entry, or one that contradicts it.
    Entry,
    /// A passkey of its own for a patient of others, then a permit signed with it.
    Passkey,
    Consent(Consent),
    Told(Told),
    Step(Step),
    Probe(Probe),
}

/// Acts of patients that no patient said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// Its desk says that a patient of others permits.
    Permit,
    /// That one objects.
    Forbid,
    /// The opposite of what it said last, under the same id.
    SameId,
    /// The opposite of what it said last, signed on the same version of the head.
    SameVersion,
    /// A permit signed on a head that does not exist yet.
    Ahead,
    /// It takes back what others have said.
    Revoke,
    /// It takes back what others have said, of another patient.
    RevokeElsewhere,
    /// A permit that another's desk is to have witnessed.
    OthersDesk,
    /// An objection, told to another member alone (F-9).
    NoticeForbid,
    /// A permit, told to another member alone.
    NoticePermit,
    /// A revocation, told to another member alone.
    NoticeRevoke,
}

/// Words of what never happened, or is not its to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// An access that did not happen.
    Event,
    /// An access of another member.
    OthersEvent,
    /// A search or a first filing, which the registry says.
    RegistrysEvent,
    /// That a release between two others is over.
    Ended,
    /// A delivery of a release to another.
    Delivery,
    /// A release of its own for which nobody asked.
    Release,
    /// A release of another's document.
    OthersRelease,
    /// That two patients of others are one subject.
    TwoTokens,
}

/// Steps of referrals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A referral of a patient of others.
    Send,
    /// A step that another member is to have taken.
    AsOther,
    /// A step to another member than the one that is told of it.
    ToOther,
    /// A step of a referral that does not exist.
    OfNone,
    /// A step of a referral between two others.
    OfOthers,
    /// Another act under the number of a step that it has taken.
    Again,
    /// The next step, whatever the state is.
    On,
    /// A step that is the other side's to take.
    OtherSide,
    /// A step with a gap before it.
    Gap,
}

/// Calls that ask for what is not its own, claim what is not so, or are too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// A checkpoint that it signed itself.
    CompareForged,
    /// One of another log.
    CompareOther,
    /// One of more leaves than there can be.
    CompareHuge,
    /// One of the registry's that is old.
    CompareOld,
    /// Two checkpoints that contradict each other and that it signed itself.
    AlarmForged,
    /// One checkpoint of the registry's, twice.
    AlarmTwice,
    /// Two of the registry's that do not contradict each other.
    AlarmTrue,
    /// What the registry is to have told of another's subjects.
    CheckForged,
    /// The log of a patient of others, who never asked.
    History,
    /// Who of another hospital wrote lines about one who never asked.
    Persons,
    /// Evidence of an access between two others.
    Evidence,
    /// What the index has of another's subject.
    Inventory,
    /// The words of another about its subject.
    Links,
    /// A lease for a term that has not begun.
    LeaseAhead,
    /// A feed from beyond its end.
    FeedAhead,
    /// More words than a submission has.
    ManyWords,
    /// More elements than are evaluated at once.
    ManyElements,
    /// More proofs than are given at once.
    ManyProofs,
    /// More subjects than are told of at once.
    ManySubjects,
}

impl Tried {
    pub(crate) const ALL: [Self; 58] = [
        Self::Heard,
        Self::Heard,
        Self::Request,
        Self::Request,
        Self::Request,
        Self::Range,
        Self::Range,
        Self::Entry,
        Self::Entry,
        Self::Passkey,
        Self::Passkey,
        Self::Consent(Consent::Permit),
        Self::Consent(Consent::Forbid),
        Self::Consent(Consent::SameId),
        Self::Consent(Consent::SameVersion),
        Self::Consent(Consent::Ahead),
        Self::Consent(Consent::Revoke),
        Self::Consent(Consent::RevokeElsewhere),
        Self::Consent(Consent::OthersDesk),
        Self::Consent(Consent::NoticeForbid),
        Self::Consent(Consent::NoticePermit),
        Self::Consent(Consent::NoticeRevoke),
        Self::Told(Told::Event),
        Self::Told(Told::OthersEvent),
        Self::Told(Told::RegistrysEvent),
        Self::Told(Told::Ended),
        Self::Told(Told::Delivery),
        Self::Told(Told::Release),
        Self::Told(Told::OthersRelease),
        Self::Told(Told::TwoTokens),
        Self::Step(Step::Send),
        Self::Step(Step::AsOther),
        Self::Step(Step::ToOther),
        Self::Step(Step::OfNone),
        Self::Step(Step::OfOthers),
        Self::Step(Step::Again),
        Self::Step(Step::On),
        Self::Step(Step::OtherSide),
        Self::Step(Step::Gap),
        Self::Probe(Probe::CompareForged),
        Self::Probe(Probe::CompareOther),
        Self::Probe(Probe::CompareHuge),
        Self::Probe(Probe::CompareOld),
        Self::Probe(Probe::AlarmForged),
        Self::Probe(Probe::AlarmTwice),
        Self::Probe(Probe::AlarmTrue),
        Self::Probe(Probe::CheckForged),
        Self::Probe(Probe::History),
        Self::Probe(Probe::Persons),
        Self::Probe(Probe::Evidence),
        Self::Probe(Probe::Inventory),
        Self::Probe(Probe::Links),
        Self::Probe(Probe::LeaseAhead),
        Self::Probe(Probe::FeedAhead),
        Self::Probe(Probe::ManyWords),
        Self::Probe(Probe::ManyElements),
        Self::Probe(Probe::ManyProofs),
        Self::Probe(Probe::ManySubjects),
    ];
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heard | Self::Request | Self::Range | Self::Entry | Self::Passkey => {
                fmt::Debug::fmt(self, f)
            }
            Self::Consent(said) => fmt::Debug::fmt(said, f),
            Self::Told(told) => fmt::Debug::fmt(told, f),
            Self::Step(step) => write!(f, "Step{step:?}"),
            Self::Probe(probe) => fmt::Debug::fmt(probe, f),
        }
    }
}

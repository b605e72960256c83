//! Faults of the product that are planted, one at a time, to see that a checker fires. No release does any of it.

use core::fmt;
use core::str::FromStr;

/// What a driver or the network does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plant {
    /// Nodes answer before the batch is durable.
    AckEarly,
    /// Nodes answer some messages and forget them.
    AckOnly,
    /// The clock of the first node stands still after a while, and it does not hear what members tell of consent.
    ClockStands,
    /// The registry gives receipts before the batch is durable.
    ReceiptEarly,
    /// Nodes forget some effects: nobody ever answers them.
    EffectLost,
    /// Nodes write a name beside what they hand to the registry.
    NameTold,
    /// Nodes take some messages a second time, as if they were others.
    KeptTwice,
    /// Nodes tell the other side of a referral that they took in a step, and forget it.
    StepLost,
    /// Nodes leave out an entry of what a search found.
    EntryLeftOut,
    /// Nodes hand in some words twice at once.
    SentTwice,
    /// Nodes keep the receipts of one answer in another order.
    ReceiptsSwapped,
    /// Nodes serve a range to whoever asks, as if it were the recipient.
    AnyAsker,
    /// The clock of the first node stands still after a while, and it takes neither member lists nor leases from then on.
    ListUnread,
    /// The clock of the first node stands still after a while; no more than that.
    LeaseKept,
    /// The registry does not read anew whether its term is over.
    TermUnread,
    /// Nodes take receipts and what searches find at whatever tree.
    TreeTrusted,
    /// Nodes take items of the feed as if they followed.
    HoleStepped,
    /// Nodes deny some requests without a word in their journal.
    DeniedUnwritten,
    /// Nodes hand in another event again in place of some.
    EventDropped,
    /// Nodes say of some events that they happened twice.
    EventInvented,
    /// The registry leaves an event out of what it shows to patients.
    EventLeftOut,
    /// Nodes say when to ask again for what they have and deny.
    DenialTells,
    /// The registry names a next page to who searches for somebody known and finds nothing.
    SearchTells,
    /// Nodes hand in at once what was refused or not answered.
    TriedAtOnce,
    /// Nodes seal some documents a second time, and keep the file of the first.
    SealedTwice,
    /// Nodes sweep sealed files away that are in use.
    SweptBlindly,
    /// Desks say of two whom a register merges although their identifiers differ that they are one.
    MergeBelieved,
    /// Nodes tell some desks that what a patient said was kept, and forget it.
    SaidOnly,
    /// Nodes tell some offices that a step of a referral was taken, and forget it.
    StepOnly,
    /// Nodes ask at once for a range that was refused or not answered.
    PulledAtOnce,
    /// Nodes forget no call that was answered.
    CallsKept,
    /// Nodes count what members ask under another name each time.
    CountedAnew,
    /// Nodes forget what was taken back at their own desks: their feed alone counts.
    TakenBackLost,
    /// The operator of the world does not know what has rotted in a copy of the log: a fault of the world, not of the product.
    RotUnknown,
    /// Nodes let places of queues stand in the index when what stood there is done.
    PlaceKept,
    /// Nodes tell desks that a document is out of the index, and forget it.
    WithdrawnOnly,
    /// Nodes file what comes again under a control id with the patient of the first time.
    FiledBefore,
    /// Nodes ask about every patient under one name.
    OneName,
    /// Nodes count what a search found under keys that do not count.
    LeftIn,
    /// Nodes compare checkpoints with whoever says any name: what a machine holds of members grows without end.
    StrangersMet,
    /// The registry counts what a member asks for under another name each time.
    QuotasAnew,
    /// Nodes take what comes under a number for its holder's, whoever is named.
    NumberBelieved,
    /// Nodes show a copy of another holder's document although the machine denies it.
    DeniedOpened,
    /// Nodes take a passkey that somebody brings as if a desk had seen it.
    SelfEnrolled,
    /// The list that all processes have does not say who may vouch for passkeys: so everybody may.
    AllVouch,
    /// Nodes obey requests as if they cited emergencies, which nobody has declared.
    GlassInvented,
    /// Nodes hand in another event in place of those by which the glass was broken.
    GlassUnsaid,
    /// Nodes forget what patients are to be told.
    GlassUntold,
    /// Nodes show no emergency to who is to judge it.
    GlassUnjudged,
    /// Nodes forget who has broken the glass: who did judges it.
    GlassOwnVerdict,
    /// The list that all processes have knows emergencies, in a region that does not want any.
    GlassEverywhere,
    /// Somebody signs with the passkeys of patients who do not.
    SignedUnasked,
    /// Nodes say another hash of their audit than it has.
    AnchorElsewhere,
    /// The registry goes on waiting for halves that have come.
    SingleKept,
    /// The registry's machine leaves objections out of the head that comes before a first receipt.
    HeadThinned,
    /// Nodes take what some patients say a second time, as if they had said it again.
    SaidTwice,
    /// Nodes break some glasses a second time, as if somebody had come again.
    GlassTwice,
    /// Nodes name a document to a sender that they do not have.
    EntryInvented,
    /// Nodes take some leases as if they came with a tree of one leaf.
    TreeCut,
    /// Nodes lose some first items of what their feeds bring.
    FeedTorn,
    /// The first node ends now and then, for no reason of the disk.
    EndsItself,
    /// The registry accepts some words of subjects and says that it refuses them.
    EntryRefused,
    /// Nodes never come back to inputs that wait for a call.
    InputKept,
    /// Nodes never end the fetch of a document that is whole.
    FetchKept,
    /// Nodes never come back to requests that wait for the feed.
    RequestKept,
    /// Nodes never come back to ranges that wait for a word.
    RangeKept,
}

impl Plant {
    /// All of them.
    pub const ALL: [Self; 66] = [
        Self::AckEarly,
        Self::AckOnly,
        Self::ClockStands,
        Self::ReceiptEarly,
        Self::EffectLost,
        Self::NameTold,
        Self::KeptTwice,
        Self::StepLost,
        Self::EntryLeftOut,
        Self::SentTwice,
        Self::ReceiptsSwapped,
        Self::AnyAsker,
        Self::ListUnread,
        Self::LeaseKept,
        Self::TermUnread,
        Self::TreeTrusted,
        Self::HoleStepped,
        Self::DeniedUnwritten,
        Self::EventDropped,
        Self::EventInvented,
        Self::EventLeftOut,
        Self::DenialTells,
        Self::SearchTells,
        Self::TriedAtOnce,
        Self::SealedTwice,
        Self::SweptBlindly,
        Self::MergeBelieved,
        Self::SaidOnly,
        Self::StepOnly,
        Self::PulledAtOnce,
        Self::CallsKept,
        Self::CountedAnew,
        Self::TakenBackLost,
        Self::RotUnknown,
        Self::PlaceKept,
        Self::WithdrawnOnly,
        Self::FiledBefore,
        Self::OneName,
        Self::LeftIn,
        Self::StrangersMet,
        Self::QuotasAnew,
        Self::NumberBelieved,
        Self::DeniedOpened,
        Self::SelfEnrolled,
        Self::AllVouch,
        Self::GlassInvented,
        Self::GlassUnsaid,
        Self::GlassUntold,
        Self::GlassUnjudged,
        Self::GlassOwnVerdict,
        Self::GlassEverywhere,
        Self::SignedUnasked,
        Self::AnchorElsewhere,
        Self::SingleKept,
        Self::HeadThinned,
        Self::SaidTwice,
        Self::GlassTwice,
        Self::EntryInvented,
        Self::TreeCut,
        Self::FeedTorn,
        Self::EndsItself,
        Self::EntryRefused,
        Self::InputKept,
        Self::FetchKept,
        Self::RequestKept,
        Self::RangeKept,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AckEarly => "ack-early",
            Self::AckOnly => "ack-only",
            Self::ClockStands => "clock-stands",
            Self::ReceiptEarly => "receipt-early",
            Self::EffectLost => "effect-lost",
            Self::NameTold => "name-told",
            Self::KeptTwice => "kept-twice",
            Self::StepLost => "step-lost",
            Self::EntryLeftOut => "entry-left-out",
            Self::SentTwice => "sent-twice",
            Self::ReceiptsSwapped => "receipts-swapped",
            Self::AnyAsker => "any-asker",
            Self::ListUnread => "list-unread",
            Self::LeaseKept => "lease-kept",
            Self::TermUnread => "term-unread",
            Self::TreeTrusted => "tree-trusted",
            Self::HoleStepped => "hole-stepped",
            Self::DeniedUnwritten => "denied-unwritten",
            Self::EventDropped => "event-dropped",
            Self::EventInvented => "event-invented",
            Self::EventLeftOut => "event-left-out",
            Self::DenialTells => "denial-tells",
            Self::SearchTells => "search-tells",
            Self::TriedAtOnce => "tried-at-once",
            Self::SealedTwice => "sealed-twice",
            Self::SweptBlindly => "swept-blindly",
            Self::MergeBelieved => "merge-believed",
            Self::SaidOnly => "said-only",
            Self::StepOnly => "step-only",
            Self::PulledAtOnce => "pulled-at-once",
            Self::CallsKept => "calls-kept",
            Self::CountedAnew => "counted-anew",
            Self::TakenBackLost => "taken-back-lost",
            Self::RotUnknown => "rot-unknown",
            Self::PlaceKept => "place-kept",
            Self::WithdrawnOnly => "withdrawn-only",
            Self::FiledBefore => "filed-before",
            Self::OneName => "one-name",
            Self::LeftIn => "left-in",
            Self::StrangersMet => "strangers-met",
            Self::QuotasAnew => "quotas-anew",
            Self::NumberBelieved => "number-believed",
            Self::DeniedOpened => "denied-opened",
            Self::SelfEnrolled => "self-enrolled",
            Self::AllVouch => "all-vouch",
            Self::GlassInvented => "glass-invented",
            Self::GlassUnsaid => "glass-unsaid",
            Self::GlassUntold => "glass-untold",
            Self::GlassUnjudged => "glass-unjudged",
            Self::GlassOwnVerdict => "glass-own-verdict",
            Self::GlassEverywhere => "glass-everywhere",
            Self::SignedUnasked => "signed-unasked",
            Self::AnchorElsewhere => "anchor-elsewhere",
            Self::SingleKept => "single-kept",
            Self::HeadThinned => "head-thinned",
            Self::SaidTwice => "said-twice",
            Self::GlassTwice => "glass-twice",
            Self::EntryInvented => "entry-invented",
            Self::TreeCut => "tree-cut",
            Self::FeedTorn => "feed-torn",
            Self::EndsItself => "ends-itself",
            Self::EntryRefused => "entry-refused",
            Self::InputKept => "input-kept",
            Self::FetchKept => "fetch-kept",
            Self::RequestKept => "request-kept",
            Self::RangeKept => "range-kept",
        }
    }
}

impl fmt::Display for Plant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No planted fault has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no planted fault {0:?}: see docs/simulation.md")]
pub struct PlantUnknown(String);

impl FromStr for Plant {
    type Err = PlantUnknown;

    fn from_str(name: &str) -> Result<Self, PlantUnknown> {
        Self::ALL.into_iter().find(|plant| plant.name() == name).ok_or_else(|| PlantUnknown(name.to_owned()))
    }
}

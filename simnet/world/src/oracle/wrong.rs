//! All that the checkers can find wrong, each by a name: tests and reductions compare names, people read the words beside them.
//!
//! Each of them is named by a test that shows that it is found: `tests/it/checkers.rs` looks for that.

use core::fmt::{self, Display};

macro_rules! wrongs {
    ($($name:ident = $text:literal,)*) => {
        /// What must not be.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Wrong {$(
            #[doc = $text]
            $name,
        )*}

        impl Wrong {
            /// Everything that can be found wrong.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it is, in words.
            pub const fn text(self) -> &'static str {
                match self {$(
                    Self::$name => $text,
                )*}
            }
        }
    };
}

wrongs! {
    // What travels.
    NameTold = "a name or number of a patient goes to somebody in the open",
    OneName = "somebody asks about two patients under one name",
    DenialDiffers = "one denial differs from another",
    DocumentTold = "who is not permitted is told of a document",
    EmptyAnswerDiffers = "a search that finds nothing is answered in another way than others",
    // Messages, documents, and what desks and offices were told.
    AnsweredUnasked = "a message is acknowledged that nobody handed in",
    MessageLost = "an acknowledged message is lost",
    MessageDoubled = "a message is kept twice",
    DocumentLost = "a document of an acknowledged message is lost",
    DocumentUnpublished = "a document of a patient who has a token is not published",
    DocumentDoubled = "a document stands another number of times in the log than once",
    DocumentElsewhere = "a receipt of a document stands at another word",
    FileLost = "a sealed file that the journal names is not in the vault",
    SealedTwice = "a document was sealed twice: its key is of another file",
    SaidLost = "what was said at a desk is not kept: lost",
    SaidTwice = "what was said at a desk is kept twice",
    SaidElsewhere = "a receipt of what was said stands at another word",
    StepLost = "a step that its office was told of is lost",
    StepTwice = "a step of a referral was taken twice",
    ReferralUnknown = "a referral is not known to the other side",
    ReferralsDiffer = "a referral stands differently at both sides",
    // The log, its trees and feeds.
    WordUnreadable = "a word of the log cannot be read",
    WordsGone = "words that somebody was told of are gone from the log: lost",
    WordTwice = "a member's word stands twice in the log",
    ReceiptElsewhere = "a receipt names a place of the log that has not that word",
    TreeSmaller = "an answer is taken at a smaller tree than was known",
    TreeOther = "an answer is taken at another tree of the same size",
    ItemAmiss = "an item of the feed is taken that does not follow",
    OtherLog = "the registry shows another log",
    FeedStopped = "the feed does not go on",
    Contradiction = "the registry's checkpoints contradict each other",
    Omission = "the registry leaves out what it has acknowledged",
    Alarm = "the registry is shown that it contradicts itself",
    SinglesAmiss = "the registry waits for other releases and deliveries than have no other half",
    // Consent.
    ReleaseUnreadable = "a release cannot be read",
    ReleaseUnasked = "a release answers no request",
    LetGo = "a document is let go that was not permitted",
    Served = "a document is served that was not permitted",
    ServedUnreleased = "a range is served that was never released",
    ServedToOther = "a range is served to another than the recipient",
    Opened = "a document is opened that was not permitted",
    OpenedUnreleased = "a document is opened that was never released",
    Found = "a document is found that was not permitted",
    SearchAmiss = "a search does not find exactly what is permitted",
    OfOther = "a document goes under what another person has permitted",
    TakenOutStays = "a document that its desk has taken out is still there",
    MovedAmiss = "a document that was moved is not with the right person",
    // Members, leases and terms.
    Suspended = "a document is let go by or to a suspended member",
    ListOlder = "an older member list is in force again",
    Disbelieved = "an honest answer is not believed",
    LeaseUnknown = "it is decided under a lease that never came, or long ago",
    LeaseEnded = "it is decided under a lease that has ended",
    LeaseEarlier = "it is decided under a lease of a term before one that was known",
    TermOver = "words are accepted or a lease is signed in a term that is over",
    // Audits and what patients read.
    LineSilent = "a line of the audit does not say what went to whom",
    AuditLacks = "a release or a denial is not in the audit",
    AuditInvents = "the audit has something for which nobody asked",
    AuditBroken = "the audit is not the one of which the log has hashes",
    AnchorLate = "the log has nothing of lines that were written an hour ago",
    EventLacks = "a release or a denial is not in the log of its patient",
    EventInvented = "the log of a patient has an event that did not happen",
    EventUnread = "an event is left out of what a patient reads of the log",
    EventReadOnly = "a patient reads an event that is not in the log",
    // Passkeys and emergencies.
    VoucherUnknown = "a passkey is stated by who may vouch for none",
    PasskeyUnseen = "a passkey is stated that no desk has seen",
    Unsigned = "a patient has not signed what stands in the log as signed",
    PasskeySilent = "an act stands in the log whose passkey does not speak for its patient",
    GlassTwice = "the glass was broken once, and is kept to be broken twice",
    GlassUnwanted = "an emergency is obeyed in a region that knows none",
    GlassUndeclared = "an emergency is cited that nobody has declared",
    GlassUnlogged = "a search is answered for an emergency that the log has not",
    GlassUnsaid = "an emergency does not stand in the log of its patient",
    GlassUnshown = "an emergency is not shown to who is to judge it",
    GlassOwnVerdict = "an emergency was judged by who declared it",
    GlassUntold = "a patient was not told of an emergency",
    // What is asked for and held.
    CallsAtOnce = "too many calls are under way at once",
    AskedAgain = "the same is asked for too many times within an hour",
    HandedInAgain = "a word is handed in while a call for it is under way",
    TooMuchHeld = "more is held than may be",
    TooMuchKept = "more is kept than may be",
    Endless = "the world does not come to rest: too many events",
    // What has not come to rest, and processes that do not run.
    Ended = "the process ended",
    NotStarting = "the process does not start",
    NotRunning = "a process does not run",
    StillWaiting = "somebody still waits for an answer",
    ListUnknown = "somebody does not know the newest member list",
    DeedsLeft = "the authority has not done all that it planned",
    QueueLeft = "not everything is handed in",
    Unfinished = "something is still under way or waited for",
    PublishingStopped = "a subject is published no more",
}

impl Wrong {
    /// The same with what else is to be said of it.
    pub(crate) fn of(self, about: impl Display) -> Finding {
        Finding { wrong: self, about: about.to_string() }
    }
}

/// Something that was found wrong, and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) wrong: Wrong,
    about: String,
}

impl Finding {
    /// The same, said of something that all have waited for.
    pub(crate) fn at_rest(self) -> Self {
        let about = if self.about.is_empty() { String::new() } else { format!("{}; ", self.about) };
        Self { about: format!("{about}no rest after all has healed"), ..self }
    }
}

impl From<Wrong> for Finding {
    fn from(wrong: Wrong) -> Self {
        Self { wrong, about: String::new() }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wrong.text())?;
        if self.about.is_empty() { Ok(()) } else { write!(f, ": {}", self.about) }
    }
}

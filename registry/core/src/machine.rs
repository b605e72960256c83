//! The one way in: an input and a view go in, what is to be kept and answered comes out.
//!
//! The driver takes a batch of inputs, lets the machine handle each on one view, appends what is to be kept to the
//! journal, makes it durable, signs a checkpoint over it, makes that durable, commits what the view has written, and only
//! then gives the answers. So nothing is answered before it is durable.

use std::collections::BTreeSet;

use yiqiao_proto::codes::RefusalCode;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, Directive, PatientQuery, Revocation};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::envelope::{Envelope, Kind, Said, Verified};
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::log::Opening;
use yiqiao_proto::search::SearchQuery;
use yiqiao_proto::suite::SecretKey;
use yiqiao_proto::time::{Millis, Timestamp};

use crate::inventory::Held;
use crate::lease::LeaseAsked;
use crate::search::Found;
use crate::state::{Fault, Kept, Place, Tally, View};
use crate::take::{Submission, Taken};
use crate::{
    alarm, anchor, consent, evidence, index, inventory, lease, patient, quality, search, state, take,
};

/// The registry's machine.
pub struct Machine {
    /// The registry's own code.
    pub(crate) code: Code,
    pub(crate) directory: Directory,
    pub(crate) keys: Keys,
    /// The sequencer's term (L-10).
    pub(crate) term: u64,
    /// The place of the next word.
    pub(crate) next_seq: u64,
}

/// The keys with which the registry signs.
pub struct Keys {
    /// Answers and access events.
    pub words: SecretKey,
    /// Leases.
    pub lease: SecretKey,
}

/// What a member asks of the registry, with all signatures checked.
#[derive(Clone, Debug)]
pub enum Input {
    /// Words to keep.
    Submit(Box<Submission>),
    /// A search.
    Search(Verified<SearchQuery>),
    /// A patient's question.
    PatientQuery(Verified<Act<PatientQuery>>),
    /// A lease.
    Lease(LeaseAsked),
    /// Items of the asking member's feed after a number.
    Feed {
        /// The member.
        member: Code,
        /// After which number.
        after: u64,
        /// At most so many.
        count: u32,
    },
    /// The asking member's own words about a subject.
    Links {
        /// The member.
        member: Code,
        /// The subject.
        subject: Subject,
        /// From which number on.
        from_number: u64,
    },
    /// That trees of these sizes are the beginning of the newest (L-13).
    Prove {
        /// The member that asks.
        member: Code,
        /// The sizes.
        sizes: Vec<u64>,
    },
    /// What the log has of a release, for one of its two sides (V-1).
    Evidence {
        /// The member that asks.
        member: Code,
        /// Hash of the release's payload.
        release: Digest,
        /// Hashes of the events by which its recipient broke the glass, if its request cites one (D-8).
        emergency: Vec<Digest>,
    },
    /// How far the asking member has said that its audit had come.
    Anchors {
        /// The member.
        member: Code,
        /// After how many.
        after: u64,
    },
    /// The asking member's own words about subjects from a place in the log on (N-9).
    Recall {
        /// The member.
        member: Code,
        /// The place.
        from: u64,
    },
    /// What the index holds of subjects of the asking member (L-15).
    Inventory {
        /// The member.
        member: Code,
        /// Its subjects.
        subjects: BTreeSet<Subject>,
    },
    /// A member tells what it has found (L-17).
    Alarm(Box<alarm::Raised>),
    /// A member tells how good what its systems send is (Y-3).
    Quality(Box<quality::Told>),
    /// How many elements may be evaluated (T-5).
    Evaluate {
        /// The member.
        member: Code,
        /// How many are asked for.
        elements: u64,
    },
    /// A new member list; the driver has taken it into the directory's succession already.
    MemberList(Box<Directory>, Envelope),
}

impl Input {
    /// The key that it is known to need: loaded for all of a batch together, it spares each a round.
    pub fn first_key(&self) -> Option<Vec<u8>> {
        let member = match self {
            Self::Lease(asked) => &asked.member,
            Self::Feed { member, .. } => member,
            Self::Submit(_)
            | Self::Search(_)
            | Self::PatientQuery(_)
            | Self::Links { .. }
            | Self::Prove { .. }
            | Self::Evidence { .. }
            | Self::Anchors { .. }
            | Self::Recall { .. }
            | Self::Inventory { .. }
            | Self::Alarm(_)
            | Self::Quality(_)
            | Self::Evaluate { .. }
            | Self::MemberList(..) => return None,
        };
        Some(state::feed(member).key().to_vec())
    }
}

/// What comes of an input that was not refused.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The words stand at these places; a receipt for each is due.
    Taken(Vec<Taken>),
    /// What a search found: an answer is due at the checkpoint that is durable then.
    Found(Found),
    /// The consents of a patient.
    Consents(patient::Consents),
    /// The events of a patient.
    Events(patient::Events),
    /// A signed lease.
    Lease(Envelope),
    /// Items of a feed.
    Feed(Vec<Vec<u8>>),
    /// Own words of a member about a subject (N-9).
    Links {
        /// Entries and withdrawals, with their links.
        links: Vec<Kept>,
        /// Its newest identity statement.
        statement: Option<Kept>,
    },
    /// Trees of these sizes are to be proved to be the beginning of the newest.
    Prove(Vec<u64>),
    /// Words that belong to one release, in the order of the log: each is to be proved.
    Evidence(Vec<Opening>),
    /// Own anchors of a member.
    Anchors(Vec<Opening>),
    /// Own words of a member about subjects (N-9).
    Recall {
        /// Entries and withdrawals with their links, and statements.
        words: Vec<Kept>,
        /// The place from which on the next ones are asked for.
        next: u64,
        /// Whether the log ended there.
        whole: bool,
    },
    /// What the index holds of own subjects of a member.
    Inventory(Held),
    /// What it holds of a patient, by publisher.
    Holdings(Vec<Held>),
    /// What a member told was heard.
    Heard,
    /// The elements may be evaluated.
    Evaluate,
}

/// Why an input is refused; a closed code and the clause (H-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code.
    pub code: RefusalCode,
    /// The clause.
    pub clause: &'static str,
    /// After which time it may be tried again, if waiting helps.
    pub retry_after: Option<Millis>,
}

impl Refused {
    /// A refusal that waiting does not change.
    pub const fn new(code: RefusalCode, clause: &'static str) -> Self {
        Self { code, clause, retry_after: None }
    }
}

/// What ends the handling of an input before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is refused; nothing changes.
    Refused(Refused),
    /// The view lacks something.
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<DecodeError> for Stop {
    fn from(_: DecodeError) -> Self {
        refuse(RefusalCode::Malformed, "W-2")
    }
}

/// A refusal.
pub(crate) const fn refuse(code: RefusalCode, clause: &'static str) -> Stop {
    Stop::Refused(Refused::new(code, clause))
}

/// What the handling of one input brought.
#[derive(Clone, Debug)]
pub struct Handled {
    /// To be appended to the journal, in order.
    pub records: Vec<ToKeep>,
    /// To be answered once all is durable.
    pub outcome: Outcome,
}

/// A record for the journal.
#[derive(Clone, Debug)]
pub enum ToKeep {
    /// An accepted word, and its leaf's kind.
    Word(Box<Kept>, Kind),
    /// Token evaluations.
    Tally(Tally),
    /// What a member has found that cannot be.
    Alarm(state::kept::Alarm),
    /// How good what the systems of a member send is.
    Quality(state::kept::Quality),
}

impl Machine {
    /// The machine of a registry, before or after its journal was read through.
    pub const fn new(code: Code, directory: Directory, keys: Keys, term: u64, next_seq: u64) -> Self {
        Self { code, directory, keys, term, next_seq }
    }

    /// Says how many words stand in the log: where a rebuild starts.
    pub const fn start_at(&mut self, words: u64) {
        self.next_seq = words;
    }

    /// The members in force.
    pub const fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The place of the next word.
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The state to which [`Machine::undo`] goes back: for a batch that could not be made durable.
    pub fn mark(&self) -> Mark {
        Mark { directory: self.directory.clone(), next_seq: self.next_seq }
    }

    /// Goes back to a mark: what was handled since was kept nowhere.
    pub fn undo(&mut self, mark: Mark) {
        self.directory = mark.directory;
        self.next_seq = mark.next_seq;
    }

    /// Handles one input. The view keeps what it wrote if it is handled, and is as before if it is refused or lacks
    /// something.
    ///
    /// # Errors
    /// [`Stop`]: refused, or to be repeated with more loaded. Entropy must be fresh for every repetition that counts.
    pub fn handle(
        &mut self,
        now: Timestamp,
        input: &Input,
        entropy: &mut Entropy,
        view: &mut View,
    ) -> Result<Handled, Stop> {
        let mut work = Work { machine: self, now, entropy, view, records: Vec::new(), taken: 0 };
        let outcome = work.handle(input);
        let Work { records, taken, .. } = work;
        match outcome {
            Ok(outcome) => {
                view.keep();
                self.next_seq += taken;
                if let Input::MemberList(directory, _) = input {
                    self.take_list(directory);
                }
                Ok(Handled { records, outcome })
            }
            Err(stop) => {
                view.forget();
                Err(stop)
            }
        }
    }

    /// A list that is told again does not bring an older one back into force (M-3).
    fn take_list(&mut self, directory: &Directory) {
        if directory.list().version > self.directory.list().version {
            self.directory = directory.clone();
        }
    }

    /// Does again what followed from one record of the journal: how the index is rebuilt.
    ///
    /// # Errors
    /// [`Fault`] if the view lacks something, or the record is none that this machine would have kept.
    pub fn rebuild(&mut self, record: &state::kept::record::Record, view: &mut View) -> Result<(), Fault> {
        let redone = match record {
            state::kept::record::Record::Kept(kept) => take::apply(kept, view).map(|()| 1),
            state::kept::record::Record::Tally(tally) => take::apply_tally(tally, view).map(|()| 0),
            state::kept::record::Record::Alarm(found) => alarm::apply(found, view).map(|()| 0),
            state::kept::record::Record::Quality(told) => quality::apply(told, view).map(|()| 0),
        };
        match redone {
            Ok(words) => {
                view.keep();
                self.next_seq += words;
                Ok(())
            }
            Err(fault) => {
                view.forget();
                Err(fault)
            }
        }
    }
}

/// A state of the machine.
#[derive(Debug)]
pub struct Mark {
    directory: Directory,
    next_seq: u64,
}

/// The handling of one input.
pub(crate) struct Work<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) now: Timestamp,
    pub(crate) entropy: &'a mut Entropy,
    pub(crate) view: &'a mut View,
    records: Vec<ToKeep>,
    taken: u64,
}

impl Work<'_> {
    fn handle(&mut self, input: &Input) -> Result<Outcome, Stop> {
        self.require_member(input)?;
        match input {
            Input::Submit(submission) => take::submit(self, submission).map(Outcome::Taken),
            Input::Search(query) => search::search(self, query).map(Outcome::Found),
            Input::PatientQuery(query) => patient::ask(self, query),
            Input::Lease(asked) => lease::lease(self, asked).map(Outcome::Lease),
            Input::Feed { member, after, count } => {
                lease::items(self, member, *after, *count).map(Outcome::Feed)
            }
            Input::Links { member, subject, from_number } => {
                let links = index::links(self, member, subject, *from_number)?;
                Ok(Outcome::Links { links, statement: index::statement(self, member, subject)? })
            }
            Input::Prove { sizes, .. } => Ok(Outcome::Prove(sizes.clone())),
            Input::Evidence { member, release, emergency } => {
                evidence::of_release(self, member, release, emergency).map(Outcome::Evidence)
            }
            Input::Anchors { member, after } => {
                Ok(Outcome::Anchors(anchor::after(self.view, member, *after)?))
            }
            Input::Recall { member, from } => index::recall(self, member, *from),
            Input::Inventory { member, subjects } => {
                Ok(Outcome::Inventory(inventory::own(self, member, subjects)?))
            }
            Input::Alarm(raised) => alarm::take(self, raised),
            Input::Quality(told) => quality::take(self, told),
            Input::Evaluate { member, elements } => take::tally(self, member, *elements),
            Input::MemberList(directory, envelope) => {
                let taken = take::member_list(self, directory, envelope)?;
                Ok(Outcome::Taken(vec![taken]))
            }
        }
    }

    /// M-7: the list may have changed since the call was read, or while a reading of the feed was kept.
    fn require_member(&self, input: &Input) -> Result<(), Stop> {
        let asker = match input {
            Input::Search(query) => query.signer(),
            Input::PatientQuery(query) => query.signer(),
            Input::Lease(asked) => &asked.member,
            Input::Feed { member, .. }
            | Input::Links { member, .. }
            | Input::Prove { member, .. }
            | Input::Evidence { member, .. }
            | Input::Anchors { member, .. }
            | Input::Recall { member, .. }
            | Input::Inventory { member, .. }
            | Input::Evaluate { member, .. } => member,
            Input::Alarm(raised) => &raised.member,
            Input::Quality(told) => &told.member,
            // Of words each is looked at before it gets its place.
            Input::Submit(_) | Input::MemberList(..) => return Ok(()),
        };
        let is_member = self.machine.directory.member(asker).is_some_and(|member| !member.suspended);
        if is_member { Ok(()) } else { Err(refuse(RefusalCode::NotMember, "M-7")) }
    }

    /// Gives a word its place, and does what follows from it.
    pub(crate) fn keep(&mut self, word: ToTake<'_>) -> Result<Taken, Stop> {
        let (key, kind) = (word.envelope.key_id(), word.envelope.kind());
        // What a member says now needs a key that is valid where it gets its place, not only where it was read (M-6).
        let own = *word.signer == self.machine.code;
        if !own && self.machine.directory.signer(key, kind, Said::Now).is_err() {
            return Err(refuse(RefusalCode::NotMember, "M-6"));
        }
        let seq = self.machine.next_seq + self.taken;
        let opening = Opening {
            seq,
            term: self.machine.term,
            accepted_at: self.now,
            salt: self.entropy.bytes(),
            envelope: word.envelope.as_bytes().to_vec(),
        };
        let kept = Kept {
            opening: Some(opening.write()),
            signer: word.signer.to_string(),
            link: word.link.map(yiqiao_proto::entry::Link::write),
        };
        take::apply(&kept, self.view)?;
        let said = state::said(word.signer, &word.envelope.payload_hash());
        self.view.put(&said, &Place { seq });
        // A word that stands is read back from the view when one of the same batch asks for it.
        self.view.put(&state::journal(seq), &kept);
        self.records.push(ToKeep::Word(Box::new(kept), word.envelope.kind()));
        self.taken += 1;
        Ok(Taken { opening, repeat: false })
    }

    /// How many words stand in the log now, those of this input among them.
    pub(crate) const fn words(&self) -> u64 {
        self.machine.next_seq + self.taken
    }

    /// Keeps a record that is no word.
    pub(crate) fn keep_beside(&mut self, record: ToKeep) {
        self.records.push(record);
    }

    pub(crate) fn keep_tally(&mut self, tally: Tally) -> Result<(), Stop> {
        take::apply_tally(&tally, self.view)?;
        self.records.push(ToKeep::Tally(tally));
        Ok(())
    }
}

/// A word that is about to be kept.
#[derive(Clone, Copy)]
pub(crate) struct ToTake<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) signer: &'a Code,
    pub(crate) link: Option<&'a yiqiao_proto::entry::Link>,
}

/// Kinds of consent acts as one type, for the modules that take both.
#[derive(Clone, Debug)]
pub enum ConsentAct {
    /// A directive.
    Directive(Box<Verified<Act<Directive>>>),
    /// A revocation.
    Revocation(Box<Verified<Act<Revocation>>>),
}

impl ConsentAct {
    pub(crate) fn take(&self, work: &mut Work<'_>) -> Result<Taken, Stop> {
        match self {
            Self::Directive(act) => consent::direct(work, act),
            Self::Revocation(act) => consent::revoke(work, act),
        }
    }
}

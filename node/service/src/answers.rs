//! What the registry answers to searches and to patients' questions, checked before anybody sees it.
//!
//! A word in an answer counts if its key does so for its place in the log (M-6); one whose key does not is left out, and an
//! answer with a word that nobody can have said is none. Not here: the asking: [`crate::registry`].

use yiqiao_proto::access::AccessEvent;
use yiqiao_proto::calls::{ConsentAnswer, HistoryAnswer, SearchReply};
use yiqiao_proto::codes::MemberRole;
use yiqiao_proto::directive::{Act, Directive, PatientQuery};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::Code;
use yiqiao_proto::lease::{AcceptedAct, HeadChange, Told};
use yiqiao_proto::limits::{DIRECTIVES_MAX, SEARCH_COUNT_MAX};
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::{self, Checkpoint};
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::members::{CallFailed, Unbelieved};
use crate::receipts::checkpoint_keys;

/// A word that stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Logged<W> {
    /// Its place.
    pub(crate) seq: u64,
    /// When it was accepted.
    pub(crate) accepted_at: Timestamp,
    pub(crate) word: W,
}

/// One page of what a search found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    /// Ascending by place.
    pub(crate) entries: Vec<Logged<Entry>>,
    /// Where the next page begins.
    pub(crate) next_seq: Option<u64>,
}

/// What is in force of a patient under one token (C-10).
#[derive(Clone, Debug)]
pub(crate) struct Consents {
    pub(crate) patient: Token,
    pub(crate) head: Head,
    pub(crate) directives: Vec<Logged<Act<Directive>>>,
}

/// One page of the access events of a patient under one token.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    /// Ascending by place.
    pub(crate) events: Vec<Logged<AccessEvent>>,
    /// Where the next page begins.
    pub(crate) next_seq: Option<u64>,
}

/// The answer to a search: signed by the registry for this very query, at a checkpoint of the log that counts.
pub(crate) fn found(
    directory: &Directory,
    own: &Code,
    query: &Envelope,
    reply: &SearchReply,
) -> Result<Found, CallFailed> {
    let asked = SearchQuery::decode(query.payload())?;
    let envelope = Envelope::decode(&reply.envelope)?;
    let answer = Verified::<SearchAnswer>::check(envelope, directory, Said::Now).map_err(Unbelieved::from)?;
    let (answer, signer, _) = answer.meant_for(own).map_err(Unbelieved::from)?.into_parts();
    let registry = directory.member(&signer).is_some_and(|it| it.roles.contains(&MemberRole::Registry));
    require(registry && answer.query == query.payload_hash(), "the registry's word on this query (Q-2)")?;
    let origin = note::origin(directory.region(), &directory.list().log_id);
    let tree = Checkpoint::open(&answer.checkpoint, &origin, &checkpoint_keys(directory));
    let tree = tree.map_err(Unbelieved::from)?;
    let page = answer.entries.len() <= asked.count as usize
        && answer.entries.iter().all(|entry| (asked.from_seq..tree.size).contains(&entry.seq));
    require(page, "a page of the log up to its checkpoint (Q-3)")?;
    Ok(Found { entries: all(directory, answer.entries)?, next_seq: answer.next_seq })
}

/// The directives of one token: all those that its head is over, and no others.
pub(crate) fn consents(
    directory: &Directory,
    question: &Envelope,
    answer: ConsentAnswer,
) -> Result<Consents, CallFailed> {
    let patient = Act::<PatientQuery>::decode(question.payload())?.said.patient;
    let head = Head::read("consent_answer.head", answer.head)?;
    require(answer.directives.len() <= DIRECTIVES_MAX, "the directives of one patient (C-12)")?;
    let directives = answer.directives.into_iter().map(AcceptedAct::read).collect::<Result<_, _>>()?;
    let change = HeadChange { patient, head, directives };
    require(change.computed_head() == head, "the directives that the head is over (C-10)")?;
    let opened = change.directives.into_iter().filter_map(|accepted| match accepted.act {
        Told::Opening(opening) => Some(opening),
        // To the patient everything is opened; of what is not, the head proves only that it is there.
        Told::Commitment(_) => None,
    });
    let directives: Vec<Logged<Act<Directive>>> = all(directory, opened)?;
    let own = directives.iter().all(|directive| directive.word.said.patient == patient);
    require(own, "the patient's directives (C-1)")?;
    Ok(Consents { patient, head, directives })
}

/// The access events of one token. The acts of consent and the questions that stand among them are passed over: who took
/// them down says an event of each.
pub(crate) fn events(
    directory: &Directory,
    question: &Envelope,
    answer: HistoryAnswer,
) -> Result<Events, CallFailed> {
    let asked = Act::<PatientQuery>::decode(question.payload())?.said;
    require(answer.events.len() <= SEARCH_COUNT_MAX as usize, "one page of events (A-4)")?;
    let mut openings = answer.events.into_iter().map(Opening::read).collect::<Result<Vec<_>, _>>()?;
    let ascending = openings.is_sorted_by(|a, b| a.seq < b.seq);
    let later = openings.first().is_none_or(|opening| opening.seq >= asked.from_seq);
    require(ascending && later, "the patient's events in their order (A-4)")?;
    let is_event = |opening: &Opening| {
        Envelope::decode(&opening.envelope).is_ok_and(|envelope| envelope.kind() == Kind::AccessEvent)
    };
    openings.retain(is_event);
    let events: Vec<Logged<AccessEvent>> = all(directory, openings)?;
    let own = events.iter().all(|event| event.word.patient == asked.patient);
    require(own, "the patient's events (A-4)")?;
    Ok(Events { events, next_seq: (answer.next_seq > 0).then_some(answer.next_seq) })
}

/// The words at their places in the log, each signed by who says it.
fn all<W: Word>(
    directory: &Directory,
    openings: impl IntoIterator<Item = Opening>,
) -> Result<Vec<Logged<W>>, CallFailed> {
    let mut words = Vec::new();
    for opening in openings {
        let (seq, accepted_at) = (opening.seq, opening.accepted_at);
        let envelope = Envelope::decode(&opening.envelope)?;
        match Verified::<W>::check(envelope, directory, Said::AtSeq(seq)) {
            Ok(verified) => words.push(Logged { seq, accepted_at, word: verified.into_parts().0 }),
            Err(EnvelopeError::Signer(error)) => {
                tracing::warn!(seq, %error, "a word in an answer of the registry does not count");
            }
            Err(error) => return Err(Unbelieved::from(error).into()),
        }
    }
    Ok(words)
}

fn require(holds: bool, what: &'static str) -> Result<(), Unbelieved> {
    if holds { Ok(()) } else { Err(Unbelieved::OtherAnswer(what)) }
}

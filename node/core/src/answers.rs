//! What the registry is asked beside the calls of effects, searches, patients' questions and member lists, and what it answers,
//! checked before anybody sees it.
//!
//! A word in an answer counts if its key does so for its place in the log (M-6); one whose key does not is left out, and an
//! answer with a word that nobody can have said is none. Not here: calls that the machine asks for by itself:
//! [`crate::call`].

use prost::Message;
use yiqiao_proto::access::{AccessEvent, AuditAnchor, Person};
use yiqiao_proto::calls::{
    AnchorsAnswer, AnchorsRequest, Call, CheckAnswer, CheckRequest, ConsentAnswer, ConsentRequest,
    EvidenceAnswer, EvidenceRequest, HistoryAnswer, HistoryRequest, HoldingsAnswer, HoldingsRequest,
    InventoryAnswer, InventoryRequest, MembersAnswer, MembersRequest, PersonsAnswer, PersonsRequest,
    SearchReply, SearchRequest,
};
use yiqiao_proto::codes::{Agreement, MemberRole};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directive::{Act, Directive, PatientQuery};
use yiqiao_proto::directory::{Directory, SignerError};
use yiqiao_proto::entry::Entry;
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified, Word};
use yiqiao_proto::head::Head;
use yiqiao_proto::id::{Code, Digest, Subject};
use yiqiao_proto::inventory::Inventory;
use yiqiao_proto::lease::{AcceptedAct, HeadChange, Told};
use yiqiao_proto::limits::{DIRECTIVES_MAX, SEARCH_COUNT_MAX};
use yiqiao_proto::log::Opening;
use yiqiao_proto::search::{SearchAnswer, SearchQuery};
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::token::Token;

use crate::call::Unbelieved;
use crate::machine::Checkpoint;
use crate::receipts;

/// A word that stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged<W> {
    /// Its place.
    pub seq: u64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What it says.
    pub word: W,
}

/// A word that an answer holds and that does not count, since its key does not for its place (M-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its place in the log.
    pub seq: u64,
    /// Why its signer is not believed.
    pub why: SignerError,
}

/// One page of what a search found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Ascending by place.
    pub entries: Vec<Logged<Entry>>,
    /// Where the next page begins.
    pub next_seq: Option<u64>,
    /// The tree at which it holds; the machine says whether the log has gone back (L-11).
    pub checkpoint: Checkpoint,
}

/// What is in force of a patient under one token (C-10).
#[derive(Clone, Debug)]
pub struct Consents {
    /// The token.
    pub patient: Token,
    /// What the directives are proved complete by.
    pub head: Head,
    /// Those in force.
    pub directives: Vec<Logged<Act<Directive>>>,
}

/// One page of the access events of a patient under one token.
#[derive(Clone, Debug)]
pub struct Events {
    /// Ascending by place.
    pub events: Vec<Logged<AccessEvent>>,
    /// Where the next page begins.
    pub next_seq: Option<u64>,
}

/// The bytes of a search; who asks has signed the query.
pub fn search(query: &Envelope) -> Vec<u8> {
    SearchRequest { envelope: query.as_bytes().to_vec() }.encode_to_vec()
}

/// The bytes of a patient's question about consent, which is signed.
pub fn consent(question: &Envelope) -> Vec<u8> {
    ConsentRequest { envelope: question.as_bytes().to_vec() }.encode_to_vec()
}

/// The bytes of a patient's question about access, which is signed.
pub fn history(question: &Envelope) -> Vec<u8> {
    HistoryRequest { envelope: question.as_bytes().to_vec() }.encode_to_vec()
}

/// The bytes that ask for what the log has of a release (V-1), and of the events that declare its emergency (D-8). What is answered is checked as whoever gets the file checks it.
pub fn evidence(release: &Digest, emergency: &[Digest]) -> Vec<u8> {
    let emergency = emergency.iter().map(|event| event.as_bytes().to_vec()).collect();
    EvidenceRequest { release: release.as_bytes().to_vec(), emergency }.encode_to_vec()
}

/// What the log has of a release.
///
/// # Errors
/// [`Unbelieved::Decode`] if the bytes are none.
pub fn logged(answer: &[u8]) -> Result<EvidenceAnswer, Unbelieved> {
    Ok(EvidenceAnswer::from_bytes(answer)?)
}

/// What the registry says that it holds of one publisher's subjects (L-15).
#[derive(Clone, Debug)]
pub struct Account {
    /// What it says.
    pub inventory: Verified<Inventory>,
    /// The checkpoint in it.
    pub checkpoint: Checkpoint,
}

/// The bytes of a patient's question about what is held, which is signed (L-15).
pub fn holdings(question: &Envelope) -> Vec<u8> {
    HoldingsRequest { envelope: question.as_bytes().to_vec() }.encode_to_vec()
}

/// What the registry holds of a patient, by publisher; said to this node.
///
/// # Errors
/// [`Unbelieved`] if it does not say that.
pub fn accounts(directory: &Directory, own: &Code, answer: &[u8]) -> Result<Vec<Account>, Unbelieved> {
    let HoldingsAnswer { envelopes } = HoldingsAnswer::from_bytes(answer)?;
    envelopes.iter().map(|envelope| account(directory, own, envelope)).collect()
}

/// The bytes that ask what is held of this node's own subjects (L-15), ascending.
pub fn inventory(subjects: &[Subject]) -> Vec<u8> {
    let subjects = subjects.iter().map(|subject| subject.as_bytes().to_vec()).collect();
    InventoryRequest { subjects }.encode_to_vec()
}

/// What is held of this node's own subjects.
///
/// # Errors
/// [`Unbelieved`] if it does not say that of these.
pub fn own_account(
    directory: &Directory,
    own: &Code,
    subjects: &[Subject],
    answer: &[u8],
) -> Result<Account, Unbelieved> {
    let account = account(directory, own, &InventoryAnswer::from_bytes(answer)?.envelope)?;
    let inventory = account.inventory.word();
    let fits =
        inventory.publisher == *own && inventory.holdings.iter().map(|held| &held.subject).eq(subjects);
    require(fits, "what is held of the subjects (L-15)")?;
    Ok(account)
}

fn account(directory: &Directory, own: &Code, envelope: &[u8]) -> Result<Account, Unbelieved> {
    let (inventory, checkpoint) = receipts::inventory(directory, own, envelope)?;
    Ok(Account { inventory, checkpoint })
}

/// The bytes that show a publisher what the registry has said of its subjects (L-16).
pub fn check(account: &Account) -> Vec<u8> {
    CheckRequest { envelope: account.inventory.envelope().as_bytes().to_vec() }.encode_to_vec()
}

/// How that stands to the publisher's receipts, as it says.
///
/// # Errors
/// [`Unbelieved::Decode`] if the bytes are no such answer.
pub fn checked(answer: &[u8]) -> Result<Agreement, Unbelieved> {
    let CheckAnswer { agreement } = CheckAnswer::from_bytes(answer)?;
    let unknown = |code| DecodeError::UnknownCode { field: "check_answer.agreement", code };
    Ok(Agreement::try_from(agreement).map_err(unknown)?)
}

/// The bytes that ask another member who of its people did what events of a patient say; the patient's question is signed.
pub fn persons(question: &Envelope, lines: &[Digest]) -> Vec<u8> {
    let lines = lines.iter().map(|line| line.as_bytes().to_vec()).collect();
    PersonsRequest { envelope: question.as_bytes().to_vec(), lines }.encode_to_vec()
}

/// Who did it, as that member says.
///
/// # Errors
/// [`Unbelieved`] if the bytes do not say that, or of other lines than were asked for.
pub fn told_persons(lines: &[Digest], answer: &[u8]) -> Result<Vec<Person>, Unbelieved> {
    let PersonsAnswer { persons } = PersonsAnswer::from_bytes(answer)?;
    let persons: Vec<Person> = persons.into_iter().map(Person::read).collect::<Result<_, _>>()?;
    let asked = persons.len() <= lines.len() && persons.iter().all(|person| lines.contains(&person.line));
    require(asked, "the persons of the lines that were named (A-6)")?;
    Ok(persons)
}

/// The bytes that ask for this node's own anchors of its audit, but for so many that it has.
pub fn anchors_after(count: u64) -> Vec<u8> {
    AnchorsRequest { after: count }.encode_to_vec()
}

/// This node's own anchors, oldest first. One whose key does not count is none (M-6), but is counted.
///
/// # Errors
/// [`Unbelieved`] if a word of another sayer is among them.
pub fn anchors(
    directory: &Directory,
    own: &Code,
    answer: &[u8],
) -> Result<Vec<Option<Logged<AuditAnchor>>>, Unbelieved> {
    let AnchorsAnswer { anchors } = AnchorsAnswer::from_bytes(answer)?;
    let read = |opening| {
        let opening = Opening::read(opening)?;
        let envelope = Envelope::decode(&opening.envelope)?;
        let (seq, accepted_at) = (opening.seq, opening.accepted_at);
        match Verified::<AuditAnchor>::check(envelope, directory, Said::AtSeq(seq)) {
            Ok(anchor) if anchor.signer() == own => {
                Ok(Some(Logged { seq, accepted_at, word: anchor.into_parts().0 }))
            }
            Err(EnvelopeError::Signer(SignerError::Compromised { .. })) => Ok(None),
            Ok(_) => Err(Unbelieved::OtherWord),
            Err(error) => Err(error.into()),
        }
    };
    anchors.into_iter().map(read).collect()
}

/// The bytes that ask for the member lists after a version (M-2).
pub fn lists_after(version: u64) -> Vec<u8> {
    MembersRequest { after_version: version }.encode_to_vec()
}

/// Member lists, oldest first; who takes them checks them (M-2).
///
/// # Errors
/// [`Unbelieved::Decode`] if the bytes are none.
pub fn lists(answer: &[u8]) -> Result<Vec<Envelope>, Unbelieved> {
    let MembersAnswer { envelopes } = MembersAnswer::from_bytes(answer)?;
    Ok(envelopes.iter().map(|bytes| Envelope::decode(bytes)).collect::<Result<_, _>>()?)
}

/// The answer to a search: signed by the registry for this very query, at a checkpoint of the log that counts.
///
/// # Errors
/// [`Unbelieved`] if the bytes do not prove that.
pub fn found(
    directory: &Directory,
    own: &Code,
    query: &Envelope,
    answer: &[u8],
) -> Result<(Found, Vec<LeftOut>), Unbelieved> {
    let asked = SearchQuery::decode(query.payload())?;
    let envelope = Envelope::decode(&SearchReply::from_bytes(answer)?.envelope)?;
    let answer = Verified::<SearchAnswer>::check(envelope, directory, Said::Now)?;
    let (answer, signer, _) = answer.meant_for(own)?.into_parts();
    let registry = directory.member(&signer).is_some_and(|it| it.roles.contains(&MemberRole::Registry));
    require(registry && answer.query == query.payload_hash(), "the registry's word on this query (Q-2)")?;
    let checkpoint = receipts::open(directory, &answer.checkpoint)?;
    let page = answer.entries.len() <= asked.count as usize
        && answer.entries.iter().all(|entry| (asked.from_seq..checkpoint.size).contains(&entry.seq));
    require(page, "a page of the log up to its checkpoint (Q-3)")?;
    let (entries, left_out) = all(directory, answer.entries)?;
    Ok((Found { entries, next_seq: answer.next_seq, checkpoint }, left_out))
}

/// The directives of one token: all those that its head is over, and no others.
///
/// # Errors
/// [`Unbelieved`] if the bytes do not prove that.
pub fn consents(
    directory: &Directory,
    question: &Envelope,
    answer: &[u8],
) -> Result<(Consents, Vec<LeftOut>), Unbelieved> {
    let answer = ConsentAnswer::from_bytes(answer)?;
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
    let (directives, left_out): (Vec<Logged<Act<Directive>>>, _) = all(directory, opened)?;
    let own = directives.iter().all(|directive| directive.word.said.patient == patient);
    require(own, "the patient's directives (C-1)")?;
    Ok((Consents { patient, head, directives }, left_out))
}

/// The access events of one token. The acts of consent and the questions that stand among them are passed over: who took
/// them down says an event of each.
///
/// # Errors
/// [`Unbelieved`] if the bytes are not such a page.
pub fn events(
    directory: &Directory,
    question: &Envelope,
    answer: &[u8],
) -> Result<(Events, Vec<LeftOut>), Unbelieved> {
    let answer = HistoryAnswer::from_bytes(answer)?;
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
    let (events, left_out): (Vec<Logged<AccessEvent>>, _) = all(directory, openings)?;
    let own = events.iter().all(|event| event.word.patient == asked.patient);
    require(own, "the patient's events (A-4)")?;
    Ok((Events { events, next_seq: (answer.next_seq > 0).then_some(answer.next_seq) }, left_out))
}

/// The words at their places in the log, each signed by who says it; and those that do not count.
fn all<W: Word>(
    directory: &Directory,
    openings: impl IntoIterator<Item = Opening>,
) -> Result<(Vec<Logged<W>>, Vec<LeftOut>), Unbelieved> {
    let (mut words, mut left_out) = (Vec::new(), Vec::new());
    for opening in openings {
        let (seq, accepted_at) = (opening.seq, opening.accepted_at);
        let envelope = Envelope::decode(&opening.envelope)?;
        match Verified::<W>::check(envelope, directory, Said::AtSeq(seq)) {
            Ok(verified) => words.push(Logged { seq, accepted_at, word: verified.into_parts().0 }),
            Err(EnvelopeError::Signer(why)) => left_out.push(LeftOut { seq, why }),
            Err(error) => return Err(error.into()),
        }
    }
    Ok((words, left_out))
}

fn require(holds: bool, what: &'static str) -> Result<(), Unbelieved> {
    if holds { Ok(()) } else { Err(Unbelieved::OtherAnswer(what)) }
}

//! What a node keeps: the slots through which the core sees it.

use core::fmt;

pub use yiqiao_journal::view::{Fault, Slot, View};
use yiqiao_proto::envelope::payload_hash;
use yiqiao_proto::hash;
use yiqiao_proto::id::{Code, Digest, DirectiveId, DocumentId, EntryId, Nonce, ReferralId, Subject};
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::words;

use crate::limits::QUALITY_DAYS;

/// The messages of `schema/state.proto`.
#[expect(missing_docs, reason = "generated; the schema describes every field")]
pub mod kept {
    include!(concat!(env!("OUT_DIR"), "/yiqiao.node.rs"));
}

pub use kept::record::Record as Body;
pub use kept::{
    Asker, AttestedRef, Chain, Control, Counters, Credentials, Document, Ended, EntryRef, Exchange, Given,
    Item, Ledger, Message, Notices, Patient, Problem, Queued, Record, Request, RequestRef, Review,
    SubjectRef, Subjects, ToldHead, VaultUse, Version, Word, WordRef,
};

/// The first byte of a key. Never renumbered while an index can be older than the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Table {
    /// What there is one of.
    Ledger = 1,
    /// Messages by the tag of sender, control id and bytes.
    Message = 2,
    /// Control ids.
    Control = 3,
    /// Counters by system.
    Counters = 4,
    /// Patients by the tag of their number.
    Number = 5,
    /// Patients by the tag of an identifier.
    Identifier = 6,
    /// Patients.
    Patient = 7,
    /// Patients by the order in which they came.
    Ordinal = 8,
    /// What is published of a subject.
    Chain = 9,
    /// Items of chains.
    Item = 10,
    /// Documents by entry id.
    Document = 11,
    /// The newest document of a source id, by its tag.
    Source = 12,
    /// Tokens by the tag of the identifier and epoch.
    Token = 13,
    /// The outbox.
    Queue = 14,
    /// Messages kept for review.
    Review = 15,
    /// Subjects whose publishing stopped.
    Problem = 16,
    /// What refers to a sealed file.
    Vault = 17,
    /// The newest member list.
    Members = 18,
    /// What there is one of for consent and exchange.
    Exchange = 19,
    /// Words that are no links of chains.
    Word = 20,
    /// Their queues.
    WordPlace = 21,
    /// Those that were refused.
    RefusedWord = 22,
    /// What the feed told, by token.
    Head = 23,
    /// What members told, by token.
    Notices = 24,
    /// What words rest on that members attest, by their number.
    Attested = 25,
    /// Those that say a directive, by its id.
    Recorded = 200,
    /// Words that a passkey signed, by its challenge.
    Signed = 100,
    /// Requests for documents, by hash.
    Request = 26,
    /// Their nonces, by member.
    Nonce = 27,
    /// How much a member asks.
    Asker = 28,
    /// Releases of a subject.
    Given = 29,
    /// Releases of a subject, one by one.
    GivenItem = 30,
    /// How long lists are.
    Count = 40,
    /// What stands in lists.
    Listed = 41,
    /// The audit.
    AuditLine = 42,
    /// Where it ends.
    AuditEnd = 43,
    /// Documents of other holders.
    Copy = 44,
    /// Drafts of referrals.
    Draft = 45,
    /// Referrals.
    Referral = 46,
    /// Their steps.
    Step = 47,
    /// What is to be done with other members, or later.
    Errand = 48,
    /// How far that is.
    Errands = 49,
    /// Who may see a patient.
    Circles = 50,
    /// Documents whose bytes came before what describes them.
    Deposit = 51,
    /// Patients by the tag of a number that they have, whoever assigned it or under one assigner.
    Held = 52,
    /// The registers whose numbers came in messages.
    Registers = 53,
    /// What the feed told of passkeys, by the credential.
    Credential = 54,
    /// Directives that are in force no longer, by token.
    Ended = 55,
    /// What is known of the log's growth.
    Compared = 56,
    /// Where the glass was broken.
    Glass = 57,
    /// That by what it is found by.
    GlassRef = 58,
    /// Seals on records, and which is in force.
    Seal = 59,
    /// Passkeys of a patient.
    Passkeys = 60,
    /// Patients by their passkeys.
    PasskeyHolder = 61,
    /// Scanned papers of a patient.
    Papers = 70,
    /// What items of systems are.
    Dictionary = 130,
    /// How messages stood to the rules of quality, by connection and day.
    Quality = 131,
    /// Messages that broke a rule, by connection and rule.
    QualitySamples = 132,
    /// How far patients are told.
    InformingLine = 62,
    /// What patients are told, one by one.
    Informing = 63,
    /// Permits of which their patients were told.
    Heard = 64,
    /// Tags of identifiers by their tokens.
    TokenTag = 65,
    /// Patients by the tag of what may be said of one person twice.
    Alike = 67,
    /// Pairs of patients who may be one person.
    Pair = 68,
    /// Pairs by their patients.
    PairOf = 69,
    /// Entries that the log has and the journal lacks.
    Lost = 80,
    /// Those by their id.
    LostRef = 81,
    /// The newest link of a chain that has a receipt.
    Acknowledged = 76,
    /// What the registry has left out.
    Omissions = 77,
    /// Requests by the hash of their release.
    Release = 90,
    /// Lines of the audit by their commitments.
    LineRef = 91,
    /// How far the list of what systems are told goes.
    OutgoingLine = 110,
    /// What they are told, one by one.
    Outgoing = 111,
    /// How far each is told.
    Destination = 112,
    /// How far each view of a database is read.
    Watermark = 115,
    /// Which connections there are.
    Connections = 120,
    /// What came through each.
    Connection = 121,
}

/// What there is one of.
pub fn ledger() -> Slot<Ledger> {
    Slot::new(Table::Ledger as u8, &[])
}

/// The keys of what there is one of, which most inputs change that lack anything.
pub(crate) fn of_every_change() -> [Vec<u8>; 3] {
    [ledger().key(), exchange().key(), errands().key()].map(<[u8]>::to_vec)
}

/// A message.
pub fn message(tag: &Digest) -> Slot<Message> {
    Slot::new(Table::Message as u8, &[tag.as_bytes()])
}

/// A control id of a system.
pub fn control(tag: &Digest) -> Slot<Control> {
    Slot::new(Table::Control as u8, &[tag.as_bytes()])
}

/// What became of a system's messages.
pub fn counters(system: &Code) -> Slot<Counters> {
    Slot::new(Table::Counters as u8, &[system.padded()])
}

/// Which connections there are.
pub(crate) fn connections() -> Slot<kept::Connections> {
    Slot::new(Table::Connections as u8, &[])
}

/// What came through a connection.
pub(crate) fn connection(name: &kept::ConnectionName) -> Slot<kept::Connection> {
    let (system, door) = (name.system.as_bytes(), name.door.to_be_bytes());
    let length = u64::try_from(system.len()).unwrap_or(u64::MAX).to_be_bytes();
    Slot::new(Table::Connection as u8, &[&length, system, &door, name.sender.as_bytes()])
}

/// A day of a connection, which has a place in the list of connections, from 1; days take turns in these slots.
pub(crate) fn quality(connection: u64, day: i64) -> Slot<kept::QualityDay> {
    let turn = u8::try_from(day.rem_euclid(i64::from(QUALITY_DAYS))).unwrap_or_default();
    Slot::new(Table::Quality as u8, &[&connection.to_be_bytes(), &[turn]])
}

/// Messages of a connection that broke a rule.
pub(crate) fn quality_samples(connection: u64, rule: u32) -> Slot<kept::QualitySamples> {
    Slot::new(Table::QualitySamples as u8, &[&connection.to_be_bytes(), &rule.to_be_bytes()])
}

/// Who has a number.
pub fn number(tag: &Digest) -> Slot<SubjectRef> {
    Slot::new(Table::Number as u8, &[tag.as_bytes()])
}

/// Who has a number among those that are known of a person.
pub fn held(tag: &Digest) -> Slot<Subjects> {
    Slot::new(Table::Held as u8, &[tag.as_bytes()])
}

/// Who is like somebody in one way.
pub(crate) fn alike(tag: &Digest) -> Slot<Subjects> {
    Slot::new(Table::Alike as u8, &[tag.as_bytes()])
}

/// A pair of patients who may be one person, from 1.
pub(crate) fn pair(number: u64) -> Slot<kept::Pair> {
    Slot::new(Table::Pair as u8, &[&number.to_be_bytes()])
}

/// The pair of two patients.
pub(crate) fn pair_of(one: &Subject, other: &Subject) -> Slot<kept::PairRef> {
    let (first, second) = (one.min(other), one.max(other));
    Slot::new(Table::PairOf as u8, &[first.as_bytes(), second.as_bytes()])
}

/// The registers whose numbers came in messages.
pub fn registers() -> Slot<kept::Registers> {
    Slot::new(Table::Registers as u8, &[])
}

/// A part of what is known of the items of a system.
pub fn dictionary(part: u8, system: &Code) -> Slot<kept::Dictionary> {
    Slot::new(Table::Dictionary as u8, &[&[part], system.as_str().as_bytes()])
}

/// Who has an identifier.
pub fn identifier(tag: &Digest) -> Slot<Subjects> {
    Slot::new(Table::Identifier as u8, &[tag.as_bytes()])
}

/// A patient.
pub fn patient(subject: &Subject) -> Slot<Patient> {
    Slot::new(Table::Patient as u8, &[subject.as_bytes()])
}

/// The patient that came at this place, from 1.
pub fn ordinal(ordinal: u64) -> Slot<SubjectRef> {
    Slot::new(Table::Ordinal as u8, &[&ordinal.to_be_bytes()])
}

/// What is published of a subject.
pub fn chain(subject: &Subject) -> Slot<Chain> {
    Slot::new(Table::Chain as u8, &[subject.as_bytes()])
}

/// An item of a subject's chain, from 1.
pub fn item(subject: &Subject, number: u64) -> Slot<Item> {
    Slot::new(Table::Item as u8, &[subject.as_bytes(), &number.to_be_bytes()])
}

/// An entry of a subject that the log has and the journal lacks, from 1.
pub(crate) fn lost(subject: &Subject, number: u64) -> Slot<kept::LostEntry> {
    Slot::new(Table::Lost as u8, &[subject.as_bytes(), &number.to_be_bytes()])
}

/// Of which subject such an entry is.
pub(crate) fn lost_ref(id: &EntryId) -> Slot<kept::LostRef> {
    Slot::new(Table::LostRef as u8, &[id.as_bytes()])
}

/// A document.
pub fn document(id: &EntryId) -> Slot<Document> {
    Slot::new(Table::Document as u8, &[id.as_bytes()])
}

/// The newest document of a source id.
pub fn source(tag: &Digest) -> Slot<EntryRef> {
    Slot::new(Table::Source as u8, &[tag.as_bytes()])
}

/// The token of an identifier in one epoch.
pub fn token(tag: &Digest, epoch: u32) -> Slot<words::Token> {
    Slot::new(Table::Token as u8, &[tag.as_bytes(), &epoch.to_be_bytes()])
}

/// A place in the outbox.
pub fn queue(place: u64) -> Slot<Queued> {
    Slot::new(Table::Queue as u8, &[&place.to_be_bytes()])
}

/// A message kept for review, from 1.
pub fn review(number: u64) -> Slot<Review> {
    Slot::new(Table::Review as u8, &[&number.to_be_bytes()])
}

/// A subject whose publishing stopped, from 1.
pub fn problem(number: u64) -> Slot<Problem> {
    Slot::new(Table::Problem as u8, &[&number.to_be_bytes()])
}

/// What refers to a sealed file.
pub fn vault(document: &DocumentId) -> Slot<VaultUse> {
    Slot::new(Table::Vault as u8, &[document.as_bytes()])
}

/// A document whose bytes came before what describes them.
pub fn deposit(id: &Digest) -> Slot<kept::Deposit> {
    Slot::new(Table::Deposit as u8, &[id.as_bytes()])
}

/// The newest member list.
pub fn members() -> Slot<kept::Members> {
    Slot::new(Table::Members as u8, &[])
}

/// What is known of the log's growth.
pub fn compared() -> Slot<kept::Compared> {
    Slot::new(Table::Compared as u8, &[])
}

/// The newest link of a subject's chain that has a receipt.
pub fn acknowledged(subject: &Subject) -> Slot<kept::Acknowledged> {
    Slot::new(Table::Acknowledged as u8, &[subject.as_bytes()])
}

/// What the registry has left out of its accounts.
pub fn omissions() -> Slot<kept::Omissions> {
    Slot::new(Table::Omissions as u8, &[])
}

/// What there is one of for consent and exchange.
pub fn exchange() -> Slot<Exchange> {
    Slot::new(Table::Exchange as u8, &[])
}

/// A word that is no link of a chain, from 1.
pub fn word(number: u64) -> Slot<Word> {
    Slot::new(Table::Word as u8, &[&number.to_be_bytes()])
}

/// A place in a queue of words, from 1.
pub fn word_place(lane: Lane, place: u64) -> Slot<WordRef> {
    Slot::new(Table::WordPlace as u8, &[&[lane as u8], &place.to_be_bytes()])
}

/// A word that was refused, from 1.
pub fn refused_word(number: u64) -> Slot<WordRef> {
    Slot::new(Table::RefusedWord as u8, &[&number.to_be_bytes()])
}

/// What the feed told of a token.
pub fn head(token: &Token) -> Slot<ToldHead> {
    Slot::new(Table::Head as u8, &[&token.epoch.to_be_bytes(), token.value.as_bytes()])
}

/// What the feed told of a passkey, by its credential id.
pub fn credential(id: &[u8]) -> Slot<Credentials> {
    Slot::new(Table::Credential as u8, &[payload_hash(id).as_bytes()])
}

/// The passkeys of a patient that this node vouched for.
pub fn passkeys(subject: &Subject) -> Slot<kept::Passkeys> {
    Slot::new(Table::Passkeys as u8, &[subject.as_bytes()])
}

/// Scanned papers of a patient.
pub fn papers(subject: &Subject) -> Slot<kept::Papers> {
    Slot::new(Table::Papers as u8, &[subject.as_bytes()])
}

/// Whose passkey this node vouched for, by its credential id.
pub fn passkey_holder(id: &[u8]) -> Slot<SubjectRef> {
    Slot::new(Table::PasskeyHolder as u8, &[payload_hash(id).as_bytes()])
}

/// How far patients are told.
pub fn informing() -> Slot<kept::InformingLine> {
    Slot::new(Table::InformingLine as u8, &[])
}

/// What a patient is told, from 1.
pub fn message_to(number: u64) -> Slot<kept::Informing> {
    Slot::new(Table::Informing as u8, &[&number.to_be_bytes()])
}

/// How far the list of what the hospital's systems are told goes.
pub(crate) fn outgoing_line() -> Slot<kept::OutgoingLine> {
    Slot::new(Table::OutgoingLine as u8, &[])
}

/// What they are told, from 1.
pub(crate) fn outgoing(number: u64) -> Slot<kept::Outgoing> {
    Slot::new(Table::Outgoing as u8, &[&number.to_be_bytes()])
}

/// How far one of them is told.
pub(crate) fn destination(name: &Code) -> Slot<kept::Destination> {
    Slot::new(Table::Destination as u8, &[name.padded()])
}

/// How far a view of a database is read.
pub(crate) fn watermark(view: &[u8; 32]) -> Slot<kept::Watermark> {
    Slot::new(Table::Watermark as u8, &[view])
}

/// Whether a patient was told of a permit.
pub fn heard_of(directive: &DirectiveId) -> Slot<kept::Heard> {
    Slot::new(Table::Heard as u8, &[directive.as_bytes()])
}

/// Whether a patient was told that a member vouches for a passkey.
pub(crate) fn heard_of_voucher(credential_id: &[u8], voucher: &Code) -> Slot<kept::Heard> {
    let name = hash::sha256_plain(&[credential_id]);
    Slot::new(Table::Heard as u8, &[&name, voucher.padded()])
}

/// The glass, broken, by the line of the audit that says so.
pub fn glass(id: &Digest) -> Slot<kept::Glass> {
    Slot::new(Table::Glass as u8, &[id.as_bytes()])
}

/// The last one that a login broke over a patient.
pub(crate) fn glass_of(subject: &Subject, login: &Digest) -> Slot<kept::GlassRef> {
    Slot::new(Table::GlassRef as u8, &[&[1], subject.as_bytes(), login.as_bytes()])
}

/// The one that an event tells, by the hash of its payload.
pub(crate) fn glass_told(event: &Digest) -> Slot<kept::GlassRef> {
    Slot::new(Table::GlassRef as u8, &[&[2], event.as_bytes()])
}

/// Whether a patient was told that a document went to a member that cites an event.
pub(crate) fn glass_heard(subject: &Subject, event: &Digest) -> Slot<kept::GlassRef> {
    Slot::new(Table::GlassRef as u8, &[&[3], subject.as_bytes(), event.as_bytes()])
}

/// A seal, by the line of the audit that says so.
pub(crate) fn seal(id: &Digest) -> Slot<kept::Seal> {
    Slot::new(Table::Seal as u8, &[&[1], id.as_bytes()])
}

/// The seal in force on the record of a subject.
pub(crate) fn seal_of(subject: &Subject) -> Slot<kept::SealRef> {
    Slot::new(Table::Seal as u8, &[&[2], subject.as_bytes()])
}

/// The identifier of which this is a token.
pub fn token_tag(token: &Token) -> Slot<kept::TokenTag> {
    Slot::new(Table::TokenTag as u8, &[&token.epoch.to_be_bytes(), token.value.as_bytes()])
}

/// What the feed told of a token once, and is in force no longer.
pub fn ended(token: &Token) -> Slot<Ended> {
    Slot::new(Table::Ended as u8, &[&token.epoch.to_be_bytes(), token.value.as_bytes()])
}

/// What members told of a token.
pub fn notices(token: &Token) -> Slot<Notices> {
    Slot::new(Table::Notices as u8, &[&token.epoch.to_be_bytes(), token.value.as_bytes()])
}

/// The words that a passkey signed with one challenge.
pub(crate) fn signed(challenge: &Digest) -> Slot<kept::SignedRef> {
    Slot::new(Table::Signed as u8, &[challenge.as_bytes()])
}

/// What a word rests on.
pub fn attested(word: u64) -> Slot<AttestedRef> {
    Slot::new(Table::Attested as u8, &[&word.to_be_bytes()])
}

/// One of the words that say a directive, which rest on the same.
pub fn recorded(directive: &DirectiveId) -> Slot<WordRef> {
    Slot::new(Table::Recorded as u8, &[directive.as_bytes()])
}

/// The request that a release answers, by the hash of the release's payload.
pub fn release(hash: &Digest) -> Slot<RequestRef> {
    Slot::new(Table::Release as u8, &[hash.as_bytes()])
}

/// A request for a document, by the hash of its payload.
pub fn request(hash: &Digest) -> Slot<Request> {
    Slot::new(Table::Request as u8, &[hash.as_bytes()])
}

/// The request in which a member used a nonce.
pub fn nonce(member: &Code, nonce: &Nonce) -> Slot<RequestRef> {
    Slot::new(Table::Nonce as u8, &[member.padded(), nonce.as_bytes()])
}

/// How much a member asks.
pub fn asker(member: &Code) -> Slot<Asker> {
    Slot::new(Table::Asker as u8, &[member.padded()])
}

/// Releases of a subject.
pub fn given(subject: &Subject) -> Slot<Given> {
    Slot::new(Table::Given as u8, &[subject.as_bytes()])
}

/// A release of a subject, from 1.
pub fn given_item(subject: &Subject, number: u64) -> Slot<RequestRef> {
    Slot::new(Table::GivenItem as u8, &[subject.as_bytes(), &number.to_be_bytes()])
}

/// A queue of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lane {
    /// What a patient says: never behind anything else.
    Acts = 1,
    /// Everything else.
    Others = 2,
}

/// How long a list is.
pub(crate) fn count(kind: u8, of: &Digest) -> Slot<kept::Count> {
    Slot::new(Table::Count as u8, &[&[kind], of.as_bytes()])
}

/// A place in a list, from 1.
pub(crate) fn listed(kind: u8, of: &Digest, place: u64) -> Slot<kept::Listed> {
    Slot::new(Table::Listed as u8, &[&[kind], of.as_bytes(), &place.to_be_bytes()])
}

/// A line of the audit, from 1.
pub fn audit_line(number: u64) -> Slot<kept::AuditLine> {
    Slot::new(Table::AuditLine as u8, &[&number.to_be_bytes()])
}

/// The line of the audit to which an event commits.
pub(crate) fn committed_line(commitment: &Digest) -> Slot<kept::LineRef> {
    Slot::new(Table::LineRef as u8, &[commitment.as_bytes()])
}

/// Where the audit ends.
pub fn audit_end() -> Slot<kept::AuditEnd> {
    Slot::new(Table::AuditEnd as u8, &[])
}

/// A document of another holder, by the name that `receive::name` gives it.
pub fn copy(name: &Digest) -> Slot<kept::Copy> {
    Slot::new(Table::Copy as u8, &[name.as_bytes()])
}

/// A draft.
pub fn draft(id: &ReferralId) -> Slot<kept::Draft> {
    Slot::new(Table::Draft as u8, &[id.as_bytes()])
}

/// A referral, by the name that `referral::name` gives it.
pub fn referral(name: &Digest) -> Slot<kept::Referral> {
    Slot::new(Table::Referral as u8, &[name.as_bytes()])
}

/// A step of this side of a referral, or of the other, from 1.
pub fn step(referral: &Digest, own: bool, number: u32) -> Slot<kept::Step> {
    Slot::new(Table::Step as u8, &[referral.as_bytes(), &[u8::from(own)], &number.to_be_bytes()])
}

/// A place among the errands, from 1.
pub fn errand(place: u64) -> Slot<kept::Errand> {
    Slot::new(Table::Errand as u8, &[&place.to_be_bytes()])
}

/// How far the errands are.
pub fn errands() -> Slot<kept::Errands> {
    Slot::new(Table::Errands as u8, &[])
}

/// Who may see a patient.
pub fn circles(subject: &Subject) -> Slot<kept::Circles> {
    Slot::new(Table::Circles as u8, &[subject.as_bytes()])
}

/// A record of the journal, or a value of the index, is none that this machine would have kept.
pub(crate) fn damaged() -> Fault {
    Fault::Damaged { key: ledger().key().to_vec() }
}

macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident -> $id:ident;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(bytes: &[u8]) -> Result<$id, Fault> {
            bytes.try_into().ok().and_then($id::new).ok_or_else(damaged)
        }
    )*};
}

readers! {
    read_subject -> Subject;
    read_digest -> Digest;
    read_entry_id -> EntryId;
    read_document_id -> DocumentId;
    read_referral_id -> ReferralId;
}

pub(crate) fn subject_ref(subject: &Subject) -> SubjectRef {
    SubjectRef { subject: subject.as_bytes().to_vec() }
}

pub(crate) fn read_token(token: &words::Token) -> Result<Token, Fault> {
    Ok(Token { epoch: token.epoch, value: read_digest(&token.value)? })
}

pub(crate) fn write_token(token: &Token) -> words::Token {
    words::Token { epoch: token.epoch, value: token.value.as_bytes().to_vec() }
}

macro_rules! unprinted {
    ($($name:ident)*) => {$(
        impl fmt::Debug for kept::$name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(<phi>)"))
            }
        }
    )*};
}

unprinted! { PersonData PersonIdentifier BirthDate Visit Staff DocumentData Attestation AuditData Reasoned }

//! What a node keeps: the slots through which the core sees it.

use core::fmt;

use yiqiao_journal::view::fixed;
pub use yiqiao_journal::view::{Fault, Slot, View};
use yiqiao_proto::id::{Code, Digest, DocumentId, EntryId, Subject};
use yiqiao_proto::token::Token;
use yiqiao_proto::wire::words;

/// The messages of `schema/state.proto`.
#[expect(missing_docs, reason = "generated; the schema describes every field")]
#[expect(clippy::large_enum_variant, reason = "generated; a change lives in a list that is written at once")]
pub mod kept {
    include!(concat!(env!("OUT_DIR"), "/yiqiao.node.rs"));
}

pub use kept::record::Record as Body;
pub use kept::{
    Chain, Control, Counters, Document, EntryRef, Item, Ledger, Message, Patient, Problem, Queued, Record,
    Review, SubjectRef, Subjects, VaultUse,
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
}

/// What there is one of.
pub fn ledger() -> Slot<Ledger> {
    Slot::new(Table::Ledger as u8, &[])
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
    Slot::new(Table::Counters as u8, &[&fixed(system)])
}

/// Who has a number.
pub fn number(tag: &Digest) -> Slot<SubjectRef> {
    Slot::new(Table::Number as u8, &[tag.as_bytes()])
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

/// The newest member list.
pub fn members() -> Slot<kept::Members> {
    Slot::new(Table::Members as u8, &[])
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

unprinted! { PersonData PersonIdentifier BirthDate Visit Staff DocumentData }

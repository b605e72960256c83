//! That the registry left out of an answer what it had acknowledged before (L-16, V-7): its signed account of a publisher's subject, and
//! its receipt of a link that is not in it.
//!
//! Both are the registry's own words, so nobody but the registry can have made them contradict each other. Not here: what an asker was
//! not shown in a search, which the consent of the patient may explain.

use core::fmt;

use prost::Message;
use serde_json::{Value, json};
use yiqiao_proto::calls::{Call, Omission as OmissionFile};
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::directory::{Directory, ListError};
use yiqiao_proto::entry::{Entry, Link, Withdrawal};
use yiqiao_proto::envelope::{Envelope, EnvelopeError, Kind, Said, Verified};
use yiqiao_proto::id::{Code, Digest, EntryId, Subject};
use yiqiao_proto::inventory::{Holding, Inventory};
use yiqiao_proto::note::{Checkpoint, NoteError, read_unchecked};
use yiqiao_proto::suite::PublicKey;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::wire::calls::OmissionProof;

use crate::file::Logged;

/// Why it is not proved that something was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no such file.
    #[error("this is no proof of an omission of this version, or it was changed: {0}")]
    Decode(#[from] DecodeError),
    /// The member list is not the authority's.
    #[error("the key given did not sign the member list of the file: {0}")]
    List(#[from] ListError),
    /// A checkpoint is not the registry's.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The two checkpoints are of different logs.
    #[error("answer and receipt are of two logs (L-9)")]
    OtherLog,
    /// A part is not believed.
    #[error("the {what} does not count: {cause}")]
    Word {
        /// Which part.
        what: &'static str,
        /// Why not.
        #[source]
        cause: EnvelopeError,
    },
    /// The receipt does not lead to its checkpoint.
    #[error("the word at {seq} does not stand under the checkpoint of its receipt (L-7)")]
    Path {
        /// Its place.
        seq: u64,
    },
    /// Parts do not fit each other.
    #[error("{0}")]
    Unfit(&'static str),
}

/// What the registry left out, and where it had put it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Whose word it is.
    pub publisher: Code,
    /// The publisher's patient.
    pub subject: Subject,
    /// The entry that the word publishes or withdraws.
    pub entry: EntryId,
    /// Whether it is an entry; else a withdrawal.
    pub is_entry: bool,
    /// Its number in its subject's chain.
    pub number: u64,
    /// Its place in the log.
    pub seq: u64,
    /// When the registry accepted it.
    pub accepted_at: Timestamp,
    /// To whom the registry gave its account.
    pub reader: Code,
    /// After how many words of the log the account holds.
    pub words: u64,
    /// The end of the chain by the account.
    pub held: Holding,
    /// The version of the member list by which it was judged.
    pub list_version: u64,
    /// The log: `yiqiao/<region>/<log id>`.
    pub origin: String,
}

/// The file that [`verify`] takes.
pub fn file(region: &Code, list: &Envelope, proof: OmissionProof) -> Vec<u8> {
    let (region, list) = (region.to_string(), list.as_bytes().to_vec());
    OmissionFile { region, list, proof: Some(proof) }.encode_to_vec()
}

/// Whether these bytes are meant to be such a file.
pub fn is_file(bytes: &[u8]) -> bool {
    OmissionFile::from_bytes(bytes).is_ok()
}

/// Whether a file proves an omission, by nothing but a public key of the region's authority: the one that signed its member list.
///
/// # Errors
/// [`Fault`]: it does not, for this reason.
pub fn verify(bytes: &[u8], authority: &PublicKey) -> Result<LeftOut, Fault> {
    let OmissionFile { region, list, proof } = OmissionFile::from_bytes(bytes)?;
    let rule = "a code (W-4)";
    let region = Code::new(region).map_err(|_| DecodeError::Invalid { field: "omission.region", rule })?;
    let directory = Directory::signed_by(&region, authority, &Envelope::decode(&list)?)?;
    check(&proof.ok_or(DecodeError::Missing { field: "omission.proof" })?, &directory)
}

/// The same by a member list that is believed.
///
/// # Errors
/// [`Fault`]: it is not proved, for this reason.
pub fn check(proof: &OmissionProof, directory: &Directory) -> Result<LeftOut, Fault> {
    let missing = |field| DecodeError::Missing { field };
    let word = Logged::read(proof.word.clone().ok_or_else(|| missing("omission_proof.word"))?)?;
    let link = Link::read(proof.link.as_ref().ok_or_else(|| missing("omission_proof.link"))?)?;
    let account = account(&Envelope::decode(&proof.inventory)?, directory)?;
    let tree = tree(&proof.checkpoint, directory)?;
    if tree.origin != account.tree.origin {
        return Err(Fault::OtherLog);
    }
    if !word.stands_under(directory.region(), &tree) {
        return Err(Fault::Path { seq: word.opening.seq });
    }
    let said = Chained::read(&word, directory)?;
    let inventory = account.inventory;
    require(said.publisher == inventory.publisher, "answer and receipt are of two publishers")?;
    require(said.link == link.commitment(), "the word has another place in its chain (N-2)")?;
    let held = inventory.holdings.iter().find(|held| held.subject == said.subject);
    let held = *held.ok_or(Fault::Unfit("the answer says nothing of the patient of the word"))?;
    require(word.opening.seq < inventory.words, "the word came after what the answer is about")?;
    require(is_left_out(&held, &link, &said.payload), "the answer does not leave the word out")?;
    Ok(LeftOut {
        publisher: inventory.publisher,
        subject: said.subject,
        entry: said.entry,
        is_entry: word.envelope.kind() == Kind::Entry,
        number: link.number,
        seq: word.opening.seq,
        accepted_at: word.opening.accepted_at,
        reader: inventory.reader,
        words: inventory.words,
        held,
        list_version: directory.list().version,
        origin: tree.origin,
    })
}

/// Whether a chain that ends like this does not have a link (N-2).
pub fn is_left_out(held: &Holding, link: &Link, payload: &Digest) -> bool {
    held.number < link.number || (held.number == link.number && held.last.as_ref() != Some(payload))
}

/// The registry's account, and the tree that it names.
struct Account {
    inventory: Inventory,
    tree: Checkpoint,
}

fn account(envelope: &Envelope, directory: &Directory) -> Result<Account, Fault> {
    let size = Inventory::tree_size(envelope.payload())?;
    let said = Verified::<Inventory>::check(envelope.clone(), directory, Said::AtSeq(size));
    let (inventory, ..) = said.map_err(|cause| Fault::Word { what: "answer", cause })?.into_parts();
    let tree = tree(&inventory.checkpoint, directory)?;
    require(inventory.words <= tree.size, "the answer is about more words than its checkpoint covers")?;
    Ok(Account { inventory, tree })
}

/// A checkpoint that the registry signed, and nobody else: of whichever log it has (L-9).
fn tree(note: &[u8], directory: &Directory) -> Result<Checkpoint, Fault> {
    let origin = read_unchecked(note)?.origin;
    let of_region = origin.starts_with(&format!("yiqiao/{}/", directory.region()));
    require(of_region, "a checkpoint is of another region")?;
    let tree = Checkpoint::open(note, &origin, &directory.checkpoint_keys())?;
    // Three lines, a blank one and one signature: what is not checked does not stand in the file.
    let lines = note.iter().filter(|byte| **byte == b'\n').count();
    if lines == 5 { Ok(tree) } else { Err(NoteError::NotSigned.into()) }
}

/// What a link of a chain says.
struct Chained {
    publisher: Code,
    subject: Subject,
    entry: EntryId,
    link: Digest,
    payload: Digest,
}

impl Chained {
    fn read(word: &Logged, directory: &Directory) -> Result<Self, Fault> {
        let (envelope, said) = (word.envelope.clone(), Said::AtSeq(word.opening.seq));
        let payload = envelope.payload_hash();
        let fault = |cause| Fault::Word { what: "acknowledged word", cause };
        if envelope.kind() == Kind::Withdrawal {
            let (word, ..) =
                Verified::<Withdrawal>::check(envelope, directory, said).map_err(fault)?.into_parts();
            let Withdrawal { publisher, subject, entry_id: entry, link, .. } = word;
            return Ok(Self { publisher, subject, entry, link, payload });
        }
        let (word, ..) = Verified::<Entry>::check(envelope, directory, said).map_err(fault)?.into_parts();
        let Entry { publisher, subject, entry_id: entry, link, .. } = word;
        Ok(Self { publisher, subject, entry, link, payload })
    }
}

const fn require(holds: bool, what: &'static str) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(Fault::Unfit(what)) }
}

impl LeftOut {
    /// For programs.
    pub fn to_json(&self) -> Value {
        json!({
            "omission": {
                "publisher": self.publisher.to_string(),
                "entry": self.entry.to_string(),
                "kind": self.kind(),
                "number": self.number,
                "place": self.seq,
                "acceptedAt": self.time(),
                "reader": self.reader.to_string(),
                "wordsOfLog": self.words,
                "numberHeld": self.held.number,
                "log": self.origin,
                "listVersion": self.list_version,
            }
        })
    }

    const fn kind(&self) -> &'static str {
        if self.is_entry { "entry" } else { "withdrawal" }
    }

    fn time(&self) -> String {
        jiff::Timestamp::from_millisecond(self.accepted_at.unix_ms()).unwrap_or_default().to_string()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "PROVED: the registry left out what it had acknowledged (L-16)")?;
        writeln!(f, "  log         {} (member list {})", self.origin, self.list_version)?;
        let (kind, entry, publisher) = (self.kind(), self.entry, &self.publisher);
        writeln!(f, "  the word    {kind} of {entry} by {publisher}, number {} of its chain", self.number)?;
        writeln!(f, "  accepted    at place {}, {}", self.seq, self.time())?;
        let (reader, words) = (&self.reader, self.words);
        write!(f, "  left out    told {reader} after {words} words: the chain ends at {}", self.held.number)
    }
}

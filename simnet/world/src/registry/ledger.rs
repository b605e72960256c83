//! What the registry keeps: words durable, a checkpoint over them durable, and only then receipts (L-5). The tree and the index
//! are made again at each start.

use std::collections::BTreeSet;

use prost::Message;
use yiqiao_journal::Register;
use yiqiao_proto::log::Opening;
use yiqiao_proto::note::{Checkpoint, origin, read_unchecked};
use yiqiao_proto::suite::SecretKey;
use yiqiao_proto::tree::{self, Hash};
use yiqiao_registry_core::answer::{Log, answer};
use yiqiao_registry_core::machine::{Machine, Outcome, Refused, ToKeep};
use yiqiao_registry_core::state::kept::record::Record as Kind;
use yiqiao_registry_core::state::{Fault, Kept, Record, Table, View};
use yiqiao_registry_core::take::{leaf_of, record_bytes};

use super::is_hasty;
use crate::disk::{Book, Index, NotKept, Volume};
use crate::hub::{Hub, Stopped};
use crate::network::Who;
use crate::plant::Plant;
use crate::region::{Region, code};

pub(super) struct Ledger {
    book: Book,
    checkpoint: Register,
    term: Register,
    index: Index,
    /// Every word, and the hashes of the tree over them.
    words: Vec<Kept>,
    hashes: Vec<Hash>,
    key: SecretKey,
    origin: String,
    root: Hash,
    note: Vec<u8>,
}

impl Ledger {
    /// Opens what the disk holds; the words in it.
    pub(super) fn open(
        volume: &mut Volume,
        region: &Region,
        key: SecretKey,
    ) -> Result<(Self, Vec<Kept>), String> {
        let folder = volume.folder()?;
        let checkpoint = Register::open(&folder, "checkpoint").map_err(|error| error.to_string())?;
        let (floor, size, note) = checkpoint.value().and_then(read_checkpoint).unwrap_or_default();
        let book = Book::open(folder, floor)?;
        let term = book.register("term")?;
        let origin = origin(&code(), &region.directory.list().log_id);
        let (words, hashes, root) = (Vec::new(), Vec::new(), tree::empty_root());
        let index = volume.take_index();
        let mut ledger =
            Self { book, checkpoint, term, index, words, hashes, key, origin, root, note: note.clone() };
        ledger.read_words()?;
        let expected = read_unchecked(&note).ok().map(|checkpoint| checkpoint.root);
        if expected.is_some() && tree::root(ledger.hashes.as_slice(), size).ok() != expected {
            return Err("the log does not lead to its last checkpoint".to_owned());
        }
        ledger.sign_checkpoint(true)?;
        let words = ledger.words.clone();
        Ok((ledger, words))
    }

    /// Takes the next term, durable before anything is accepted in it (L-10).
    pub(super) fn next_term(&mut self) -> Result<u64, String> {
        let last = self.term.value().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        self.term.set(&(last + 1).to_be_bytes()).map_err(|error| error.to_string())?;
        Ok(last + 1)
    }

    /// Reads anew whether the term is the newest (F-8).
    pub(super) fn confirm_term(&self) -> Result<(), String> {
        match self.term.still_holds() {
            Ok(true) => Ok(()),
            Ok(false) => Err("another process has begun a term over this log".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// How many records the index holds.
    pub(super) const fn indexed(&self) -> usize {
        self.index.records
    }

    /// Brings the index up to the journal, and with it a machine that has seen nothing yet.
    pub(super) fn bring_up(&mut self, machine: &mut Machine) -> Result<(), String> {
        machine.start_at(self.index.words);
        for bytes in self.book.records().skip(self.index.records).collect::<Vec<_>>() {
            let record = read_record(&bytes?)?;
            let mut view = View::new(code());
            loop {
                match machine.rebuild(&record, &mut view) {
                    Ok(()) => break,
                    Err(Fault::Missing { keys }) => self.load(keys, &mut view),
                    Err(fault) => return Err(fault.to_string()),
                }
            }
            let words = u64::from(matches!(record, Kind::Kept(_)));
            self.commit(view, 1, words, None);
        }
        Ok(())
    }

    /// How much a table has.
    pub(super) fn count(&self, table: Table) -> usize {
        self.index.count(table as u8)
    }

    /// What a table has.
    pub(super) fn keys(&self, table: Table) -> BTreeSet<Vec<u8>> {
        self.index.keys(table as u8)
    }

    /// The process is gone.
    pub(super) fn leave(self) -> Index {
        self.index
    }

    /// Gives a view what it lacks: words from the journal, all else from the index.
    pub(super) fn load(&self, keys: Vec<Vec<u8>>, view: &mut View) {
        let (words, rest): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|key| key.first() == Some(&(Table::Journal as u8)));
        for key in words {
            let seq = key.get(1..).and_then(|seq| seq.try_into().ok()).map(u64::from_be_bytes);
            let word = seq.and_then(|seq| self.words.get(usize::try_from(seq).ok()?));
            view.load(key, word.map(Message::encode_to_vec));
        }
        self.index.load(rest, view);
    }

    /// Makes a batch durable, and signs a checkpoint over it.
    pub(super) fn append(&mut self, hub: &mut Hub, who: Who, records: &[ToKeep]) -> Result<(), NotKept> {
        if records.is_empty() {
            return Ok(());
        }
        let bytes: Vec<Vec<u8>> = records.iter().map(record_bytes).collect();
        let hasty = is_hasty(hub);
        if hasty {
            let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
            self.book.journal.append(&slices)?;
        } else {
            self.book.append(hub, who, &bytes)?;
        }
        for record in records {
            if let ToKeep::Word(kept, _) = record {
                self.add(kept).map_err(Stopped::Ended)?;
            }
        }
        self.sign_checkpoint(!hasty).map_err(Stopped::Ended)?;
        Ok(hub.step(who)?)
    }

    /// Brings the index to what a batch has written; a planted fault counts members anew each time.
    pub(super) fn commit(&mut self, view: View, records: usize, words: u64, plant: Option<Plant>) {
        let mut written = view.into_written();
        written.retain(|key, _| key.first() != Some(&(Table::Journal as u8)));
        if plant == Some(Plant::SingleKept) {
            written.retain(|key, value| key.first() != Some(&(Table::Single as u8)) || value.is_some());
        }
        if plant == Some(Plant::QuotasAnew) {
            let counts = written.iter().filter(|(key, _)| key.first() == Some(&(Table::Quota as u8)));
            let anew = |(key, value): (&Vec<u8>, &Option<Vec<u8>>)| {
                ([key.as_slice(), &self.index.records.to_be_bytes()].concat(), value.clone())
            };
            let anew: Vec<_> = counts.map(anew).collect();
            written.extend(anew);
        }
        self.index.commit(written, records, words);
    }

    /// The answer of a call, or its refusal, at the newest checkpoint.
    pub(super) fn answer(
        &self,
        outcome: Outcome,
        machine: &Machine,
    ) -> Result<Result<Vec<u8>, Refused>, Stopped> {
        let hashes = self.hashes.as_slice();
        let log = Log { hashes, size: self.words.len() as u64, root: self.root, note: &self.note };
        answer(outcome, machine, &log).map_err(|error| Stopped::Ended(error.to_string()))
    }

    fn read_words(&mut self) -> Result<(), String> {
        for bytes in self.book.records().collect::<Vec<_>>() {
            if let Kind::Kept(kept) = read_record(&bytes?)? {
                self.add(&kept)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, kept: &Kept) -> Result<(), String> {
        let opening = kept.opening.clone().and_then(|opening| Opening::read(opening).ok());
        let seq = opening.map(|opening| opening.seq);
        let leaf = leaf_of(kept, &code()).filter(|_| seq == Some(self.words.len() as u64));
        let leaf = leaf.ok_or("a word of the log is not the next")?.hash();
        let hashes = tree::append(self.hashes.as_slice(), self.words.len() as u64, leaf);
        self.hashes.extend(hashes.map_err(|error| error.to_string())?);
        self.words.push(kept.clone());
        Ok(())
    }

    fn sign_checkpoint(&mut self, durable: bool) -> Result<(), String> {
        let size = self.words.len() as u64;
        let root = tree::root(self.hashes.as_slice(), size).map_err(|error| error.to_string())?;
        let note = Checkpoint { origin: self.origin.clone(), size, root }.sign(&self.key);
        let position = self.book.journal.synced_end().get();
        let value = [&position.to_be_bytes()[..], &size.to_be_bytes(), &note].concat();
        if durable {
            self.checkpoint.set(&value).map_err(|error| error.to_string())?;
        }
        (self.note, self.root) = (note, root);
        Ok(())
    }
}

/// Up to where the journal was durable, how many words that were, and the note over them.
fn read_checkpoint(bytes: &[u8]) -> Option<(u64, u64, Vec<u8>)> {
    let (position, rest) = bytes.split_first_chunk::<8>()?;
    let (size, note) = rest.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*position), u64::from_be_bytes(*size), note.to_vec()))
}

fn read_record(bytes: &[u8]) -> Result<Kind, String> {
    let record = Record::decode(bytes).ok().and_then(|record| record.record);
    record.ok_or_else(|| "a record of the log cannot be read".to_owned())
}

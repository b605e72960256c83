//! The registry's durable state: the log's journal, its tree, its checkpoint and term, and the index that follows from it.
//!
//! Order is everything (L-5): words into the journal, durable; their hashes into the tree; a checkpoint signed over them,
//! durable; the index; and only then does anybody see a receipt.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;
use yiqiao_host::index::{Applied, Index, IndexError, IndexReader};
use yiqiao_host::keys;
use yiqiao_journal::column::{ColumnError, ColumnView};
use yiqiao_journal::journal::{AppendError, OpenError, ReadError, SyncError};
use yiqiao_journal::register::RegisterError;
use yiqiao_journal::view::Values;
use yiqiao_journal::{
    Column, DiskError, Folder, Format, Journal, Options, OsDisk, Position, Register, View as JournalView,
};
use yiqiao_proto::id::Code;
use yiqiao_proto::log::{Leaf, Opening};
use yiqiao_proto::note::{Checkpoint, origin};
use yiqiao_proto::suite::SecretKey;
use yiqiao_proto::time::Timestamp;
use yiqiao_proto::tree::{self, Hash, MissingHash, Stored};
use yiqiao_registry_core::answer::{Log, ProofError, answer};
use yiqiao_registry_core::machine::{Machine, Outcome, Refused, ToKeep};
use yiqiao_registry_core::state::kept::record::Record as Kind;
use yiqiao_registry_core::state::{self, Fault, Kept, Record, Table, View};
use yiqiao_registry_core::take::{leaf_of, record_bytes};

const FORMAT: Format = Format::new("registry-log", 1, env!("CARGO_PKG_VERSION"));
const SEGMENT_BYTES_MAX: u64 = 1 << 30;
/// Records that are replayed between two commits of the index.
const REPLAY_BATCH: usize = 512;
/// Replayed records between two lines of progress.
const PROGRESS_EVERY: u64 = 100_000;

/// Durable state.
pub(crate) struct Ledger {
    journal: Journal,
    checkpoint: Register,
    leaves: Column<8>,
    tree: Column<32>,
    term: Register,
    index: Index,
    /// How far the index was when it was opened.
    applied: Applied,
    key: SecretKey,
    origin: String,
    region: Code,
    log_id: Code,
    /// Words in the journal.
    size: u64,
    /// What the newest durable checkpoint says.
    root: Hash,
    note: Vec<u8>,
}

/// The log under a durable checkpoint, to be read beside the thread that changes it; clones are cheap.
#[derive(Clone)]
pub(crate) struct LogView {
    pub(crate) log_id: Code,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    /// The checkpoint, as a signed note.
    pub(crate) note: Arc<[u8]>,
    region: Code,
    journal: JournalView,
    leaves: ColumnView<8>,
    tree: ColumnView<32>,
}

impl LogView {
    /// The leaf of a word.
    pub(crate) fn leaf(&self, seq: u64) -> Result<Leaf, LedgerError> {
        let at = self.leaves.get(seq)?.ok_or(LedgerError::TreeDamaged)?;
        let bytes = self.journal.read(Position::new(u64::from_be_bytes(at)));
        match read_record(&bytes.map_err(|_| LedgerError::TreeDamaged)?)? {
            Kind::Kept(kept) => leaf_of(&kept, &self.region).ok_or(LedgerError::Record),
            Kind::Tally(_) | Kind::Alarm(_) | Kind::Quality(_) => Err(LedgerError::TreeDamaged),
        }
    }
}

impl Stored for LogView {
    fn hash(&self, index: u64) -> Option<Hash> {
        self.tree.get(index).ok().flatten()
    }
}

/// Why the state cannot be opened or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error(transparent)]
    Folder(#[from] yiqiao_journal::folder::FolderError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Open(OpenError),
    #[error(
        "{0}. If an older copy of the whole folder is all there is, put that in its place, and run \
         `yiqiao-registry new-log` before the registry starts (L-9)"
    )]
    Damaged(OpenError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[error(transparent)]
    Column(#[from] ColumnError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Tree(#[from] MissingHash),
    #[error("cannot make {}: {cause}", folder.display())]
    Make { folder: PathBuf, cause: String },
    #[error("a value of the index is damaged")]
    IndexDamaged,
    #[error("a stored place or hash of the tree is damaged")]
    TreeDamaged,
    #[error("another process has begun a term over this log (L-10): run one registry on a data folder")]
    TermOver,
    #[error(
        "a record of the log cannot be read: restore the folder of the log from a backup, and run \
         `yiqiao-registry new-log` before the registry starts (L-9)"
    )]
    Record,
    #[error(
        "the log does not lead to its last checkpoint: restore the folder of the log from a backup, and run \
         `yiqiao-registry new-log` before the registry starts (L-9)"
    )]
    OtherRoot,
}

impl From<OpenError> for LedgerError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Damaged { .. } | OpenError::Missing { .. } => Self::Damaged(error),
            OpenError::Disk(_)
            | OpenError::Foreign { .. }
            | OpenError::Newer { .. }
            | OpenError::TooManySegments { .. } => Self::Open(error),
        }
    }
}

impl Ledger {
    /// Opens the state in a folder, or makes it if there is no such folder; brings tree and index up to the journal.
    pub(crate) fn open(
        data: &Path,
        region: &Code,
        log_id: &Code,
        key: SecretKey,
    ) -> Result<Self, LedgerError> {
        let log = open_folder(data)?;
        let checkpoint = Register::open(&log, "checkpoint")?;
        let last = checkpoint.value().and_then(read_checkpoint).unwrap_or_default();
        let options = Options { floor: Position::new(last.position), segment_bytes_max: SEGMENT_BYTES_MAX };
        let (journal, recovery) = Journal::open(&log, &options)?;
        if let Some(cut) = recovery.cut {
            tracing::warn!(?cut, "the log ended in words that nobody was answered for; they are cut (L-8)");
        }
        let folder = data.join("index");
        std::fs::create_dir_all(&folder)
            .map_err(|error| LedgerError::Make { folder: folder.clone(), cause: error.to_string() })?;
        let (mut index, mut applied) = Index::open(&folder, log.id())?;
        if applied.position > journal.end().get() {
            // The journal was cut behind it, or is an older copy.
            (index, applied) = (index.discard()?, Applied::default());
        }
        let mut ledger = Self {
            journal,
            checkpoint,
            leaves: Column::open(&log, "leaves")?,
            tree: Column::open(&log, "tree")?,
            term: Register::open(&log, "term")?,
            index,
            applied,
            key,
            origin: origin(region, log_id),
            region: region.clone(),
            log_id: log_id.clone(),
            size: 0,
            root: tree::empty_root(),
            note: last.note.clone(),
        };
        ledger.bring_up_tree(&last)?;
        ledger.sign_checkpoint()?;
        Ok(ledger)
    }

    /// Words in the log.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    /// Reads the index beside this.
    pub(crate) fn index(&self) -> IndexReader {
        self.index.reader()
    }

    /// When the first word was accepted, if there is one.
    pub(crate) fn began(&self) -> Result<Option<Timestamp>, LedgerError> {
        let Some(first) = self.word(state::journal(0).key())? else { return Ok(None) };
        let opening = Kept::decode(first.as_slice()).ok().and_then(|kept| kept.opening);
        let opening = opening.ok_or(LedgerError::Record)?;
        Ok(Timestamp::from_unix_ms(opening.accepted_at))
    }

    /// Takes the next term, durable before anything is accepted in it (L-10).
    pub(crate) fn next_term(&mut self) -> Result<u64, LedgerError> {
        let last = self.term.value().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        self.term.set(&(last + 1).to_be_bytes())?;
        Ok(last + 1)
    }

    /// Reads anew whether the term is the newest (F-8).
    pub(crate) fn confirm_term(&self) -> Result<(), LedgerError> {
        if self.term.still_holds()? { Ok(()) } else { Err(LedgerError::TermOver) }
    }

    /// Brings the index up to the journal, and the machine with it: one that has seen nothing yet.
    pub(crate) fn bring_up_index(&mut self, machine: &mut Machine) -> Result<(), LedgerError> {
        let mut applied = self.applied;
        machine.start_at(applied.words);
        let mut batch = Vec::new();
        for item in self.journal.scan(Position::new(applied.position)) {
            let (position, bytes) = item?;
            if batch.len() == REPLAY_BATCH {
                applied.position = position.get();
                applied.words = self.replay(machine, &std::mem::take(&mut batch), applied)?;
            }
            batch.push(bytes);
        }
        applied.position = self.journal.end().get();
        applied.words = self.replay(machine, &batch, applied)?;
        Ok(self.index.sync(applied)?)
    }

    /// Does records again; `applied.position` is where the next one stands. Gives the number of words so far.
    fn replay(
        &mut self,
        machine: &mut Machine,
        batch: &[Vec<u8>],
        applied: Applied,
    ) -> Result<u64, LedgerError> {
        let mut view = View::new(self.region.clone());
        for bytes in batch {
            let record = read_record(bytes)?;
            loop {
                match machine.rebuild(&record, &mut view) {
                    Ok(()) => break,
                    Err(Fault::Missing { keys }) => self.load(&keys, &mut view)?,
                    Err(Fault::Damaged { .. }) => return Err(LedgerError::Record),
                }
            }
        }
        let words = machine.next_seq();
        if words / PROGRESS_EVERY > applied.words / PROGRESS_EVERY {
            tracing::info!(words, of = self.size, "rebuilding the index from the log");
        }
        self.index.commit(&for_index(view), Applied { position: applied.position, words })?;
        Ok(words)
    }

    /// Gives a view what it lacks: words from the journal, all else from the index.
    pub(crate) fn load(&self, keys: &[Vec<u8>], view: &mut View) -> Result<(), LedgerError> {
        let (words, rest): (Vec<_>, Vec<_>) =
            keys.iter().cloned().partition(|key| key.first() == Some(&(Table::Journal as u8)));
        for key in words {
            let value = self.word(&key)?;
            view.load(key, value);
        }
        for (key, value) in rest.iter().zip(self.index.load(&rest)?) {
            view.load(key.clone(), value);
        }
        Ok(())
    }

    fn word(&self, key: &[u8]) -> Result<Option<Vec<u8>>, LedgerError> {
        let seq = key.get(1..).and_then(|seq| seq.try_into().ok()).map(u64::from_be_bytes);
        let Some(at) = seq.map(|seq| self.leaves.get(seq)).transpose()?.flatten() else { return Ok(None) };
        let bytes = self.journal.read(Position::new(u64::from_be_bytes(at)));
        // Places have no checksums: a wrong one leads nowhere, or to another word.
        match read_record(&bytes.map_err(|_| LedgerError::TreeDamaged)?)? {
            Kind::Kept(kept) if place_of(&kept) == seq => Ok(Some(kept.encode_to_vec())),
            Kind::Kept(_) | Kind::Tally(_) | Kind::Alarm(_) | Kind::Quality(_) => {
                Err(LedgerError::TreeDamaged)
            }
        }
    }

    /// Makes a batch durable: all of it or nothing. On an error from the append nothing has changed.
    pub(crate) fn append(&mut self, records: &[ToKeep]) -> Result<(), LedgerError> {
        if records.is_empty() {
            return Ok(());
        }
        let bytes: Vec<Vec<u8>> = records.iter().map(record_bytes).collect();
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let positions = self.journal.append(&slices)?;
        self.journal.sync()?;
        for (record, position) in records.iter().zip(positions) {
            if let ToKeep::Word(kept, kind) = record {
                let opening = kept.opening.clone().ok_or(LedgerError::Record)?;
                let opening = Opening::read(opening).map_err(|_| LedgerError::Record)?;
                self.add_leaf(position, opening.leaf(&self.region, *kind).hash())?;
            }
        }
        self.sign_checkpoint()
    }

    /// The log under its newest checkpoint.
    pub(crate) fn view(&mut self) -> Result<LogView, LedgerError> {
        Ok(LogView {
            log_id: self.log_id.clone(),
            size: self.size,
            root: self.root,
            note: self.note.as_slice().into(),
            region: self.region.clone(),
            journal: self.journal.view(),
            leaves: self.leaves.view()?,
            tree: self.tree.view()?,
        })
    }

    /// Brings the index to what a batch has written. Answers may go out only after this.
    pub(crate) fn commit(&mut self, view: View) -> Result<(), LedgerError> {
        let applied = Applied { position: self.journal.end().get(), words: self.size };
        Ok(self.index.commit(&for_index(view), applied)?)
    }

    /// Makes tree and index durable: before an orderly stop.
    pub(crate) fn close(&mut self) -> Result<(), LedgerError> {
        self.leaves.sync()?;
        self.tree.sync()?;
        let applied = Applied { position: self.journal.end().get(), words: self.size };
        Ok(self.index.sync(applied)?)
    }

    /// The answer of a call, or its refusal, at the newest durable checkpoint.
    pub(crate) fn answer(
        &self,
        outcome: Outcome,
        machine: &Machine,
    ) -> Result<Result<Vec<u8>, Refused>, LedgerError> {
        let hashes = Hashes(&self.tree);
        let log = Log { hashes: &hashes, size: self.size, root: self.root, note: &self.note };
        Ok(answer(outcome, machine, &log)?)
    }

    fn add_leaf(&mut self, position: Position, leaf: Hash) -> Result<(), LedgerError> {
        let hashes = tree::append(&Hashes(&self.tree), self.size, leaf)?;
        for hash in &hashes {
            self.tree.push(hash)?;
        }
        self.leaves.push(&position.get().to_be_bytes())?;
        self.size += 1;
        Ok(())
    }

    fn sign_checkpoint(&mut self) -> Result<(), LedgerError> {
        let root = tree::root(&Hashes(&self.tree), self.size)?;
        let checkpoint = Checkpoint { origin: self.origin.clone(), size: self.size, root };
        let note = checkpoint.sign(&self.key);
        let value =
            [&self.journal.synced_end().get().to_be_bytes()[..], &self.size.to_be_bytes(), &note].concat();
        self.checkpoint.set(&value)?;
        (self.note, self.root) = (note, root);
        Ok(())
    }

    /// Goes on from the stored tree if that leads to the last checkpoint, else makes it anew from the journal.
    fn bring_up_tree(&mut self, last: &LastCheckpoint) -> Result<(), LedgerError> {
        let root = root_of_note(&last.note);
        let leads = |tree: &Column<32>| root.is_none() || tree::root(&Hashes(tree), last.size).ok() == root;
        if self.grow_tree(self.stored_words(last.size)).is_ok() && leads(&self.tree) {
            return Ok(());
        }
        self.grow_tree(0)?;
        if leads(&self.tree) { Ok(()) } else { Err(LedgerError::OtherRoot) }
    }

    /// Words, at most so many, of which place and hashes are stored: after a kill the last ones are not.
    fn stored_words(&self, most: u64) -> u64 {
        let mut words = most.min(self.leaves.len()).min(self.tree.len());
        while tree::stored_count(words) > self.tree.len() {
            words -= 1;
        }
        words
    }

    /// Keeps so many words of the tree, and adds those that follow them in the journal.
    fn grow_tree(&mut self, kept: u64) -> Result<(), LedgerError> {
        self.leaves.truncate(kept)?;
        self.tree.truncate(tree::stored_count(kept))?;
        self.size = kept;
        let last = kept.checked_sub(1).map(|last| self.leaves.get(last)).transpose()?.flatten();
        let from = last.map_or(0, u64::from_be_bytes);
        let mut known = last.map(|_| kept - 1);
        for item in self.journal.scan(Position::new(from)) {
            let (position, bytes) = item?;
            let Kind::Kept(word) = read_record(&bytes)? else { continue };
            let expected = known.take();
            if place_of(&word) != Some(expected.unwrap_or(self.size)) {
                return Err(LedgerError::TreeDamaged);
            }
            if expected.is_none() {
                let leaf = leaf_of(&word, &self.region).ok_or(LedgerError::Record)?;
                self.add_leaf(position, leaf.hash())?;
            }
        }
        Ok(())
    }
}

/// The stored hashes of the tree.
struct Hashes<'a>(&'a Column<32>);

impl Stored for Hashes<'_> {
    fn hash(&self, index: u64) -> Option<Hash> {
        self.0.get(index).ok().flatten()
    }
}

/// What the checkpoint's register holds.
#[derive(Default)]
struct LastCheckpoint {
    position: u64,
    size: u64,
    note: Vec<u8>,
}

fn read_checkpoint(bytes: &[u8]) -> Option<LastCheckpoint> {
    let (position, rest) = bytes.split_first_chunk::<8>()?;
    let (size, note) = rest.split_first_chunk::<8>()?;
    Some(LastCheckpoint {
        position: u64::from_be_bytes(*position),
        size: u64::from_be_bytes(*size),
        note: note.to_vec(),
    })
}

/// The root that an own note names; its signature was made here and is not checked again.
fn root_of_note(note: &[u8]) -> Option<Hash> {
    yiqiao_proto::note::read_unchecked(note).ok().map(|checkpoint| checkpoint.root)
}

/// The log's folder. It is made only together with the data folder around it: a volume that is not mounted never looks
/// like a new, empty log.
fn open_folder(data: &Path) -> Result<Folder, LedgerError> {
    if !data.exists() {
        make_folder(data)?;
    }
    Ok(Folder::open(Arc::new(OsDisk::open(data.join("log"))?), &FORMAT)?)
}

/// Makes the folder under another name first, so that it is there whole or not at all.
fn make_folder(data: &Path) -> Result<(), LedgerError> {
    let failed =
        |error: std::io::Error| LedgerError::Make { folder: data.to_owned(), cause: error.to_string() };
    let making = data.with_extension("making");
    if making.exists() {
        std::fs::remove_dir_all(&making).map_err(failed)?;
    }
    std::fs::create_dir_all(&making).map_err(failed)?;
    Folder::create(Arc::new(OsDisk::create(making.join("log"))?), &FORMAT, keys::random())?;
    std::fs::rename(&making, data).map_err(failed)?;
    let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)
}

/// The place that a stored word has in the log.
fn place_of(kept: &Kept) -> Option<u64> {
    kept.opening.as_ref().map(|opening| opening.seq)
}

fn read_record(bytes: &[u8]) -> Result<Kind, LedgerError> {
    Record::decode(bytes).ok().and_then(|record| record.record).ok_or(LedgerError::Record)
}

/// What a view has written, without the words, which stand in the journal.
fn for_index(view: View) -> Values {
    let mut written = view.into_written();
    written.retain(|key, _| key.first() != Some(&(Table::Journal as u8)));
    written
}

impl LedgerError {
    /// Whether nothing has changed, so that a later batch may succeed: the disk was full.
    pub(crate) fn leaves_state_whole(&self) -> bool {
        matches!(self, Self::Append(AppendError::Disk(error)) if error.is_full())
    }

    /// The files below the data folder that are unfit, if they are such as the journal makes again.
    pub(crate) const fn unfit(&self) -> &'static [&'static str] {
        match self {
            Self::Index(IndexError::Damaged { .. }) | Self::IndexDamaged => &["index/index.redb"],
            Self::Tree(_) | Self::TreeDamaged => &["log/leaves-8.column", "log/tree-32.column"],
            Self::Folder(_)
            | Self::Disk(_)
            | Self::Open(_)
            | Self::Append(_)
            | Self::Sync(_)
            | Self::Read(_)
            | Self::Register(_)
            | Self::Column(_)
            | Self::Index(IndexError::Failed { .. })
            | Self::Make { .. }
            | Self::Record
            | Self::Damaged(_)
            | Self::TermOver
            | Self::OtherRoot => &[],
        }
    }
}

impl From<ProofError> for LedgerError {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::Missing(missing) => Self::Tree(missing),
            ProofError::LeadsElsewhere { .. } => Self::TreeDamaged,
            ProofError::Word { .. } => Self::Record,
        }
    }
}

//! The node's durable state: the journal, and the index that follows from it.
//!
//! Order is everything: records into the journal, durable, and how far it is durable beside it; then the index; and only
//! then does anybody see an answer. Not here: documents, which are in the [`crate::vault`].

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use prost::Message;
use yiqiao_host::index::{Applied, Index, IndexError};
use yiqiao_host::keys;
use yiqiao_journal::journal::{AppendError, OpenError, ReadError, SyncError};
use yiqiao_journal::register::RegisterError;
use yiqiao_journal::{DiskError, Folder, Format, Journal, Options, OsDisk, Position, Register};
use yiqiao_node_core::at_rest::AtRest;
use yiqiao_node_core::limits::ROUNDS_MAX;
use yiqiao_node_core::machine::Machine;
use yiqiao_node_core::state::{Fault, Record, View};
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::id::Code;

use crate::limits::{PROGRESS_EVERY, REPLAY_BATCH, SEGMENT_BYTES_MAX};

const FORMAT: Format = Format::new("node-journal", 1, env!("CARGO_PKG_VERSION"));
/// The index file, which the journal makes again, below the data folder.
const INDEX_FILE: &str = "index/index.redb";

/// Durable state.
pub(crate) struct Ledger {
    journal: Journal,
    /// Up to where the journal is durable: damage below it is told from what a crash left (compare L-8).
    durable: Register,
    index: Index,
    /// How far the index was when it was opened.
    applied: Applied,
    region: Code,
}

/// Why the state cannot be opened or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LedgerError {
    #[error(transparent)]
    Folder(#[from] yiqiao_journal::folder::FolderError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Register(#[from] RegisterError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("cannot make {}: {cause}", folder.display())]
    Make { folder: PathBuf, cause: String },
    #[error("the at-rest key is not the one under which {} was written: put back that key file", folder.display())]
    OtherKey { folder: PathBuf },
    #[error("a value of the index is damaged")]
    IndexDamaged,
    #[error("a record of the journal cannot be read: restore the data folder from a backup")]
    Record,
    #[error("a question asked for more of the store than {ROUNDS_MAX} times")]
    Rounds,
}

impl Ledger {
    /// Opens the state in a folder, or makes it if there is no such folder.
    pub(crate) fn open(data: &Path, region: &Code, at_rest: &AtRest) -> Result<Self, LedgerError> {
        let folder = open_folder(data)?;
        check_key(&folder, data, at_rest)?;
        let durable = Register::open(&folder, "durable")?;
        let floor = durable.value().and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        let options = Options { floor: Position::new(floor), segment_bytes_max: SEGMENT_BYTES_MAX };
        let (journal, recovery) = Journal::open(&folder, &options)?;
        if let Some(cut) = recovery.cut {
            tracing::warn!(?cut, "the journal ended in records that nobody was answered for; they are cut");
        }
        let index_folder = data.join("index");
        std::fs::create_dir_all(&index_folder)
            .map_err(|error| LedgerError::Make { folder: index_folder.clone(), cause: error.to_string() })?;
        let (mut index, mut applied) = Index::open(&index_folder, folder.id())?;
        if applied.position > journal.end().get() {
            // The journal was cut behind it, or is an older copy.
            (index, applied) = (index.discard()?, Applied::default());
        }
        let mut ledger = Self { journal, durable, index, applied, region: region.clone() };
        ledger.mark_durable()?;
        Ok(ledger)
    }

    /// Brings the index up to the journal, and with it a machine that has seen nothing yet.
    pub(crate) fn bring_up(&mut self, machine: &mut Machine) -> Result<(), LedgerError> {
        self.resume(machine)?;
        let mut applied = self.applied;
        let mut batch = Vec::new();
        for item in self.journal.scan(Position::new(applied.position)) {
            let (position, bytes) = item?;
            if batch.len() == REPLAY_BATCH {
                applied.position = position.get();
                self.replay(machine, &std::mem::take(&mut batch), &mut applied)?;
            }
            batch.push(bytes);
        }
        applied.position = self.journal.end().get();
        self.replay(machine, &batch, &mut applied)?;
        self.applied = applied;
        Ok(self.index.sync(applied)?)
    }

    /// Lets a machine that has seen nothing yet go on where the index stands.
    pub(crate) fn resume(&self, machine: &mut Machine) -> Result<(), LedgerError> {
        self.look(|view| machine.resume(view))
    }

    /// Answers a question about what is kept, loading what it needs.
    pub(crate) fn look<T>(
        &self,
        mut question: impl FnMut(&View) -> Result<T, Fault>,
    ) -> Result<T, LedgerError> {
        let mut view = self.view()?;
        for _round in 0..ROUNDS_MAX {
            match question(&view) {
                Ok(answer) => return Ok(answer),
                Err(Fault::Missing { keys }) => self.load(&keys, &mut view)?,
                Err(Fault::Damaged { .. }) => return Err(LedgerError::IndexDamaged),
            }
        }
        Err(LedgerError::Rounds)
    }

    /// A view of what is kept.
    pub(crate) fn view(&self) -> Result<View, LedgerError> {
        Ok(View::over(self.region.clone(), self.index.stored()?))
    }

    /// Gives a view what it could not read, or says why.
    pub(crate) fn load(&self, keys: &[Vec<u8>], view: &mut View) -> Result<(), LedgerError> {
        for (key, value) in keys.iter().zip(self.index.load(keys)?) {
            view.load(key.clone(), value);
        }
        Ok(())
    }

    /// Makes a batch durable: all of it or nothing. On an error from the append nothing has changed.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        let bytes: Vec<Vec<u8>> = records.iter().map(Message::encode_to_vec).collect();
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        self.journal.append(&slices)?;
        self.journal.sync()?;
        self.applied.words += records.len() as u64;
        self.mark_durable()
    }

    /// Brings the index to what a batch has written. Answers may go out only after this.
    pub(crate) fn commit(&mut self, view: View) -> Result<(), LedgerError> {
        self.applied.position = self.journal.end().get();
        Ok(self.index.commit(&view.into_written(), self.applied)?)
    }

    /// Makes the index durable: before an orderly stop.
    pub(crate) fn close(&mut self) -> Result<(), LedgerError> {
        Ok(self.index.sync(self.applied)?)
    }

    /// Records in the journal, as far as counted.
    pub(crate) const fn records(&self) -> u64 {
        self.applied.words
    }

    /// Does records again.
    fn replay(
        &mut self,
        machine: &mut Machine,
        batch: &[Vec<u8>],
        applied: &mut Applied,
    ) -> Result<(), LedgerError> {
        let mut view = self.view()?;
        for bytes in batch {
            let record = Record::decode(bytes.as_slice()).map_err(|_| LedgerError::Record)?;
            loop {
                match machine.rebuild(&record, &mut view) {
                    Ok(()) => break,
                    Err(Fault::Missing { keys }) => self.load(&keys, &mut view)?,
                    Err(Fault::Damaged { .. }) => return Err(LedgerError::Record),
                }
            }
        }
        let before = applied.words;
        applied.words += batch.len() as u64;
        if applied.words / PROGRESS_EVERY > before / PROGRESS_EVERY {
            let (at, of) = (applied.position, self.journal.end().get());
            tracing::info!(records = applied.words, at, of, "rebuilding the index from the journal");
        }
        Ok(self.index.commit(&view.into_written(), *applied)?)
    }

    fn mark_durable(&mut self) -> Result<(), LedgerError> {
        Ok(self.durable.set(&self.journal.synced_end().get().to_be_bytes())?)
    }
}

/// Removes the index, which the next start makes again.
pub(crate) fn remove_index(data: &Path) {
    std::fs::remove_file(data.join(INDEX_FILE)).ok();
}

/// A key of another node, or of another time, is noticed at once and not at the first patient.
fn check_key(folder: &Folder, data: &Path, at_rest: &AtRest) -> Result<(), LedgerError> {
    const CONTEXT: &[u8] = b"yiqiao/node/key/1";
    let mut proof = Register::open(folder, "key")?;
    match proof.value() {
        Some(sealed) if at_rest.open(CONTEXT, sealed).is_ok() => Ok(()),
        Some(_) => Err(LedgerError::OtherKey { folder: data.to_owned() }),
        None => Ok(proof.set(&at_rest.seal(CONTEXT, b"", &mut Entropy::new(keys::random())))?),
    }
}

/// The journal's folder. It is made only together with the data folder around it: a volume that is not mounted never looks
/// like a new, empty journal.
fn open_folder(data: &Path) -> Result<Folder, LedgerError> {
    if !data.exists() {
        make_folder(data)?;
    }
    Ok(Folder::open(Arc::new(OsDisk::open(data.join("journal"))?), &FORMAT)?)
}

/// Makes the folder under another name first, so that it is there whole or not at all.
fn make_folder(data: &Path) -> Result<(), LedgerError> {
    let failed =
        |error: std::io::Error| LedgerError::Make { folder: data.to_owned(), cause: error.to_string() };
    let making = data.with_extension("making");
    if making.exists() {
        std::fs::remove_dir_all(&making).map_err(failed)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&making).map_err(failed)?;
    Folder::create(Arc::new(OsDisk::create(making.join("journal"))?), &FORMAT, keys::random())?;
    std::fs::rename(&making, data).map_err(failed)?;
    let parent = data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)
}

impl LedgerError {
    /// Whether nothing has changed, so that the process goes on: there was no room, or a batch was too long.
    pub(crate) fn leaves_state_whole(&self) -> bool {
        self.is_too_long() || matches!(self, Self::Append(AppendError::Disk(error)) if error.is_full())
    }

    /// Whether a batch, or a record in it, is longer than the journal takes.
    pub(crate) const fn is_too_long(&self) -> bool {
        matches!(
            self,
            Self::Append(
                AppendError::RecordTooLong { .. }
                    | AppendError::TooManyRecords { .. }
                    | AppendError::BatchTooLong { .. }
            )
        )
    }

    /// Whether the index is unfit, which the journal makes again.
    pub(crate) const fn is_of_index(&self) -> bool {
        matches!(self, Self::Index(IndexError::Damaged { .. }) | Self::IndexDamaged)
    }
}

//! The vault: sealed documents as files, `vault/ab/cd/<document id>`: header, chunk hashes, chunks (Z-1 to Z-6).
//!
//! A file is durable under its name before the journal speaks of it. What a crash left without a word in the journal is
//! removed later ([`crate::sweep`]). What comes from another holder grows in [`copies`] until it is whole. Not here: which
//! files count, which only the journal says.

pub(crate) mod copies;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use yiqiao_host::folder::{DataFolder, FolderError};
use yiqiao_host::keys;
use yiqiao_node_core::at_rest::{AtRest, AtRestError};
use yiqiao_node_core::intake::Sealed;
use yiqiao_proto::decode::DecodeError;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::id::DocumentId;
use yiqiao_proto::sealed::{
    ChunkHash, DocumentKey, HEADER_BYTES, Header, Map, Opener, SealedError, Sealer, TAG_BYTES,
};
use zeroize::Zeroizing;

use crate::limits::RESERVE_BYTES;

/// Where files are written before they have their name.
const MAKING: &str = "making";
/// The version of the vault's layout; each file says its own suite.
const VAULT_VERSION: u32 = 1;

/// All sealed files of a node.
pub(crate) struct Vault {
    folder: DataFolder,
    at_rest: AtRest,
    /// Files whose message the machine has not answered yet: nobody takes them for left over.
    held: Arc<Mutex<BTreeSet<DocumentId>>>,
}

/// A file that was just sealed. While this lives the file is not taken for left over.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) sealed: Sealed,
    held: Arc<Mutex<BTreeSet<DocumentId>>>,
}

/// A sealed file that is open for reading.
pub(crate) struct Document {
    file: File,
    path: PathBuf,
    opener: Opener,
}

/// Why a document is not sealed or not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// Too little room is left, or the folder does not say.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The operating system refused.
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The file is not what was sealed.
    #[error("the sealed file {} is damaged ({cause}): restore it from a backup", path.display())]
    Damaged { path: PathBuf, cause: SealedError },
    /// The document cannot be sealed.
    #[error(transparent)]
    Unsealable(SealedError),
    /// The wrapped key is not one of this node.
    #[error("the key of a document does not unwrap: {0}")]
    Key(#[from] AtRestError),
}

impl Vault {
    /// Opens the vault in a folder, which is made if there is none, and removes what was never finished there.
    pub(crate) fn open(folder: &Path, at_rest: AtRest) -> Result<Self, VaultError> {
        let folder = DataFolder::open(folder)?;
        folder.require_format("node-vault", VAULT_VERSION)?;
        let making = folder.path().join(MAKING);
        if making.exists() {
            std::fs::remove_dir_all(&making).map_err(failed(&making))?;
        }
        make_folder(&making)?;
        make_folder(&folder.path().join(copies::COMING))?;
        Ok(Self { folder, at_rest, held: Arc::default() })
    }

    /// Seals a document of a known length; the file is durable under its name when this returns.
    pub(crate) fn seal(&self, plain: &mut impl Read, length: u64) -> Result<Placed, VaultError> {
        self.folder.require_free(length.saturating_add(RESERVE_BYTES))?;
        let temporary = self.folder.path().join(MAKING).join(hex::encode(keys::random::<16>()));
        let sealed = self.write(&temporary, plain, length).and_then(|(document, key)| {
            let mut entropy = Entropy::new(keys::random());
            let wrapped_key = self.at_rest.seal(document.as_bytes(), key.as_slice(), &mut entropy);
            self.hold().insert(document);
            let placed = Placed {
                sealed: Sealed { document, size: length, wrapped_key },
                held: Arc::clone(&self.held),
            };
            self.place(&temporary, &document).map(|()| placed)
        });
        if sealed.is_err() {
            // It may never have been made; what stays is removed at the next start.
            std::fs::remove_file(&temporary).ok();
        }
        sealed
    }

    /// Opens a document with its wrapped key; all but the chunks is checked (Z-2, Z-5).
    pub(crate) fn document(&self, id: DocumentId, wrapped_key: &[u8]) -> Result<Document, VaultError> {
        let plain = self.at_rest.open(id.as_bytes(), wrapped_key)?;
        let mut key: DocumentKey = Zeroizing::new([0; 32]);
        let fits = plain.len() == key.len();
        key.iter_mut().zip(plain.iter()).for_each(|(to, from)| *to = *from);
        let path = self.path(&id);
        let damaged = |cause| VaultError::Damaged { path: path.clone(), cause };
        if !fits {
            return Err(damaged(SealedError::OtherKey));
        }
        let mut file = File::open(&path).map_err(failed(&path))?;
        let opener = Opener::new(read_map(&mut file, &path, id)?, &key).map_err(damaged)?;
        Ok(Document { file, path, opener })
    }

    /// Header and chunk hashes of a document, checked against its identity (Z-5).
    pub(crate) fn map(&self, id: DocumentId) -> Result<Map, VaultError> {
        let path = self.path(&id);
        let mut file = File::open(&path).map_err(failed(&path))?;
        read_map(&mut file, &path, id)
    }

    /// A stretch of sealed chunks as they lie on the disk: the file, standing at the first of them, and their length. Who
    /// takes them verifies them.
    pub(crate) fn sealed(
        &self,
        id: DocumentId,
        first_chunk: u64,
        chunks: u32,
    ) -> Result<(File, u64), VaultError> {
        let path = self.path(&id);
        let mut file = File::open(&path).map_err(failed(&path))?;
        let header = read_header(&mut file, &path)?;
        let until = first_chunk.saturating_add(chunks.into()).min(header.chunks());
        let length = (first_chunk..until).map(|number| header.sealed_bytes(number) as u64).sum();
        file.seek(SeekFrom::Start(chunk_place(&header, first_chunk))).map_err(failed(&path))?;
        Ok((file, length))
    }

    /// Removes a file that nothing refers to.
    pub(crate) fn remove(&self, id: &DocumentId) {
        remove_file(&self.path(id));
    }

    /// Whether a file of this name was sealed by this process and its message is not answered yet.
    pub(crate) fn is_held(&self, id: &DocumentId) -> bool {
        self.hold().contains(id)
    }

    /// All files, folder by folder.
    pub(crate) fn files(&self) -> impl Iterator<Item = DocumentId> + use<> {
        let below = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
        let folders = below(self.folder.path().to_owned()).filter(|entry| is_of_files(&entry.file_name()));
        let files =
            folders.flat_map(move |entry| below(entry.path())).flat_map(move |entry| below(entry.path()));
        files.filter_map(|entry| DocumentId::from_hex(entry.file_name().to_str()?))
    }

    /// Bytes that the disk still takes.
    pub(crate) fn free_bytes(&self) -> Result<u64, FolderError> {
        Ok(self.folder.space()?.free_bytes)
    }

    fn write(
        &self,
        path: &Path,
        plain: &mut impl Read,
        length: u64,
    ) -> Result<(DocumentId, DocumentKey), VaultError> {
        let key: DocumentKey = Zeroizing::new(keys::random());
        let header = Header::new(&key, length, &mut Entropy::new(keys::random()));
        let header = header.map_err(VaultError::Unsealable)?;
        let mut file = File::create_new(path).map_err(failed(path))?;
        let list = vec![0; list_bytes(&header)];
        file.write_all(&header.to_bytes()).and_then(|()| file.write_all(&list)).map_err(failed(path))?;
        let mut sealer = Sealer::new(header.clone(), &key);
        for number in 0..header.chunks() {
            let mut chunk = vec![0; header.plain_bytes(number)];
            plain.read_exact(&mut chunk).map_err(failed(path))?;
            chunk.reserve_exact(TAG_BYTES);
            sealer.seal(&mut chunk);
            file.write_all(&chunk).map_err(failed(path))?;
        }
        let (_, hashes, id) = sealer.finish();
        let listed = file.write_all_at(hashes.as_flattened(), HEADER_BYTES as u64);
        listed.and_then(|()| file.sync_all()).map_err(failed(path))?;
        Ok((id, key))
    }

    /// Gives a finished file its name, durably.
    fn place(&self, temporary: &Path, id: &DocumentId) -> Result<(), VaultError> {
        let path = self.path(id);
        let folder = path.parent().unwrap_or(self.folder.path());
        if !folder.exists() {
            make_folder(folder)?;
            for above in folder.ancestors().skip(1).take(2) {
                sync_folder(above)?;
            }
        }
        std::fs::rename(temporary, &path).map_err(failed(&path))?;
        sync_folder(folder)
    }

    fn path(&self, id: &DocumentId) -> PathBuf {
        let name = id.to_string();
        let part = |range| name.get(range).unwrap_or_default();
        self.folder.path().join(part(0..2)).join(part(2..4)).join(&name)
    }

    fn hold(&self) -> MutexGuard<'_, BTreeSet<DocumentId>> {
        locked(&self.held)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        locked(&self.held).remove(&self.sealed.document);
    }
}

impl Document {
    /// How many chunks it has.
    pub(crate) fn chunks(&self) -> u64 {
        self.opener.map().header().chunks()
    }

    /// A chunk in plain bytes, verified before it is opened.
    pub(crate) fn chunk(&self, number: u64) -> Result<Vec<u8>, VaultError> {
        let mut chunk = self.read(number)?;
        self.opener.open(number, &mut chunk).map_err(|cause| self.damaged(cause))?;
        Ok(chunk)
    }

    /// All of a document that fits in memory.
    pub(crate) fn whole(&self) -> Result<Vec<u8>, VaultError> {
        let chunks = (0..self.chunks()).map(|number| self.chunk(number)).collect::<Result<Vec<_>, _>>()?;
        Ok(chunks.concat())
    }

    fn read(&self, number: u64) -> Result<Vec<u8>, VaultError> {
        let header = self.opener.map().header();
        let from = chunk_place(header, number);
        let mut chunk = vec![0; header.sealed_bytes(number)];
        self.file.read_exact_at(&mut chunk, from).map_err(unread(&self.path))?;
        Ok(chunk)
    }

    fn damaged(&self, cause: SealedError) -> VaultError {
        VaultError::Damaged { path: self.path.clone(), cause }
    }
}

impl VaultError {
    /// Whether there was no room, so that it may succeed later.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Folder(FolderError::Full { .. }) => true,
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Folder(_) | Self::Damaged { .. } | Self::Unsealable(_) | Self::Key(_) => false,
        }
    }
}

/// Whether this is a folder of finished files.
fn is_of_files(name: &OsStr) -> bool {
    name != MAKING && name != copies::COMING
}

fn read_header(file: &mut File, path: &Path) -> Result<Header, VaultError> {
    let mut header = [0; HEADER_BYTES];
    file.read_exact(&mut header).map_err(unread(path))?;
    let damaged = |cause: DecodeError| VaultError::Damaged { path: path.to_owned(), cause: cause.into() };
    Header::from_bytes(&header).map_err(damaged)
}

/// Header and chunk hashes at the front of a file, checked against the identity (Z-5).
fn read_map(file: &mut File, path: &Path, id: DocumentId) -> Result<Map, VaultError> {
    let header = read_header(file, path)?;
    let mut hashes: Vec<ChunkHash> = Vec::new();
    let mut list = BufReader::new(file);
    for _ in 0..header.chunks() {
        let mut hash = [0; 32];
        list.read_exact(&mut hash).map_err(unread(path))?;
        hashes.push(hash);
    }
    let damaged = |cause| VaultError::Damaged { path: path.to_owned(), cause };
    Map::new(id, &header.to_bytes(), hashes).map_err(damaged)
}

/// Where a sealed chunk lies in its file.
fn chunk_place(header: &Header, number: u64) -> u64 {
    (HEADER_BYTES + list_bytes(header)) as u64 + header.sealed_offset(number)
}

/// Bytes of the chunk hashes.
fn list_bytes(header: &Header) -> usize {
    usize::try_from(header.chunks()).unwrap_or(usize::MAX).saturating_mul(size_of::<ChunkHash>())
}

/// A file that was to go; nobody waits for it.
fn remove_file(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %path.display(), %error, "a sealed file that nothing refers to stays");
        }
        Ok(()) | Err(_) => {}
    }
}

fn make_folder(folder: &Path) -> Result<(), VaultError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))
}

fn sync_folder(folder: &Path) -> Result<(), VaultError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> VaultError + use<'_> {
    move |source| VaultError::Io { path: path.to_owned(), source }
}

/// A file that ends too early is damaged.
fn unread(path: &Path) -> impl FnOnce(io::Error) -> VaultError + use<'_> {
    move |source| {
        if source.kind() == io::ErrorKind::UnexpectedEof {
            VaultError::Damaged { path: path.to_owned(), cause: SealedError::OtherDocument }
        } else {
            failed(path)(source)
        }
    }
}

/// A panic while the lock is held leaves the set whole: each change is one call.
fn locked(held: &Mutex<BTreeSet<DocumentId>>) -> MutexGuard<'_, BTreeSet<DocumentId>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use yiqiao_proto::limits::CHUNK_BYTES;

    fn vault(folder: &Path) -> Vault {
        Vault::open(&folder.join("vault"), AtRest::new(&Zeroizing::new([3; 32]))).unwrap()
    }

    fn seal(vault: &Vault, plain: &[u8]) -> Sealed {
        vault.seal(&mut &*plain, plain.len() as u64).unwrap().sealed.clone()
    }

    #[test]
    fn a_document_is_read_back_whole_and_chunk_by_chunk() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        for length in [0, 1, CHUNK_BYTES as usize, 2 * CHUNK_BYTES as usize + 5] {
            let plain: Vec<u8> = (0_u8..251).cycle().take(length).collect();
            let sealed = seal(&vault, &plain);
            let document = vault.document(sealed.document, &sealed.wrapped_key).unwrap();
            assert_eq!(document.whole().unwrap(), plain);
            let last = document.chunks() - 1;
            assert!(plain.ends_with(&document.chunk(last).unwrap()));
            let stored = std::fs::read(vault.path(&sealed.document)).unwrap();
            assert!(
                length < 9 || !stored.windows(9).any(|bytes| bytes == &plain[..9]),
                "plain bytes on the disk"
            );
        }
        assert_eq!(vault.files().count(), 4);
    }

    #[test]
    fn z5_a_flipped_byte_is_an_error_and_never_another_document() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        let plain = vec![7; CHUNK_BYTES as usize + 9];
        let sealed = seal(&vault, &plain);
        let path = vault.path(&sealed.document);
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(997).chain([whole.len() - 1]) {
            let mut bent = whole.clone();
            bent[at] ^= 1;
            std::fs::write(&path, bent).unwrap();
            let read = vault.document(sealed.document, &sealed.wrapped_key).and_then(|found| found.whole());
            assert!(matches!(read, Err(VaultError::Damaged { .. })), "byte {at}");
        }
        for length in [0, HEADER_BYTES, HEADER_BYTES + 40, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let read = vault.document(sealed.document, &sealed.wrapped_key).and_then(|found| found.whole());
            assert!(matches!(read, Err(VaultError::Damaged { .. })), "cut to {length} bytes");
        }
    }

    #[test]
    fn a_file_is_held_until_its_message_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(folder.path());
        let placed = vault.seal(&mut b"plain".as_slice(), 5).unwrap();
        let id = placed.sealed.document;
        assert!(vault.is_held(&id));
        drop(placed);
        assert!(!vault.is_held(&id));
        vault.remove(&id);
        assert_eq!(vault.files().count(), 0);
    }

    #[test]
    fn what_was_not_finished_is_gone_after_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let making = folder.path().join("vault").join(MAKING);
        vault(folder.path()).seal(&mut b"short".as_slice(), 9).unwrap_err();
        assert_eq!(std::fs::read_dir(&making).unwrap().count(), 0);
        std::fs::write(making.join("left"), "half").unwrap();
        let vault = vault(folder.path());
        assert_eq!((std::fs::read_dir(&making).unwrap().count(), vault.files().count()), (0, 0));
    }
}

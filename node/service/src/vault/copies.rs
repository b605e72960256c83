//! Documents of other holders on their way into the vault: `vault/coming/<document id>`, laid out as it will be when whole.
//!
//! The file begins with header and chunk hashes, so that every chunk can be verified before it is written, and again after a
//! crash: only what verifies counts as here. Not here: asking for chunks: [`crate::fetch`].

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use yiqiao_host::keys;
use yiqiao_node_core::fetch::{self, Stretch};
use yiqiao_proto::id::DocumentId;
use yiqiao_proto::sealed::Map;

use super::{MAKING, Vault, VaultError, chunk_place, failed, read_map, remove_file, unread};
use crate::limits::RESERVE_BYTES;

/// Where copies grow.
pub(super) const COMING: &str = "coming";

/// A copy that is not whole.
pub(crate) struct Coming {
    id: DocumentId,
    map: Map,
    file: File,
    path: PathBuf,
}

impl Vault {
    /// Whether a document is here whole.
    pub(crate) fn has(&self, id: &DocumentId) -> bool {
        self.path(id).exists()
    }

    /// Begins a copy with its header and chunk hashes. What was there of the same document before stays.
    pub(crate) fn begin_copy(&self, id: DocumentId, map: &Map) -> Result<(), VaultError> {
        if self.has(&id) || self.coming(id)?.is_some() {
            return Ok(());
        }
        self.folder.require_free(RESERVE_BYTES)?;
        let temporary = self.folder.path().join(MAKING).join(hex::encode(keys::random::<16>()));
        let write = || {
            let mut file = File::create_new(&temporary)?;
            file.write_all(&map.header().to_bytes())?;
            file.write_all(map.chunks().as_flattened())?;
            std::fs::rename(&temporary, self.path_of_copy(&id))
        };
        let written = write().map_err(failed(&temporary));
        if written.is_err() {
            remove_file(&temporary);
        }
        written
    }

    /// A copy that has begun. None if none has, or a crash has left less of it than its chunk hashes.
    pub(crate) fn coming(&self, id: DocumentId) -> Result<Option<Coming>, VaultError> {
        let path = self.path_of_copy(&id);
        let mut file = match File::options().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(&path)(error)),
        };
        match read_map(&mut file, &path, id) {
            Ok(map) => Ok(Some(Coming { id, map, file, path })),
            Err(VaultError::Damaged { .. }) => {
                remove_file(&path);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the disk takes what is missing of a copy.
    pub(crate) fn require_room(&self, bytes: u64) -> Result<(), VaultError> {
        Ok(self.folder.require_free(bytes.saturating_add(RESERVE_BYTES))?)
    }

    /// Gives a copy, all of whose chunks are here, its name, durably.
    pub(crate) fn finish_copy(&self, copy: &Coming) -> Result<(), VaultError> {
        copy.file.sync_all().map_err(failed(&copy.path))?;
        self.place(&copy.path, &copy.id)
    }

    /// All copies that are not whole.
    pub(crate) fn copies(&self) -> Vec<DocumentId> {
        let entries = std::fs::read_dir(self.folder.path().join(COMING)).into_iter().flatten().flatten();
        entries.filter_map(|entry| DocumentId::from_hex(entry.file_name().to_str()?)).collect()
    }

    /// Removes a document, whole or not. The folder is not synced: what a power cut brings back is in no record's use, and the
    /// next start removes it.
    pub(crate) fn erase(&self, id: &DocumentId) -> Result<(), VaultError> {
        // What is not whole goes first: so it cannot become whole behind the back of this.
        for path in [self.path_of_copy(id), self.path(id)] {
            match std::fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&path)(error)),
            }
        }
        Ok(())
    }

    fn path_of_copy(&self, id: &DocumentId) -> PathBuf {
        self.folder.path().join(COMING).join(id.to_string())
    }
}

impl Coming {
    pub(crate) const fn map(&self) -> &Map {
        &self.map
    }

    /// The chunks that are not here, in stretches that are asked for together. Reads all that is here.
    pub(crate) fn missing(&self) -> Result<Vec<Stretch>, VaultError> {
        let length = self.file.metadata().map_err(failed(&self.path))?.len();
        fetch::missing(self.map.header(), |number| self.has(number, length))
    }

    /// Takes a chunk if it is the listed one (Z-5).
    pub(crate) fn take(&self, number: u64, sealed: &[u8]) -> Result<(), VaultError> {
        self.map.verify(number, sealed).map_err(VaultError::Unsealable)?;
        let place = chunk_place(self.map.header(), number);
        self.file.write_all_at(sealed, place).map_err(failed(&self.path))
    }

    /// Whether a chunk is in a file of this length, and the listed one.
    fn has(&self, number: u64, length: u64) -> Result<bool, VaultError> {
        let (from, bytes) = (chunk_place(self.map.header(), number), self.map.header().sealed_bytes(number));
        if from + bytes as u64 > length {
            return Ok(false);
        }
        let mut chunk = vec![0; bytes];
        self.file.read_exact_at(&mut chunk, from).map_err(unread(&self.path))?;
        Ok(self.map.verify(number, &chunk).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use yiqiao_node_core::at_rest::AtRest;
    use yiqiao_proto::limits::CHUNK_BYTES;
    use zeroize::Zeroizing;

    use super::*;

    fn vault(folder: &Path) -> Vault {
        Vault::open(&folder.join("vault"), AtRest::new(&Zeroizing::new([3; 32]))).unwrap()
    }

    /// A holder's vault with one document, and the sealed chunks of it.
    fn holder(folder: &Path, chunks: usize) -> (Vault, DocumentId, Vec<Vec<u8>>) {
        let vault = vault(folder);
        let plain: Vec<u8> = (0_u8..251).cycle().take(chunks * CHUNK_BYTES as usize - 9).collect();
        let id = vault.seal(&mut plain.as_slice(), plain.len() as u64).unwrap().sealed.document;
        let sealed = (0..chunks as u64).map(|number| {
            let (file, length) = vault.sealed(id, number, 1).unwrap();
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut io::Read::take(file, length), &mut bytes).unwrap();
            bytes
        });
        let sealed = sealed.collect();
        (vault, id, sealed)
    }

    const fn stretch(first_chunk: u64, chunks: u32) -> Stretch {
        Stretch { first_chunk, chunks }
    }

    #[test]
    fn p6_a_copy_grows_out_of_order_over_restarts_until_it_is_the_holders_file() {
        let [holder_folder, folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (holder, id, chunks) = holder(holder_folder.path(), 20);
        let map = holder.map(id).unwrap();
        let begun = vault(folder.path());
        begun.begin_copy(id, &map).unwrap();
        let coming = begun.coming(id).unwrap().unwrap();
        assert_eq!(coming.missing().unwrap(), [stretch(0, 16), stretch(16, 4)]);
        for number in [0, 1, 17] {
            coming.take(number as u64, &chunks[number]).unwrap();
        }
        drop((coming, begun));
        let vault = vault(folder.path());
        assert_eq!((vault.copies(), vault.files().count()), (vec![id], 0));
        vault.begin_copy(id, &map).unwrap();
        let coming = vault.coming(id).unwrap().unwrap();
        let missing = coming.missing().unwrap();
        assert_eq!(missing, [stretch(2, 15), stretch(18, 2)]);
        for at in missing.iter().flat_map(|it| it.first_chunk..it.first_chunk + u64::from(it.chunks)) {
            coming.take(at, &chunks[usize::try_from(at).unwrap()]).unwrap();
        }
        assert_eq!(coming.missing().unwrap(), []);
        vault.finish_copy(&coming).unwrap();
        assert_eq!((vault.copies(), vault.files().collect::<Vec<_>>()), (vec![], vec![id]));
        let [from, to] = [&holder, &vault].map(|vault| std::fs::read(vault.path(&id)).unwrap());
        assert!(from == to, "the copy is the holder's file byte by byte");
    }

    #[test]
    fn z5_a_chunk_that_is_not_the_listed_one_is_not_written_and_what_a_crash_bent_is_missing() {
        let [holder_folder, folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (holder, id, chunks) = holder(holder_folder.path(), 3);
        let vault = vault(folder.path());
        vault.begin_copy(id, &holder.map(id).unwrap()).unwrap();
        let coming = vault.coming(id).unwrap().unwrap();
        let mut bent = chunks[1].clone();
        bent[7] ^= 1;
        for (number, bytes) in [(1, &bent), (0, &chunks[1]), (3, &chunks[1])] {
            assert!(matches!(coming.take(number, bytes), Err(VaultError::Unsealable(_))));
        }
        (0_u64..).zip(&chunks).for_each(|(number, chunk)| coming.take(number, chunk).unwrap());
        coming.file.write_all_at(&[0; 100], chunk_place(coming.map().header(), 1)).unwrap();
        assert_eq!(coming.missing().unwrap(), [stretch(1, 1)]);
    }

    #[test]
    fn what_is_erased_is_gone_whole_or_not() {
        let [holder_folder, folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (holder, id, chunks) = holder(holder_folder.path(), 1);
        let vault = vault(folder.path());
        vault.begin_copy(id, &holder.map(id).unwrap()).unwrap();
        let coming = vault.coming(id).unwrap().unwrap();
        coming.take(0, &chunks[0]).unwrap();
        vault.erase(&id).unwrap();
        assert!(vault.finish_copy(&coming).is_err() && !vault.has(&id));
        assert!(vault.coming(id).unwrap().is_none());
        vault.begin_copy(id, &holder.map(id).unwrap()).unwrap();
        let coming = vault.coming(id).unwrap().unwrap();
        coming.take(0, &chunks[0]).unwrap();
        vault.finish_copy(&coming).unwrap();
        assert!(vault.has(&id));
        vault.erase(&id).unwrap();
        vault.erase(&id).unwrap();
        assert_eq!((vault.files().count(), vault.copies()), (0, vec![]));
    }

    #[test]
    fn a_copy_whose_chunk_hashes_a_crash_has_cut_is_begun_anew() {
        let [holder_folder, folder] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let (holder, id, _) = holder(holder_folder.path(), 3);
        let vault = vault(folder.path());
        let map = holder.map(id).unwrap();
        vault.begin_copy(id, &map).unwrap();
        let path = vault.path_of_copy(&id);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert!(vault.coming(id).unwrap().is_none());
        vault.begin_copy(id, &map).unwrap();
        assert!(vault.coming(id).unwrap().is_some());
    }
}

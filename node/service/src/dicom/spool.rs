//! Instances that have come and are in no document yet: files of encrypted pieces, in one folder a system.
//!
//! A file is durable under its name before its sender is told so. The pieces of a file open in their order only, and only the whole of
//! it: a file that was cut is damaged and not shorter. Not here: what an instance says, and when its study is whole.

use std::fs::{DirBuilder, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use yiqiao_dicom::archive::Crc;
use yiqiao_host::keys;
use yiqiao_node_core::at_rest::AtRest;
use yiqiao_proto::entropy::Entropy;
use yiqiao_proto::id::Code;

use crate::limits::{SPOOL_PIECE_BYTES, SPOOL_SEALED_MAX};

/// What a file is called until it is whole.
const COMING: &str = "part";

/// The folder; shared by all who write to it.
pub(crate) struct Spool {
    folder: PathBuf,
    at_rest: AtRest,
}

/// An instance that is coming.
pub(crate) struct Incoming {
    spool: Arc<Spool>,
    system: Code,
    name: String,
    file: BufWriter<File>,
    pieces: Pieces,
    held: Vec<u8>,
    size: u64,
    crc: Crc,
    whole: bool,
}

/// An instance that is whole and durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) system: Code,
    pub(crate) path: PathBuf,
    /// Bytes of it.
    pub(crate) size: u64,
    pub(crate) crc32: u32,
}

/// A kept instance that is read.
pub(crate) struct Reading {
    spool: Arc<Spool>,
    file: BufReader<File>,
    pieces: Pieces,
    piece: io::Cursor<Vec<u8>>,
    ended: bool,
}

/// Where in its file a piece stands.
struct Pieces {
    name: String,
    number: u64,
}

impl Pieces {
    const fn new(name: String) -> Self {
        Self { name, number: 0 }
    }

    /// What the next piece is sealed with.
    fn context(&mut self, is_last: bool) -> Vec<u8> {
        let number = self.number.to_be_bytes();
        self.number += 1;
        [b"yiqiao/node/spool/1", self.name.as_bytes(), &number, &[u8::from(is_last)]].concat()
    }
}

impl Spool {
    /// Opens the folder, which is made if there is none, and removes what never became whole.
    pub(crate) fn open(folder: PathBuf, at_rest: AtRest) -> io::Result<Self> {
        make_folder(&folder)?;
        let spool = Self { folder, at_rest };
        for file in spool.files()? {
            if file.extension().is_some_and(|end| end == COMING) {
                std::fs::remove_file(file)?;
            }
        }
        Ok(spool)
    }

    /// Begins an instance of a system.
    pub(crate) fn begin(self: &Arc<Self>, system: &Code) -> io::Result<Incoming> {
        let name = hex::encode(keys::random::<16>());
        let folder = self.folder.join(system.as_str());
        if !folder.exists() {
            make_folder(&folder)?;
            File::open(&self.folder)?.sync_all()?;
        }
        let file = File::create_new(folder.join(&name).with_extension(COMING))?;
        Ok(Incoming {
            spool: Arc::clone(self),
            system: system.clone(),
            file: BufWriter::new(file),
            pieces: Pieces::new(name.clone()),
            name,
            held: Vec::new(),
            size: 0,
            crc: Crc::default(),
            whole: false,
        })
    }

    /// What was kept when the process ended, oldest first. Each is read whole: its length and its CRC are nowhere else.
    pub(crate) fn left(self: &Arc<Self>) -> io::Result<Vec<Kept>> {
        let mut found = Vec::new();
        for path in self.files()? {
            let name = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            let Some(system) = name.and_then(|name| Code::new(name).ok()) else { continue };
            let (mut size, mut crc) = (0, Crc::default());
            let mut reading = self.read(&path)?;
            let mut bytes = vec![0; SPOOL_PIECE_BYTES];
            loop {
                match reading.read(&mut bytes)? {
                    0 => break,
                    count => {
                        size += count as u64;
                        crc.update(bytes.get(..count).unwrap_or_default());
                    }
                }
            }
            let written = std::fs::metadata(&path)?.modified()?;
            found.push((written, Kept { system, path, size, crc32: crc.finish() }));
        }
        found.sort_by(|one, two| (one.0, &one.1.path).cmp(&(two.0, &two.1.path)));
        Ok(found.into_iter().map(|(_, kept)| kept).collect())
    }

    /// Reads an instance from its beginning.
    pub(crate) fn read(self: &Arc<Self>, path: &Path) -> io::Result<Reading> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        Ok(Reading {
            spool: Arc::clone(self),
            file: BufReader::new(File::open(path)?),
            pieces: Pieces::new(name),
            piece: io::Cursor::default(),
            ended: false,
        })
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for folder in std::fs::read_dir(&self.folder)? {
            let folder = folder?.path();
            if folder.is_dir() {
                let found: io::Result<Vec<_>> =
                    std::fs::read_dir(folder)?.map(|file| Ok(file?.path())).collect();
                files.extend(found?);
            }
        }
        Ok(files)
    }
}

/// Removes an instance that is in a document, or that nobody was told of.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path) {
        tracing::warn!(file = %path.display(), %error, "an instance that is in a document stays beside it");
    }
}

impl Incoming {
    /// More of it.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.size += bytes.len() as u64;
        self.crc.update(bytes);
        self.held.extend(bytes);
        while self.held.len() > SPOOL_PIECE_BYTES {
            let rest = self.held.split_off(SPOOL_PIECE_BYTES);
            let piece = std::mem::replace(&mut self.held, rest);
            self.seal(&piece, false)?;
        }
        Ok(())
    }

    /// All of it has come: durable when this returns.
    pub(crate) fn finish(mut self) -> io::Result<Kept> {
        let last = std::mem::take(&mut self.held);
        self.seal(&last, true)?;
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let folder = self.spool.folder.join(self.system.as_str());
        let path = folder.join(&self.name);
        std::fs::rename(path.with_extension(COMING), &path)?;
        self.whole = true;
        File::open(&folder)?.sync_all()?;
        Ok(Kept { system: self.system.clone(), path, size: self.size, crc32: self.crc.clone().finish() })
    }

    fn seal(&mut self, piece: &[u8], is_last: bool) -> io::Result<()> {
        let context = self.pieces.context(is_last);
        let sealed = self.spool.at_rest.seal(&context, piece, &mut Entropy::new(keys::random()));
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        self.file.write_all(&length.to_be_bytes())?;
        self.file.write_all(&[u8::from(is_last)])?;
        self.file.write_all(&sealed)
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.whole {
            let path = self.spool.folder.join(self.system.as_str()).join(&self.name);
            // It may be gone with its folder; what stays is removed at the next start.
            std::fs::remove_file(path.with_extension(COMING)).ok();
        }
    }
}

impl Reading {
    fn next(&mut self) -> io::Result<()> {
        let mut head = [0; 5];
        self.file.read_exact(&mut head)?;
        let [length @ .., is_last] = head;
        let length = u32::from_be_bytes(length) as usize;
        if length > SPOOL_SEALED_MAX {
            return Err(damaged());
        }
        let mut sealed = vec![0; length];
        self.file.read_exact(&mut sealed)?;
        self.ended = is_last == 1;
        let context = self.pieces.context(self.ended);
        let plain = self.spool.at_rest.open(&context, &sealed).map_err(|_| damaged())?;
        self.piece = io::Cursor::new(plain.to_vec());
        Ok(())
    }
}

impl Read for Reading {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.piece.read(into)?;
            if count > 0 || self.ended || into.is_empty() {
                return Ok(count);
            }
            self.next()?;
        }
    }
}

fn damaged() -> io::Error {
    io::Error::other("an instance that waits for its study is damaged")
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn spool(folder: &Path) -> Arc<Spool> {
        Arc::new(Spool::open(folder.join("spool"), AtRest::new(&Zeroizing::new([3; 32]))).unwrap())
    }

    fn keep(spool: &Arc<Spool>, bytes: &[u8]) -> Kept {
        let mut incoming = spool.begin(&Code::new("pacs").unwrap()).unwrap();
        bytes.chunks(1_000).for_each(|piece| incoming.write(piece).unwrap());
        incoming.finish().unwrap()
    }

    fn whole(spool: &Arc<Spool>, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        spool.read(path)?.read_to_end(&mut bytes).map(|_| bytes)
    }

    #[test]
    fn an_instance_is_read_back_after_a_start_and_lies_encrypted() {
        let folder = tempfile::tempdir().unwrap();
        for length in [0, 5, SPOOL_PIECE_BYTES, SPOOL_PIECE_BYTES + 1, 3 * SPOOL_PIECE_BYTES] {
            let bytes: Vec<u8> = (0_u8..251).cycle().take(length).collect();
            let kept = keep(&spool(folder.path()), &bytes);
            let again = spool(folder.path());
            assert_eq!(again.left().unwrap(), std::slice::from_ref(&kept));
            assert_eq!((whole(&again, &kept.path).unwrap(), kept.size), (bytes.clone(), length as u64));
            let stored = std::fs::read(&kept.path).unwrap();
            assert!(length < 9 || !stored.windows(9).any(|piece| piece == &bytes[..9]));
            remove(&kept.path);
        }
    }

    #[test]
    fn what_was_cut_is_damaged_and_what_never_became_whole_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = spool(folder.path());
        let kept = keep(&first, &[7; 2 * SPOOL_PIECE_BYTES + 9]);
        let stored = std::fs::read(&kept.path).unwrap();
        // Behind a whole piece, too: no piece but the last ends a file.
        for length in [0, 3, 5 + SPOOL_PIECE_BYTES + 28, stored.len() - 1] {
            std::fs::write(&kept.path, &stored[..length]).unwrap();
            assert!(whole(&first, &kept.path).is_err(), "cut to {length} bytes");
        }
        remove(&kept.path);
        drop(first.begin(&Code::new("pacs").unwrap()).unwrap());
        std::fs::write(kept.path.with_extension(COMING), "half").unwrap();
        assert_eq!(first.files().unwrap().len(), 1);
        assert_eq!(spool(folder.path()).files().unwrap(), Vec::<PathBuf>::new());
    }
}

//! A directory of the file system. Unix only: reads and writes at offsets, fdatasync, and fsync of the directory.
//!
//! New directories and files are open to their owner alone, because the files hold what hospitals entrust to them.

use std::fs::{self, DirBuilder, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskError, File, Held, Operation};
use crate::limits::FILES_MAX;

/// The file whose lock stands for the directory.
const LOCK: &str = "LOCK";

/// A directory of the file system.
#[derive(Debug)]
pub struct OsDisk {
    folder: PathBuf,
    path: String,
    directory: fs::File,
}

impl OsDisk {
    /// Opens a directory that exists.
    ///
    /// # Errors
    /// If there is none, or it cannot be read.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let folder = folder.into();
        let path = folder.display().to_string();
        let directory = fs::File::open(&folder).map_err(failed(Operation::Open, &path))?;
        Ok(Self { folder, path, directory })
    }

    /// Opens a directory, and creates it and those above it where they are missing.
    ///
    /// # Errors
    /// If it cannot be created or made durable.
    pub fn create(folder: impl Into<PathBuf>) -> Result<Self, DiskError> {
        let folder = folder.into();
        create_durably(&folder).map_err(failed(Operation::Open, &folder.display().to_string()))?;
        Self::open(folder)
    }

    fn open_file(&self, name: &str, options: &OpenOptions) -> io::Result<Arc<dyn File>> {
        let file = options.open(self.folder.join(name))?;
        Ok(Arc::new(OsFile { path: self.path_of(name), file }))
    }

    fn path_of(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Disk for OsDisk {
    fn path(&self) -> &str {
        &self.path
    }

    fn list(&self) -> Result<Vec<String>, DiskError> {
        let list = || {
            let mut names = Vec::new();
            for entry in fs::read_dir(&self.folder)? {
                if names.len() == FILES_MAX {
                    return Err(io::Error::other(format!("more than {FILES_MAX} files")));
                }
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort_unstable();
            Ok(names)
        };
        list().map_err(failed(Operation::List, &self.path))
    }

    fn open(&self, name: &str) -> Result<Option<Arc<dyn File>>, DiskError> {
        match self.open_file(name, OpenOptions::new().read(true).write(true)) {
            Ok(file) => Ok(Some(file)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(failed(Operation::Open, &self.path_of(name))(cause)),
        }
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>, DiskError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        self.open_file(name, &options).map_err(failed(Operation::Open, &self.path_of(name)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        fs::rename(self.folder.join(from), self.folder.join(to))
            .map_err(failed(Operation::Rename, &self.path_of(from)))
    }

    fn remove(&self, name: &str) -> Result<(), DiskError> {
        fs::remove_file(self.folder.join(name)).map_err(failed(Operation::Rename, &self.path_of(name)))
    }

    fn sync_names(&self) -> Result<(), DiskError> {
        self.directory.sync_all().map_err(failed(Operation::Sync, &self.path))
    }

    fn lock(&self) -> Result<Option<Held>, DiskError> {
        let mut options = OpenOptions::new();
        let failed = failed(Operation::Lock, &self.path);
        let file =
            match options.write(true).create(true).truncate(false).mode(0o600).open(self.folder.join(LOCK)) {
                Ok(file) => file,
                Err(cause) => return Err(failed(cause)),
            };
        match file.try_lock() {
            Ok(()) => Ok(Some(Held::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(cause)) => Err(failed(cause)),
        }
    }
}

#[derive(Debug)]
struct OsFile {
    path: String,
    file: fs::File,
}

impl File for OsFile {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> Result<u64, DiskError> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(failed(Operation::Read, &self.path))
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => return Err(failed(Operation::Read, &self.path)(cause)),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.file.write_all_at(bytes, offset).map_err(failed(Operation::Write, &self.path))
    }

    fn truncate(&self, size: u64) -> Result<(), DiskError> {
        self.file.set_len(size).map_err(failed(Operation::Write, &self.path))
    }

    fn sync_data(&self) -> Result<(), DiskError> {
        self.file.sync_data().map_err(failed(Operation::Sync, &self.path))
    }
}

/// Creates a directory and those above it, each made durable in its parent.
fn create_durably(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new(""));
    create_durably(parent)?;
    DirBuilder::new().mode(0o700).create(folder)?;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    fs::File::open(parent)?.sync_all()
}

fn failed(operation: Operation, path: &str) -> impl FnOnce(io::Error) -> DiskError {
    let path = path.to_owned();
    move |cause| DiskError { operation, path, cause }
}

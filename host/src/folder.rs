//! The data folder: there, ours, writable, and with space left.
//!
//! Checked at start, so that a wrong owner or a full disk is named in one line instead of failing a write at night.
//! Not here: what is kept in the folder, and watching the space while running (the caller asks [`DataFolder::space`] again).

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use crate::keys;
use crate::limits::{FORMAT_BYTES_MAX, PASSWD_BYTES_MAX};

/// A folder that existed and was writable when it was opened.
#[derive(Clone, Debug)]
pub struct DataFolder {
    path: PathBuf,
    device: u64,
}

/// How much room a file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes that this process may still write.
    pub free_bytes: u64,
    /// Bytes of the whole file system.
    pub total_bytes: u64,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It cannot be created.
    #[error("cannot create the data folder {} as user {user}: {source}", folder.display())]
    Create {
        /// The folder.
        folder: PathBuf,
        /// Whom this process runs as.
        user: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something else has its name.
    #[error("{} is not a folder: name another data folder in the configuration", folder.display())]
    NotAFolder {
        /// The path.
        folder: PathBuf,
    },
    /// A file in it cannot be written.
    #[error(
        "cannot write in the data folder {} (owner {owner}, mode {mode:03o}) as user {user}: {source}; \
         `chown -R {user} {}` gives it to this user",
        folder.display(), folder.display()
    )]
    Unwritable {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        owner: String,
        /// Its permission bits.
        mode: u32,
        /// Whom this process runs as.
        user: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Too little room is left.
    #[error("{} has {free_bytes} bytes free and needs {needed_bytes}: make room or name another disk", folder.display())]
    Full {
        /// The folder.
        folder: PathBuf,
        /// What is left.
        free_bytes: u64,
        /// What was asked for.
        needed_bytes: u64,
    },
    /// It holds another kind of data, or a newer version of it.
    #[error(
        "{} holds {found}, and this program, {}, keeps {expected} there: start the program that wrote it, or name another folder",
        folder.display(), env!("CARGO_PKG_VERSION")
    )]
    OtherFormat {
        /// The folder.
        folder: PathBuf,
        /// What its `FORMAT` says.
        found: String,
        /// What it would have to say.
        expected: String,
    },
    /// The operating system refused a question about it.
    #[error("cannot examine the data folder {}: {source}", folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Lets nobody but this process's own user into what it makes from now on, whatever library makes it. To be called before any thread runs.
pub fn keep_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

impl DataFolder {
    /// Creates the folder if it is missing, for its owner only, and proves by a synced file that it can be written.
    ///
    /// # Errors
    /// [`FolderError`], which names the folder, its owner and the user of this process.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let failed = |source| FolderError::Io { folder: path.to_owned(), source };
        create(path)?;
        let found = std::fs::metadata(path).map_err(failed)?;
        if !found.is_dir() {
            return Err(FolderError::NotAFolder { folder: path.to_owned() });
        }
        probe(path).map_err(|source| FolderError::Unwritable {
            folder: path.to_owned(),
            owner: user_name(found.uid()),
            mode: found.mode() & 0o777,
            user: own_user(),
            source,
        })?;
        Ok(Self { path: path.to_owned(), device: found.dev() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a folder in this folder.
    ///
    /// # Errors
    /// As [`DataFolder::open`].
    pub fn subfolder(&self, name: &str) -> Result<Self, FolderError> {
        Self::open(&self.path.join(name))
    }

    /// Makes sure that the folder holds this kind of data in a version that this program knows; a folder without a `FORMAT`
    /// file gets one. The journal's folders have a `FORMAT` of the journal's own.
    ///
    /// # Errors
    /// [`FolderError::OtherFormat`], or [`FolderError::Io`] if the file cannot be read or written.
    pub fn require_format(&self, kind: &str, version: u32) -> Result<(), FolderError> {
        let failed = |source| FolderError::Io { folder: self.path.clone(), source };
        let file = self.path.join("FORMAT");
        let expected = format!("kind {kind} version {version}");
        let mut text = String::new();
        match File::open(&file) {
            Ok(found) => found.take(FORMAT_BYTES_MAX).read_to_string(&mut text).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let program = env!("CARGO_PKG_VERSION");
                let text = format!("product yiqiao\nkind {kind}\nversion {version}\nprogram {program}\n");
                return write_whole(&file, text.as_bytes()).map_err(failed);
            }
            Err(error) => return Err(failed(error)),
        };
        let fact = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let known =
            fact("version").and_then(|found| found.parse::<u32>().ok()).filter(|found| *found <= version);
        if fact("kind") == Some(kind) && known.is_some() {
            return Ok(());
        }
        let found = text.lines().filter(|line| !line.starts_with("product")).collect::<Vec<_>>().join(" ");
        Err(FolderError::OtherFormat { folder: self.path.clone(), found, expected })
    }

    /// Whether a file can be renamed from here to there at once, and both share one disk's space.
    pub const fn same_file_system(&self, other: &Self) -> bool {
        self.device == other.device
    }

    /// How much room its file system has now.
    ///
    /// # Errors
    /// [`FolderError::Io`] if the file system does not say.
    pub fn space(&self) -> Result<Space, FolderError> {
        let found = rustix::fs::statvfs(&self.path)
            .map_err(|source| FolderError::Io { folder: self.path.clone(), source: source.into() })?;
        Ok(Space {
            free_bytes: found.f_bavail.saturating_mul(found.f_frsize),
            total_bytes: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }

    /// Checks that at least so much room is left.
    ///
    /// # Errors
    /// [`FolderError::Full`] if not, [`FolderError::Io`] if the file system does not say.
    pub fn require_free(&self, needed_bytes: u64) -> Result<(), FolderError> {
        let Space { free_bytes, .. } = self.space()?;
        if free_bytes < needed_bytes {
            return Err(FolderError::Full { folder: self.path.clone(), free_bytes, needed_bytes });
        }
        Ok(())
    }
}

/// Writes a small file so that it is there whole or not at all.
fn write_whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut written = File::create(&new)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    std::fs::rename(&new, file)?;
    file.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn create(path: &Path) -> Result<(), FolderError> {
    match DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            Err(FolderError::NotAFolder { folder: path.to_owned() })
        }
        Err(source) => Err(FolderError::Create { folder: path.to_owned(), user: own_user(), source }),
        Ok(()) => Ok(()),
    }
}

fn probe(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!(".probe-{}", hex::encode(keys::random::<8>())));
    let written = File::create_new(&file).and_then(|probe| probe.sync_all());
    // A probe that was not created cannot be removed; that it was not created is what counts.
    let _ = std::fs::remove_file(&file);
    written
}

fn own_user() -> String {
    user_name(rustix::process::geteuid().as_raw())
}

/// The name in `/etc/passwd`, or else the number: users of a directory service are numbers here.
fn user_name(uid: u32) -> String {
    let mut users = String::new();
    let read =
        File::open("/etc/passwd").and_then(|file| file.take(PASSWD_BYTES_MAX).read_to_string(&mut users));
    let name = read.ok().and_then(|_| name_in(&users, uid));
    name.map_or_else(|| uid.to_string(), ToOwned::to_owned)
}

fn name_in(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_folder_is_created_for_its_owner_only() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(&parent.path().join("a/b")).unwrap();
        assert_eq!(std::fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o700);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the probe is gone");
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("data");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(DataFolder::open(&file), Err(FolderError::NotAFolder { .. })));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named_with_owner_and_user() {
        // Not even root may create a file there.
        let said = DataFolder::open(Path::new("/proc/self/task")).unwrap_err().to_string();
        assert!(said.contains("/proc/self/task (owner "), "{said}");
        assert!(said.contains(&format!("as user {}", own_user())), "{said}");
    }

    #[test]
    fn a_folder_says_what_it_holds_and_another_kind_or_a_newer_version_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(parent.path()).unwrap();
        folder.require_format("vault", 2).unwrap();
        for version in 2..4 {
            folder.require_format("vault", version).unwrap();
        }
        let said = folder.require_format("vault", 1).unwrap_err().to_string();
        assert!(said.contains("version 2") && said.contains("kind vault version 1"), "{said}");
        assert!(matches!(folder.require_format("store", 2), Err(FolderError::OtherFormat { .. })));
        std::fs::write(parent.path().join("FORMAT"), [0xff; 2_000]).unwrap();
        assert!(folder.require_format("vault", 2).is_err());
    }

    #[test]
    fn space_is_measured_and_required() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(parent.path()).unwrap();
        let space = folder.space().unwrap();
        assert!(space.free_bytes <= space.total_bytes);
        folder.require_free(1).unwrap();
        assert!(matches!(folder.require_free(u64::MAX), Err(FolderError::Full { .. })));
    }

    #[test]
    fn a_subfolder_is_on_the_same_file_system() {
        let parent = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(parent.path()).unwrap();
        assert!(folder.same_file_system(&folder.subfolder("sealed").unwrap()));
    }

    #[test]
    fn users_are_named_where_the_machine_knows_them() {
        assert_eq!(
            name_in("root:x:0:0::/root:/bin/sh\nyiqiao:x:990:990::/:/bin/false\n", 990),
            Some("yiqiao")
        );
        assert_eq!(name_in("broken\nroot:x:0:0:", 7), None);
    }
}

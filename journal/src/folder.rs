//! A folder that says what it holds: a lock, so that one process at a time writes it, and a `FORMAT` file.
//!
//! A folder is created once, by a person's decision, and opened ever after: a volume that is not mounted never looks like
//! a new, empty log. Not here: carrying a folder from one version to the next.

use std::sync::Arc;

use thiserror::Error;

use crate::disk::{Disk, DiskError, Held, UNFINISHED, read_small, write_atomic};
use crate::limits::{FORMAT_BYTES_MAX, KIND_BYTES_MAX};

/// The file that says what a folder holds.
pub const FORMAT_FILE: &str = "FORMAT";

/// What `FORMAT` begins with.
const PRODUCT: &str = "product yiqiao";

/// What a program expects a folder to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    kind: &'static str,
    version: u32,
    program: &'static str,
}

impl Format {
    /// A folder of this kind, in a version of its layout that this version of the program is the first or a later to know.
    ///
    /// # Panics
    /// If the kind is empty or longer than [`KIND_BYTES_MAX`]; use it in a constant.
    pub const fn new(kind: &'static str, version: u32, program: &'static str) -> Self {
        assert!(!kind.is_empty() && kind.len() <= KIND_BYTES_MAX, "a kind has 1 to 16 bytes");
        Self { kind, version, program }
    }
}

/// A folder that this process holds, until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Arc<dyn Disk>,
    kind: &'static str,
    marker: Marker,
    _held: Held,
}

/// Why a folder cannot be used.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum FolderError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("folder {folder} is in use by another process: stop that process, or name another folder")]
    InUse { folder: String },
    #[error("folder {folder} holds {file} already: name an empty folder")]
    Occupied { folder: String, file: String },
    #[error("folder {folder} has no FORMAT file: mount or restore it, or create it if it is to be new")]
    Absent { folder: String },
    #[error("the FORMAT file of {folder} is damaged: restore it from a backup")]
    Damaged { folder: String },
    #[error("folder {folder} holds \"{found}\" where \"{expected}\" is needed: name the right folder")]
    OtherKind { folder: String, found: String, expected: &'static str },
    #[error(
        "folder {folder} has format {found}, this program knows up to {known}: run version {program} or later"
    )]
    Newer { folder: String, found: u32, known: u32, program: String },
}

impl Folder {
    /// Takes an empty folder and writes its `FORMAT`. The id tells this folder's files from all others'.
    ///
    /// # Errors
    /// If another process holds it, or it is not empty.
    pub fn create(disk: Arc<dyn Disk>, format: &Format, id: [u8; 32]) -> Result<Self, FolderError> {
        let held = lock(&*disk)?;
        remove_unfinished(&*disk)?;
        let others = |name: &String| *name != "LOCK" && name != "lost+found";
        if let Some(file) = disk.list()?.into_iter().find(others) {
            return Err(FolderError::Occupied { folder: disk.path().to_owned(), file });
        }
        let marker = Marker {
            kind: format.kind.to_owned(),
            version: format.version,
            program: format.program.to_owned(),
            id,
        };
        write_atomic(&*disk, FORMAT_FILE, marker.to_text().as_bytes())?;
        Ok(Self(Arc::new(Inner { disk, kind: format.kind, marker, _held: held })))
    }

    /// Takes a folder that was created.
    ///
    /// # Errors
    /// If another process holds it, it was never created, or it holds something else or a newer format.
    pub fn open(disk: Arc<dyn Disk>, format: &Format) -> Result<Self, FolderError> {
        let held = lock(&*disk)?;
        let folder = || disk.path().to_owned();
        let Some(bytes) = read_small(&*disk, FORMAT_FILE, FORMAT_BYTES_MAX)? else {
            return Err(FolderError::Absent { folder: folder() });
        };
        let marker = Marker::parse(&bytes).ok_or_else(|| FolderError::Damaged { folder: folder() })?;
        if marker.kind != format.kind {
            return Err(FolderError::OtherKind {
                folder: folder(),
                found: marker.kind,
                expected: format.kind,
            });
        }
        if marker.version > format.version {
            let Marker { version: found, program, .. } = marker;
            return Err(FolderError::Newer { folder: folder(), found, known: format.version, program });
        }
        remove_unfinished(&*disk)?;
        Ok(Self(Arc::new(Inner { disk, kind: format.kind, marker, _held: held })))
    }

    /// The id that it was created with.
    pub fn id(&self) -> &[u8; 32] {
        &self.0.marker.id
    }

    /// The version of its layout, at most the one that was expected.
    pub fn version(&self) -> u32 {
        self.0.marker.version
    }

    /// The directory, for small files beside the journal.
    pub fn disk(&self) -> &dyn Disk {
        &*self.0.disk
    }

    pub(crate) fn kind(&self) -> &'static str {
        self.0.kind
    }

    /// Where checksums start, so that a file of another folder does not pass for one of this.
    pub(crate) fn seed(&self) -> u32 {
        crc32c::crc32c(self.id())
    }
}

fn lock(disk: &dyn Disk) -> Result<Held, FolderError> {
    disk.lock()?.ok_or_else(|| FolderError::InUse { folder: disk.path().to_owned() })
}

fn remove_unfinished(disk: &dyn Disk) -> Result<(), DiskError> {
    disk.list()?.iter().filter(|name| name.ends_with(UNFINISHED)).try_for_each(|name| disk.remove(name))
}

/// What a `FORMAT` file says: one fact a line. Later versions may add lines and keep these.
#[derive(Debug)]
struct Marker {
    kind: String,
    version: u32,
    program: String,
    id: [u8; 32],
}

impl Marker {
    fn to_text(&self) -> String {
        let Self { kind, version, program, id } = self;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{PRODUCT}\nkind {kind}\nversion {version}\nprogram {program}\nid {id}\n")
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok().filter(|text| text.len() <= FORMAT_BYTES_MAX)?;
        let mut lines = text.strip_suffix('\n')?.split('\n');
        if lines.next()? != PRODUCT {
            return None;
        }
        let mut fact = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        Some(Self {
            kind: fact("kind")?.to_owned(),
            version: fact("version")?.parse().ok()?,
            program: fact("program")?.to_owned(),
            id: parse_id(fact("id")?)?,
        })
    }
}

fn parse_id(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    bytes.try_into().ok().filter(|_| rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    const FORMAT: Format = Format::new("test-log", 2, "0.1.0");

    fn created() -> SimDisk {
        let disk = SimDisk::new();
        Folder::create(Arc::new(disk.clone()), &FORMAT, [0xab; 32]).unwrap();
        disk.crash_to_synced();
        disk
    }

    fn refusal(disk: &SimDisk, format: &Format) -> String {
        Folder::open(Arc::new(disk.clone()), format).unwrap_err().to_string()
    }

    #[test]
    fn a_created_folder_opens_with_its_id() {
        let folder = Folder::open(Arc::new(created()), &FORMAT).unwrap();
        assert_eq!((folder.id(), folder.version()), (&[0xab; 32], 2));
        let later = Format::new("test-log", 9, "9.0.0");
        drop(folder);
        assert_eq!(Folder::open(Arc::new(created()), &later).unwrap().version(), 2);
    }

    #[test]
    fn the_marker_is_readable_text() {
        let text = String::from_utf8(created().bytes("FORMAT").unwrap()).unwrap();
        let id = "ab".repeat(32);
        assert_eq!(text, format!("product yiqiao\nkind test-log\nversion 2\nprogram 0.1.0\nid {id}\n"));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let disk = created();
        let table = [
            (
                Format::new("other", 2, "0.1.0"),
                "holds \"test-log\" where \"other\" is needed: name the right folder",
            ),
            (
                Format::new("test-log", 1, "0.0.9"),
                "has format 2, this program knows up to 1: run version 0.1.0 or later",
            ),
        ];
        for (format, expected) in table {
            assert_eq!(refusal(&disk, &format), format!("folder sim {expected}"));
        }
        let _held = Folder::open(Arc::new(disk.clone()), &FORMAT).unwrap();
        assert!(refusal(&disk, &FORMAT).contains("in use by another process"));
    }

    #[test]
    fn an_absent_or_damaged_marker_is_never_a_new_folder() {
        assert!(refusal(&SimDisk::new(), &FORMAT).contains("has no FORMAT file"));
        let whole = created().bytes("FORMAT").unwrap();
        for len in 0..whole.len() {
            let disk = created();
            disk.put("FORMAT", &whole[..len]);
            assert!(refusal(&disk, &FORMAT).contains("is damaged"), "{len} bytes");
        }
        let disk = created();
        let again = Folder::create(Arc::new(disk), &FORMAT, [1; 32]).unwrap_err();
        assert!(matches!(again, FolderError::Occupied { file, .. } if file == "FORMAT"));
    }

    #[test]
    fn a_crash_while_creating_leaves_a_folder_that_can_be_created() {
        for syncs in 0..2 {
            let disk = SimDisk::new();
            disk.fail_sync_after(syncs);
            assert!(Folder::create(Arc::new(disk.clone()), &FORMAT, [1; 32]).is_err());
            disk.crash_to_synced();
            Folder::create(Arc::new(disk), &FORMAT, [1; 32]).unwrap();
        }
    }
}

//! Private key files, and the one source of randomness.
//!
//! A file holds one 32-byte seed on one line, `yiqiao-key-1 <kind> <base64> <crc>`, so that a person sees what it is and a
//! damaged or exchanged file is noticed; `yiqiao-key-2` if it is encrypted under a passphrase. Keys that sign and open may be in a hardware
//! module instead: [`Keyring`]. Not here: what a key is used for.

mod keyring;
mod lock;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use yiqiao_keymodule::ModuleError;
use yiqiao_proto::limits::KEYS_MAX;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::keys::lock::{LOCKED_BYTES, Passphrase};
use crate::limits::{self, KEY_FILE_BYTES_MAX};

pub use keyring::{Keyring, Made, ModuleConfig, opens};
pub use lock::{PASSPHRASE_FILE, Protected};

const FORMAT: &str = "yiqiao-key-1";
const LOCKED_FORMAT: &str = "yiqiao-key-2";
const SEED_BYTES: usize = 32;
const LOCKED_CHARS: usize = LOCKED_BYTES.div_ceil(3) * 4;

/// `N` fresh bytes from the operating system's generator.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system's generator never fails once it is seeded");
    bytes
}

/// What a key is for: a word of `a`–`z`, `0`–`9` and `-`, at most 32 long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyKind(&'static str);

impl KeyKind {
    /// Names a kind; meant for constants, where a bad word is a compile error.
    ///
    /// # Panics
    /// If `word` is no such word.
    pub const fn new(word: &'static str) -> Self {
        let bytes = word.as_bytes();
        assert!(!bytes.is_empty() && bytes.len() <= 32, "a key kind has 1 to 32 characters");
        let mut rest = bytes;
        while let [byte, tail @ ..] = rest {
            assert!(
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-',
                "a key kind is of a-z, 0-9 and -"
            );
            rest = tail;
        }
        Self(word)
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The secret that a key is made from; erased from memory when dropped, and it does not print.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; SEED_BYTES]);

impl Seed {
    /// A new seed from the operating system's generator.
    pub fn fresh() -> Self {
        Self(random())
    }

    /// The secret bytes.
    pub const fn expose(&self) -> &[u8; SEED_BYTES] {
        &self.0
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<seed>")
    }
}

/// Why a key file was not written or not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is such a file already; a key is never overwritten.
    #[error("{} exists already and is left as it is", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// There is no such file.
    #[error("there is no {kind} key at {}", file.display())]
    Absent {
        /// The file.
        file: PathBuf,
        /// The kind asked for.
        kind: KeyKind,
    },
    /// Group or others have some right to the file.
    #[error("{} can be used by others (mode {mode:03o}): run `chmod 600 {}`", file.display(), file.display())]
    Shared {
        /// The file.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Another kind of key stands in the file.
    #[error("{} does not hold a {kind} key: check which file the configuration names", file.display())]
    OtherKind {
        /// The file.
        file: PathBuf,
        /// The kind asked for.
        kind: KeyKind,
    },
    /// The line is incomplete or changed.
    #[error("{} is damaged: restore it from its backup; if it was never used, delete it and make it anew", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
    },
    /// It is encrypted, and the environment names no passphrase.
    #[error("{} is encrypted: name the file with its passphrase in {PASSPHRASE_FILE}", file.display())]
    Locked {
        /// The file.
        file: PathBuf,
    },
    /// The environment names no passphrase to encrypt with.
    #[error("nothing is encrypted: name a file that holds the passphrase in {PASSPHRASE_FILE}")]
    NoPassphrase,
    /// There is no key file in the folder.
    #[error("there is no key file in {}: name the folder that holds them", folder.display())]
    NoKeys {
        /// The folder.
        folder: PathBuf,
    },
    /// The passphrase does not open it.
    #[error("{} is not opened by the passphrase in the file that {PASSPHRASE_FILE} names", file.display())]
    OtherPassphrase {
        /// The file.
        file: PathBuf,
    },
    /// What should be a passphrase is none.
    #[error(
        "the first line of {} is no passphrase: it has {} to {} bytes",
        file.display(), limits::PASSPHRASE_BYTES_MIN, limits::PASSPHRASE_BYTES_MAX
    )]
    Passphrase {
        /// The file that should hold it.
        file: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot use the key file {}: {source}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The hardware module, or a key in it, cannot be used.
    #[error(transparent)]
    Module(#[from] ModuleError),
}

/// Makes a fresh key and writes it to a new file that only its owner may read.
///
/// The seed is handed out once the file and its name are on the disk.
///
/// # Errors
/// [`KeyError::Exists`] if the file is there, [`KeyError::Io`] if it cannot be written.
pub fn create(path: &Path, kind: KeyKind) -> Result<Seed, KeyError> {
    let passphrase = Passphrase::of_environment()?;
    let seed = Seed::fresh();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|source| {
            if source.kind() == io::ErrorKind::AlreadyExists {
                KeyError::Exists { file: path.to_owned() }
            } else {
                KeyError::Io { file: path.to_owned(), source }
            }
        })?;
    let written = file
        .write_all(encode(kind.0, &seed, passphrase.as_ref()).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(parent(path))?.sync_all());
    if let Err(source) = written {
        // Nothing has used this key: an incomplete file would only stand in the way of the next attempt.
        let _ = std::fs::remove_file(path);
        return Err(KeyError::Io { file: path.to_owned(), source });
    }
    Ok(seed)
}

/// Reads the key of this kind.
///
/// # Errors
/// [`KeyError`]; a file to which group or others have any right is refused, because the key may have leaked.
pub fn load(path: &Path, kind: KeyKind) -> Result<Seed, KeyError> {
    let io_error = |source| KeyError::Io { file: path.to_owned(), source };
    let file = File::open(path).map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            KeyError::Absent { file: path.to_owned(), kind }
        } else {
            io_error(source)
        }
    })?;
    let mode = file.metadata().map_err(io_error)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Shared { file: path.to_owned(), mode });
    }
    let line = read_line(file, path)?;
    let locked = line.starts_with(LOCKED_FORMAT);
    let passphrase = if locked { Passphrase::of_environment()? } else { None };
    let (found, seed) = decode(&line, passphrase.as_ref()).map_err(|fault| fault.of(path))?;
    if found == kind.0 { Ok(seed) } else { Err(KeyError::OtherKind { file: path.to_owned(), kind }) }
}

fn read_line(file: File, path: &Path) -> Result<Zeroizing<String>, KeyError> {
    // The whole capacity at once: a buffer that grew would leave copies behind.
    let mut line = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX));
    file.take(KEY_FILE_BYTES_MAX as u64).read_to_string(&mut line).map_err(|source| {
        if source.kind() == io::ErrorKind::InvalidData {
            KeyError::Damaged { file: path.to_owned() }
        } else {
            KeyError::Io { file: path.to_owned(), source }
        }
    })?;
    Ok(line)
}

/// Encrypts all key files of a folder that are not yet, under the passphrase that the environment names. A crash leaves each of them as it
/// was or encrypted.
///
/// # Errors
/// [`KeyError`] of the first file that cannot be read or written; [`KeyError::NoPassphrase`] if the environment names none,
/// [`KeyError::NoKeys`] if there is nothing to encrypt.
pub fn protect(folder: &Path) -> Result<Protected, KeyError> {
    let io_error = |source| KeyError::Io { file: folder.to_owned(), source };
    let passphrase = Passphrase::of_environment()?.ok_or(KeyError::NoPassphrase)?;
    let mut done = Protected { now: Vec::new(), before: Vec::new() };
    let entries = std::fs::read_dir(folder).map_err(io_error)?.collect::<io::Result<Vec<_>>>();
    let mut files: Vec<_> = entries.map_err(io_error)?.into_iter().map(|entry| entry.path()).collect();
    files.sort_unstable();
    for path in files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "key")) {
        let io_error = |source| KeyError::Io { file: path.clone(), source };
        let line = read_line(File::open(&path).map_err(io_error)?, &path)?;
        let (kind, seed) = decode(&line, Some(&passphrase)).map_err(|fault| fault.of(&path))?;
        if line.starts_with(LOCKED_FORMAT) {
            done.before.push(path);
            continue;
        }
        replace(&path, &encode(kind, &seed, Some(&passphrase))).map_err(io_error)?;
        done.now.push(path);
    }
    let none = done.now.is_empty() && done.before.is_empty();
    if none { Err(KeyError::NoKeys { folder: folder.to_owned() }) } else { Ok(done) }
}

/// Puts a line in the place of a file's, whole or not at all.
fn replace(path: &Path, line: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)?;
    File::open(parent(path))?.sync_all()
}

/// Reads the key of this kind, or makes it if there is no such file.
///
/// # Errors
/// [`KeyError`], as [`load`] and [`create`].
pub fn load_or_create(path: &Path, kind: KeyKind) -> Result<Seed, KeyError> {
    match load(path, kind) {
        Err(KeyError::Absent { .. }) => create(path, kind),
        loaded => loaded,
    }
}

/// The keys of a kind that follow each other in a folder: `words.key`, `words-2.key` … Which of them is used, the member list says.
#[derive(Clone, Debug)]
pub struct Series {
    folder: PathBuf,
    kind: KeyKind,
}

impl Series {
    /// Those of this kind in this folder.
    pub fn new(folder: &Path, kind: KeyKind) -> Self {
        Self { folder: folder.to_owned(), kind }
    }

    /// The first one that is there, and all after it.
    ///
    /// # Errors
    /// [`KeyError`], as [`load`]; [`KeyError::Absent`] if there is none.
    pub fn load(&self) -> Result<(Seed, Vec<Seed>), KeyError> {
        let mut first = None;
        let mut later = Vec::new();
        for number in 1..=KEYS_MAX {
            match load(&self.file(number), self.kind) {
                Ok(seed) if first.is_none() => first = Some(seed),
                Ok(seed) => later.push(seed),
                Err(KeyError::Absent { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let none = KeyError::Absent { file: self.file(1), kind: self.kind };
        first.map(|first| (first, later)).ok_or(none)
    }

    /// Makes the next one.
    ///
    /// # Errors
    /// [`KeyError`], as [`create`]; [`KeyError::Exists`] if there is room for no more.
    pub fn next(&self) -> Result<(PathBuf, Seed), KeyError> {
        // The number of a key that was thrown away is not given again while one after it is there.
        let last = (1..=KEYS_MAX).rev().find(|number| self.file(*number).exists()).unwrap_or(0);
        let file = self.file((last + 1).min(KEYS_MAX));
        create(&file, self.kind).map(|seed| (file, seed))
    }

    fn file(&self, number: usize) -> PathBuf {
        self.folder.join(format!("{}.key", name(self.kind, number)))
    }
}

/// How the n-th key of a kind is called: `words`, `words-2` …
fn name(kind: KeyKind, number: usize) -> String {
    if number == 1 { kind.to_string() } else { format!("{kind}-{number}") }
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Damaged,
    Locked,
    OtherPassphrase,
}

impl Fault {
    fn of(self, path: &Path) -> KeyError {
        let file = path.to_owned();
        match self {
            Self::Damaged => KeyError::Damaged { file },
            Self::Locked => KeyError::Locked { file },
            Self::OtherPassphrase => KeyError::OtherPassphrase { file },
        }
    }
}

fn encode(kind: &str, seed: &Seed, passphrase: Option<&Passphrase>) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(KEY_FILE_BYTES_MAX));
    let format = if passphrase.is_some() { LOCKED_FORMAT } else { FORMAT };
    for part in [format, " ", kind] {
        line.push_str(part);
    }
    let locked = passphrase.map(|passphrase| passphrase.lock(&line, seed));
    let secret = locked.as_ref().map_or(seed.expose().as_slice(), <[u8; LOCKED_BYTES]>::as_slice);
    let mut base64 = Zeroizing::new([0; LOCKED_CHARS]);
    let written = STANDARD.encode_slice(secret, base64.as_mut_slice()).expect("there is room for either");
    let base64 = base64.get(..written).and_then(|base64| str::from_utf8(base64).ok());
    line.push(' ');
    line.push_str(base64.expect("base64 is ASCII"));
    let crc = format!(" {:08x}\n", crc32c::crc32c(line.as_bytes()));
    line.push_str(&crc);
    line
}

/// The kind and the seed of a line.
fn decode<'l>(line: &'l str, passphrase: Option<&Passphrase>) -> Result<(&'l str, Seed), Fault> {
    let (signed, crc) =
        line.strip_suffix('\n').and_then(|line| line.rsplit_once(' ')).ok_or(Fault::Damaged)?;
    if crc != format!("{:08x}", crc32c::crc32c(signed.as_bytes())) {
        return Err(Fault::Damaged);
    }
    let (named, base64) = signed.rsplit_once(' ').ok_or(Fault::Damaged)?;
    let (format, kind) = named.split_once(' ').ok_or(Fault::Damaged)?;
    match format {
        FORMAT => {
            let mut seed = Seed([0; SEED_BYTES]);
            match STANDARD.decode_slice_unchecked(base64, &mut seed.0) {
                Ok(SEED_BYTES) => Ok((kind, seed)),
                Ok(_) | Err(_) => Err(Fault::Damaged),
            }
        }
        LOCKED_FORMAT => {
            let mut locked = [0; LOCKED_BYTES];
            if STANDARD.decode_slice(base64, &mut locked) != Ok(LOCKED_BYTES) {
                return Err(Fault::Damaged);
            }
            let seed = passphrase.ok_or(Fault::Locked)?.unlock(named, &locked);
            Ok((kind, seed.ok_or(Fault::OtherPassphrase)?))
        }
        _ => Err(Fault::Damaged),
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const SIGNING: KeyKind = KeyKind::new("signing");

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("signing.key");
        (folder, file)
    }

    #[test]
    fn a_key_that_was_created_is_read_back() {
        let (_folder, file) = place();
        let made = create(&file, SIGNING).unwrap();
        assert_eq!(load(&file, SIGNING).unwrap().expose(), made.expose());
        assert_eq!(load_or_create(&file, SIGNING).unwrap().expose(), made.expose());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn keys_follow_each_other_and_any_may_be_missing_but_not_all() {
        let folder = tempfile::tempdir().unwrap();
        let series = Series::new(folder.path(), SIGNING);
        assert!(matches!(series.load(), Err(KeyError::Absent { .. })));
        let made: Vec<_> = (0..3).map(|_| series.next().unwrap()).collect();
        assert!(made[0].0.ends_with("signing.key") && made[2].0.ends_with("signing-3.key"));
        std::fs::remove_file(&made[0].0).unwrap();
        let (first, later) = series.load().unwrap();
        assert_eq!((first.expose(), later.len()), (made[1].1.expose(), 1));
        assert!(series.next().unwrap().0.ends_with("signing-4.key"), "no number is given again");
        std::fs::write(&made[1].0, "damaged").unwrap();
        assert!(matches!(series.load(), Err(KeyError::Damaged { .. })));
    }

    #[test]
    fn the_file_format_is_frozen() {
        let line = encode("signing", &Seed([7; 32]), None);
        assert_eq!(
            line.as_str(),
            "yiqiao-key-1 signing BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc= c4aeb8ea\n"
        );
        assert_eq!(read(&line), Ok(("signing", [7; 32])));
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let (_folder, file) = place();
        let first = create(&file, SIGNING).unwrap();
        assert!(matches!(create(&file, SIGNING), Err(KeyError::Exists { .. })));
        assert_eq!(load(&file, SIGNING).unwrap().expose(), first.expose());
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_remedy() {
        let (_folder, file) = place();
        create(&file, SIGNING).unwrap();
        for mode in [0o640, 0o604, 0o660, 0o601] {
            std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            let said = load(&file, SIGNING).unwrap_err().to_string();
            assert!(said.contains(&format!("run `chmod 600 {}`", file.display())), "{said}");
        }
    }

    fn read(line: &str) -> Result<(&str, [u8; 32]), Fault> {
        decode(line, None).map(|(kind, seed)| (kind, *seed.expose()))
    }

    #[test]
    fn a_locked_line_is_opened_by_its_passphrase_alone() {
        let [own, other] = ["plum blossom in the snow", "plum blossom in the sun!"].map(Passphrase::of);
        let line = encode("signing", &Seed([7; 32]), Some(&own));
        assert!(line.starts_with("yiqiao-key-2 signing ") && line.len() <= KEY_FILE_BYTES_MAX);
        assert_eq!(decode(&line, Some(&own)).unwrap().1.expose(), &[7; 32]);
        assert_eq!(decode(&line, Some(&other)).unwrap_err(), Fault::OtherPassphrase);
        assert_eq!(read(&line), Err(Fault::Locked));
        assert_ne!(encode("signing", &Seed([7; 32]), Some(&own)), line, "salt and nonce are fresh");
        // Given another name, with a check sum that fits.
        let renamed = line.replace("signing", "another");
        let signed = renamed.trim_end().rsplit_once(' ').unwrap().0;
        let renamed = format!("{signed} {:08x}\n", crc32c::crc32c(signed.as_bytes()));
        assert_eq!(decode(&renamed, Some(&own)).unwrap_err(), Fault::OtherPassphrase);
    }

    #[test]
    fn every_damaged_line_is_noticed() {
        let line = encode("signing", &Seed([7; 32]), None);
        for length in 0..line.len() {
            let cut = line.get(..length).unwrap();
            assert_eq!(read(cut), Err(Fault::Damaged), "cut at {length}");
        }
        for at in 0..line.len() {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] ^= 1;
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(read(&changed), Err(Fault::Damaged), "changed at {at}");
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let (_folder, file) = place();
        create(&file, SIGNING).unwrap();
        assert!(matches!(load(&file, KeyKind::new("link")), Err(KeyError::OtherKind { .. })));
    }

    #[test]
    fn an_absent_key_and_a_key_that_is_no_text_are_named() {
        let (_folder, file) = place();
        assert!(load(&file, SIGNING).unwrap_err().to_string().starts_with("there is no signing key at "));
        create(&file, SIGNING).unwrap();
        std::fs::write(&file, [0xff; 40]).unwrap();
        assert!(matches!(load(&file, SIGNING), Err(KeyError::Damaged { .. })));
    }

    #[test]
    fn a_seed_does_not_print() {
        assert_eq!(format!("{:?}", Seed([7; 32])), "<seed>");
    }

    #[test]
    fn randomness_differs() {
        assert_ne!(random::<32>(), random::<32>());
    }
}

//! Key files under a passphrase: argon2id makes the key that AES-256-GCM encrypts the seed with.
//!
//! The passphrase stands in a file that only its owner reads, as systemd's credentials and container secrets do; the environment names
//! that file. Not here: hardware modules, but for the file with their PIN.

use core::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{KeyError, SEED_BYTES, Seed, random};
use crate::limits::{KEY_ARGON2_KIB, KEY_ARGON2_PASSES, PASSPHRASE_BYTES_MAX, PASSPHRASE_BYTES_MIN};

/// Where the environment names the file with the passphrase.
pub const PASSPHRASE_FILE: &str = "YIQIAO_KEYS_PASSPHRASE_FILE";

const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 16;
/// Salt, nonce, seed, tag.
pub(super) const LOCKED_BYTES: usize = SALT_BYTES + NONCE_LEN + SEED_BYTES + TAG_BYTES;

/// What opens key files; erased from memory when dropped.
pub(super) struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// The one that the environment names, if it does.
    pub(super) fn of_environment() -> Result<Option<Self>, KeyError> {
        std::env::var_os(PASSPHRASE_FILE).map(|file| Self::read(Path::new(&file))).transpose()
    }

    fn read(path: &Path) -> Result<Self, KeyError> {
        let bytes = first_line(path)?;
        let fits = (PASSPHRASE_BYTES_MIN..=PASSPHRASE_BYTES_MAX).contains(&bytes.len());
        if fits { Ok(Self(bytes)) } else { Err(KeyError::Passphrase { file: path.to_owned() }) }
    }

    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        Self(Zeroizing::new(text.as_bytes().to_vec()))
    }

    /// The seed, bound to what else stands in its line.
    pub(super) fn lock(&self, line: &str, seed: &Seed) -> [u8; LOCKED_BYTES] {
        let (salt, nonce) = (random::<SALT_BYTES>(), random::<NONCE_LEN>());
        let mut locked = [0; LOCKED_BYTES];
        let mut secret = Zeroizing::new(*seed.expose());
        let tag = self
            .key(&salt)
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(line), &mut *secret)
            .expect("32 bytes are no more than AES-GCM takes");
        let parts = salt.iter().chain(&nonce).chain(&*secret).chain(tag.as_ref());
        locked.iter_mut().zip(parts).for_each(|(byte, part)| *byte = *part);
        locked
    }

    /// The seed; nothing if this is not the passphrase, or the line was changed.
    pub(super) fn unlock(&self, line: &str, locked: &[u8; LOCKED_BYTES]) -> Option<Seed> {
        let (salt, rest) = locked.split_first_chunk::<SALT_BYTES>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.key(salt).open_in_place(nonce, Aad::from(line), &mut sealed).ok()?;
        opened.first_chunk::<SEED_BYTES>().map(|seed| Seed(*seed))
    }

    fn key(&self, salt: &[u8; SALT_BYTES]) -> LessSafeKey {
        let params =
            Params::new(KEY_ARGON2_KIB, KEY_ARGON2_PASSES, 1, None).expect("the parameters are valid");
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(&self.0, salt, &mut *key)
            .expect("salt and lengths are within argon2's limits");
        LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).expect("32 bytes are a key of AES-256"))
    }
}

/// The first line of a file that only its owner may read; longer than a passphrase may be if it is.
pub(super) fn first_line(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let io_error = |source| KeyError::Io { file: path.to_owned(), source };
    let file = File::open(path).map_err(io_error)?;
    let mode = file.metadata().map_err(io_error)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Shared { file: path.to_owned(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX + 2));
    file.take(PASSPHRASE_BYTES_MAX as u64 + 2).read_to_end(&mut bytes).map_err(io_error)?;
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(bytes.len());
    bytes.truncate(end);
    Ok(bytes)
}

/// What [`super::protect`] has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Files that are encrypted from now on.
    pub now: Vec<PathBuf>,
    /// Files that were already.
    pub before: Vec<PathBuf>,
}

impl fmt::Display for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for file in &self.now {
            writeln!(f, "encrypted {}", file.display())?;
        }
        for file in &self.before {
            writeln!(f, "{} is encrypted already", file.display())?;
        }
        write!(f, "copies of these files elsewhere, in backups for instance, are as they were")
    }
}

//! Where the keys of a process are that sign, and that open what is sealed: files of its folder, and a hardware module if one is configured.
//!
//! Both count alike: keys of a kind follow each other in either, and which of them is used, the member list says. Only in files are the
//! identity on the link, which the link's handshake needs as it is, and what encrypts a node's own records.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use yiqiao_keymodule::KeyModule;
use yiqiao_proto::limits::KEYS_MAX;
use yiqiao_proto::release::SealingSecret;
use yiqiao_proto::suite::{SecretKey, Suite};
use zeroize::Zeroizing;

use super::lock::first_line;
use super::{KeyError, KeyKind, Seed, Series, name};
use crate::config::ConfigPath;

/// The `[module]` table: a hardware module by PKCS#11.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleConfig {
    /// The module's library.
    pub library: ConfigPath,
    /// The label of the token in it.
    pub token: String,
    /// The file whose first line is the token's PIN.
    pub pin_file: ConfigPath,
}

/// The keys of a process that sign and open.
#[derive(Debug)]
pub struct Keyring {
    folder: PathBuf,
    module: Option<Arc<KeyModule>>,
}

/// A key that was just made, and where it is.
#[derive(Debug)]
pub enum Made {
    /// A file.
    File(PathBuf),
    /// A key of this label in the module.
    Module(Arc<KeyModule>, String),
}

impl Keyring {
    /// Those of a folder, and of a module if there is one.
    ///
    /// # Errors
    /// [`KeyError`] if the module does not open, or its PIN cannot be read.
    pub fn open(folder: &Path, module: Option<&ModuleConfig>) -> Result<Self, KeyError> {
        let module = module.map(open).transpose()?;
        Ok(Self { folder: folder.to_owned(), module })
    }

    /// All keys of a kind that sign, the first ones first.
    ///
    /// # Errors
    /// [`KeyError`] of the first one that cannot be used; [`KeyError::Absent`] if there is none.
    pub fn signing(&self, kind: KeyKind) -> Result<Vec<SecretKey>, KeyError> {
        let in_files = |seed: &Seed| SecretKey::new(Suite::International, seed.expose());
        self.all(kind, in_files, |module, label| Ok(module.signing(label)?))
    }

    /// All keys of a kind that open, the first ones first.
    ///
    /// # Errors
    /// As [`Keyring::signing`].
    pub fn sealing(&self, kind: KeyKind) -> Result<Vec<SealingSecret>, KeyError> {
        self.all(kind, opens, |module, label| Ok(module.sealing(label)?))
    }

    fn all<K>(
        &self,
        kind: KeyKind,
        in_files: impl Fn(&Seed) -> K,
        in_module: impl Fn(&Arc<KeyModule>, &str) -> Result<Option<K>, KeyError>,
    ) -> Result<Vec<K>, KeyError> {
        let files = Series::new(&self.folder, kind).load();
        let Some(module) = &self.module else {
            let (first, later) = files?;
            return Ok([&first].into_iter().chain(&later).map(in_files).collect());
        };
        let (mut keys, absent) = match files {
            Ok((first, later)) => ([&first].into_iter().chain(&later).map(in_files).collect(), None),
            Err(absent @ KeyError::Absent { .. }) => (Vec::new(), Some(absent)),
            Err(error) => return Err(error),
        };
        for number in 1..=KEYS_MAX {
            keys.extend(in_module(module, &name(kind, number))?);
        }
        if keys.is_empty() { Err(absent.unwrap_or_else(|| self.none(kind))) } else { Ok(keys) }
    }

    fn none(&self, kind: KeyKind) -> KeyError {
        KeyError::Absent { file: self.folder.clone(), kind }
    }

    /// Makes the next key of a kind that signs: in the module, if there is one.
    ///
    /// # Errors
    /// [`KeyError`]; nothing is there then.
    pub fn next_signing(&self, kind: KeyKind) -> Result<(Made, SecretKey), KeyError> {
        let Some(module) = &self.module else {
            let (file, seed) = Series::new(&self.folder, kind).next()?;
            return Ok((Made::File(file), SecretKey::new(Suite::International, seed.expose())));
        };
        let label = self.next_label(module, kind)?;
        module.make_signing(&label)?;
        let key = module.signing(&label)?.ok_or_else(|| self.none(kind))?;
        Ok((Made::Module(Arc::clone(module), label), key))
    }

    /// Makes the next key of a kind that opens: in the module, if there is one.
    ///
    /// # Errors
    /// As [`Keyring::next_signing`].
    pub fn next_sealing(&self, kind: KeyKind) -> Result<(Made, SealingSecret), KeyError> {
        let Some(module) = &self.module else {
            let (file, seed) = Series::new(&self.folder, kind).next()?;
            return Ok((Made::File(file), opens(&seed)));
        };
        let label = self.next_label(module, kind)?;
        module.make_sealing(&label)?;
        let key = module.sealing(&label)?.ok_or_else(|| self.none(kind))?;
        Ok((Made::Module(Arc::clone(module), label), key))
    }

    /// The name after the last one that is there, in a file or in the module: none is given twice.
    fn next_label(&self, module: &KeyModule, kind: KeyKind) -> Result<String, KeyError> {
        let series = Series::new(&self.folder, kind);
        let mut last = 0;
        for number in 1..=KEYS_MAX {
            if series.file(number).exists() || module.has(&name(kind, number))? {
                last = number;
            }
        }
        Ok(name(kind, (last + 1).min(KEYS_MAX)))
    }
}

impl Made {
    /// Takes it away again: nothing has used it, since what was to name it did not come about.
    pub fn discard(&self) {
        match self {
            // What stays behind is in nobody's way: the next key gets the next name.
            Self::File(file) => std::fs::remove_file(file).ok(),
            Self::Module(module, label) => module.remove(label).ok(),
        };
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Module(_, label) => write!(f, "the key `{label}` in the module"),
        }
    }
}

/// What opens what is sealed to the key of a seed.
pub fn opens(seed: &Seed) -> SealingSecret {
    SealingSecret::new(&Zeroizing::new(*seed.expose()))
}

fn open(config: &ModuleConfig) -> Result<Arc<KeyModule>, KeyError> {
    let file = config.pin_file.as_path();
    let pin = first_line(file)?;
    let pin = str::from_utf8(&pin).map_err(|_| KeyError::Damaged { file: file.to_owned() })?;
    let pin = Zeroizing::new(pin.to_owned());
    Ok(KeyModule::open(config.library.as_path(), &config.token, &pin)?)
}

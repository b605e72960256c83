//! Configuration files: TOML into the caller's own type, with errors that a person can act on.
//!
//! The caller's type derives `Deserialize` with `#[serde(deny_unknown_fields)]`, so a misspelt key is an error that lists the
//! keys there are. Not here: secrets, which stand in files of their own that a [`ConfigPath`] names, and the
//! settings themselves, which belong to each process.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use yiqiao_proto::time::Millis;

use crate::limits::CONFIG_BYTES_MAX;

/// Reads the configuration file at `path`.
///
/// Every [`ConfigPath`] in it comes out resolved against the folder of the file.
///
/// # Errors
/// [`ConfigError`], which names the file, and the line, column and key where there is one.
pub fn load<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    let text =
        read_bounded(path).map_err(|source| ConfigError::Unreadable { file: path.to_owned(), source })?;
    let absolute = std::path::absolute(path)
        .map_err(|source| ConfigError::Unreadable { file: path.to_owned(), source })?;
    let _base = Base::set(absolute.parent().unwrap_or(Path::new("/")));
    parse(path, &text)
}

/// Why a configuration file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, is too long, or is not UTF-8.
    #[error("cannot read the configuration file {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file says something that is not allowed.
    #[error("{}:{line}:{column}: {}{problem}", file.display(), InKey(key))]
    Refused {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// The dotted key, empty where the whole file is meant.
        key: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
}

struct InKey<'a>(&'a str);

impl fmt::Display for InKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "in `{}`: ", self.0) }
    }
}

/// A path in a configuration file, relative to the folder of that file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigPath(PathBuf);

impl ConfigPath {
    /// The resolved path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for ConfigPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

/// As it was resolved.
impl Serialize for ConfigPath {
    fn serialize<S: Serializer>(&self, into: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(into)
    }
}

impl<'de> Deserialize<'de> for ConfigPath {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = PathBuf::deserialize(from)?;
        if written.as_os_str().is_empty() {
            return Err(D::Error::custom("the path is empty"));
        }
        Ok(Self(Base::resolve(&written)))
    }
}

/// A length of time, written as a whole number and `ms`, `s`, `m`, `h` or `d`: `"30s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigDuration(Millis);

impl ConfigDuration {
    const UNITS: [(&'static str, u64); 5] =
        [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

    /// This length, as a default of a setting.
    pub const fn new(length: Millis) -> Self {
        Self(length)
    }

    /// The length in milliseconds.
    pub const fn millis(self) -> Millis {
        self.0
    }

    /// The length for the standard library and tokio.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0.get())
    }
}

impl<'de> Deserialize<'de> for ConfigDuration {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        let ms = with_unit(&written, &Self::UNITS).ok_or_else(|| {
            D::Error::custom(
                "expected a whole number and one of `ms`, `s`, `m`, `h`, `d`, for example \"30s\"",
            )
        })?;
        Ok(Self(Millis::new(ms)))
    }
}

/// A number of bytes, written as a whole number and `B`, `KiB`, `MiB`, `GiB` or `TiB`: `"4MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfigSize(u64);

impl ConfigSize {
    const UNITS: [(&'static str, u64); 5] =
        [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1)];

    /// This size, as a default of a setting.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for ConfigSize {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = String::deserialize(from)?;
        with_unit(&written, &Self::UNITS).map(Self).ok_or_else(|| {
            D::Error::custom(
                "expected a whole number and one of `B`, `KiB`, `MiB`, `GiB`, `TiB`, for example \"4MiB\"",
            )
        })
    }
}

/// Reads `<digits><unit>`, a blank allowed between them; the first unit that fits counts.
fn with_unit(written: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, scale) =
        units.iter().find_map(|(unit, scale)| Some((written.strip_suffix(unit)?.trim_end(), scale)))?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        let why = format!("longer than {CONFIG_BYTES_MAX} bytes: is this the right file?");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(text)
}

fn parse<T: DeserializeOwned>(file: &Path, text: &str) -> Result<T, ConfigError> {
    let document = toml::Deserializer::parse(text).map_err(|error| refused(file, text, "", &error))?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let key = Some(error.path().to_string()).filter(|key| key != ".").unwrap_or_default();
        refused(file, text, &key, error.inner())
    })
}

fn refused(file: &Path, text: &str, key: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    ConfigError::Refused {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        key: key.to_owned(),
        problem: error.message().trim_end().replace('\n', ", "),
    }
}

thread_local! {
    static BASE: RefCell<Option<PathBuf>> = const { RefCell::new(None) };
}

/// The folder that [`ConfigPath`] resolves against while one file is read on this thread: serde hands a value no context.
struct Base;

impl Base {
    fn set(folder: &Path) -> Self {
        BASE.set(Some(folder.to_owned()));
        Self
    }

    fn resolve(written: &Path) -> PathBuf {
        BASE.with_borrow(|base| {
            base.as_ref().map_or_else(|| written.to_owned(), |folder| folder.join(written))
        })
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        BASE.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        http: Http,
        #[serde(default)]
        data: Option<ConfigPath>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read by serde only")]
    struct Http {
        port: u16,
        timeout: Option<ConfigDuration>,
        body: Option<ConfigSize>,
    }

    fn refusal(text: &str) -> String {
        parse::<Settings>(Path::new("node.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn a_misspelt_key_is_named_with_what_is_allowed() {
        let said = refusal("[http]\nport = 1\ntimeuot = \"3s\"\n");
        assert_eq!(
            said,
            "node.toml:3:1: in `http.timeuot`: unknown field `timeuot`, expected one of `port`, `timeout`, `body`"
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let said = refusal("[http]\n  port = \"eighty\"\n");
        assert!(said.starts_with("node.toml:2:10: in `http.port`: "), "{said}");
        assert!(said.contains("expected u16"), "{said}");
    }

    #[test]
    fn broken_toml_is_named_with_its_place() {
        assert!(refusal("[http]\nport = \n").starts_with("node.toml:2:"));
    }

    #[test]
    fn a_missing_key_is_named() {
        let said = refusal("[http]\n");
        assert!(said.contains("in `http`: missing field `port`"), "{said}");
    }

    #[test]
    fn lengths_of_time_and_sizes_need_a_known_unit() {
        let read = |text: &str| with_unit(text, &ConfigDuration::UNITS);
        assert_eq!(read("30s"), Some(30_000));
        assert_eq!(read("250 ms"), Some(250));
        assert_eq!(read("1d"), Some(86_400_000));
        for wrong in ["30", "s", "-1s", "+1s", "1.5h", "99999999999999999999s", "9999999999999999999d", ""] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(with_unit("4MiB", &ConfigSize::UNITS), Some(4 << 20));
        assert_eq!(with_unit("7B", &ConfigSize::UNITS), Some(7));
        assert_eq!(with_unit("4MB", &ConfigSize::UNITS), None);
        assert!(refusal("[http]\nport = 1\nbody = \"4MB\"\n").contains("`MiB`"));
    }

    #[test]
    fn a_path_is_relative_to_the_folder_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        std::fs::write(&file, "data = \"records\"\n[http]\nport = 1\n").unwrap();
        let settings: Settings = load(&file).unwrap();
        assert_eq!(settings.data.unwrap().as_path(), folder.path().join("records"));
        assert_eq!(settings.http.port, 1);
    }

    #[test]
    fn a_file_that_is_absent_or_too_long_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("node.toml");
        assert!(load::<Settings>(&file).unwrap_err().to_string().contains("node.toml: No such file"));
        std::fs::write(&file, vec![b'#'; 2 << 20]).unwrap();
        assert!(load::<Settings>(&file).unwrap_err().to_string().contains("right file"));
    }
}

//! The door for files: a folder into which a system of the hospital puts them, one after the other in the order of their names.
//!
//! A file is taken once it is whole: it has no name that begins with a dot or ends as files do that are being written, and has not
//! changed between two looks. It is durable in the node before it is moved, to `done`, or to `refused` with a file beside it that says
//! why. A crash between the two makes it come again: then it is known, and moved. What waits for a person is kept by the node, and the
//! file is done. Not here: what a file says: [`crate::reception`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use tokio::time::sleep;
use yiqiao_intake::limits::INPUT_BYTES_MAX;
use yiqiao_intake::refusal::Refusal;
use yiqiao_node_core::connection::{Door, Origin};
use yiqiao_node_core::intake::Verdict;

use crate::config::FolderDoor;
use crate::limits::{FOLDER_LOOK_EVERY, FOLDER_NAMES_MAX, FOLDER_REASONS_MAX};
use crate::reception::{Reception, Taken};
use crate::sequencer::NotTaken;

/// Where files go that were taken.
const DONE: &str = "done";
/// Where files go that were sent back.
const REFUSED: &str = "refused";
/// How names of files end that are being written.
const UNFINISHED: [&str; 5] = [".tmp", ".part", ".partial", ".filepart", ".writing"];

/// A folder that is watched.
pub(crate) struct Folder {
    pub(crate) door: FolderDoor,
    pub(crate) reception: Reception,
}

/// By what a file that is being written shows: its length, and when it was changed.
type Shape = (u64, Option<SystemTime>);

/// What is to be done with a file.
enum Ending {
    Done,
    Refused(String),
    /// It cannot be taken now, but the next one may.
    Stays,
    /// Nothing can be taken now.
    Later,
}

impl Folder {
    /// Makes what the door needs in its folder.
    ///
    /// # Errors
    /// There is no such folder, or it may not be changed.
    pub(crate) fn open(door: FolderDoor, reception: Reception) -> anyhow::Result<Self> {
        for name in [DONE, REFUSED] {
            let folder = door.folder.join(name);
            let made = DirBuilder::new().mode(0o700).create(&folder);
            made.or_else(
                |error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) },
            )
            .with_context(|| format!("cannot watch the folder of {}: {}", door.system, folder.display()))?;
        }
        Ok(Self { door, reception })
    }

    /// Looks into the folder again and again.
    pub(crate) async fn watch(self) {
        let mut seen = BTreeMap::new();
        loop {
            let folder = self.door.folder.clone();
            match tokio::task::spawn_blocking(move || list(&folder)).await {
                Ok(Ok(found)) => {
                    self.take_all(&found, &seen).await;
                    seen = found;
                }
                Ok(Err(error)) => {
                    tracing::warn!(system = %self.door.system, %error, "a watched folder cannot be read");
                }
                Err(_) => tracing::error!(system = %self.door.system, "a look into a watched folder failed"),
            }
            sleep(FOLDER_LOOK_EVERY).await;
        }
    }

    /// Takes the files that have not changed since the look before.
    async fn take_all(&self, found: &BTreeMap<OsString, Shape>, seen: &BTreeMap<OsString, Shape>) {
        for (name, shape) in found.iter().filter(|(name, shape)| seen.get(*name) == Some(shape)) {
            match self.take(name, shape.0).await {
                Ending::Done => self.put_away(name, DONE),
                Ending::Refused(why) => {
                    self.explain(name, &why);
                    self.put_away(name, REFUSED);
                }
                Ending::Stays => {}
                Ending::Later => return,
            }
        }
    }

    async fn take(&self, name: &OsStr, length: u64) -> Ending {
        if usize::try_from(length).map_or(true, |length| length > INPUT_BYTES_MAX) {
            return self
                .refuse(&Refusal::TooLarge { what: "a file", limit: INPUT_BYTES_MAX }.to_string())
                .await;
        }
        let path = self.door.folder.join(name);
        let bytes = match tokio::fs::read(&path).await {
            Ok(bytes) => bytes,
            // Whoever put it there took it back.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ending::Stays,
            Err(error) => return self.refuse(&format!("the file cannot be read: {error}")).await,
        };
        let (system, reception) = (&self.door.system, &self.reception);
        ending(&match &self.door.table {
            Some(table) => reception.take_table(system, Door::Folder, table, (bytes, None)).await,
            None => reception.take(system, Door::Folder, bytes, None).await,
        })
    }

    async fn refuse(&self, why: &str) -> Ending {
        let origin = Origin { wrong: why.to_owned(), ..Origin::through(Door::Folder) };
        self.reception.unread(&self.door.system, origin).await;
        Ending::Refused(why.to_owned())
    }

    /// Writes down why a file is sent back, before it is moved.
    fn explain(&self, name: &OsStr, why: &str) {
        let folder = self.door.folder.join(REFUSED);
        let mut said = free_name(&folder, name);
        said.push(".reason.txt");
        let written = std::fs::File::create(folder.join(said)).and_then(|mut file| writeln!(file, "{why}"));
        if let Err(error) = written {
            tracing::warn!(system = %self.door.system, %error, "why a file is refused cannot be written beside it");
        }
    }

    fn put_away(&self, name: &OsStr, to: &str) {
        let folder = self.door.folder.join(to);
        let moved = std::fs::rename(self.door.folder.join(name), folder.join(free_name(&folder, name)));
        if let Err(error) = moved {
            // It comes again, and is known.
            tracing::warn!(system = %self.door.system, %error, "a file that was taken cannot be moved to {to}");
        }
    }
}

/// What becomes of a file by what became of its messages.
fn ending(taken: &[Taken]) -> Ending {
    let mut wrong = Vec::new();
    for (place, one) in taken.iter().enumerate() {
        let why = match one {
            Err(NotTaken::Busy | NotTaken::Stopping) => return Ending::Later,
            Err(NotTaken::Refused(error)) => {
                tracing::warn!(%error, "a file is not taken now");
                return Ending::Stays;
            }
            Err(error @ NotTaken::TooLong) => error.to_string(),
            Ok(answer) if answer.answered.verdict == Verdict::Refused => {
                answer.refusal.as_ref().map(ToString::to_string).unwrap_or_default()
            }
            Ok(_) => continue,
        };
        wrong.push(if taken.len() > 1 { format!("message {}: {why}", place + 1) } else { why });
    }
    if wrong.is_empty() {
        return Ending::Done;
    }
    let more = wrong.len().saturating_sub(FOLDER_REASONS_MAX);
    wrong.truncate(FOLDER_REASONS_MAX);
    if more > 0 {
        wrong.push(format!("and {more} more"));
    }
    Ending::Refused(wrong.join("\n"))
}

/// The files that may be whole, the first ones by name: a folder may hold any number.
fn list(folder: &Path) -> io::Result<BTreeMap<OsString, Shape>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !is_unfinished(&name) {
            names.insert(name);
            if names.len() > FOLDER_NAMES_MAX {
                names.pop_last();
            }
        }
    }
    let shaped = names.into_iter().filter_map(|name| {
        let metadata = std::fs::symlink_metadata(folder.join(&name)).ok().filter(Metadata::is_file)?;
        Some((name, (metadata.len(), metadata.modified().ok())))
    });
    Ok(shaped.collect())
}

fn is_unfinished(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_lowercase();
    let own = [DONE, REFUSED].contains(&name.as_str());
    own || name.starts_with('.') || UNFINISHED.iter().any(|ending| name.ends_with(ending))
}

/// A name that no file of the folder has: the own one, else with a number behind it.
fn free_name(folder: &Path, name: &OsStr) -> OsString {
    let numbered = (1_u64..).map(|number| {
        let mut numbered = name.to_owned();
        numbered.push(format!(".{number}"));
        numbered
    });
    let is_free = |name: &OsString| {
        let path: PathBuf = folder.join(name);
        path.symlink_metadata().is_err()
    };
    std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_else(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_unfinished_files_and_of_own_folders_are_passed_over() {
        for name in [".hidden", "a.xml.tmp", "B.PART", "c.filepart", "done", "refused"] {
            assert!(is_unfinished(OsStr::new(name)), "{name}");
        }
        for name in ["a.xml", "tmp", "part.1", "done.xml"] {
            assert!(!is_unfinished(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_look_has_a_bound_and_begins_with_the_first_names() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..FOLDER_NAMES_MAX + 5 {
            std::fs::write(folder.path().join(format!("{:06}", FOLDER_NAMES_MAX + 5 - number)), b"").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("000000")).unwrap();
        let found = list(folder.path()).unwrap();
        assert_eq!(found.len(), FOLDER_NAMES_MAX - 1, "what is no file takes a place and is not taken");
        assert_eq!(found.keys().next().unwrap(), "000001");
    }

    #[test]
    fn no_file_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let name = OsStr::new("a.xml");
        for expected in ["a.xml", "a.xml.1", "a.xml.2"] {
            let free = free_name(folder.path(), name);
            assert_eq!(free, expected);
            std::fs::write(folder.path().join(free), b"").unwrap();
        }
    }
}

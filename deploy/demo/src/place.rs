//! Where everything is: ports and folders.

use std::fs::{File, TryLockError};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::facts::Facts;

/// What says that a folder is a demo's and may be emptied; locked while a demo runs there.
const MARKER: &str = "yiqiao-demo";
/// What to do about a folder that cannot be used.
const ANOTHER: &str = "name another folder: make demo FOLDER=...";

/// The folder of a region, and in it those of its processes.
#[derive(Debug)]
pub struct Place {
    root: PathBuf,
    _held: File,
}

/// Where one process listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ports {
    /// Pages, FHIR, the systems' HTTP door.
    pub http: u16,
    /// HL7 v2; the registry has none.
    pub mllp: Option<u16>,
    /// DICOM; the registry has none.
    pub dicom: Option<u16>,
    /// libp2p.
    pub link: u16,
}

/// How ports are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Those of the tour: 8100, 8201, 8301, 8400 and on.
    Tour,
    /// Any that are free: for tests.
    Free,
}

/// Ports that are drawn from: below those that the system gives to outgoing connections, which would take one away while a
/// process is down.
const DRAWN: std::ops::Range<u16> = 15_000..32_000;

impl Choice {
    /// The ports of the registry (0) or of the n-th hospital.
    ///
    /// # Errors
    /// There are no free ports.
    pub fn ports(self, number: u16, taken: &mut Vec<u16>) -> anyhow::Result<Ports> {
        match self {
            Self::Tour => Ok(Ports {
                http: 8100 + number,
                mllp: (number > 0).then_some(8200 + number),
                dicom: (number > 0).then_some(8300 + number),
                link: 8400 + number,
            }),
            Self::Free => Ok(Ports {
                http: free(taken)?,
                mllp: if number > 0 { Some(free(taken)?) } else { None },
                dicom: if number > 0 { Some(free(taken)?) } else { None },
                link: free(taken)?,
            }),
        }
    }
}

fn free(taken: &mut Vec<u16>) -> anyhow::Result<u16> {
    // Processes that test side by side begin at different places.
    let span = DRAWN.end - DRAWN.start;
    let first = u16::try_from(u32::from(span) * (std::process::id() % 997) / 997).unwrap_or(0);
    for step in 0..span {
        let port = DRAWN.start + (first + step.wrapping_mul(7)) % span;
        if !taken.contains(&port) && is_free(port) {
            taken.push(port);
            return Ok(port);
        }
    }
    bail!("no port from {} to {} is free", DRAWN.start, DRAWN.end)
}

/// Makes sure that nobody listens at any of these ports.
///
/// # Errors
/// A sentence that names the port and what to do.
pub fn check(ports: impl IntoIterator<Item = u16>) -> anyhow::Result<()> {
    for port in ports {
        ensure!(
            is_free(port),
            "port {port} is in use: stop what listens there (`ss -ltnp 'sport = :{port}'` names it), then run this again"
        );
    }
    Ok(())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

impl Ports {
    /// Makes sure that nobody else listens there.
    ///
    /// # Errors
    /// A sentence that names the port and what to do.
    pub fn check(&self) -> anyhow::Result<()> {
        check([Some(self.http), self.mllp, self.dicom, Some(self.link)].into_iter().flatten())
    }

    /// The address of pages and doors.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.http)
    }
}

impl Place {
    /// A folder of a demo, marked as such, that no other demo uses meanwhile; it is made if it is missing.
    ///
    /// # Errors
    /// A sentence that names the folder: it cannot be written, it holds what no demo has put there, or another demo runs there.
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        let unusable =
            |what: &str| format!("cannot {what} {}: make it writable, or {ANOTHER}", root.display());
        std::fs::create_dir_all(root).with_context(|| unusable("make"))?;
        let root = root.canonicalize().with_context(|| unusable("read"))?;
        ensure!(
            is_of_a_demo(&root)?,
            "{} holds files that no demo has made, and none of them was touched: {ANOTHER}",
            root.display()
        );
        let marker = File::options().create(true).append(true).open(root.join(MARKER));
        let held = marker.with_context(|| unusable("write in"))?;
        match held.try_lock() {
            Ok(()) => Ok(Self { root, _held: held }),
            Err(TryLockError::WouldBlock) => {
                bail!("a demo runs in {} already: stop that one, or {ANOTHER}", root.display())
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| unusable("lock")),
        }
    }

    /// Removes everything that a demo has made here.
    ///
    /// # Errors
    /// Something cannot be removed.
    pub fn clear(&self) -> anyhow::Result<()> {
        for path in entries(&self.root)?.into_iter().filter(|path| !path.ends_with(MARKER)) {
            let is_folder = path.symlink_metadata()?.is_dir();
            let removed =
                if is_folder { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the region's authority and registry.
    pub fn region(&self) -> PathBuf {
        self.root.join("region")
    }

    /// The registry's configuration.
    pub fn registry_config(&self) -> PathBuf {
        self.region().join("registry/registry.toml")
    }

    /// The folder of the token keys.
    pub fn token_keys(&self) -> PathBuf {
        self.region().join("tokens")
    }

    /// Where the registry asks for tokens.
    pub fn token_socket(&self) -> PathBuf {
        self.region().join("tokens.sock")
    }

    /// What a node must know of the region.
    pub fn region_file(&self) -> PathBuf {
        self.region().join("region.json")
    }

    /// The folder of a hospital's node.
    pub fn node(&self, member: &str) -> PathBuf {
        self.root.join(member)
    }

    /// A node's configuration.
    pub fn node_config(&self, member: &str) -> PathBuf {
        self.node(member).join("node.toml")
    }

    /// What a process says.
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.log"))
    }

    /// The file for scripts.
    pub fn facts(&self) -> PathBuf {
        self.root.join("demo.json")
    }

    /// Whether everything was set up and fed here before.
    pub fn is_complete(&self) -> bool {
        self.root.join("complete").exists()
    }

    /// Marks it so.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn complete(&self) -> anyhow::Result<()> {
        Ok(std::fs::write(self.root.join("complete"), b"")?)
    }
}

/// Whether a folder is new, or bears the mark of a demo. Demos of before the mark have left their file for scripts.
fn is_of_a_demo(root: &Path) -> anyhow::Result<bool> {
    let is_marked = root.join(MARKER).is_file() || Facts::read(&root.join("demo.json")).is_ok();
    Ok(is_marked || entries(root)?.is_empty())
}

fn entries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read {}", folder.display());
    let entries = std::fs::read_dir(folder).with_context(unreadable)?;
    entries.map(|entry| Ok(entry.with_context(unreadable)?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(folder: &Path) -> String {
        Place::new(folder).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_with_anything_else_in_it_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let thesis = folder.path().join("thesis.tex");
        std::fs::write(&thesis, "years of work").unwrap();
        std::fs::write(folder.path().join("demo.json"), "{}").unwrap();
        let said = refusal(folder.path());
        assert!(said.contains("no demo has made") && said.contains("FOLDER="), "{said}");
        assert_eq!(std::fs::read_to_string(thesis).unwrap(), "years of work");
        assert_eq!(entries(folder.path()).unwrap().len(), 2);
    }

    #[test]
    fn what_an_unfinished_demo_has_left_is_removed_and_the_mark_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path()).unwrap();
        std::fs::create_dir_all(place.node("qzrm").join("keys")).unwrap();
        std::fs::write(place.log("qzrm"), "").unwrap();
        drop(place);
        let place = Place::new(folder.path()).unwrap();
        place.clear().unwrap();
        assert_eq!(entries(place.root()).unwrap(), [place.root().join(MARKER)]);
    }

    #[test]
    fn two_demos_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::new(folder.path()).unwrap();
        let said = refusal(folder.path());
        assert!(said.contains("a demo runs in"), "{said}");
        drop(place);
        Place::new(folder.path()).unwrap();
    }

    #[test]
    fn a_port_in_use_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let said = check([port]).unwrap_err().to_string();
        assert!(said.starts_with(&format!("port {port} is in use: stop ")), "{said}");
    }
}

//! Where everything is: ports and folders.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};

/// The folder of a region, and in it those of its processes.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
}

/// Where one process listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ports {
    /// Pages, FHIR, the systems' HTTP door.
    pub http: u16,
    /// HL7 v2; the registry has none.
    pub mllp: Option<u16>,
    /// libp2p.
    pub link: u16,
}

/// How ports are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Those of the tour: 8100, 8201, 8400 and on.
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
                link: 8400 + number,
            }),
            Self::Free => Ok(Ports {
                http: free(taken)?,
                mllp: if number > 0 { Some(free(taken)?) } else { None },
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

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

impl Ports {
    /// Makes sure that nobody else listens there.
    ///
    /// # Errors
    /// A sentence that names the port and what to do.
    pub fn check(&self) -> anyhow::Result<()> {
        for port in [Some(self.http), self.mllp, Some(self.link)].into_iter().flatten() {
            ensure!(
                is_free(port),
                "port {port} is in use: stop what listens there (`ss -ltnp 'sport = :{port}'` names it), then run this again"
            );
        }
        Ok(())
    }

    /// The address of pages and doors.
    pub fn url(&self) -> String {
        format!("http://localhost:{}", self.http)
    }
}

impl Place {
    /// A folder that can be written; it is made if it is missing.
    ///
    /// # Errors
    /// A sentence that names the folder.
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root).with_context(|| {
            format!(
                "cannot make {}: choose another folder with --folder, or make it writable",
                root.display()
            )
        })?;
        let root = root.canonicalize().with_context(|| format!("cannot read {}", root.display()))?;
        let probe = root.join(".writable");
        std::fs::write(&probe, b"").with_context(|| {
            format!(
                "cannot write in {}: choose another folder with --folder, or make it writable",
                root.display()
            )
        })?;
        std::fs::remove_file(probe)?;
        Ok(Self { root })
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

//! `demo.json`: everything that a script needs to drive the running region.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::cast::{Account, System};

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The region's code.
    pub region: String,
    /// The folder of everything.
    pub folder: PathBuf,
    /// The process that looks after the others.
    pub supervisor: u32,
    /// The registry.
    pub registry: Running,
    /// The hospitals, by letter.
    pub hospitals: Vec<HospitalFacts>,
    /// The cast of the story.
    pub patients: Vec<PatientFacts>,
}

/// A process that runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Running {
    /// The member's code.
    pub code: String,
    /// Its name.
    pub name: String,
    /// Process id.
    pub pid: u32,
    /// The folder of its configuration, keys and data.
    pub folder: PathBuf,
    /// Its configuration.
    pub config: PathBuf,
    /// What it says.
    pub log: PathBuf,
    /// Pages and doors.
    pub url: String,
    /// libp2p.
    pub link: String,
    /// People.
    pub accounts: Vec<Account>,
}

/// A hospital's node.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HospitalFacts {
    /// The letter of the stories.
    pub letter: char,
    /// The process.
    #[serde(flatten)]
    pub node: Running,
    /// MLLP doors: system and address.
    pub mllp: Vec<(String, String)>,
    /// The DICOM door of its PACS; regions that were made before have none.
    #[serde(default)]
    pub dicom: Option<String>,
    /// The FHIR door.
    pub fhir: String,
    /// Where systems get tokens.
    pub token_url: String,
    /// Systems.
    pub systems: Vec<System>,
}

/// A patient of the story: synthetic, of a division that does not exist.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PatientFacts {
    /// The part, such as `referred`.
    pub role: String,
    /// The name.
    pub name: String,
    /// Resident ID.
    pub resident_id: String,
    /// Health card.
    pub health_card: String,
    /// The number of each hospital that knows the patient, by letter.
    pub numbers: Vec<(char, String)>,
    /// The login of the doctor who saw the patient last, by the hospital's letter.
    pub doctors: BTreeMap<char, String>,
}

impl Facts {
    /// Reads the file.
    ///
    /// # Errors
    /// There is none, or it is another one.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no file of a demo", file.display()))
    }

    /// Writes it; another reader sees the old or the new one.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, file: &Path) -> anyhow::Result<()> {
        let new = file.with_extension("new");
        std::fs::write(&new, serde_json::to_vec_pretty(self)?)?;
        Ok(std::fs::rename(new, file)?)
    }

    /// All ports at which the region's processes listen.
    ///
    /// # Errors
    /// The file names an address without a port.
    pub fn ports(&self) -> anyhow::Result<Vec<u16>> {
        let mllp = self.hospitals.iter().flat_map(|hospital| &hospital.mllp).map(|(_, address)| address);
        let dicom = self.hospitals.iter().filter_map(|hospital| hospital.dicom.as_ref());
        let nodes = self.hospitals.iter().map(|hospital| &hospital.node);
        let own = nodes.chain([&self.registry]).flat_map(|running| [&running.url, &running.link]);
        own.chain(mllp).chain(dicom).map(|address| port_of(address)).collect()
    }

    /// A hospital, by its letter.
    ///
    /// # Errors
    /// It does not run here.
    pub fn hospital(&self, letter: char) -> anyhow::Result<&HospitalFacts> {
        self.hospitals.iter().find(|hospital| hospital.letter == letter).context("a hospital that runs here")
    }
}

/// The port of an address such as `http://localhost:8101`, `127.0.0.1:8201` or `/ip4/127.0.0.1/tcp/8401`.
pub(crate) fn port_of(address: &str) -> anyhow::Result<u16> {
    let port = address.rsplit([':', '/']).next().and_then(|port| port.parse().ok());
    port.with_context(|| format!("{address} ends with a port"))
}

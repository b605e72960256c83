//! The node's configuration file: what it says, and what that means.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use yiqiao_dicom::association::Rules;
use yiqiao_host::config::ConfigPath;
use yiqiao_host::http::HttpConfig;
use yiqiao_host::keys::ModuleConfig;
use yiqiao_host::link::Multiaddr;
use yiqiao_host::telemetry::LogConfig;
use yiqiao_intake::dates::Zone;
use yiqiao_intake::patient::assigner_of;
use yiqiao_intake::table::{Field, Kind, Mapping};
use yiqiao_node_core::coding::Coding;
use yiqiao_node_core::glass::Spans;
use yiqiao_node_core::machine;
use yiqiao_proto::codes::{DocumentType, FacilityKind, PracticeSetting};
use yiqiao_proto::id::Code;
use yiqiao_proto::time::Millis;
use yiqiao_terms::codes::{CodeTable, CodeTables};
use yiqiao_terms::kind::Kind as CodeKind;
use yiqiao_terms::limits::CSV_BYTES_MAX;
use yiqiao_terms::mark::Recognised;

use crate::limits::{DOORS_MAX, RECOGNISED_BYTES_MAX, STUDY_QUIET, TABLES_MAX};
use crate::names::{named, names_of};
use crate::outgoing::config::{Destination, OutConfig, destinations};
use crate::tls::{Acceptor, DoorTls};
use crate::views::config::{Declared, ViewConfig, declared};

/// What `node.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The region's code.
    pub(crate) region: String,
    /// The hospital's code in the region.
    pub(crate) code: String,
    /// The hospital's name, for people.
    pub(crate) name: String,
    /// The region's file, as the registry's operator handed it over.
    pub(crate) region_file: ConfigPath,
    /// The folder of the node's keys.
    pub(crate) keys: ConfigPath,
    /// Where further keys are that sign and open.
    #[serde(default)]
    pub(crate) module: Option<ModuleConfig>,
    /// The folder of journal, index, documents and accounts.
    pub(crate) data: ConfigPath,
    /// Where other members reach the node: multiaddresses to listen on. May be empty.
    #[serde(default)]
    pub(crate) listen: Vec<String>,
    /// The zone of the hospital's clocks.
    #[serde(default = "china")]
    pub(crate) zone: String,
    /// Where HTTP is served, and by which names it is reached.
    pub(crate) http: HttpConfig,
    /// Where systems of the hospital deliver without HTTP.
    #[serde(default, rename = "door")]
    pub(crate) doors: Vec<DoorConfig>,
    /// Tables that systems send, and what their columns say.
    #[serde(default, rename = "table")]
    pub(crate) tables: Vec<TableConfig>,
    /// Views of databases that are read as tables.
    #[serde(default, rename = "view")]
    pub(crate) views: Vec<ViewConfig>,
    /// How the hospital's codes become those of the index.
    pub(crate) coding: CodingConfig,
    /// The register whose patient numbers people of the hospital type, as its HIS writes it in CX-4: what is filed by hand is filed under
    /// it. If it is left out, the only register that messages have named.
    #[serde(default)]
    pub(crate) main_register: Option<String>,
    /// Assigners of patient numbers, by the names that systems write, to one name each: systems that write different names for one
    /// register.
    #[serde(default)]
    pub(crate) assigners: BTreeMap<String, String>,
    /// Names of other members' departments, by member and by the department's code there.
    #[serde(default)]
    pub(crate) member_departments: BTreeMap<String, BTreeMap<String, String>>,
    /// Table of the items that regions recognise of each other's hospitals (互认项目).
    #[serde(default)]
    pub(crate) recognised_items: Option<ConfigPath>,
    /// Table of LOINC codes that the hospital has a licence for.
    #[serde(default)]
    pub(crate) loinc_table: Option<ConfigPath>,
    /// Table of the national clinical version of ICD-10.
    #[serde(default)]
    pub(crate) diagnosis_table: Option<ConfigPath>,
    /// Table of ICD-10 in the edition of the health insurance.
    #[serde(default)]
    pub(crate) insurance_diagnosis_table: Option<ConfigPath>,
    /// Table of the national clinical version of ICD-9-CM-3.
    #[serde(default)]
    pub(crate) procedure_table: Option<ConfigPath>,
    /// Table of ATC codes or national drug codes, or of both.
    #[serde(default)]
    pub(crate) medicine_table: Option<ConfigPath>,
    /// Table of clinical specialties.
    #[serde(default)]
    pub(crate) department_table: Option<ConfigPath>,
    /// Table of institutions by their codes.
    #[serde(default)]
    pub(crate) organisation_table: Option<ConfigPath>,
    /// Table of the hospital's staff by its own numbers.
    #[serde(default)]
    pub(crate) staff_table: Option<ConfigPath>,
    /// Systems that are told what concerns the hospital.
    #[serde(default, rename = "out")]
    pub(crate) outs: Vec<OutConfig>,
    /// Where what patients are told goes.
    #[serde(default)]
    pub(crate) gateway: Option<GatewayConfig>,
    /// What follows when somebody breaks the glass.
    #[serde(default)]
    pub(crate) emergency: EmergencyConfig,
    /// Logging.
    #[serde(default)]
    pub(crate) log: LogConfig,
}

/// The `[emergency]` table.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EmergencyConfig {
    /// For how many hours the glass stays broken.
    pub(crate) hours: u64,
    /// Within how many days somebody else is to judge it.
    pub(crate) judged_within_days: u64,
}

impl Default for EmergencyConfig {
    fn default() -> Self {
        Self { hours: 4, judged_within_days: 3 }
    }
}

impl EmergencyConfig {
    fn spans(self) -> anyhow::Result<Spans> {
        ensure!((1..=24).contains(&self.hours), "emergency.hours: 1 to 24");
        ensure!((1..=30).contains(&self.judged_within_days), "emergency.judged_within_days: 1 to 30");
        Ok(Spans {
            lasts: Millis::from_secs(self.hours * 3_600),
            judged_within: Millis::from_secs(self.judged_within_days * 24 * 3_600),
        })
    }
}

/// The `[gateway]` table.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewayConfig {
    /// Where each message is posted, by plain http.
    pub(crate) url: String,
    /// What is sent with it as a bearer token.
    #[serde(default)]
    pub(crate) token: Option<String>,
}

/// Without the token.
impl fmt::Debug for GatewayConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A `[[door]]` section.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum DoorConfig {
    /// HL7 v2 over MLLP.
    Mllp {
        /// The system that sends here.
        system: String,
        /// Where to listen.
        listen: SocketAddr,
        /// Who may connect; anybody if it is left out: MLLP has no login.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        senders: Vec<IpAddr>,
        /// By TLS; in the open if it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<DoorTls>,
    },
    /// Files that a system puts into a folder.
    Folder {
        /// The system that puts them there.
        system: String,
        /// The folder.
        folder: ConfigPath,
        /// The table that its files are; without it they are of any other format.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        table: Option<String>,
    },
    /// DICOM: C-STORE and C-ECHO.
    Dicom {
        /// The system that sends here, for the PACS and its devices together: a study is one of a system.
        system: String,
        /// Where to listen.
        listen: SocketAddr,
        /// The application entity title of this node, at most 16 characters.
        #[serde(default = "ae_title")]
        title: String,
        /// Titles of devices that may call; every one if it is left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        callers: Vec<String>,
        /// Who may connect; anybody if it is left out.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        senders: Vec<IpAddr>,
        /// By TLS; in the open if it is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tls: Option<DoorTls>,
        /// A study is whole once no instance of it has come for so many seconds.
        #[serde(default = "study_quiet")]
        study_quiet: u64,
    },
}

/// The `[coding]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CodingConfig {
    /// What the institution is, such as `general-hospital`.
    pub(crate) facility: String,
    /// Departments, by the names and codes that systems write, to practice settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) departments: BTreeMap<String, String>,
    /// Codes of departments in the region, by the names and codes that systems write.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) department_codes: BTreeMap<String, String>,
    /// Further practice settings whose documents are restricted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) restricted_settings: BTreeSet<String>,
    /// Further document types that are restricted, such as `HSDB03.02`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) restricted_types: BTreeSet<String>,
    /// Codes of examinations that make a document restricted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) restricted_codes: BTreeSet<String>,
}

/// The same file as `join` writes it.
#[derive(Debug, Serialize)]
pub(crate) struct ConfigFile<'a> {
    pub(crate) region: &'a str,
    pub(crate) code: &'a str,
    pub(crate) name: &'a str,
    pub(crate) region_file: &'a str,
    pub(crate) keys: &'a str,
    pub(crate) data: &'a str,
    pub(crate) listen: &'a [String],
    pub(crate) http: HttpConfig,
    pub(crate) coding: CodingConfig,
    /// Left out if there are none: who adds one writes `[[door]]` below.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) door: Vec<DoorConfig>,
}

/// Names of departments, by member and code.
pub(crate) type Departments = BTreeMap<Code, BTreeMap<Code, String>>;

/// An MLLP door.
#[derive(Clone, Debug)]
pub(crate) struct MllpDoor {
    pub(crate) system: Code,
    pub(crate) listen: SocketAddr,
    pub(crate) senders: Vec<IpAddr>,
    pub(crate) tls: Option<Acceptor>,
}

/// A `[[table]]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableConfig {
    /// Its name: `/api/tables/NAME` takes it.
    pub(crate) name: String,
    /// What its rows are, such as `fees`.
    pub(crate) kind: String,
    /// What people call it.
    #[serde(default)]
    pub(crate) title: Option<String>,
    /// Columns whose values together name the document of a row.
    pub(crate) key: Vec<String>,
    /// What separates values.
    #[serde(default = "comma")]
    pub(crate) separator: char,
    /// Who gave the numbers in the column `number`.
    #[serde(default)]
    pub(crate) register: String,
    /// Column of the patient's number of the hospital.
    #[serde(default)]
    pub(crate) number: Option<String>,
    /// Column of the resident identity number.
    #[serde(default)]
    pub(crate) resident_id: Option<String>,
    /// Column of the health card.
    #[serde(default)]
    pub(crate) health_card: Option<String>,
    /// Column of the patient's name.
    #[serde(default)]
    pub(crate) patient: Option<String>,
    /// Column of the sex.
    #[serde(default)]
    pub(crate) sex: Option<String>,
    /// Column of the date of birth.
    #[serde(default)]
    pub(crate) birth_date: Option<String>,
    /// Column of the visit's number.
    #[serde(default)]
    pub(crate) visit: Option<String>,
    /// Column of the time.
    #[serde(default)]
    pub(crate) date: Option<String>,
    /// Column of the department.
    #[serde(default)]
    pub(crate) department: Option<String>,
}

/// A folder that is watched.
#[derive(Clone, Debug)]
pub(crate) struct FolderDoor {
    pub(crate) system: Code,
    pub(crate) folder: PathBuf,
    /// The table that its files are.
    pub(crate) table: Option<Mapping>,
}

const fn comma() -> char {
    ','
}

/// A DICOM door.
#[derive(Clone, Debug)]
pub(crate) struct DicomDoor {
    pub(crate) system: Code,
    pub(crate) listen: SocketAddr,
    pub(crate) rules: Rules,
    pub(crate) senders: Vec<IpAddr>,
    pub(crate) tls: Option<Acceptor>,
    /// How long no instance of a study may have come until it is whole.
    pub(crate) quiet: Duration,
}

fn ae_title() -> String {
    "YIQIAO".to_owned()
}

const fn study_quiet() -> u64 {
    STUDY_QUIET.as_secs()
}

fn china() -> String {
    "Asia/Shanghai".to_owned()
}

impl Config {
    /// What the machine has to know.
    pub(crate) fn machine(&self) -> anyhow::Result<machine::Config> {
        Ok(machine::Config {
            organisation: self.organisation()?,
            coding: self.coding.coding()?,
            assigners: self.assigners().collect(),
            main_register: self.main_register.as_deref().map(assigner_of),
            zone: self.zone()?,
            glass: self.emergency.spans()?,
        })
    }

    /// The gateway for messages to patients, if there is one.
    pub(crate) fn gateway(&self) -> anyhow::Result<Option<GatewayConfig>> {
        let sound = self.gateway.as_ref().is_none_or(|gateway| gateway.url.starts_with("http://"));
        ensure!(sound, "gateway.url: http://…, for this process speaks no TLS");
        Ok(self.gateway.clone())
    }

    /// Systems that are told what concerns the hospital.
    pub(crate) fn destinations(&self) -> anyhow::Result<Vec<Destination>> {
        destinations(&self.outs)
    }

    /// As intake has them, however the file writes them.
    fn assigners(&self) -> impl Iterator<Item = (String, String)> {
        self.assigners.iter().map(|(written, name)| (assigner_of(written), assigner_of(name)))
    }

    /// The items that regions recognise; none without a table.
    pub(crate) fn recognised(&self) -> anyhow::Result<Recognised> {
        let Some(path) = &self.recognised_items else { return Ok(Recognised::default()) };
        let path = path.as_path();
        let read = || {
            let size = fs::metadata(path)?.len();
            ensure!(size <= RECOGNISED_BYTES_MAX, "the file is longer than {RECOGNISED_BYTES_MAX} bytes");
            Ok(Recognised::read(&fs::read_to_string(path)?)?)
        };
        read().with_context(|| format!("`recognised_items` in the configuration: {}", path.display()))
    }

    /// The tables of codes that the configuration names (U-8).
    pub(crate) fn codes(&self) -> anyhow::Result<CodeTables> {
        let named = [
            (CodeKind::Item, "loinc_table", &self.loinc_table),
            (CodeKind::Diagnosis, "diagnosis_table", &self.diagnosis_table),
            (CodeKind::InsuranceDiagnosis, "insurance_diagnosis_table", &self.insurance_diagnosis_table),
            (CodeKind::Procedure, "procedure_table", &self.procedure_table),
            (CodeKind::Medicine, "medicine_table", &self.medicine_table),
            (CodeKind::Department, "department_table", &self.department_table),
            (CodeKind::Organisation, "organisation_table", &self.organisation_table),
            (CodeKind::Staff, "staff_table", &self.staff_table),
        ];
        let mut tables = CodeTables::default();
        for (kind, key, path) in named {
            let Some(path) = path.as_ref().map(ConfigPath::as_path) else { continue };
            let table = code_table(kind, path);
            let context = || format!("`{key}` in the configuration: {}", path.display());
            tables.put(kind, table.with_context(context)?);
        }
        Ok(tables)
    }

    /// Names of other members' departments, by codes as referrals name them.
    pub(crate) fn member_departments(&self) -> anyhow::Result<Departments> {
        let code = |written: &String| {
            let code = Code::new(written.to_ascii_lowercase());
            code.with_context(|| format!("`member_departments` has {written} in the configuration"))
        };
        let table = |(member, written): (&String, &BTreeMap<String, String>)| {
            let names = written.iter().map(|(department, name)| Ok((code(department)?, name.clone())));
            Ok((code(member)?, names.collect::<anyhow::Result<_>>()?))
        };
        self.member_departments.iter().map(table).collect()
    }

    pub(crate) fn organisation(&self) -> anyhow::Result<Code> {
        Code::new(self.code.as_str()).context("`code` in the configuration")
    }

    pub(crate) fn zone(&self) -> anyhow::Result<Zone> {
        Zone::parse(&self.zone).context("`zone` in the configuration")
    }

    pub(crate) fn listen(&self) -> anyhow::Result<Vec<Multiaddr>> {
        let listen = self.listen.iter().map(|address| address.parse()).collect::<Result<_, _>>();
        listen.context("`listen` in the configuration has a line that is not a multiaddress")
    }

    pub(crate) fn mllp_doors(&self) -> anyhow::Result<Vec<MllpDoor>> {
        ensure!(self.doors.len() <= DOORS_MAX, "the configuration has more than {DOORS_MAX} doors");
        let door = |door: &DoorConfig| {
            let DoorConfig::Mllp { system, listen, senders, tls } = door else { return None };
            Some((|| {
                let tls = acceptor(system, tls.as_ref())?;
                let (system, listen, senders) = (system_of_door(system)?, *listen, senders.clone());
                Ok(MllpDoor { system, listen, senders, tls })
            })())
        };
        self.doors.iter().filter_map(door).collect()
    }

    pub(crate) fn dicom_doors(&self) -> anyhow::Result<Vec<DicomDoor>> {
        let door = |door: &DoorConfig| {
            let DoorConfig::Dicom { system, listen, title, callers, senders, tls, study_quiet } = door else {
                return None;
            };
            Some((|| {
                for title in [title].into_iter().chain(callers) {
                    ensure!(
                        is_title(title),
                        "`{title}` of a DICOM door in the configuration: 1 to 16 letters, digits and signs"
                    );
                }
                ensure!(
                    (1..=3_600).contains(study_quiet),
                    "`study_quiet` of a DICOM door: 1 to 3600 seconds"
                );
                let callers = callers.iter().cloned().collect();
                Ok(DicomDoor {
                    system: system_of_door(system)?,
                    listen: *listen,
                    rules: Rules { title: title.clone(), callers },
                    senders: senders.clone(),
                    tls: acceptor(system, tls.as_ref())?,
                    quiet: Duration::from_secs(*study_quiet),
                })
            })())
        };
        self.doors.iter().filter_map(door).collect()
    }

    pub(crate) fn folder_doors(&self) -> anyhow::Result<Vec<FolderDoor>> {
        let tables = self.tables()?;
        let door = |door: &DoorConfig| match door {
            DoorConfig::Folder { system, folder, table } => {
                Some(folder_door(system, folder.as_path(), table.as_deref(), &tables))
            }
            DoorConfig::Mllp { .. } | DoorConfig::Dicom { .. } => None,
        };
        let doors: Vec<FolderDoor> = self.doors.iter().filter_map(door).collect::<anyhow::Result<_>>()?;
        let folders: BTreeSet<&PathBuf> = doors.iter().map(|door| &door.folder).collect();
        ensure!(folders.len() == doors.len(), "two doors of the configuration watch one folder");
        Ok(doors)
    }

    /// The tables that are taken.
    pub(crate) fn tables(&self) -> anyhow::Result<Vec<Mapping>> {
        ensure!(self.tables.len() <= TABLES_MAX, "the configuration has more than {TABLES_MAX} tables");
        let names: BTreeSet<&String> = self.tables.iter().map(|table| &table.name).collect();
        ensure!(names.len() == self.tables.len(), "two tables of the configuration have one name");
        self.tables.iter().map(TableConfig::mapping).collect()
    }

    /// The views that are read.
    pub(crate) fn views(&self) -> anyhow::Result<Vec<Declared>> {
        declared(&self.views, &self.tables()?)
    }

    /// The systems that deliver through doors without a login.
    pub(crate) fn door_systems(&self) -> anyhow::Result<Vec<Code>> {
        let system = |door: &DoorConfig| match door {
            DoorConfig::Mllp { system, .. }
            | DoorConfig::Folder { system, .. }
            | DoorConfig::Dicom { system, .. } => system_of_door(system),
        };
        let views = self.views.iter().map(ViewConfig::system);
        self.doors.iter().map(system).chain(views).collect()
    }
}

/// A folder, with the table that its files are.
fn folder_door(
    system: &str,
    folder: &Path,
    table: Option<&str>,
    tables: &[Mapping],
) -> anyhow::Result<FolderDoor> {
    let named = |name: &str| {
        let known = tables.iter().find(|table| table.name == name).cloned();
        known.with_context(|| {
            format!("a door of the configuration is for the table {name}, and there is none")
        })
    };
    let table = table.map(named).transpose()?;
    Ok(FolderDoor { system: system_of_door(system)?, folder: folder.to_owned(), table })
}

impl TableConfig {
    fn mapping(&self) -> anyhow::Result<Mapping> {
        let name = &self.name;
        Code::new(name.as_str()).with_context(|| format!("`table.name` in the configuration is {name}"))?;
        let (kind, title) = kind(&self.kind)?;
        ensure!(!self.key.is_empty(), "the table {name} in the configuration has no `key`");
        let separator = u8::try_from(self.separator).ok().filter(u8::is_ascii);
        let separator =
            separator.with_context(|| format!("the separator of the table {name} is not ASCII"))?;
        let columns = self.columns();
        let names_patient = [Field::Number, Field::ResidentId, Field::HealthCard]
            .iter()
            .any(|field| columns.contains_key(field));
        ensure!(
            names_patient == kind.is_about_patients(),
            "the table {name} in the configuration is of the kind {}: {}",
            self.kind,
            if names_patient { "it is not about patients" } else { "name the column of a patient's number" }
        );
        Ok(Mapping {
            name: name.clone(),
            kind,
            title: self.title.clone().unwrap_or_else(|| title.to_owned()),
            key: self.key.clone(),
            separator,
            register: assigner_of(&self.register),
            columns,
        })
    }

    fn columns(&self) -> BTreeMap<Field, String> {
        let all = [
            (Field::Number, &self.number),
            (Field::ResidentId, &self.resident_id),
            (Field::HealthCard, &self.health_card),
            (Field::Name, &self.patient),
            (Field::Sex, &self.sex),
            (Field::BirthDate, &self.birth_date),
            (Field::Visit, &self.visit),
            (Field::Date, &self.date),
            (Field::Department, &self.department),
        ];
        all.into_iter().filter_map(|(field, column)| Some((field, column.clone()?))).collect()
    }
}

/// A kind of table by its name, and what people call it.
fn kind(written: &str) -> anyhow::Result<(Kind, &'static str)> {
    Ok(match written {
        "fees" => (Kind::Fees, "费用明细"),
        "settlement" => (Kind::Settlement, "医保结算"),
        "dispensing" => (Kind::Dispensing, "发药记录"),
        "stock" => (Kind::Stock, "药品库存"),
        "catalogue" => (Kind::Catalogue, "供应目录"),
        "export" => (Kind::Export, "历史记录"),
        _ => bail!(
            "`table.kind` in the configuration is {written}, none of: fees, settlement, dispensing, stock, catalogue, export"
        ),
    })
}

fn system_of_door(system: &str) -> anyhow::Result<Code> {
    Code::new(system).context("`system` of a door in the configuration")
}

/// PS3.5 table 6.2-1, AE.
fn is_title(title: &str) -> bool {
    let sound = title.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'\\');
    sound && (1..=16).contains(&title.len()) && title.trim() == title
}

impl CodingConfig {
    fn coding(&self) -> anyhow::Result<Coding> {
        let facility = named(FacilityKind::ALL, &self.facility).with_context(|| {
            format!("`coding.facility` in the configuration is none of: {}", names_of(FacilityKind::ALL))
        })?;
        let mut coding = Coding::new(facility);
        for (name, written) in &self.departments {
            coding.departments.insert(name.clone(), setting(written)?);
        }
        for (name, written) in &self.department_codes {
            let code = Code::new(written.as_str());
            let code = code
                .with_context(|| format!("`coding.department_codes` has {written} in the configuration"))?;
            coding.department_codes.insert(name.clone(), code);
        }
        for written in &self.restricted_settings {
            coding.restricted_settings.insert(setting(written)?);
        }
        for written in &self.restricted_types {
            let known = DocumentType::from_code(written);
            let known =
                known.with_context(|| format!("`{written}` in the configuration is no document type"))?;
            coding.restricted_types.insert(known);
        }
        coding.restricted_codes.extend(self.restricted_codes.iter().cloned());
        Ok(coding)
    }
}

fn setting(written: &str) -> anyhow::Result<PracticeSetting> {
    named(PracticeSetting::ALL, written).with_context(|| {
        format!("`{written}` in the configuration is no practice setting: {}", names_of(PracticeSetting::ALL))
    })
}

/// What takes connections of a door by TLS, if it has it.
fn acceptor(system: &str, tls: Option<&DoorTls>) -> anyhow::Result<Option<Acceptor>> {
    let acceptor = tls.map(DoorTls::acceptor).transpose();
    acceptor.with_context(|| format!("`tls` of the door of {system} in the configuration"))
}

/// Reads a table of the standard of a kind.
fn code_table(kind: CodeKind, path: &Path) -> anyhow::Result<CodeTable> {
    let size = fs::metadata(path)?.len();
    ensure!(size <= CSV_BYTES_MAX as u64, "the file is longer than {CSV_BYTES_MAX} bytes");
    Ok(CodeTable::read(kind, &fs::read_to_string(path)?)?)
}

#[cfg(test)]
mod tests {
    use yiqiao_terms::mark::split;

    use super::*;

    #[test]
    fn the_example_of_the_documentation_is_taken() {
        let text = include_str!("../../../docs/configuration.md");
        let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let config: Config = toml::from_str(example).unwrap();
        config.machine().unwrap();
        config.zone().unwrap();
        assert_eq!((config.listen().unwrap().len(), config.mllp_doors().unwrap().len()), (1, 2));
        assert_eq!((config.folder_doors().unwrap().len(), config.tables().unwrap().len()), (2, 1));
        let [door] = <[_; 1]>::try_from(config.dicom_doors().unwrap()).unwrap();
        assert_eq!((door.rules.title.as_str(), door.quiet), ("YIQIAO", Duration::from_secs(60)));
        let code = |text| Code::new(text).unwrap();
        let departments = config.member_departments().unwrap();
        assert_eq!(departments[&code("qzdx")][&code("d1201")], "心血管内科");
    }

    #[test]
    fn departments_of_other_members_are_known_by_codes_as_referrals_name_them() {
        let example = include_str!("../../../docs/configuration.md").split("```toml\n").nth(1).unwrap();
        let mut config: Config = toml::from_str(example.split("```").next().unwrap()).unwrap();
        let table = |code: &str| BTreeMap::from([(code.to_owned(), "心内科".to_owned())]);
        config.member_departments = BTreeMap::from([("qzdx".to_owned(), table("D1201"))]);
        let known = config.member_departments().unwrap();
        assert_eq!(known.values().flat_map(|names| names.keys()).next().unwrap().as_str(), "d1201");
        config.member_departments = BTreeMap::from([("qzdx".to_owned(), table("心内科"))]);
        assert!(config.member_departments().unwrap_err().to_string().contains("心内科"));
    }

    #[test]
    fn u6_the_table_of_recognised_items_is_read_at_the_start_or_stops_it() {
        let example = include_str!("../../../docs/configuration.md").split("```toml\n").nth(1).unwrap();
        let example = example.split("```").next().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.csv");
        let config: Config = toml::from_str(&format!("recognised_items = {path:?}\n{example}")).unwrap();
        let mark = split("*葡萄糖").1.unwrap();
        let listed = |tables: &Recognised| tables.listed(&mark, None, "葡萄糖", 20_260_601).is_some();
        assert!(config.recognised().unwrap_err().to_string().contains("recognised_items"), "no file");
        fs::write(&path, "region,version,from,until,item\n苏,2026,20260101,20261231,葡萄糖").unwrap();
        assert!(listed(&config.recognised().unwrap()));
        fs::write(&path, "region,item\n苏,葡萄糖").unwrap();
        assert!(config.recognised().is_err());
        let without: Config = toml::from_str(example).unwrap();
        assert!(!listed(&without.recognised().unwrap()));
    }

    #[test]
    fn u8_a_table_of_codes_is_read_at_the_start_or_stops_it() {
        let example = include_str!("../../../docs/configuration.md").split("```toml\n").nth(1).unwrap();
        let example = example.split("```").next().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loinc.csv");
        for (key, kind, right, wrong) in [
            ("loinc_table", CodeKind::Item, "14749-6", "14749-5"),
            ("diagnosis_table", CodeKind::Diagnosis, "I10.x00x002", "高血压"),
            ("insurance_diagnosis_table", CodeKind::InsuranceDiagnosis, "I10.x00x002", "高血压"),
            ("procedure_table", CodeKind::Procedure, "47.0100", "4701"),
            ("medicine_table", CodeKind::Medicine, "A10BA02", "二甲双胍"),
            ("department_table", CodeKind::Department, "03.04", "内科"),
            ("organisation_table", CodeKind::Organisation, "12990100MB0000001P", "甲医院"),
            ("staff_table", CodeKind::Staff, "0456", "王建平"),
        ] {
            let config: Config = toml::from_str(&format!("{key} = {path:?}\n{example}")).unwrap();
            fs::remove_file(&path).ok();
            assert!(config.codes().unwrap_err().to_string().contains(key), "no file");
            fs::write(&path, format!("code,name\n{right},甲")).unwrap();
            assert_eq!(config.codes().unwrap().of(kind).name(right), Some("甲"));
            fs::write(&path, format!("code,name\n{wrong},甲")).unwrap();
            assert!(config.codes().is_err(), "{key}");
        }
        let without: Config = toml::from_str(example).unwrap();
        assert!(without.codes().unwrap().of(CodeKind::Item).is_empty());
    }

    #[test]
    fn codes_of_the_configuration_are_checked_by_name() {
        let mut coding = CodingConfig {
            facility: "maternal-child".to_owned(),
            departments: BTreeMap::from([("产科".to_owned(), "obstetrics-gynaecology".to_owned())]),
            department_codes: BTreeMap::from([("产科".to_owned(), "d12".to_owned())]),
            restricted_settings: BTreeSet::new(),
            restricted_types: BTreeSet::new(),
            restricted_codes: BTreeSet::new(),
        };
        let settled = coding.coding().unwrap();
        assert_eq!(settled.departments.get("产科"), Some(&PracticeSetting::ObstetricsGynaecology));
        assert_eq!(settled.department_codes.get("产科"), Some(&Code::new("d12").unwrap()));
        coding.department_codes.insert("儿科".to_owned(), "D 13".to_owned());
        assert!(coding.coding().unwrap_err().to_string().contains("D 13"));
        coding.department_codes.clear();
        coding.facility = "castle".to_owned();
        assert!(coding.coding().unwrap_err().to_string().contains("general-hospital, "));
    }
}

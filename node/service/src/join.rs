//! `join`: the folder of a new node: keys, configuration, and the request to be admitted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, ensure};
use clap::Args;
use yiqiao_host::http::{HostName, HttpConfig};
use yiqiao_host::joining::{Applicant, JoinRequest, RegionFile};
use yiqiao_host::keys::{KeyKind, Seed, Series, opens};
use yiqiao_host::link::peer_id_of;
use yiqiao_proto::codes::{FacilityKind, MemberRole};
use yiqiao_proto::id::Code;
use yiqiao_proto::suite::{SecretKey, Suite};
use zeroize::Zeroizing;

use crate::cli::say;
use crate::config::{CodingConfig, ConfigFile, DoorConfig};
use crate::names::{named, names_of};
use crate::renewal::{SEALING, TRANSPORT, WORDS};

pub(crate) const AT_REST: KeyKind = KeyKind::new("at-rest");

/// Arguments of `join`.
#[derive(Args)]
pub(crate) struct Join {
    /// The folder to make; it must not exist yet.
    #[arg(long, default_value = "node")]
    folder: PathBuf,
    /// The region's file, as its operator hands it over.
    #[arg(long)]
    region_file: PathBuf,
    /// The hospital's code in the region: a-z, 0-9 and hyphens.
    #[arg(long)]
    code: String,
    /// The hospital's name, for people.
    #[arg(long)]
    name: String,
    /// How patients reach the hospital.
    #[arg(long)]
    contact: String,
    /// What the institution is, such as `general-hospital` or `maternal-child`.
    #[arg(long, default_value = "general-hospital")]
    facility: String,
    /// The node serves the pages of patients, too.
    #[arg(long)]
    portal: bool,
    /// Where other members reach the node.
    #[arg(long, default_value = "/ip4/127.0.0.1/tcp/8401")]
    listen: Vec<String>,
    /// Where HTTP is served.
    #[arg(long, default_value = "127.0.0.1:8101")]
    http: SocketAddr,
    /// A door for HL7 v2 over MLLP, as `system=address`; may be given several times.
    #[arg(long)]
    mllp: Vec<Mllp>,
}

/// `his=127.0.0.1:8201`.
#[derive(Clone, Debug)]
struct Mllp {
    system: Code,
    listen: SocketAddr,
}

impl FromStr for Mllp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "expected system=address, for example his=127.0.0.1:8201".to_owned();
        let (system, listen) = text.split_once('=').ok_or_else(form)?;
        let system = Code::new(system).map_err(|error| error.to_string())?;
        Ok(Self { system, listen: listen.parse().map_err(|_| form())? })
    }
}

/// Makes the folder of a node.
pub(crate) fn join(join: &Join) -> anyhow::Result<()> {
    let folder = &join.folder;
    ensure!(!folder.exists(), "{} exists already; name a new folder with --folder", folder.display());
    let region = RegionFile::read(&join.region_file)?;
    let directory = region.directory()?;
    let code = Code::new(join.code.as_str()).context("--code")?;
    ensure!(directory.member(&code).is_none(), "{code} is a member already; name another --code");
    named(FacilityKind::ALL, &join.facility)
        .with_context(|| format!("--facility is none of: {}", names_of(FacilityKind::ALL)))?;

    // Made under another name, so that the folder is there whole or not at all.
    let making = folder.with_extension("making");
    if making.exists() {
        std::fs::remove_dir_all(&making).with_context(|| format!("cannot remove {}", making.display()))?;
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(making.join("keys"));
    made.with_context(|| format!("cannot make {}", making.display()))?;
    let request = request(join, &making, directory.region(), &code)?;
    write(&making.join("join-request.toml"), &toml::to_string(&request)?)?;
    write(&making.join("region.json"), &region.to_text())?;
    write(&making.join("node.toml"), &config(join, directory.region(), &code)?)?;
    std::fs::rename(&making, folder).with_context(|| format!("cannot make {}", folder.display()))?;
    say(&format!(
        "the node of {code} is in {}\nbring {} to the registry's operator, who runs: yiqiao-registry admit join-request.toml\n\
         back up {} and keep it secret: without it no document can be opened\nstart: yiqiao-node serve --config {}",
        folder.display(),
        folder.join("join-request.toml").display(),
        folder.join("keys").display(),
        folder.join("node.toml").display(),
    ))
}

/// Makes the keys, and the request with their public halves.
fn request(join: &Join, folder: &Path, region: &Code, code: &Code) -> anyhow::Result<JoinRequest> {
    let folder = folder.join("keys");
    let key = |kind| Series::new(&folder, kind).next().map(|(_, seed)| seed);
    let (transport, words, sealing) = (key(TRANSPORT)?, key(WORDS)?, key(SEALING)?);
    key(AT_REST)?;
    let mut roles = vec![MemberRole::Custodian];
    if join.portal {
        roles.push(MemberRole::Portal);
    }
    let request = JoinRequest::of(&Applicant {
        region,
        code,
        name: &join.name,
        contact: &join.contact,
        roles: &roles,
        addresses: &join.listen,
        peer_id: peer_id_of(&Zeroizing::new(*transport.expose()))?,
        words: &secret(&words),
        registry_keys: None,
        sealing: Some(opens(&sealing).public()),
    });
    // What the registry would not admit is found here.
    request.member(region)?;
    Ok(request)
}

fn config(join: &Join, region: &Code, code: &Code) -> anyhow::Result<String> {
    let door = |mllp: &Mllp| DoorConfig::Mllp {
        system: mllp.system.to_string(),
        listen: mllp.listen,
        senders: Vec::new(),
        tls: None,
    };
    Ok(toml::to_string(&ConfigFile {
        region: region.as_str(),
        code: code.as_str(),
        name: &join.name,
        region_file: "region.json",
        keys: "keys",
        data: "data",
        listen: &join.listen,
        http: HttpConfig {
            listen: join.http,
            hosts: vec![HostName::try_from(format!("localhost:{}", join.http.port()))?],
            https: false,
            proxies: Vec::new(),
        },
        coding: CodingConfig {
            facility: join.facility.clone(),
            departments: BTreeMap::new(),
            department_codes: BTreeMap::new(),
            restricted_settings: BTreeSet::new(),
            restricted_types: BTreeSet::new(),
            restricted_codes: BTreeSet::new(),
        },
        door: join.mllp.iter().map(door).collect(),
    })?)
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The signing key of a seed.
fn secret(seed: &Seed) -> SecretKey {
    SecretKey::new(Suite::International, seed.expose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn doors_are_written_below_the_file_that_join_made_with_or_without_some() {
        let join = |mllp: &[&str]| Join {
            folder: PathBuf::new(),
            region_file: PathBuf::new(),
            code: "qzrm".to_owned(),
            name: "桥州市人民医院".to_owned(),
            contact: "0571-0000".to_owned(),
            facility: "general-hospital".to_owned(),
            portal: false,
            listen: Vec::new(),
            http: ([127, 0, 0, 1], 8101).into(),
            mllp: mllp.iter().map(|door| door.parse().unwrap()).collect(),
        };
        let written = |mllp: &[&str]| {
            let code = |text| Code::new(text).unwrap();
            let made = config(&join(mllp), &code("qiaozhou"), &code("qzrm")).unwrap();
            let added = "[[door]]\nkind = \"mllp\"\nsystem = \"lis\"\nlisten = \"127.0.0.1:8211\"\n";
            toml::from_str::<Config>(&format!("{made}\n{added}")).unwrap().doors.len()
        };
        assert_eq!((written(&[]), written(&["his=127.0.0.1:8201"])), (1, 2));
    }
}

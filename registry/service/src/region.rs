//! The authority's side: making a region, admitting members, signing member lists.
//!
//! The folder `authority/` holds the one key that a region cannot lose; keep it offline. `lists/` is public.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Args;
use yiqiao_host::clock::Clock;
use yiqiao_host::http::{HostName, HttpConfig};
use yiqiao_host::joining::{Applicant, JoinRequest, RegionFile, SealingRequest};
use yiqiao_host::keys::{self, KeyKind, Seed};
use yiqiao_host::link::peer_id_of;
use yiqiao_proto::codes::{DefaultRule, MemberRole};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::Code;
use yiqiao_proto::member::{Member, MemberList, Policy};
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};
use yiqiao_proto::time::Millis;
use zeroize::Zeroizing;

use crate::config::ConfigFile;
use crate::tokens::TokenKeys;

const AUTHORITY: KeyKind = KeyKind::new("authority");
pub(crate) const TRANSPORT: KeyKind = KeyKind::new("transport");
pub(crate) const WORDS: KeyKind = KeyKind::new("words");
pub(crate) const CHECKPOINT: KeyKind = KeyKind::new("checkpoint");
pub(crate) const LEASE: KeyKind = KeyKind::new("lease");
/// Where `suspend` and `admit` find the authority's key, relative to the region's folder.
const AUTHORITY_KEY: &str = "authority/authority.key";

/// Arguments of `init`.
#[derive(Args)]
pub(crate) struct Init {
    /// The region's code: a-z, 0-9 and hyphens.
    #[arg(long)]
    region: String,
    /// The folder to make; it must not exist yet.
    #[arg(long, default_value = "region")]
    folder: PathBuf,
    /// The registry's name, for people.
    #[arg(long, default_value = "区域平台")]
    name: String,
    /// How people reach the registry's operator.
    #[arg(long, default_value = "-")]
    contact: String,
    /// Where members reach the registry.
    #[arg(long, default_value = "/ip4/127.0.0.1/tcp/8400")]
    listen: Vec<String>,
    /// Where HTTP is served.
    #[arg(long, default_value = "127.0.0.1:8100")]
    http: SocketAddr,
    /// How long a lease lasts, in seconds.
    #[arg(long, default_value_t = 30)]
    lease_seconds: u64,
}

/// Arguments of `admit`.
#[derive(Args)]
pub(crate) struct Admit {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// Join requests, as `yiqiao-node join` writes them.
    #[arg(required = true)]
    requests: Vec<PathBuf>,
}

/// Arguments of `sealing-key`.
#[derive(Args)]
pub(crate) struct Reseal {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// Requests, as `yiqiao-node sealing-key` writes them.
    #[arg(required = true)]
    requests: Vec<PathBuf>,
}

/// Arguments of `suspend`.
#[derive(Args)]
pub(crate) struct Suspend {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// The member's code.
    member: String,
    /// Ends the suspension.
    #[arg(long)]
    restore: bool,
}

/// Makes a region.
pub(crate) fn init(init: &Init) -> anyhow::Result<()> {
    let region = Code::new(init.region.as_str()).context("--region")?;
    let folder = &init.folder;
    ensure!(!folder.exists(), "{} exists already; name a new folder with --folder", folder.display());
    for part in ["authority", "registry/keys", "registry/lists"] {
        let path = folder.join(part);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
    }
    let authority = new_key(&folder.join(AUTHORITY_KEY), AUTHORITY)?;
    let keys_folder = folder.join("registry/keys");
    let key = |name: &str, kind| new_key(&keys_folder.join(format!("{name}.key")), kind);
    let (words, checkpoint, lease) =
        (key("words", WORDS)?, key("checkpoint", CHECKPOINT)?, key("lease", LEASE)?);
    let transport = keys::create(&keys_folder.join("transport.key"), TRANSPORT)?;
    let tokens = TokenKeys::new(&keys_folder).next(1)?;
    let code = Code::new("registry").expect("a code");
    let request = JoinRequest::of(&Applicant {
        region: &region,
        code: &code,
        name: &init.name,
        contact: &init.contact,
        roles: &[MemberRole::Registry],
        addresses: &init.listen,
        peer_id: peer_id_of(&Zeroizing::new(*transport.expose()))?,
        words: &words,
        registry_keys: Some((&checkpoint, &lease)),
        sealing: None,
    });
    let list = MemberList {
        region: region.clone(),
        version: 1,
        previous: None,
        issued_at: Clock::system().now(),
        authority: authority.public(),
        policy: default_policy(init.lease_seconds),
        members: vec![request.member(&region)?],
        token_keys: vec![tokens.public()],
        log_id: Code::new("log-1").expect("a code"),
    };
    let lists = folder.join("registry/lists");
    let file = sign_list(&lists, &list, &authority)?;
    write_config(init, folder, &region, &code, &authority)?;
    let first = Envelope::decode(&std::fs::read(&file)?)?;
    let region_file = folder.join("region.json");
    std::fs::write(&region_file, RegionFile::of(&region, &authority.public(), &first).to_text())
        .with_context(|| format!("cannot write {}", region_file.display()))?;
    say(&format!(
        "region {region} is in {}\nkeep {} offline and backed up\nstart: yiqiao-registry serve --config {}\n\
         give {} to each organisation that joins",
        folder.display(),
        folder.join("authority").display(),
        folder.join("registry/registry.toml").display(),
        region_file.display(),
    ))
}

fn write_config(
    init: &Init,
    folder: &Path,
    region: &Code,
    code: &Code,
    authority: &SecretKey,
) -> anyhow::Result<()> {
    let key = authority.public().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let config = ConfigFile {
        region: region.as_str(),
        authority: &key,
        code: code.as_str(),
        lists: "lists",
        keys: "keys",
        data: "data",
        listen: &init.listen,
        http: HttpConfig {
            listen: init.http,
            hosts: vec![HostName::try_from(format!("localhost:{}", init.http.port()))?],
            https: false,
            proxies: Vec::new(),
        },
    };
    let path = folder.join("registry/registry.toml");
    std::fs::write(&path, toml::to_string(&config)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A careful start: nothing flows without a directive; a person changes it with the next list.
fn default_policy(lease_seconds: u64) -> Policy {
    Policy {
        suites: BTreeSet::from([Suite::International]),
        lease: Millis::from_secs(lease_seconds),
        default_rule: DefaultRule::Deny,
        break_glass: false,
        proofs: 0b111,
        open_without_lease: false,
        evaluations_per_day: 20_000,
        evaluations_backfill: 5_000_000,
        rp_id: None,
        origins: Vec::new(),
        vouchers: Vec::new(),
    }
}

/// Admits members.
pub(crate) fn admit(admit: &Admit) -> anyhow::Result<()> {
    let requests: Vec<JoinRequest> =
        admit.requests.iter().map(|file| JoinRequest::read(file)).collect::<Result<_, _>>()?;
    let file = change(&admit.region, |list| {
        for request in &requests {
            let member = request.member(&list.region)?;
            match list.members.binary_search_by(|other| other.code.cmp(&member.code)) {
                Ok(_) => bail!("{} is a member already", member.code),
                Err(at) => list.members.insert(at, member),
            }
        }
        Ok(())
    })?;
    say_signed(&file)
}

/// Lists further sealing keys of members, to which others seal from then on (M-4).
pub(crate) fn reseal(reseal: &Reseal) -> anyhow::Result<()> {
    let requests: Vec<SealingRequest> =
        reseal.requests.iter().map(|file| SealingRequest::read(file)).collect::<Result<_, _>>()?;
    let file = change(&reseal.region, |list| {
        for request in &requests {
            let (code, key) = request.key(&list.region)?;
            let member = list.members.iter_mut().find(|member| member.code == code);
            let member = member.with_context(|| format!("{code} is no member"))?;
            let known = member.sealing_keys.iter().any(|known| known.public_key == key.public_key);
            ensure!(!known, "the sealing key of {code} is listed already");
            member.sealing_keys.push(key);
        }
        Ok(())
    })?;
    say_signed(&file)
}

/// Begins another epoch of the token key: everybody gets further tokens under it, beside those of the epochs before (T-7).
pub(crate) fn token_epoch(region_folder: &Path) -> anyhow::Result<()> {
    let keys = TokenKeys::new(&region_folder.join("registry/keys"));
    let file = change(region_folder, |list| {
        let epoch = list.token_keys.iter().map(|key| key.epoch).max().unwrap_or(0) + 1;
        list.token_keys.push(keys.next(epoch)?.public());
        Ok(())
    })?;
    say_signed(&file)
}

/// Suspends or restores a member.
pub(crate) fn suspend(suspend: &Suspend) -> anyhow::Result<()> {
    let file = change(&suspend.region, |list| {
        let named = list.members.iter_mut().find(|member| member.code.as_str() == suspend.member);
        named
            .with_context(|| {
                format!("{} is no member; `yiqiao-registry members` lists them", suspend.member)
            })?
            .suspended = !suspend.restore;
        Ok(())
    })?;
    say_signed(&file)
}

/// Begins a new log, after an older copy of the log was restored: members that have seen more of the old one believe its checkpoints
/// no longer (L-9, L-11).
pub(crate) fn new_log(region_folder: &Path) -> anyhow::Result<()> {
    let file = change(region_folder, |list| {
        // Versions of lists never come twice, so neither does this name.
        list.log_id = Code::new(format!("log-{}", list.version)).context("the id of the new log")?;
        Ok(())
    })?;
    say(&format!("signed {}; start the registry now: its log is a new one from here on", file.display()))
}

/// Signs the next list with a change.
fn change(
    region_folder: &Path,
    change: impl FnOnce(&mut MemberList) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let authority = authority(region_folder)?;
    let lists = region_folder.join("registry/lists");
    let newest = newest(&lists, &authority.public())?;
    let mut list = newest.list().clone();
    list.version += 1;
    list.previous = Some(newest.payload_hash());
    list.issued_at = Clock::system().now();
    change(&mut list)?;
    // What the registry and the members would not take is found before it is there.
    newest.next(&Envelope::sign(&list.region, &list, &authority)).context("the next member list")?;
    sign_list(&lists, &list, &authority)
}

fn say_signed(file: &Path) -> anyhow::Result<()> {
    say(&format!("signed {}; a running registry takes it within seconds", file.display()))
}

/// Shows the members.
pub(crate) fn show(region_folder: &Path) -> anyhow::Result<()> {
    let authority = authority(region_folder)?;
    let newest = newest(&region_folder.join("registry/lists"), &authority.public())?;
    let line = |member: &Member| {
        let state = if member.suspended { "suspended" } else { "active" };
        format!("{:<16} {:<10} {}", member.code.as_str(), state, member.name)
    };
    let lines: Vec<String> = newest.list().members.iter().map(line).collect();
    say(&format!("member list version {}\n{}", newest.list().version, lines.join("\n")))
}

fn authority(region_folder: &Path) -> anyhow::Result<SecretKey> {
    let seed = keys::load(&region_folder.join(AUTHORITY_KEY), AUTHORITY);
    Ok(secret(&seed.context("name the folder that `yiqiao-registry init` made with --region")?))
}

pub(crate) fn newest(lists: &Path, authority: &PublicKey) -> anyhow::Result<Directory> {
    let first = read_list(lists, 1)?.context("there is no first member list; run `yiqiao-registry init`")?;
    let region = region_of(&first)?;
    let mut directory = Directory::first(&region, authority, &first)?;
    while let Some(next) = read_list(lists, directory.list().version + 1)? {
        directory = directory.next(&next)?;
    }
    Ok(directory)
}

fn region_of(envelope: &Envelope) -> anyhow::Result<Code> {
    use yiqiao_proto::envelope::Word;
    Ok(MemberList::decode(envelope.payload())?.region)
}

fn list_file(lists: &Path, version: u64) -> PathBuf {
    lists.join(format!("{version:06}.list"))
}

/// The list of a version, if there is one.
pub(crate) fn read_list(lists: &Path, version: u64) -> anyhow::Result<Option<Envelope>> {
    let file = list_file(lists, version);
    match std::fs::read(&file) {
        Ok(bytes) => Ok(Some(Envelope::decode(&bytes).with_context(|| format!("{}", file.display()))?)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Signs a list and puts it in its place, whole or not at all.
fn sign_list(lists: &Path, list: &MemberList, authority: &SecretKey) -> anyhow::Result<PathBuf> {
    let envelope = Envelope::sign(&list.region, list, authority);
    let file = list_file(lists, list.version);
    ensure!(!file.exists(), "{} exists already", file.display());
    let disk = yiqiao_journal::OsDisk::open(lists)?;
    let name = file.file_name().and_then(|name| name.to_str()).context("a file name")?;
    yiqiao_journal::write_atomic(&disk, name, envelope.as_bytes())?;
    Ok(file)
}

fn new_key(path: &Path, kind: KeyKind) -> anyhow::Result<SecretKey> {
    Ok(secret(&keys::create(path, kind)?))
}

pub(crate) fn secret(seed: &Seed) -> SecretKey {
    SecretKey::new(Suite::International, seed.expose())
}

/// Prints lines for the person at the terminal.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

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
use yiqiao_host::config;
use yiqiao_host::http::{HostName, HttpConfig};
use yiqiao_host::joining::{Applicant, JoinRequest, RegionFile};
use yiqiao_host::keys::{KeyKind, Keyring, Made, Seed, Series};
use yiqiao_host::link::{PeerId, peer_id_of};
use yiqiao_host::renewal::{KeyRequest, RenewalError};
use yiqiao_proto::codes::{DefaultRule, KeyUse, MemberRole};
use yiqiao_proto::directory::Directory;
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, KeyId};
use yiqiao_proto::member::{KeyState, Member, MemberList, Policy, SigningKey, Transport};
use yiqiao_proto::note;
use yiqiao_proto::suite::{PublicKey, SecretKey, Suite};
use yiqiao_proto::time::Millis;
use zeroize::Zeroizing;

use crate::config::{Config, ConfigFile};
use crate::tokens;

const AUTHORITY: KeyKind = KeyKind::new("authority");
pub(crate) const TRANSPORT: KeyKind = KeyKind::new("transport");
pub(crate) const WORDS: KeyKind = KeyKind::new("words");
pub(crate) const CHECKPOINT: KeyKind = KeyKind::new("checkpoint");
pub(crate) const LEASE: KeyKind = KeyKind::new("lease");
/// Where the authority's keys are, relative to the region's folder.
const AUTHORITY_FOLDER: &str = "authority";
/// How much of a key's id names it at least.
const KEY_DIGITS_MIN: usize = 8;

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

/// Arguments of `renew-key`.
#[derive(Args)]
pub(crate) struct Renew {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// Takes requests that no valid words key of the member vouches for: it has lost them all, and you know by other means who asks.
    #[arg(long)]
    unvouched: bool,
    /// Requests, as `yiqiao-node renew-key` writes them.
    #[arg(required = true)]
    requests: Vec<PathBuf>,
}

/// Arguments of `retire-key`.
#[derive(Args)]
pub(crate) struct Retire {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// The member's code.
    member: String,
    /// The key: its id as `members --keys` shows it, or the beginning of it; of an identity on the link the whole.
    key: String,
    /// The key is in other hands: what stands in the log from this place on under it is not believed.
    #[arg(long, value_name = "PLACE")]
    compromised_since: Option<u64>,
}

/// Arguments of `registry-key`.
#[derive(Args)]
pub(crate) struct OwnKey {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// Which of the registry's own keys is followed by another.
    key: Own,
}

/// The registry's own keys.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Own {
    /// Its identity on the link.
    Transport,
    /// Signs its answers and access events.
    Words,
    /// Signs checkpoints of the log.
    Checkpoint,
    /// Signs leases.
    Lease,
}

/// Arguments of `members`.
#[derive(Args)]
pub(crate) struct Show {
    /// The region's folder.
    #[arg(long, default_value = "region")]
    region: PathBuf,
    /// Shows the keys of each member, too, and what has become of them.
    #[arg(long)]
    keys: bool,
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
    let keys_folder = folder.join("registry/keys");
    let new = |folder: &Path, kind| Series::new(folder, kind).next().map(|(_, seed)| seed);
    let authority = secret(&new(&folder.join(AUTHORITY_FOLDER), AUTHORITY)?);
    let key = |kind| new(&keys_folder, kind).map(|seed| secret(&seed));
    let (words, checkpoint, lease) = (key(WORDS)?, key(CHECKPOINT)?, key(LEASE)?);
    let transport = new(&keys_folder, TRANSPORT)?;
    let tokens = tokens::next(&keys_folder, 1)?;
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

/// Lists further keys of members beside those that they have (M-13).
pub(crate) fn renew(renew: &Renew) -> anyhow::Result<()> {
    let requests: Vec<KeyRequest> =
        renew.requests.iter().map(|file| KeyRequest::read(file)).collect::<Result<_, _>>()?;
    let file = change(&renew.region, |list| {
        for request in &requests {
            let code = request.code(&list.region)?;
            let region = list.region.clone();
            match request.list(&region, member_of(list, code.as_str())?, renew.unvouched) {
                Err(error @ RenewalError::Unvouched { .. }) => bail!(
                    "{error}; if it has lost them all and you know by other means who asks, list its words key with --unvouched"
                ),
                listed => listed?,
            }
        }
        Ok(())
    })?;
    say_signed(&file)
}

/// Lets a key sign or be sealed to no longer, or takes an identity on the link off the list (M-5, M-6).
pub(crate) fn retire(retire: &Retire) -> anyhow::Result<()> {
    let state = retire.compromised_since.map_or(KeyState::Retired, KeyState::CompromisedSince);
    let file = change(&retire.region, |list| {
        let member = member_of(list, &retire.member)?;
        let code = &retire.member;
        let named =
            |id: &KeyId| retire.key.len() >= KEY_DIGITS_MIN && id.to_string().starts_with(&retire.key);
        let signing = member.signing_keys.iter_mut().filter(|key| named(&key.id())).map(|key| &mut key.state);
        let sealing = member.sealing_keys.iter_mut().filter(|key| named(&key.id())).map(|key| &mut key.state);
        match &mut signing.chain(sealing).collect::<Vec<_>>()[..] {
            [] => {
                let before = member.transports.len();
                member.transports.retain(|transport| peer(transport) != retire.key);
                ensure!(
                    member.transports.len() < before,
                    "{code} has no key {}; `yiqiao-registry members --keys` lists them, and {KEY_DIGITS_MIN} digits of an id name it",
                    retire.key
                );
                ensure!(
                    !member.transports.is_empty(),
                    "it is the only identity of {code} on the link: list another one first"
                );
            }
            [one] => **one = state,
            _ => bail!("{} is the beginning of several keys of {code}: give more of it", retire.key),
        }
        let silent = |for_use| {
            let of_use = || member.signing_keys.iter().filter(|key| key.for_use == for_use);
            of_use().count() > 0 && of_use().all(|key| key.state != KeyState::Valid)
        };
        let speaks = KeyUse::ALL.iter().all(|for_use| !silent(*for_use));
        // A key in other hands is worse than silence.
        ensure!(
            speaks || retire.compromised_since.is_some(),
            "{code} could sign nothing more of this kind: list its next key first, with renew-key or registry-key"
        );
        Ok(())
    })?;
    say_signed(&file)
}

/// Makes the next key of the registry itself, and lists it beside the one before: the registry uses it from its next start on.
pub(crate) fn own_key(own: &OwnKey) -> anyhow::Result<()> {
    let config: Config = config::load(&own.region.join("registry/registry.toml"))?;
    let ring = Keyring::open(config.keys.as_path(), config.module.as_ref())?;
    let signs = |kind, for_use| {
        let (made, key) = ring.next_signing(kind)?;
        anyhow::Ok((made, Listed::Signs(SigningKey { key: key.public(), for_use, state: KeyState::Valid })))
    };
    let (made, listed) = match own.key {
        Own::Transport => {
            let (file, seed) = Series::new(config.keys.as_path(), TRANSPORT).next()?;
            (Made::File(file), Listed::OnLink(peer_id_of(&Zeroizing::new(*seed.expose()))?.to_bytes()))
        }
        Own::Words => signs(WORDS, KeyUse::Words)?,
        Own::Checkpoint => signs(CHECKPOINT, KeyUse::Checkpoint)?,
        Own::Lease => signs(LEASE, KeyUse::Lease)?,
    };
    let file = with_key(&made, &own.region, |list| list_own(list, listed))?;
    say(&format!(
        "made {made}; back it up\nsigned {}\nwhen all members have that list, start the registry again: it uses the new key from then on; \
         then retire the one before with retire-key",
        file.display()
    ))
}

/// The public half of a key that was made for the registry.
enum Listed {
    Signs(SigningKey),
    OnLink(Vec<u8>),
}

fn list_own(list: &mut MemberList, listed: Listed) -> anyhow::Result<()> {
    let registry = list.members.iter_mut().find(|member| member.roles.contains(&MemberRole::Registry));
    let registry = registry.context("the member list has no registry")?;
    match listed {
        Listed::Signs(key) => registry.signing_keys.push(key),
        Listed::OnLink(peer_id) => {
            let addresses = registry.transports.last().map(|last| last.addresses.clone()).unwrap_or_default();
            registry.transports.push(Transport { peer_id, addresses });
        }
    }
    Ok(())
}

/// Signs a list that has a key which was just made. A list that is refused leaves no key behind of which nobody knows.
fn with_key(
    made: &Made,
    region_folder: &Path,
    list: impl FnOnce(&mut MemberList) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let lists = region_folder.join("registry/lists");
    let known = first_authority(region_folder).and_then(|authority| newest(&lists, &authority));
    let next = known.map(|known| list_file(&lists, known.list().version + 1));
    let next = next.inspect_err(|_| made.discard())?;
    change(region_folder, list).inspect_err(|_| {
        if !next.exists() {
            made.discard();
        }
    })
}

/// Gives the region another authority key: the list that names it is signed with the one before, every later one with it (M-8).
pub(crate) fn rotate_authority(region_folder: &Path) -> anyhow::Result<()> {
    let (made, seed) = Series::new(&region_folder.join(AUTHORITY_FOLDER), AUTHORITY).next()?;
    let file = with_key(&Made::File(made.clone()), region_folder, |list| {
        list.authority = secret(&seed).public();
        Ok(())
    })?;
    say(&format!(
        "made {}; keep it offline and backed up\nsigned {}: every later list is signed with the new key; once all members have this one, \
         the key before is of no use any more",
        made.display(),
        file.display()
    ))
}

/// The folder of the token keys where another process than the registry has them.
const TOKENS_FOLDER: &str = "tokens";

/// Begins another epoch of the token key: everybody gets further tokens under it, beside those of the epochs before (T-7).
pub(crate) fn token_epoch(region_folder: &Path) -> anyhow::Result<()> {
    let apart = region_folder.join(TOKENS_FOLDER);
    let folder = if apart.exists() { apart } else { region_folder.join("registry/keys") };
    let file = change(region_folder, |list| {
        let epoch = list.token_keys.iter().map(|key| key.epoch).max().unwrap_or(0) + 1;
        list.token_keys.push(tokens::next(&folder, epoch)?.public());
        Ok(())
    })?;
    say_signed(&file)
}

/// Suspends or restores a member.
pub(crate) fn suspend(suspend: &Suspend) -> anyhow::Result<()> {
    let file = change(&suspend.region, |list| {
        member_of(list, &suspend.member)?.suspended = !suspend.restore;
        Ok(())
    })?;
    say_signed(&file)
}

fn member_of<'l>(list: &'l mut MemberList, code: &str) -> anyhow::Result<&'l mut Member> {
    let named = list.members.iter_mut().find(|member| member.code.as_str() == code);
    named.with_context(|| format!("{code} is no member; `yiqiao-registry members` lists them"))
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
pub(crate) fn change(
    region_folder: &Path,
    change: impl FnOnce(&mut MemberList) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let lists = region_folder.join("registry/lists");
    let newest = newest(&lists, &first_authority(region_folder)?)?;
    let authority = authority(region_folder, &newest.list().authority)?;
    let mut list = newest.list().clone();
    list.version += 1;
    list.previous = Some(newest.payload_hash());
    list.issued_at = Clock::system().now();
    change(&mut list)?;
    // What the registry and the members would not take is found before it is there.
    newest.next(&Envelope::sign(&list.region, &list, &authority)).context("the next member list")?;
    sign_list(&lists, &list, &authority)
}

pub(crate) fn say_signed(file: &Path) -> anyhow::Result<()> {
    say(&format!("signed {}; a running registry takes it within seconds", file.display()))
}

/// Shows the members.
pub(crate) fn show(show: &Show) -> anyhow::Result<()> {
    let newest = newest(&show.region.join("registry/lists"), &first_authority(&show.region)?)?;
    let mut lines = vec![format!("member list version {}", newest.list().version)];
    for member in &newest.list().members {
        let state = if member.suspended { "suspended" } else { "active" };
        lines.push(format!("{:<16} {:<10} {}", member.code.as_str(), state, member.name));
        if show.keys {
            lines.extend(keys_of(member));
        }
    }
    let origin = note::origin(newest.region(), &newest.list().log_id);
    let followed = newest.checkpoint_keys().into_iter();
    lines.extend(followed.map(|key| format!("log {}", note::verifier_key(&origin, &key))));
    say(&lines.join("\n"))
}

/// The keys of a member, a line each.
fn keys_of(member: &Member) -> Vec<String> {
    let line = |what: &str, id: &str, state: &str| format!("    {what:<12} {id}  {state}");
    let state = |state: KeyState| match state {
        KeyState::Valid => "valid".to_owned(),
        KeyState::Retired => "retired".to_owned(),
        KeyState::CompromisedSince(place) => format!("compromised since place {place} of the log"),
    };
    let name = |for_use| match for_use {
        KeyUse::Words => "words",
        KeyUse::Checkpoint => "checkpoint",
        KeyUse::Lease => "lease",
    };
    let signing = member
        .signing_keys
        .iter()
        .map(|key| line(name(key.for_use), &key.id().to_string(), &state(key.state)));
    let sealing =
        member.sealing_keys.iter().map(|key| line("sealing", &key.id().to_string(), &state(key.state)));
    let transport = member.transports.iter().map(|transport| line("transport", &peer(transport), "listed"));
    signing.chain(sealing).chain(transport).collect()
}

/// An identity on the link, as people write it.
fn peer(transport: &Transport) -> String {
    PeerId::from_bytes(&transport.peer_id).map(|peer| peer.to_string()).unwrap_or_default()
}

/// The public key that signed the first list; its secret may be gone by now (M-8).
fn first_authority(region_folder: &Path) -> anyhow::Result<PublicKey> {
    let file = region_folder.join("region.json");
    let region =
        RegionFile::read(&file).context("name the folder that `yiqiao-registry init` made with --region")?;
    Ok(region.key()?)
}

/// The authority's key in force.
fn authority(region_folder: &Path, public: &PublicKey) -> anyhow::Result<SecretKey> {
    let folder = region_folder.join(AUTHORITY_FOLDER);
    let (first, later) = Series::new(&folder, AUTHORITY)
        .load()
        .with_context(|| format!("{} has to be there while a list is signed", folder.display()))?;
    [&first].into_iter().chain(&later).map(secret).find(|key| key.public() == *public).with_context(|| {
        format!("{} does not have the key that signs the next list: bring the newest one", folder.display())
    })
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

fn secret(seed: &Seed) -> SecretKey {
    SecretKey::new(Suite::International, seed.expose())
}

/// Prints lines for the person at the terminal.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

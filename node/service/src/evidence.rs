//! One access in one file (V-1, V-2), or that the registry left something out (V-7): exported by the running node, verified by anybody.
//!
//! Not here: what must hold before a file proves an access: [`yiqiao_evidence`].

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use yiqiao_evidence::omission::{self, LeftOut};
use yiqiao_evidence::{File, Proved, verify};
use yiqiao_host::joining::RegionFile;
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::answers::Account;
use yiqiao_node_core::machine::{Input, Machine, Outcome};
use yiqiao_node_core::state::View;
use yiqiao_proto::codes::{Agreement, RefusalCode};
use yiqiao_proto::envelope::Envelope;
use yiqiao_proto::id::{Code, Digest, EntryId};
use yiqiao_proto::limits::CALL_BYTES_MAX;
use yiqiao_proto::suite::{PublicKey, Suite};

use crate::admin::{Reply, Request};
use crate::app::App;
use crate::cli::{Console, other, say};
use crate::members::CallFailed;

/// Under which name the administrator stands in the audit.
const ADMINISTRATOR: &str = "administrator";

/// What can be done with the evidence of an access.
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Puts all that proves one access into a file: request, decision, directive, release, receipt, and where each stands in the log.
    /// That it was exported stands in the audit, and in the patient's history.
    Export {
        /// The access, by the hash of its release.
        #[arg(long, conflicts_with_all = ["document", "omission"], required_unless_present_any = ["document", "omission"])]
        release: Option<String>,
        /// The accesses to a document, by its entry id: if there are several, they are listed.
        #[arg(long)]
        document: Option<String>,
        /// Who holds the document, if not this hospital.
        #[arg(long, requires = "document")]
        holder: Option<Code>,
        /// Not an access, but that the registry has left out what it had acknowledged: the number that `status` gives.
        #[arg(long, conflicts_with = "document")]
        omission: Option<usize>,
        /// Where to; standard output if left out.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The authority's public key by which it must hold, if not the one with which this node joined.
        #[arg(long)]
        authority: Option<String>,
    },
    /// Compares all that the registry says it holds of this hospital with its receipts, and says whether something is left out.
    Compare,
    /// Checks a file, with nothing but the region's public key, and says what it proves.
    Verify {
        /// The file.
        file: PathBuf,
        /// The public key of the region's authority in hexadecimal digits, or the region's file, which has it.
        #[arg(long)]
        authority: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Which access is meant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Asked {
    Release(String),
    Document { entry: String, holder: Option<String> },
    Omission(usize),
}

/// An access to a document.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AccessLine {
    release: String,
    holder: String,
    recipient: String,
    at: String,
}

/// Does what a command says.
pub(crate) fn run(config: &Path, command: &EvidenceCommand) -> anyhow::Result<()> {
    match command {
        EvidenceCommand::Verify { file, authority, json } => {
            say(&prove(&read(file)?, &key(authority)?)?.text(*json)?)
        }
        EvidenceCommand::Compare => compare_all(&Console::new(config)?),
        EvidenceCommand::Export { release, document, holder, omission, out, authority } => {
            let holder = holder.as_ref().map(Code::to_string);
            let asked = match (release, document, omission) {
                (Some(release), ..) => Asked::Release(release.clone()),
                (None, Some(entry), _) => Asked::Document { entry: entry.clone(), holder },
                (None, None, Some(number)) => Asked::Omission(*number),
                (None, None, None) => {
                    bail!("name an access by --release or --document, or an omission by --omission")
                }
            };
            let console = Console::new(config)?;
            let authority = match authority {
                Some(named) => key(named)?,
                None => RegionFile::read(&console.region_file)?.key()?,
            };
            export(&console, asked, out.as_deref(), &authority)
        }
    }
}

fn export(console: &Console, asked: Asked, out: Option<&Path>, authority: &PublicKey) -> anyhow::Result<()> {
    let reply = console.ask(&Request::Evidence(asked))?;
    if let Reply::Accesses { accesses } = &reply {
        bail!("there are several; name one by --release:\n{}", list(accesses));
    }
    let Reply::Evidence { evidence } = reply else { return other() };
    let bytes = STANDARD.decode(evidence).context("the running process did not answer in base64")?;
    // What would convince nobody is not written.
    let proved = prove(&bytes, authority)?;
    match out {
        Some(file) => {
            fs::write(file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
            say(&format!("{} bytes in {}\n{}", bytes.len(), file.display(), proved.text(false)?))
        }
        None => Ok(std::io::stdout().lock().write_all(&bytes)?),
    }
}

fn list(accesses: &[AccessLine]) -> String {
    let line = |access: &AccessLine| {
        let AccessLine { release, holder, recipient, at } = access;
        format!("{at} {holder} to {recipient}  {release}")
    };
    accesses.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What a file proves.
enum Shown {
    Access(Box<Proved>),
    Omission(Box<LeftOut>),
}

impl Shown {
    fn text(&self, json: bool) -> anyhow::Result<String> {
        let (shown, text) = match self {
            Self::Access(proved) => (proved.to_json(), proved.to_string()),
            Self::Omission(left_out) => (left_out.to_json(), left_out.to_string()),
        };
        Ok(if json { serde_json::to_string_pretty(&shown)? } else { text })
    }
}

fn prove(bytes: &[u8], authority: &PublicKey) -> anyhow::Result<Shown> {
    if omission::is_file(bytes) {
        let left_out = omission::verify(bytes, authority);
        let left_out = left_out.map_err(|fault| anyhow::anyhow!("NOT PROVED: {fault}"))?;
        return Ok(Shown::Omission(Box::new(left_out)));
    }
    let proved = verify(bytes, authority).map_err(|fault| anyhow::anyhow!("NOT PROVED: {fault}"))?;
    Ok(Shown::Access(Box::new(proved)))
}

/// What was compared with the receipts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compared {
    /// Patients of whom the registry has something.
    patients: usize,
    /// Whether something is left out.
    omits: bool,
    /// The patient from which to go on; none at the end.
    next: Option<u64>,
}

fn compare_all(console: &Console) -> anyhow::Result<()> {
    let (mut from, mut patients, mut omits) = (1, 0, false);
    loop {
        let Reply::Compared { compared } = console.ask(&Request::Compare { from })? else { return other() };
        patients += compared.patients;
        omits |= compared.omits;
        let Some(next) = compared.next else { break };
        from = next;
    }
    if omits {
        bail!("ALARM: the registry leaves out what it had acknowledged (L-16): `status` says what");
    }
    say(&format!("{patients} patients: the registry has all that it has acknowledged (L-16)"))
}

/// Compares some patients, from one on.
pub(crate) async fn compare(app: &App, from: u64) -> Result<Compared, String> {
    let find = move |machine: &Machine, view: &_| machine.published_from(from, view);
    let (subjects, next) = app.inbox.ask(find).await.map_err(|error| error.to_string())?;
    if subjects.is_empty() {
        return Ok(Compared { patients: 0, omits: false, next });
    }
    let account = app.registry.inventory(&subjects).await.map_err(|failed| failed.to_string())?;
    let Account { inventory, checkpoint } = account;
    let input = Input::Inventoried { ticket: None, inventory: Box::new(inventory), checkpoint };
    let outcome = app.inbox.hand(input).await.map_err(|error| error.to_string())?;
    Ok(Compared { patients: subjects.len(), omits: outcome == Outcome::Compared(Agreement::Omits), next })
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let cannot = || format!("cannot read {}", file.display());
    // One byte more than there may be: the reader says that it is too long.
    let most = u64::try_from(CALL_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    fs::File::open(file).with_context(cannot)?.take(most).read_to_end(&mut bytes).with_context(cannot)?;
    Ok(bytes)
}

/// The authority's key, in digits or in a region's file.
fn key(named: &str) -> anyhow::Result<PublicKey> {
    let digits = named.len() == 64 && named.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !digits {
        let file = Path::new(named);
        if !file.is_file() {
            bail!(
                "--authority takes the public key of the region's authority, 64 hexadecimal digits, or the region's file, \
                 which has it: `{named}` is neither. Who runs the region gives out both."
            );
        }
        return Ok(RegionFile::read(file)?.key()?);
    }
    let key = hex::decode(named)?;
    PublicKey::new(Suite::International, &key).map_err(|_| anyhow::anyhow!("these digits are no public key"))
}

/// What the running process answers.
pub(crate) async fn answer(app: &App, asked: Asked) -> Result<Reply, String> {
    let release = match asked {
        Asked::Omission(number) => {
            let evidence = omission_file(app, number).await?;
            return Ok(Reply::Evidence { evidence: STANDARD.encode(evidence) });
        }
        Asked::Release(digits) => {
            Digest::from_hex(&digits).ok_or("a release is named by 64 hexadecimal digits")?
        }
        Asked::Document { entry, holder } => {
            let entry = EntryId::from_hex(&entry).ok_or("a document is named by 64 hexadecimal digits")?;
            let holder = holder.map(|holder| Code::new(holder.as_str())).transpose();
            let holder =
                holder.map_err(|error| error.to_string())?.unwrap_or_else(|| app.member.code.clone());
            let find = move |machine: &Machine, view: &_| machine.accesses(&holder, &entry, view);
            let accesses = app.inbox.ask(find).await.map_err(|error| error.to_string())?;
            match accesses.as_slice() {
                [] => return Err("nobody was let have this document through this node".to_owned()),
                [one] => one.release,
                several => {
                    return Ok(Reply::Accesses {
                        accesses: several.iter().map(|it| line(app, it)).collect(),
                    });
                }
            }
        }
    };
    let evidence = file(app, release).await?;
    Ok(Reply::Evidence { evidence: STANDARD.encode(evidence.write()) })
}

fn line(app: &App, access: &yiqiao_node_core::evidence::Access) -> AccessLine {
    AccessLine {
        release: access.release.to_string(),
        holder: access.holder.to_string(),
        recipient: access.recipient.to_string(),
        at: app.reception.zone().show(access.at),
    }
}

/// The file that proves an omission, with the newest member list.
async fn omission_file(app: &App, number: usize) -> Result<Vec<u8>, String> {
    let find = move |machine: &Machine, view: &View| {
        let found = machine.omissions(view)?.into_iter().nth(number.wrapping_sub(1));
        Ok((found, machine.list_envelope(view)?))
    };
    let (found, list) = app.inbox.ask(find).await.map_err(|error| error.to_string())?;
    let found = found.ok_or("no omission has this number: `status` lists them")?;
    let list = match list {
        Some(list) => list,
        None => newest_list(app).await?,
    };
    Ok(omission::file(&app.member.region, &list, found.proof))
}

/// The list that this node has known from the beginning is in the region's file only: it is asked for.
async fn newest_list(app: &App) -> Result<Envelope, String> {
    let version = app.registry.directory().list().version;
    let lists =
        app.registry.lists_after(version.saturating_sub(1)).await.map_err(|failed| failed.to_string())?;
    lists.into_iter().next().ok_or_else(|| "the registry has no member list".to_owned())
}

/// The file of an access. That it was exported is durable before it is handed out.
async fn file(app: &App, release: Digest) -> Result<File, String> {
    let actor = Actor::System(Code::new(ADMINISTRATOR).map_err(|error| error.to_string())?);
    let outcome =
        app.inbox.hand(Input::Export { actor, release }).await.map_err(|error| error.to_string())?;
    let Outcome::Exported { request, emergency } = outcome else {
        return Err("nothing was exported".to_owned());
    };
    let logged = app.registry.evidence(&release, &emergency).await.map_err(|failed| why(&failed))?;
    File::of(&app.member.region, &request, logged).map_err(|error| error.to_string())
}

fn why(failed: &CallFailed) -> String {
    let is_unknown = matches!(failed, CallFailed::Refused(refusal) if refusal.code == RefusalCode::Nothing);
    if is_unknown {
        return "the log that counts does not have this release: it is of an earlier log (L-9), or still on its way".to_owned();
    }
    failed.to_string()
}

//! One access in one file (V-1, V-2): exported by the running node, verified by anybody.
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
use yiqiao_evidence::{File, Proved, verify};
use yiqiao_host::joining::RegionFile;
use yiqiao_node_core::actor::Actor;
use yiqiao_node_core::machine::{Input, Outcome};
use yiqiao_proto::codes::RefusalCode;
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
        #[arg(long, conflicts_with = "document", required_unless_present = "document")]
        release: Option<String>,
        /// The accesses to a document, by its entry id: if there are several, they are listed.
        #[arg(long)]
        document: Option<String>,
        /// Who holds the document, if not this hospital.
        #[arg(long, requires = "document")]
        holder: Option<Code>,
        /// Where to; standard output if left out.
        #[arg(long)]
        out: Option<PathBuf>,
        /// The authority's public key by which it must hold, if not the one with which this node joined.
        #[arg(long)]
        authority: Option<String>,
    },
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
            let proved = prove(&read(file)?, &key(authority)?)?;
            let text =
                if *json { serde_json::to_string_pretty(&proved.to_json())? } else { proved.to_string() };
            say(&text)
        }
        EvidenceCommand::Export { release, document, holder, out, authority } => {
            let holder = holder.as_ref().map(Code::to_string);
            let asked = match (release, document) {
                (Some(release), _) => Asked::Release(release.clone()),
                (None, Some(entry)) => Asked::Document { entry: entry.clone(), holder },
                (None, None) => bail!("name an access by --release, or a document by --document"),
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
            say(&format!("{} bytes in {}\n{proved}", bytes.len(), file.display()))
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

fn prove(bytes: &[u8], authority: &PublicKey) -> anyhow::Result<Proved> {
    verify(bytes, authority).map_err(|fault| anyhow::anyhow!("NOT PROVED: {fault}"))
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
        return Ok(RegionFile::read(Path::new(named))?.key()?);
    }
    let key = hex::decode(named)?;
    PublicKey::new(Suite::International, &key).map_err(|_| anyhow::anyhow!("these digits are no public key"))
}

/// What the running process answers.
pub(crate) async fn answer(app: &App, asked: Asked) -> Result<Reply, String> {
    let release = match asked {
        Asked::Release(digits) => {
            Digest::from_hex(&digits).ok_or("a release is named by 64 hexadecimal digits")?
        }
        Asked::Document { entry, holder } => {
            let entry = EntryId::from_hex(&entry).ok_or("a document is named by 64 hexadecimal digits")?;
            let holder = holder.map(|holder| Code::new(holder.as_str())).transpose();
            let holder =
                holder.map_err(|error| error.to_string())?.unwrap_or_else(|| app.member.code.clone());
            let find = move |machine: &yiqiao_node_core::machine::Machine, view: &_| {
                machine.accesses(&holder, &entry, view)
            };
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

/// The file of an access. That it was exported is durable before it is handed out.
async fn file(app: &App, release: Digest) -> Result<File, String> {
    let actor = Actor::System(Code::new(ADMINISTRATOR).map_err(|error| error.to_string())?);
    let outcome =
        app.inbox.hand(Input::Export { actor, release }).await.map_err(|error| error.to_string())?;
    let Outcome::Exported(request) = outcome else { return Err("nothing was exported".to_owned()) };
    let logged = app.registry.evidence(&release).await.map_err(|failed| why(&failed))?;
    File::of(&app.member.region, &request, logged).map_err(|error| error.to_string())
}

fn why(failed: &CallFailed) -> String {
    let is_unknown = matches!(failed, CallFailed::Refused(refusal) if refusal.code == RefusalCode::Nothing);
    if is_unknown {
        return "the log that counts does not have this release: it is of an earlier log (L-9), or still on its way".to_owned();
    }
    failed.to_string()
}

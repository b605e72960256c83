//! The node of a hospital: one binary and one folder.
//!
//! | to find | look in |
//! |---|---|
//! | starting and stopping | [`serve`] |
//! | the one thread that changes anything, its time, who waits for it | [`sequencer`], [`clock`], [`waiters`] |
//! | durable state | [`ledger`], [`vault`], [`sweep`] |
//! | what the machine wants done | [`effects`]; what people ask of the registry: [`registry`]; calls: [`members`]; documents of others: [`fetch`] |
//! | what other members ask | [`peers`], [`pulls`] |
//! | messages of the hospital's systems | [`reception`]; doors: [`mllp`] ([`tls`]), [`folders`], [`dicom`], `api/intake.rs`; old records: [`backfill`] |
//! | what the hospital's systems are told | [`outgoing`]; patients: [`gateway`]; posting: [`post`] |
//! | HTTP | [`api`]; FHIR R4: [`fhir`]; what routes work with: [`app`]; the bytes of documents: [`content`] |
//! | commands of the administrator | [`cli`], answered by [`admin`]; what items of systems are: [`dictionary`]; what proves an access: [`evidence`]; a new node: [`join`]; its next keys: [`renewal`] |

mod admin;
mod api;
mod app;
mod audit;
mod backfill;
mod cli;
mod clock;
mod config;
mod content;
mod deposits;
mod dicom;
mod dictionary;
mod effects;
mod evidence;
mod explain;
mod fetch;
mod fhir;
mod folders;
mod gateway;
mod join;
mod ledger;
mod limits;
mod members;
mod mllp;
mod names;
mod outgoing;
mod peers;
mod post;
mod pulls;
mod reception;
mod registry;
mod renewal;
mod sequencer;
mod serve;
mod sweep;
mod tls;
mod vault;
mod views;
mod waiters;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use yiqiao_host::accounts::commands::AccountCommand;
use yiqiao_host::folder::keep_private;
use yiqiao_host::keys;
use yiqiao_node_core::answers;

use crate::cli::{AuditCommand, ClientCommand, Console, OutCommand, ProblemCommand, ReviewCommand};
use crate::dictionary::DictionaryCommand;
use crate::evidence::EvidenceCommand;

/// The node of a hospital in a regional health information exchange.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// Where commands find the node.
#[derive(clap::Args)]
struct Node {
    /// The configuration file of the node.
    #[arg(long, default_value = "node.toml", global = true)]
    config: PathBuf,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a new node: its keys, its configuration, and the request to join a region.
    Join(join::Join),
    /// Makes the node's next key of a kind, and the request to list it. Earlier ones are kept.
    RenewKey {
        #[command(flatten)]
        node: Node,
        /// Which key.
        key: renewal::Renewed,
    },
    /// Encrypts all key files of a folder under the passphrase in the file that YIQIAO_KEYS_PASSPHRASE_FILE names. Every command that uses
    /// keys needs it from then on, and new keys are encrypted, too.
    ProtectKeys {
        /// The folder with the keys.
        folder: PathBuf,
    },
    /// Runs the node until it is told to stop (Ctrl-C, SIGTERM).
    Serve {
        #[command(flatten)]
        node: Node,
    },
    /// Shows how the running node stands.
    Status {
        #[command(flatten)]
        node: Node,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Messages that are kept for a person.
    Review {
        #[command(flatten)]
        node: Node,
        #[command(subcommand)]
        command: ReviewCommand,
    },
    /// What the hospital's systems are told, and what they refused.
    Out {
        #[command(flatten)]
        node: Node,
        #[command(subcommand)]
        command: OutCommand,
    },
    /// Patients whose publishing stopped.
    Problems {
        #[command(flatten)]
        node: Node,
        #[command(subcommand)]
        command: ProblemCommand,
    },
    /// Hands in years of old records from files, one after the other and behind what systems send now. Typed again, it goes on where it
    /// stopped.
    Backfill {
        #[command(flatten)]
        node: Node,
        #[command(flatten)]
        backfill: backfill::OldRecords,
    },
    /// The record of who did what with whose record.
    Audit {
        #[command(flatten)]
        node: Node,
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// One access in one file, to be proved to whoever has the region's public key.
    Evidence {
        #[command(flatten)]
        node: Node,
        #[command(subcommand)]
        command: EvidenceCommand,
    },
    /// What would be decided if another hospital asked for a patient's documents here, and by which clause. Nothing is let go by it.
    Explain {
        #[command(flatten)]
        node: Node,
        #[command(flatten)]
        wondering: explain::Wondering,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// What items of the hospital's systems are (对照手册): as a table out, and back in.
    Dictionary {
        #[command(flatten)]
        node: Node,
        #[command(subcommand)]
        command: DictionaryCommand,
    },
    /// Accounts of staff.
    Account {
        #[command(flatten)]
        node: Node,
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Systems that sign in.
    Client {
        #[command(flatten)]
        node: Node,
        #[command(subcommand)]
        command: ClientCommand,
    },
}

/// What goes wrong is said in one sentence on standard error, whatever the environment says of backtraces.
fn main() -> ExitCode {
    let Err(error) = run() else { return ExitCode::SUCCESS };
    let mut sentence = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    // Who closed standard error cannot be told anything more.
    let _untold = writeln!(std::io::stderr().lock(), "error: {sentence}");
    ExitCode::FAILURE
}

fn run() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    keep_private();
    match arguments.command {
        Command::Join(join) => join::join(&join),
        Command::ProtectKeys { folder } => cli::say(&keys::protect(&folder)?.to_string()),
        Command::RenewKey { node, key } => renewal::renew(&node.config, key),
        Command::Serve { node } => serve::run(&node.config),
        Command::Status { node, json } => Console::new(&node.config)?.status(json),
        Command::Review { node, command } => Console::new(&node.config)?.review(&command),
        Command::Out { node, command } => Console::new(&node.config)?.out(&command),
        Command::Problems { node, command } => Console::new(&node.config)?.problem(&command),
        Command::Backfill { node, backfill } => backfill::run(&Console::new(&node.config)?, &backfill),
        Command::Audit { node, command } => Console::new(&node.config)?.audit(&command),
        Command::Evidence { node, command } => evidence::run(&node.config, &command),
        Command::Explain { node, wondering, json } => Console::new(&node.config)?.explain(wondering, json),
        Command::Dictionary { node, command } => dictionary::run(&Console::new(&node.config)?, &command),
        Command::Account { node, command } => Console::new(&node.config)?.account(command),
        Command::Client { node, command } => Console::new(&node.config)?.client(command),
    }
}

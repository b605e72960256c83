//! The registry of a region: one binary and one folder.

mod alarms;
mod config;
mod desk;
mod door;
mod emergency;
mod feeds;
mod front;
mod ledger;
mod limits;
mod open_times;
mod public_log;
mod quality;
mod region;
mod relying;
mod sequencer;
mod serve;
mod tokens;
mod volume;
mod web;
mod witness;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use yiqiao_host::accounts::commands::AccountCommand;
use yiqiao_host::folder::keep_private;
use yiqiao_host::keys;

/// The registry of a regional health information exchange, and the authority's tools.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a new region: the authority's key, the registry's keys, the first member list, a configuration.
    Init(region::Init),
    /// Signs a new member list with the organisations of these join requests added.
    Admit(region::Admit),
    /// Signs a new member list with further keys of members, beside those that they have.
    RenewKey(region::Renew),
    /// Signs a new member list in which a key signs nothing new, or is in other hands since a place of the log.
    RetireKey(region::Retire),
    /// Makes the next key of the registry itself, and signs a new member list with it, beside the one before.
    RegistryKey(region::OwnKey),
    /// Makes the authority's next key, and signs a new member list with the one before: every later list is signed with the new one.
    RotateAuthority {
        /// The region's folder.
        #[arg(long, default_value = "region")]
        region: PathBuf,
    },
    /// Signs a new member list with another epoch of the token key, beside the epochs before.
    TokenEpoch {
        /// The region's folder.
        #[arg(long, default_value = "region")]
        region: PathBuf,
    },
    /// Signs a new member list with a member suspended, or restored.
    Suspend(region::Suspend),
    /// Signs a new member list that says for which domain patients' passkeys sign, on which pages, and who vouches for them.
    Passkeys(relying::Passkeys),
    /// Signs a new member list that says whether the glass can be broken in an emergency.
    Emergency(emergency::Emergency),
    /// Signs a new member list that begins a new log: once after an older copy of the log was restored, before the registry is started.
    NewLog {
        /// The region's folder.
        #[arg(long, default_value = "region")]
        region: PathBuf,
    },
    /// Encrypts all key files of a folder under the passphrase in the file that YIQIAO_KEYS_PASSPHRASE_FILE names. Every command that uses
    /// keys needs it from then on, and new keys are encrypted, too.
    ProtectKeys {
        /// The folder with the keys.
        folder: PathBuf,
    },
    /// Shows the members of the newest list.
    Members(region::Show),
    /// Accounts of analysts (role `bureau`) and operators (role `operator`), in the running registry.
    Account {
        /// The configuration file.
        #[arg(long, default_value = "registry.toml", global = true)]
        config: PathBuf,
        /// What to do.
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// The token key, in a process of its own.
    #[command(subcommand)]
    Tokens(tokens::process::TokensCommand),
    /// Runs the registry until it is told to stop (Ctrl-C, SIGTERM).
    Serve {
        /// The configuration file.
        #[arg(long, default_value = "registry.toml")]
        config: PathBuf,
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
        Command::Init(init) => region::init(&init),
        Command::Admit(admit) => region::admit(&admit),
        Command::ProtectKeys { folder } => region::say(&keys::protect(&folder)?.to_string()),
        Command::RenewKey(renew) => region::renew(&renew),
        Command::RetireKey(retire) => region::retire(&retire),
        Command::RegistryKey(own) => region::own_key(&own),
        Command::RotateAuthority { region } => region::rotate_authority(&region),
        Command::TokenEpoch { region } => region::token_epoch(&region),
        Command::Suspend(suspend) => region::suspend(&suspend),
        Command::Passkeys(passkeys) => relying::passkeys(&passkeys),
        Command::Emergency(emergency) => emergency::emergency(&emergency),
        Command::NewLog { region } => region::new_log(&region),
        Command::Members(show) => region::show(&show),
        Command::Account { config, command } => desk::account(&config, command),
        Command::Tokens(command) => tokens::process::run(&command),
        Command::Serve { config } => serve::run(&config),
    }
}

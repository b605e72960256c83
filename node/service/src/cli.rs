//! The administrator's commands: requests to the running process, answers as text.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Subcommand;
use yiqiao_host::accounts::Code as ClientId;
use yiqiao_host::accounts::commands::{self, AccountCommand};
use yiqiao_host::admin::{self, SOCKET};
use yiqiao_host::clients::Scope;
use yiqiao_host::config;

use crate::admin::{
    ClientLine, ProblemLine, RecalledLine, RegisterLine, Reply, Request, ReviewLine, Status, TokensLine,
    Whose,
};
use crate::api::connections::ConnectionRow;
use crate::api::intake::SCOPE;
use crate::audit::Walked;
use crate::config::Config;
use crate::explain::{Line, Wondering};
use crate::outgoing::{OutRow, RefusedRow};
use crate::views::ViewRow;

/// What can be done with events of which the hospital's systems are told.
#[derive(Debug, Subcommand)]
pub(crate) enum OutCommand {
    /// Lists the systems, and which events they have refused.
    List,
    /// Tells a system once more of what it refused, after the fault is mended.
    Again {
        /// The system.
        name: String,
        /// Which event; all that it refused if it is left out.
        number: Option<u64>,
    },
}

/// What can be done with messages that are kept for a person.
#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// Lists open reviews.
    List {
        /// Only those after this number.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Prints the original message, decrypted, to standard output.
    Show {
        /// Which.
        number: u64,
        /// Prints what is known about it instead.
        #[arg(long)]
        about: bool,
    },
    /// Hands the same original in again, for instance after the configuration was mended.
    Replay {
        /// Which.
        number: u64,
        /// Of a message that says of the holder of a number what can only be another person's: whose the number is, as you have made
        /// sure. `same`: the patient's who has it, of whom something wrong was known. `another`: somebody else's from now on.
        #[arg(long)]
        holder: Option<Whose>,
    },
    /// Settles a review without taking anything from it.
    Done {
        /// Which.
        number: u64,
    },
}

/// What can be done with subjects whose publishing stopped.
#[derive(Debug, Subcommand)]
pub(crate) enum ProblemCommand {
    /// Lists open problems.
    List {
        /// Only those after this number.
        #[arg(long, default_value_t = 0)]
        after: u64,
    },
    /// Lets the subject be published again.
    Resume {
        /// Which.
        number: u64,
    },
}

/// What can be done with the audit.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Walks all lines: fails at the first that is not the one that was written.
    Verify,
}

/// What can be done with systems that sign in.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Registers a system and prints its secret, which is not to be had again.
    Add {
        /// Its client id, under which its messages are filed.
        id: ClientId,
        /// What it is, for people.
        #[arg(long)]
        name: String,
        /// What it may do: `intake` for messages, and scopes of the FHIR door such as `system/Patient.rs`, as
        /// `/fhir/metadata` lists them. May be given several times.
        #[arg(long = "scope", default_value = SCOPE)]
        scopes: Vec<Scope>,
    },
    /// Lists all systems.
    List,
    /// Disables a system; tokens it has are void at once.
    Disable {
        /// Its client id.
        id: ClientId,
        /// Enables it again.
        #[arg(long)]
        restore: bool,
    },
    /// Gives a system another secret.
    Secret {
        /// Its client id.
        id: ClientId,
    },
}

/// The way from a command to the running process.
pub(crate) struct Console {
    /// The region's file of this node.
    pub(crate) region_file: PathBuf,
    data: PathBuf,
    socket: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Console {
    /// The console of the node with this configuration.
    pub(crate) fn new(file: &Path) -> anyhow::Result<Self> {
        let config: Config = config::load(file)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let region_file = config.region_file.as_path().to_owned();
        let data = config.data.as_path().to_owned();
        Ok(Self { region_file, socket: data.join(SOCKET), data, runtime })
    }

    /// Does nothing for so long.
    pub(crate) fn rest(&self, length: Duration) {
        // A sleep wants its runtime when it is made.
        self.runtime.block_on(async { tokio::time::sleep(length).await });
    }

    /// The node's data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    pub(crate) fn status(&self, json: bool) -> anyhow::Result<()> {
        let Reply::Status(status) = self.ask(&Request::Status)? else { return other() };
        say(&if json { serde_json::to_string_pretty(&status)? } else { status_text(&status) })
    }

    pub(crate) fn audit(&self, AuditCommand::Verify: &AuditCommand) -> anyhow::Result<()> {
        let (mut walked, mut compared) = (Walked::default(), None);
        while !walked.whole {
            let reply = self.ask(&Request::VerifyAudit { walked })?;
            let Reply::Audit { audit, anchors } = reply else { return other() };
            (walked, compared) = (audit, anchors);
        }
        let log = match compared {
            Some(anchors) => format!("the log has seen them {anchors} times"),
            None => "not compared with the log: the registry does not answer".to_owned(),
        };
        say(&format!("{} lines of the audit, each the one that was written; {log}", walked.lines))
    }

    pub(crate) fn explain(&self, wondering: Wondering, json: bool) -> anyhow::Result<()> {
        let Reply::Explained { explained } = self.ask(&Request::Explain(wondering))? else { return other() };
        if json {
            return say(&serde_json::to_string_pretty(&explained)?);
        }
        let text = |line: &Line| {
            let flows = if line.permits { "permitted" } else { "denied" };
            let directive = line.directive.as_deref().unwrap_or("-");
            format!("{:<9} {:<5} {:<14} {} directive {directive}", flows, line.clause, line.class, line.entry)
        };
        let lines: Vec<String> = explained.iter().map(text).collect();
        say(if lines.is_empty() { "the patient has no documents here".to_owned() } else { lines.join("\n") }
            .as_str())
    }

    pub(crate) fn review(&self, command: &ReviewCommand) -> anyhow::Result<()> {
        match command {
            ReviewCommand::List { after } => {
                let Reply::Reviews { reviews } = self.ask(&Request::Reviews { after: *after })? else {
                    return other();
                };
                say(&reviews.iter().map(review_text).collect::<Vec<_>>().join("\n"))
            }
            ReviewCommand::Show { number, about: true } => {
                let Reply::Review { review } = self.ask(&Request::Review { number: *number })? else {
                    return other();
                };
                say(&review_text(&review))
            }
            ReviewCommand::Show { number, about: false } => self.original(*number),
            ReviewCommand::Replay { number, holder } => {
                let request = Request::Replay { number: *number, holder: *holder };
                let Reply::Replayed { outcomes } = self.ask(&request)? else { return other() };
                say(&outcomes.join("\n"))
            }
            ReviewCommand::Done { number } => self.done(&Request::ReviewDone { number: *number }),
        }
    }

    pub(crate) fn out(&self, command: &OutCommand) -> anyhow::Result<()> {
        match command {
            OutCommand::List => {
                let Reply::Status(status) = self.ask(&Request::Status)? else { return other() };
                let lines = status.out.iter().flat_map(|row| {
                    let refused = |one: &RefusedRow| {
                        format!("refused       {} event {} {}: {}", row.name, one.number, one.at, one.why)
                    };
                    std::iter::once(out_text(row)).chain(row.refused.iter().map(refused))
                });
                say(&lines.collect::<Vec<_>>().join("\n"))
            }
            OutCommand::Again { name, number } => {
                self.done(&Request::TellAgain { name: name.clone(), number: *number })
            }
        }
    }

    pub(crate) fn problem(&self, command: &ProblemCommand) -> anyhow::Result<()> {
        match command {
            ProblemCommand::List { after } => {
                let Reply::Problems { problems } = self.ask(&Request::Problems { after: *after })? else {
                    return other();
                };
                let line = |problem: &ProblemLine| {
                    let ProblemLine { number, subject, code, clause, at } = problem;
                    format!("{number:>6} {at} {code:<14} {clause:<5} {subject}")
                };
                say(&problems.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
            ProblemCommand::Resume { number } => self.done(&Request::Resume { problem: *number }),
        }
    }

    pub(crate) fn account(&self, command: AccountCommand) -> anyhow::Result<()> {
        let mut stdin = std::io::stdin();
        say(&self.runtime.block_on(commands::run::<Request>(command, &self.socket, &mut stdin))?)
    }

    pub(crate) fn client(&self, command: ClientCommand) -> anyhow::Result<()> {
        match command {
            ClientCommand::Add { id, name, scopes } => {
                self.secret(&Request::ClientAdd { id, name, scopes: scopes.into_iter().collect() })
            }
            ClientCommand::Secret { id } => self.secret(&Request::ClientSecret { id }),
            ClientCommand::Disable { id, restore } => self.done(&Request::ClientDisable { id, restore }),
            ClientCommand::List => {
                let Reply::Clients { clients } = self.ask(&Request::Clients)? else { return other() };
                let line = |client: &ClientLine| {
                    let state = if client.disabled { "disabled" } else { "active" };
                    format!("{:<24} {state:<10} {}", client.id, client.name)
                };
                say(&clients.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
        }
    }

    /// Chunk after chunk to standard output, as it was sent.
    fn original(&self, number: u64) -> anyhow::Result<()> {
        let (mut chunk, mut out) = (0, std::io::stdout().lock());
        loop {
            let Reply::Original { bytes, chunks } = self.ask(&Request::Original { number, chunk })? else {
                return other();
            };
            out.write_all(&STANDARD.decode(bytes).context("the running process did not answer in base64")?)?;
            chunk += 1;
            if chunk >= chunks {
                return Ok(out.flush()?);
            }
        }
    }

    fn secret(&self, request: &Request) -> anyhow::Result<()> {
        let Reply::Secret { secret } = self.ask(request)? else { return other() };
        say(&format!("client secret: {secret}\nit is not to be had again"))
    }

    fn done(&self, request: &Request) -> anyhow::Result<()> {
        let Reply::Done { .. } = self.ask(request)? else { return other() };
        say("done")
    }

    pub(crate) fn ask(&self, request: &Request) -> anyhow::Result<Reply> {
        Ok(self.runtime.block_on(admin::ask(&self.socket, request))?)
    }
}

pub(crate) fn other<T>() -> anyhow::Result<T> {
    bail!("the running process is of another version: start it again with this one")
}

fn review_text(review: &ReviewLine) -> String {
    let ReviewLine { number, reason, system, size, at, state } = review;
    format!("{number:>6} {at} {state:<8} {system:<12} {size:>10} bytes {reason}")
}

fn status_text(status: &Status) -> String {
    let registry = match (&status.last_trouble, status.registry_connected) {
        (_, true) => "connected".to_owned(),
        (Some(trouble), false) => format!("not connected: {trouble}"),
        (None, false) => "not connected".to_owned(),
    };
    let member =
        if status.is_member { "a member" } else { "not a member yet: the registry's operator admits it" };
    let (oldest, exchange) = (status.oldest_waiting.as_deref().unwrap_or("-"), &status.exchange);
    let mut lines = vec![
        format!("{} in region {}, {member} (list {})", status.code, status.region, status.member_list),
        format!("registry      {registry}"),
        format!(
            "to publish    {} words of {} patients, oldest {oldest}",
            status.words_waiting, status.subjects_waiting
        ),
        format!(
            "exchange      {}, feed at {}{}, {} documents being fetched",
            exchange.lease_ends.as_deref().map_or_else(
                || "without a lease: nothing is let go or opened".to_owned(),
                |ends| format!("lease until {ends}")
            ),
            exchange.feed_number,
            behind(exchange.feed_behind),
            exchange.fetching
        ),
        format!(
            "to say        {} acts of patients, {} events; {} refused for good",
            exchange.acts_waiting, exchange.events_waiting, exchange.words_refused
        ),
        format!("open          {} reviews, {} problems", status.open_reviews, status.open_problems),
        format!("disk          {} MiB free", status.free_bytes >> 20),
    ];
    lines.extend(alarms(status));
    if status.words_held > 0 {
        lines.push(format!(
            "held back     {} documents of {} patients without a resident ID or health card",
            status.words_held, status.subjects_held
        ));
    }
    lines.extend(status.tokens_wait.iter().map(tokens_text));
    let nearly = status.tokens_nearly.filter(|_| status.tokens_wait.is_none());
    lines.extend(nearly.map(|(used, allowed)| {
        format!("tokens        {used} of the {allowed} that a day allows are used (T-5)")
    }));
    lines.extend(status.recalled.iter().map(recalled_text));
    lines.extend(registers_text(&status.registers));
    lines.extend(status.systems.iter().map(|(system, line)| {
        let reused = match line.reused {
            0 => String::new(),
            reused => format!("; {reused} with the control id of another"),
        };
        format!(
            "{system:<13} indexed {}, applied {}, answered {}, review {}, refused {}; {} documents{reused}",
            line.indexed, line.applied, line.answered, line.review, line.refused, line.documents
        )
    }));
    lines.extend(status.connections.iter().map(connection_text));
    lines.extend(status.views.iter().map(view_text));
    lines.extend(status.out.iter().map(out_text));
    lines.join("\n")
}

/// What came through a door, by what its sender calls itself.
fn connection_text(row: &ConnectionRow) -> String {
    let system = if row.system.is_empty() { "others" } else { &row.system };
    let sender = if row.sender.is_empty() { "-" } else { &row.sender };
    let last = row.last.as_deref().unwrap_or("-");
    let wrong = row.wrong.as_ref().map(|wrong| format!("; last wrong {}: {}", wrong.at, wrong.what));
    format!(
        "connection    {system} by {} from {sender}: {} came, {} of them again, last {last}; indexed {}, applied {}, answered {}, review {}, refused {}{}",
        row.door,
        row.came,
        row.repeated,
        row.indexed,
        row.applied,
        row.answered,
        row.review,
        row.refused,
        wrong.unwrap_or_default()
    )
}

/// How far a system is told.
fn view_text(row: &ViewRow) -> String {
    let ViewRow { name, system, read, last, looked, trouble } = row;
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let trouble = trouble.as_ref().map(|trouble| format!("; since {}: {}", trouble.at, trouble.what));
    format!(
        "view          {name} of {system}: read up to {}, last new {}, looked {}{}",
        or_none(read),
        or_none(last),
        or_none(looked),
        trouble.unwrap_or_default()
    )
}

fn out_text(row: &OutRow) -> String {
    let OutRow { name, kind, taken, waiting, aside, refused: _, missed, last, trouble, wrong } = row;
    let last = last.as_deref().unwrap_or("-");
    let trouble =
        trouble.as_ref().map(|trouble| format!("; not taken since {}: {}", trouble.at, trouble.what));
    let wrong = wrong.as_ref().map(|wrong| format!("; last set aside {}: {}", wrong.at, wrong.what));
    format!(
        "out           {name} by {kind}: {taken} taken, last {last}; {waiting} waiting, {aside} set aside, {missed} missed{}{}",
        trouble.unwrap_or_default(),
        wrong.unwrap_or_default()
    )
}

/// What an operator is to look at now.
fn alarms(status: &Status) -> Vec<String> {
    let exchange = &status.exchange;
    let mut lines = Vec::new();
    lines.extend(exchange.feed_stopped_after.map(|after| {
        format!(
            "ALARM         the feed does not go on after item {after}: tell the registry's operator (F-3)"
        )
    }));
    lines.extend(exchange.contradictions.iter().filter(|found| found.is_current).map(|found| {
        let also = found.member.as_ref().map(|member| format!(", one of them shown to {member}"));
        format!(
            "ALARM         the registry has signed two logs (L-13), found {}{}: `status --json` has both checkpoints",
            found.at,
            also.unwrap_or_default()
        )
    }));
    lines.extend(exchange.omissions.iter().filter(|found| found.is_current).map(|found| {
        format!(
            "ALARM         the registry leaves out what it acknowledged at place {} (L-16), told to {} and found {}: `evidence export --omission {}` makes the proof",
            found.place, found.reader, found.at, found.number
        )
    }));
    lines.extend(status.audit_broken.iter().map(|line| {
        format!("ALARM         line {line} of the audit was changed or is gone (A-3): keep the data folder as it is")
    }));
    if exchange.other_log {
        lines.push("ALARM         the registry has shown another log: tell its operator (L-11)".to_owned());
    }
    lines
}

/// How far the feed has still to go, if it has.
fn behind(items: u64) -> String {
    if items == 0 { String::new() } else { format!(" ({items} more to catch up with)") }
}

/// That the registry gives no more tokens today.
fn tokens_text(TokensLine { until, patients }: &TokensLine) -> String {
    format!(
        "ALARM         the quota of tokens for a day is used up: {patients} patients are published after {until} (T-5)"
    )
}

/// That the data folder was put back to an older copy.
fn recalled_text(recalled: &RecalledLine) -> String {
    let RecalledLine { at, words, to_withdraw, reading } = recalled;
    let reading = if *reading { ", and the log is still being read" } else { "" };
    format!(
        "put back      {at}: the log had {words} words that this folder had not; {to_withdraw} lost documents are still to be withdrawn{reading}. \
         Have the systems send again what came after the copy (N-9)"
    )
}

/// Which registers of patient numbers came in messages that nobody has configured; names of systems, never of people.
fn registers_text(registers: &[RegisterLine]) -> Option<String> {
    let named = |line: &RegisterLine| {
        let name = if line.name.is_empty() { "no name" } else { &line.name };
        format!("{name} ({} messages)", line.messages)
    };
    let all: Vec<String> = registers.iter().map(named).collect();
    (!all.is_empty()).then(|| {
        format!(
            "registers     not configured: {}; see main_register and [assigners] in node.toml",
            all.join(", ")
        )
    })
}

pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout().lock(), "{text}")?)
}

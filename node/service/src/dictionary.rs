//! The data dictionary (对照手册) for people: a table out, with suggestions, and the table back in with what they decided.
//!
//! Not here: what is kept of it: `yiqiao_node_core::dictionary`; how the table is read: `yiqiao_terms::dictionary`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use yiqiao_host::accounts::{Account, Login};
use yiqiao_node_core::actor::{Actor, Staff};
use yiqiao_node_core::dictionary::{Deciding, Known};
use yiqiao_node_core::limits::DICTIONARY_PARTS;
use yiqiao_node_core::machine::Input;
use yiqiao_proto::codes::PersonRole;
use yiqiao_proto::id::Code;
use yiqiao_proto::phi::Phi;
use yiqiao_terms::csv;
use yiqiao_terms::dictionary::{self, COLUMNS, Decided, Local, Status};
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::limits::CSV_BYTES_MAX;

use crate::admin::{Reply, Request, sentence};
use crate::app::App;
use crate::cli::{Console, other, say};

/// Rows that one request carries: each is far below a kilobyte.
const ROWS_AT_ONCE: usize = 32;

/// What can be done with the dictionary.
#[derive(Debug, Subcommand)]
pub(crate) enum DictionaryCommand {
    /// Prints the table as CSV, the most frequent items first.
    Export {
        /// Only items about which nobody has decided yet.
        #[arg(long)]
        open: bool,
    },
    /// Takes what stands in the columns `status` and `loinc` of a table: all rows or none. Rows without a status are passed over.
    Import {
        /// The table, in UTF-8.
        file: PathBuf,
        /// Whose decisions these are: the login of an account.
        #[arg(long)]
        author: Login,
    },
}

/// An item as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ItemLine {
    code: String,
    name: String,
    specimen: String,
    unit: String,
    results: u64,
    status: String,
    loinc: String,
    author: String,
    at: String,
    version: u32,
    suggested: Vec<String>,
}

/// What is decided of an item.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecidedLine {
    code: String,
    name: String,
    specimen: String,
    unit: String,
    status: String,
    loinc: String,
}

/// One part of the items of a system.
pub(crate) async fn part(app: &App, system: &str, part: u8) -> Result<Reply, String> {
    let system = Code::new(system).map_err(sentence)?;
    let asked = app.inbox.ask(move |machine, view| machine.dictionary(&system, part, view)).await;
    let (known, others) = asked.map_err(sentence)?;
    let items = known.into_iter().map(|known| item_line(app, known)).collect();
    Ok(Reply::Dictionary { items, others })
}

/// An item as it stands, with what it may be.
pub(crate) fn item_line(app: &App, known: Known) -> ItemLine {
    let suggested = Terms::of_this_version().suggest(&known.local).into_iter();
    let suggested = suggested.filter_map(|item| Some(format!("{} {}", item.loinc()?, item.name)));
    let suggested = suggested.collect();
    let Known { local, results, meaning } = known;
    let Local { code, name, specimen, unit } = local;
    let mut line = ItemLine {
        code,
        name,
        specimen,
        unit,
        results,
        suggested,
        status: String::new(),
        loinc: String::new(),
        author: String::new(),
        at: String::new(),
        version: 0,
    };
    if let Some(meaning) = meaning {
        line.status = meaning.status.name().to_owned();
        line.loinc = meaning.loinc;
        line.author = meaning.author;
        line.at = app.reception.zone().show(meaning.at);
        line.version = meaning.version;
    }
    line
}

/// Takes decisions about items of one system.
pub(crate) async fn decide(
    app: &App,
    author: Login,
    system: &str,
    lines: Vec<DecidedLine>,
) -> Result<Reply, String> {
    let account = app.identity.accounts.find(&author).map_err(sentence)?;
    let account =
        account.filter(|account| !account.disabled).ok_or("no account has the login of the author")?;
    let actor = actor(&account);
    let decided = lines.into_iter().map(decided).collect::<Option<_>>().ok_or("no such decision")?;
    let deciding = Deciding { actor, system: Code::new(system).map_err(sentence)?, decided };
    app.inbox.hand(Input::Decide(Box::new(deciding))).await.map_err(sentence)?;
    Ok(Reply::Done { done: true })
}

/// Who maps codes acts in no role of care.
pub(crate) fn actor(account: &Account) -> Actor {
    Actor::Staff(Staff {
        login: account.login.to_string(),
        name: Phi::new(account.profile.display_name.clone()),
        role: PersonRole::System,
        departments: BTreeSet::new(),
        department: None,
    })
}

/// What a line says, if it is a decision.
pub(crate) fn decided(line: DecidedLine) -> Option<Decided> {
    Some(Decided {
        system: String::new(),
        local: Local::new(&line.code, &line.name, &line.specimen, &line.unit)?,
        status: Status::ALL.into_iter().find(|status| status.name() == line.status)?,
        loinc: Some(line.loinc).filter(|loinc| dictionary::is_loinc(loinc))?,
    })
}

/// Does what the administrator says.
pub(crate) fn run(console: &Console, command: &DictionaryCommand) -> anyhow::Result<()> {
    match command {
        DictionaryCommand::Export { open } => export(console, *open),
        DictionaryCommand::Import { file, author } => import(console, file, author),
    }
}

fn export(console: &Console, only_open: bool) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for system in systems(console)? {
        for part in 0..DICTIONARY_PARTS {
            let request = Request::Dictionary { system: system.clone(), part };
            let Reply::Dictionary { items, .. } = console.ask(&request)? else { return other() };
            found.extend(items.into_iter().map(|item| (system.clone(), item)));
        }
    }
    found.retain(|(_, item)| !only_open || item.status.is_empty());
    found.sort_by(|(_, one), (_, other)| other.results.cmp(&one.results).then(one.name.cmp(&other.name)));
    let rows = found.iter().map(|(system, item)| row(system, item));
    // Spreadsheets tell UTF-8 by its mark.
    let heading = format!("\u{FEFF}{}", csv::line(COLUMNS));
    say(&std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n"))
}

fn row(system: &str, item: &ItemLine) -> String {
    let (results, suggested) = (item.results.to_string(), item.suggested.join("; "));
    let version = item.version.to_string();
    csv::line([
        system,
        &item.code,
        &item.name,
        &item.specimen,
        &item.unit,
        &results,
        &item.status,
        &item.loinc,
        &suggested,
        &item.author,
        &item.at,
        &version,
    ])
}

fn systems(console: &Console) -> anyhow::Result<Vec<String>> {
    let Reply::Status(status) = console.ask(&Request::Status)? else { return other() };
    Ok(status.systems.keys().cloned().collect())
}

fn import(console: &Console, file: &PathBuf, author: &Login) -> anyhow::Result<()> {
    let size = fs::metadata(file).with_context(|| file.display().to_string())?.len();
    ensure!(size <= CSV_BYTES_MAX as u64, "the table is longer than {CSV_BYTES_MAX} bytes");
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let known: BTreeSet<String> = systems(console)?.into_iter().collect();
    let decided = dictionary::read(&text)?;
    let count = decided.len();
    let mut by_system: BTreeMap<String, Vec<DecidedLine>> = BTreeMap::new();
    for one in decided {
        ensure!(known.contains(&one.system), "no system of this node is called `{}`", one.system);
        by_system.entry(one.system.clone()).or_default().push(line(one));
    }
    for (system, mut lines) in by_system {
        while !lines.is_empty() {
            let decided = lines.drain(..lines.len().min(ROWS_AT_ONCE)).collect();
            let request = Request::Decide { author: author.clone(), system: system.clone(), decided };
            let Reply::Done { .. } = console.ask(&request)? else { return other() };
        }
    }
    say(&format!("{count} decisions taken; those that stood already are no new versions"))
}

fn line(decided: Decided) -> DecidedLine {
    let Local { code, name, specimen, unit } = decided.local;
    DecidedLine { code, name, specimen, unit, status: decided.status.name().to_owned(), loinc: decided.loinc }
}

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
use yiqiao_terms::codes::{CodeTable, CodeTables};
use yiqiao_terms::csv;
use yiqiao_terms::dictionary::{self, COLUMNS, Decided, Local, Status};
use yiqiao_terms::harmonise::Terms;
use yiqiao_terms::item::Item;
use yiqiao_terms::kind::Kind;
use yiqiao_terms::limits::CSV_BYTES_MAX;

use crate::admin::{Reply, Request, sentence};
use crate::app::App;
use crate::cli::{Console, other, say};

/// Rows that one request carries: each is far below a kilobyte.
const ROWS_AT_ONCE: usize = 32;

/// What can be done with the dictionary.
#[derive(Debug, Subcommand)]
pub(crate) enum DictionaryCommand {
    /// Prints the table as CSV, the most frequent of all kinds first.
    Export {
        /// Only that about which nobody has decided yet.
        #[arg(long)]
        open: bool,
    },
    /// Takes what stands in the columns `status` and `standard` of a table: all rows or none. Rows without a status are passed over.
    Import {
        /// The table, in UTF-8.
        file: PathBuf,
        /// Whose decisions these are: the login of an account.
        #[arg(long)]
        author: Login,
    },
}

/// An item, or something of another kind, as it stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ItemLine {
    kind: String,
    code: String,
    name: String,
    specimen: String,
    unit: String,
    results: u64,
    status: String,
    standard: String,
    /// What the code is called, if a table has it.
    called: String,
    author: String,
    at: String,
    version: u32,
    suggested: Vec<String>,
}

/// What is decided of an item.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecidedLine {
    kind: String,
    code: String,
    name: String,
    specimen: String,
    unit: String,
    status: String,
    standard: String,
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
    let table = app.reception.codes().of(known.local.kind);
    let suggested = suggested(table, &known.local);
    let Known { local, results, meaning } = known;
    let Local { kind, code, name, specimen, unit } = local;
    let mut line = ItemLine {
        kind: kind.name().to_owned(),
        code,
        name,
        specimen,
        unit,
        results,
        suggested,
        status: String::new(),
        standard: String::new(),
        called: String::new(),
        author: String::new(),
        at: String::new(),
        version: 0,
    };
    if let Some(meaning) = meaning {
        line.status = meaning.status.name().to_owned();
        line.called = called(table, kind, &meaning.standard).unwrap_or_default();
        line.standard = meaning.standard;
        line.author = meaning.author;
        line.at = app.reception.zone().show(meaning.at);
        line.version = meaning.version;
    }
    line
}

/// What an item may be, the likeliest first: items of the shipped tables, whose results are converted, then those of the hospital's own table.
fn suggested(table: &CodeTable, local: &Local) -> Vec<String> {
    let shipped = Terms::of_this_version().suggest(local).into_iter();
    let shipped = shipped.filter_map(|item| Some((item.loinc()?.to_owned(), item.name.clone())));
    let mut found: Vec<(String, String)> = shipped.collect();
    for row in table.suggest(local) {
        if found.iter().all(|(code, _)| *code != row.code) {
            found.push((row.code.clone(), row.name.clone()));
        }
    }
    found.into_iter().map(|(code, name)| format!("{code} {name}")).collect()
}

/// What a code is called, in the hospital's own table or, of an item, the shipped ones; none if neither has it.
fn called(table: &CodeTable, kind: Kind, code: &str) -> Option<String> {
    let has_code = |item: &&Item| item.loincs().any(|loinc| loinc == code);
    let shipped = || Terms::of_this_version().items().iter().find(has_code).filter(|_| kind == Kind::Item);
    table.name(code).map(str::to_owned).or_else(|| shipped().map(|item| item.name.clone()))
}

/// Whether a decision may name a code: with a table of its own a hospital decides by that, or for what the shipped ones have (U-8).
pub(crate) fn is_listed(tables: &CodeTables, decided: &Decided) -> bool {
    let kind = decided.local.kind;
    let table = tables.of(kind);
    table.is_empty() || called(table, kind, &decided.standard).is_some()
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
    let decided: Vec<Decided> =
        lines.into_iter().map(decided).collect::<Option<_>>().ok_or("no such decision")?;
    if let Some(unlisted) = decided.iter().find(|one| !is_listed(app.reception.codes(), one)) {
        let kind = unlisted.local.kind.name();
        return Err(format!("no table of codes for `{kind}` has `{}`", unlisted.standard));
    }
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
    let kind = Kind::from_name(&line.kind)?;
    let local = if kind == Kind::Item {
        Local::new(&line.code, &line.name, &line.specimen, &line.unit)?
    } else {
        Local::of(kind, &line.code, &line.name)?
    };
    Some(Decided {
        system: String::new(),
        local,
        status: Status::ALL.into_iter().find(|status| status.name() == line.status)?,
        standard: Some(line.standard).filter(|code| kind.standard(code).is_some())?,
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
        &item.kind,
        &item.code,
        &item.name,
        &item.specimen,
        &item.unit,
        &results,
        &item.status,
        &item.standard,
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
    let Local { kind, code, name, specimen, unit } = decided.local;
    let (kind, status) = (kind.name().to_owned(), decided.status.name().to_owned());
    DecidedLine { kind, code, name, specimen, unit, status, standard: decided.standard }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "code,name\n14749-6,葡萄糖[摩尔/体积]\n33914-3,肾小球滤过率.预测\n";

    #[test]
    fn u8_suggestions_of_the_hospitals_own_table_follow_those_of_the_shipped_ones() {
        let table = CodeTable::read(Kind::Item, TABLE).unwrap();
        let local = |name| Local::new("", name, "", "mmol/L").unwrap();
        assert_eq!(suggested(&table, &local("葡萄糖测定")).first().unwrap(), "14749-6 葡萄糖");
        assert_eq!(suggested(&table, &local("肾小球滤过率")).last().unwrap(), "33914-3 肾小球滤过率.预测");
        let glucose = suggested(&table, &local("葡萄糖测定"));
        assert_eq!(glucose.iter().filter(|one| one.starts_with("14749-6")).count(), 1, "each code once");
    }

    #[test]
    fn u8_with_a_table_only_codes_that_some_table_has_are_decided() {
        let (none, mut tables) = (CodeTables::default(), CodeTables::default());
        let table = CodeTable::read(Kind::Item, TABLE).unwrap();
        tables.put(Kind::Item, table.clone());
        let decided = |kind, standard: &str| Decided {
            system: String::new(),
            local: Local { kind, ..Local::new("1", "", "", "").unwrap() },
            status: Status::Accepted,
            standard: standard.to_owned(),
        };
        let item = |code| decided(Kind::Item, code);
        assert!(is_listed(&none, &item("1-8")) && !is_listed(&tables, &item("1-8")));
        assert!(
            is_listed(&tables, &item("33914-3")) && is_listed(&tables, &item("2823-3")),
            "shipped: potassium"
        );
        assert!(is_listed(&tables, &decided(Kind::Diagnosis, "I10")), "of another kind there is no table");
        let called = |table, code| called(table, Kind::Item, code);
        assert_eq!(called(&table, "14749-6").as_deref(), Some("葡萄糖[摩尔/体积]"));
        let none = CodeTable::default();
        assert_eq!((called(&none, "2823-3").as_deref(), called(&table, "1-8")), (Some("钾"), None));
    }
}

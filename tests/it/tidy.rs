//! The repository keeps its own rules: clauses are tested, crates import only what stands above them, modules say what
//! they are for, and nothing speaks of where it was made.

#![expect(clippy::unwrap_used, reason = "a file of the repository that cannot be read is a failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Who may import whom: each crate only those that stand before it.
const LADDER: &[&str] = &[
    "yiqiao-proto",
    "yiqiao-consent",
    "yiqiao-evidence",
    "yiqiao-journal",
    "yiqiao-registry-core",
    "yiqiao-terms",
    "yiqiao-intake",
    "yiqiao-extract",
    "yiqiao-dicom",
    "yiqiao-node-core",
    "yiqiao-fhir",
    "yiqiao-xds",
    "yiqiao-views",
    "yiqiao-brokers",
    "yiqiao-web",
    "yiqiao-keymodule",
    "yiqiao-host",
    "yiqiao-upgrade-bench",
    "yiqiao-registry",
    "yiqiao-node",
    "yiqiao-simnet",
    "yiqiao-simworld",
    "yiqiao-demo",
    "yiqiao-tests",
];

/// Where the tables of the configuration files are read, and the headings under which docs/configuration.md has their keys.
const CONFIGURED: &[(&str, &str, &str)] = &[
    ("`node.toml`", "node/service/src/config.rs", "pub(crate) struct Config {"),
    ("`[[door]]`", "node/service/src/config.rs", "    Mllp {"),
    ("`[[table]]`", "node/service/src/config.rs", "pub(crate) struct TableConfig {"),
    ("`[[view]]`", "node/service/src/views/config.rs", "pub(crate) struct ViewConfig {"),
    ("`[[door]]` for DICOM", "node/service/src/config.rs", "    Dicom {"),
    ("`[[out]]` for MLLP", "node/service/src/outgoing/config.rs", "    Mllp {"),
    ("`tls` of `[[door]]`", "node/service/src/tls.rs", "pub(crate) struct DoorTls {"),
    ("`tls` of `[[out]]`", "node/service/src/tls.rs", "pub(crate) struct OutTls {"),
    ("`[[out]]` for webhooks", "node/service/src/outgoing/config.rs", "    Webhook {"),
    ("`[[out]]` for AMQP", "node/service/src/outgoing/config.rs", "    Amqp {"),
    ("`[[out]]` for NATS", "node/service/src/outgoing/config.rs", "    Nats {"),
    ("`[coding]`", "node/service/src/config.rs", "pub(crate) struct CodingConfig {"),
    ("`[gateway]`", "node/service/src/config.rs", "pub(crate) struct GatewayConfig {"),
    ("`[emergency]`", "node/service/src/config.rs", "pub(crate) struct EmergencyConfig {"),
    ("`[module]`", "host/src/keys/keyring.rs", "pub struct ModuleConfig {"),
    ("`[http]`", "host/src/http/guard.rs", "pub struct HttpConfig {"),
    ("`[log]`", "host/src/telemetry.rs", "pub struct LogConfig {"),
    ("`registry.toml`", "registry/service/src/config.rs", "pub(crate) struct Config {"),
    ("`[[witness]]`", "registry/service/src/witness.rs", "pub(crate) struct WitnessConfig {"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file below the root with this ending, without what is built or fetched.
fn files(ending: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !matches!(name.as_str(), "target" | ".git" | "node_modules" | "run" | "dist") {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), ending, &mut found);
    found
}

fn clauses() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/protocol.md")).unwrap();
    let (clauses, _) = text.split_once("\n## Open").unwrap_or((&text, ""));
    let clause = |line: &str| Some(line.strip_prefix("* **")?.split_once("**")?.0.to_owned());
    clauses.lines().filter_map(clause).collect()
}

/// Clauses that names of tests begin with: `fn w2_…` is of W-2, `fn n4_l1_…` of N-4 and L-1.
fn cited() -> BTreeSet<String> {
    let mut cited = BTreeSet::new();
    for file in files(".rs") {
        for line in fs::read_to_string(file).unwrap().lines() {
            let Some(name) = line.trim_start().trim_start_matches("async ").strip_prefix("fn ") else {
                continue;
            };
            for part in name.split('_') {
                let mut letters = part.chars();
                let letter = letters.next().filter(char::is_ascii_lowercase);
                let number = letters.as_str();
                let is_number =
                    (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
                match letter.filter(|_| is_number) {
                    Some(letter) => cited.insert(format!("{}-{number}", letter.to_ascii_uppercase())),
                    None => break,
                };
            }
        }
    }
    cited
}

#[test]
fn every_clause_has_a_test_that_cites_it() {
    let (clauses, cited) = (clauses(), cited());
    assert!(clauses.len() > 100, "docs/protocol.md has its clauses");
    let without: Vec<_> = clauses.difference(&cited).collect();
    assert!(without.is_empty(), "clauses without a test: {without:?}");
}

/// What a row of docs/threats.md names in its last column, and whether it says that something is accepted.
fn threats() -> Vec<(String, bool, Vec<String>)> {
    let text = fs::read_to_string(root().join("docs/threats.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat |"));
    let read = |row: &str| {
        let (said, shown) = row.trim_matches('|').rsplit_once(" | ").unwrap();
        let (threat, holds) = said.split_once(" | ").unwrap();
        let shown = shown.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (threat.to_owned(), holds.contains("Accepted"), shown)
    };
    rows.map(read).collect()
}

#[test]
fn every_threat_names_tests_that_there_are_or_says_what_is_accepted() {
    let sources: Vec<String> =
        files(".rs").into_iter().chain(files(".mjs")).map(|file| fs::read_to_string(file).unwrap()).collect();
    let is_there = |name: &str| {
        let (test, station) = (format!("fn {name}("), format!("station('{name}'"));
        sources.iter().any(|source| source.contains(&test) || source.contains(&station))
    };
    let threats = threats();
    assert!(threats.len() > 5, "docs/threats.md has its rows");
    for (threat, accepted, shown) in threats {
        assert!(accepted || !shown.is_empty(), "{threat}: no test, and nothing is accepted");
        let missing: Vec<_> = shown.iter().filter(|name| !is_there(name)).collect();
        assert!(missing.is_empty(), "{threat}: no such test: {missing:?}");
    }
}

#[test]
fn every_crate_imports_only_what_stands_above_it() {
    for manifest in files("Cargo.toml") {
        let text = fs::read_to_string(&manifest).unwrap();
        let Some(name) = text.lines().find_map(|line| line.strip_prefix("name = ")) else { continue };
        let name = name.trim_matches('"');
        let place = LADDER.iter().position(|step| *step == name);
        let place = place.unwrap_or_else(|| panic!("{name} has no place in the ladder"));
        let normal = text.split("[dev-dependencies]").next().unwrap();
        for other in LADDER.iter().skip(place) {
            let imports = normal
                .lines()
                .any(|line| line.starts_with(&format!("{other}.")) || line.starts_with(&format!("{other} ")));
            assert!(!imports, "{name} imports {other}, which does not stand above it");
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for file in files(".rs") {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//!"), "{} has no header", file.display());
    }
}

/// The keys that a struct reads: its fields, as serde names them.
fn fields(file: &str, begins: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let (_, body) = text.split_once(&format!("\n{begins}\n")).unwrap();
    let indent = " ".repeat(begins.len() - begins.trim_start().len());
    let (body, _) = body.split_once(&format!("\n{indent}}}")).unwrap();
    let mut renamed = None;
    let mut fields = BTreeSet::new();
    for line in body.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        if line.starts_with('#') {
            renamed = line.split_once("rename = \"").and_then(|(_, name)| name.split('"').next());
        } else if let Some((name, _)) = line.split_once(": ") {
            let name = name.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            fields.insert(renamed.take().unwrap_or(name).to_owned());
        }
    }
    fields
}

#[test]
fn every_key_of_the_configuration_is_described() {
    let text = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let sections: BTreeMap<&str, &str> =
        text.split("\n## ").filter_map(|section| section.split_once('\n')).collect();
    for (heading, file, begins) in CONFIGURED {
        let described = sections.get(heading).unwrap().lines();
        let described: BTreeSet<String> = described
            .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
            .collect();
        let mut known = fields(file, begins);
        if heading.starts_with("`[[door]]`") || heading.starts_with("`[[out]]`") {
            known.insert("kind".to_owned());
        }
        if *heading == "`[[door]]`" {
            known.extend(fields(file, "    Folder {"));
        }
        assert_eq!(described, known, "{heading} of docs/configuration.md, and {file}");
    }
}

#[test]
fn every_name_of_this_project_at_the_fhir_door_is_described() {
    let described = fs::read_to_string(root().join("docs/fhir.md")).unwrap();
    let mut names = BTreeSet::new();
    for file in files(".rs").iter().filter(|file| file.starts_with(root().join("node/fhir/src"))) {
        let text = fs::read_to_string(file).unwrap();
        let (code, _) = text.split_once("#[cfg(test)]").unwrap_or((&text, ""));
        let is_part = |letter: &char| letter.is_ascii_lowercase() || "-:0123456789".contains(*letter);
        let name = |rest: &str| rest.chars().take_while(is_part).collect::<String>();
        names.extend(code.split("urn:yiqiao:").skip(1).map(name));
    }
    names.remove("");
    assert!(names.len() > 15, "{names:?}");
    let missing: Vec<_> =
        names.iter().filter(|name| !described.contains(&format!("`urn:yiqiao:{name}"))).collect();
    assert!(missing.is_empty(), "docs/fhir.md does not name {missing:?}");
}

#[test]
fn nothing_speaks_of_the_place_where_it_was_made() {
    let words = [["/wo", "rk/"].concat(), ["/tm", "p/h/"].concat(), ["shared/", "corpus"].concat()];
    let endings = [".rs", ".toml", ".md", ".py", ".proto", ".sh", ".ts", ".tsx", ".mjs", "Makefile"];
    let texts: BTreeMap<PathBuf, String> = endings
        .iter()
        .flat_map(|ending| files(ending))
        .map(|file| (file.clone(), fs::read_to_string(&file).unwrap()))
        .collect();
    for (file, text) in texts {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{} speaks of {word}", file.display());
        }
    }
}

//! `[[view]]` of the configuration: which views of which databases are read, as which table, and how often.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use yiqiao_host::config::ConfigPath;
use yiqiao_intake::table::Mapping;
use yiqiao_proto::hash;
use yiqiao_proto::id::Code;
use yiqiao_views::view::{Source, View, What};

use crate::limits::{PASSWORD_BYTES_MAX, VIEWS_MAX};

/// A `[[view]]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewConfig {
    /// Its name: what is shown of it stands under that.
    name: String,
    /// The system whose rows these are.
    system: String,
    /// Where the database is, with user and without password.
    url: String,
    /// The file whose first line is the password.
    password_file: ConfigPath,
    /// Certificates of those who vouch for the database, in PEM; in the open if it is left out.
    #[serde(default)]
    authorities: Option<ConfigPath>,
    /// The view or table.
    #[serde(default)]
    view: Option<String>,
    /// What is selected in its place.
    #[serde(default)]
    query: Option<String>,
    /// The table that its rows are.
    table: String,
    /// The column that tells newer rows from older ones.
    watermark: String,
    /// How far before the watermark each look begins: seconds of a time, units of a number.
    #[serde(default = "overlap")]
    overlap: u64,
    /// How many seconds lie between two looks; 0: only a backfill reads it.
    #[serde(default = "every")]
    every: u64,
}

/// A view that is read.
#[derive(Clone, Debug)]
pub(crate) struct Declared {
    pub(crate) name: Code,
    pub(crate) system: Code,
    pub(crate) table: Mapping,
    pub(crate) view: View,
    /// What tells it from one that is declared otherwise.
    pub(crate) identity: [u8; 32],
    /// None: only a backfill reads it.
    pub(crate) every: Option<Duration>,
}

const fn overlap() -> u64 {
    600
}

const fn every() -> u64 {
    300
}

/// All views, each by a name of its own.
pub(crate) fn declared(sections: &[ViewConfig], tables: &[Mapping]) -> anyhow::Result<Vec<Declared>> {
    ensure!(sections.len() <= VIEWS_MAX, "the configuration has more than {VIEWS_MAX} `[[view]]`");
    let all = sections.iter().map(|one| one.declared(tables)).collect::<anyhow::Result<Vec<_>>>()?;
    let names: BTreeSet<&Code> = all.iter().map(|one| &one.name).collect();
    ensure!(names.len() == all.len(), "two `[[view]]` of the configuration have one name");
    Ok(all)
}

impl ViewConfig {
    /// The system whose rows these are.
    pub(crate) fn system(&self) -> anyhow::Result<Code> {
        Code::new(self.system.as_str()).context("`system` of a `[[view]]` in the configuration")
    }

    fn declared(&self, tables: &[Mapping]) -> anyhow::Result<Declared> {
        let name = Code::new(self.name.as_str());
        let name = name.with_context(|| format!("`view.name` in the configuration is {}", self.name))?;
        let read = || -> anyhow::Result<Declared> {
            let table = self.table(tables)?;
            let view = self.view(&table)?;
            let also = [self.system.clone(), table.name.clone()];
            let parts: Vec<Vec<u8>> = view.identity().iter().chain(&also).map(|part| framed(part)).collect();
            let identity = hash::blake3(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let every = self.every()?;
            Ok(Declared { name: name.clone(), system: self.system()?, table, view, identity, every })
        };
        read().with_context(|| format!("`[[view]]` {name} in the configuration"))
    }

    fn every(&self) -> anyhow::Result<Option<Duration>> {
        ensure!(self.every <= 24 * 3_600, "`every` is at most a day, in seconds");
        Ok((self.every > 0).then(|| Duration::from_secs(self.every)))
    }

    fn table(&self, tables: &[Mapping]) -> anyhow::Result<Mapping> {
        let named = tables.iter().find(|table| table.name == self.table).cloned();
        let table = named.with_context(|| format!("there is no table {}", self.table))?;
        let kept = table.kind.is_about_patients();
        ensure!(kept, "the table {} is not about patients: nothing of it would be kept", self.table);
        Ok(table)
    }

    fn view(&self, table: &Mapping) -> anyhow::Result<View> {
        let authorities = self.authorities.as_ref().map(ConfigPath::as_path);
        let source = Source::new(&self.url, &password(self.password_file.as_path())?, authorities)?;
        let what = match (&self.view, &self.query) {
            (Some(view), None) => What::Named(view.clone()),
            (None, Some(query)) => What::Query(query.clone()),
            (Some(_), Some(_)) | (None, None) => bail!("either `view` or `query`"),
        };
        Ok(View {
            source,
            what,
            key: table.key.clone(),
            needed: table.columns.values().cloned().collect(),
            watermark: self.watermark.clone(),
            overlap: self.overlap,
            separator: table.separator,
        })
    }
}

/// So that no two lists of parts are one.
fn framed(part: &str) -> Vec<u8> {
    [&(part.len() as u64).to_be_bytes(), part.as_bytes()].concat()
}

/// The first line of a file that only its owner may read.
pub(crate) fn password(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    let read = || format!("`password_file`: {shown}");
    let metadata = fs::metadata(file).with_context(read)?;
    let mode = metadata.mode() & 0o777;
    ensure!(mode & 0o077 == 0, "`password_file`: others may read {shown} (mode {mode:o}): chmod 600 {shown}");
    ensure!(metadata.len() <= PASSWORD_BYTES_MAX, "`password_file`: {shown} is longer than a password");
    let text = fs::read_to_string(file).with_context(read)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt;

    use yiqiao_intake::table::{Field, Kind};

    use super::*;

    #[derive(Deserialize)]
    struct Sections {
        view: Vec<ViewConfig>,
    }

    fn table(name: &str, kind: Kind) -> Mapping {
        Mapping {
            name: name.to_owned(),
            kind,
            title: name.to_owned(),
            key: vec!["no".to_owned()],
            separator: b',',
            register: String::new(),
            columns: BTreeMap::from([(Field::Number, "patient".to_owned())]),
        }
    }

    fn read(text: &str) -> Result<Vec<Declared>, String> {
        let sections = toml::from_str::<Sections>(text).map_err(|error| error.to_string())?.view;
        let tables = [table("fees", Kind::Fees), table("stock", Kind::Stock)];
        declared(&sections, &tables).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn the_example_of_the_documentation_is_taken() {
        let text = include_str!("../../../../docs/configuration.md");
        let example = text.split("```\n[[view]]").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("his.password");
        fs::write(&password, "a-password").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let example = example.replace("his.password", &password.display().to_string());
        let all = read(&format!("[[view]]{example}")).unwrap();
        assert_eq!(all[0].view.what, What::Named("yiqiao.v_fees".to_owned()));
    }

    #[test]
    fn a_view_names_a_database_a_table_and_a_password_that_only_the_node_may_read() {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        fs::write(&password, "a-password\n").unwrap();
        fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
        let section = |more: &str| {
            format!(
                "[[view]]\nname = \"fees\"\nsystem = \"finance\"\nurl = \"mysql://reader@db/his\"\n\
                 password_file = {password:?}\ntable = \"fees\"\nwatermark = \"changed\"\n{more}\n"
            )
        };
        let all = read(&section("view = \"v_fees\"")).unwrap();
        assert!(!format!("{all:?}").contains("a-password"));
        assert_eq!((all[0].every, all[0].view.overlap), (Some(Duration::from_secs(300)), 600));
        assert_eq!(all[0].view.needed, ["patient"]);
        let identity = |text: String| read(&text).unwrap()[0].identity;
        let plain = identity(section("view = \"v_fees\""));
        assert_eq!(plain, identity(section("view = \"v_fees\"\nevery = 0\noverlap = 5")));
        assert_ne!(
            plain,
            identity(section("query = \"v_fees\"")),
            "what is read otherwise has another place"
        );
        for (wrong, said) in [
            (section(""), "either"),
            (section("view = \"a\"\nquery = \"b\""), "either"),
            (section("view = \"a\"\nevery = 90000"), "a day"),
            (section("view = \"a\"").replace("table = \"fees\"", "table = \"stock\""), "not about patients"),
            (section("view = \"a\"").replace("table = \"fees\"", "table = \"none\""), "no table none"),
            (section("view = \"a\"").replace("reader@", "reader:secret@"), "without a password"),
            (section("view = \"a\"") + &section("view = \"b\""), "one name"),
        ] {
            assert!(read(&wrong).unwrap_err().contains(said), "{said}");
        }
        fs::set_permissions(&password, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(read(&section("view = \"a\"")).unwrap_err().contains("chmod 600"));
    }
}

//! Tables of codes that a hospital has a licence for, such as all of LOINC or ICD-10: read at run time, never shipped. Beside them
//! stand the value sets, which are.
//!
//! It says which codes there are, what they are called, and which of them a local name may be. Not here: what follows from a code;
//! the shipped items have their units and conversions.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::csv::{self, CsvError};
use crate::dictionary::{Local, likeness};
use crate::folding::{head, key};
use crate::kind::Kind;
use crate::limits::{CODE_CANDIDATES_MAX, CODE_ROWS_MAX, NAME_BYTES_MAX, SUGGESTIONS_MAX};
use crate::sound::Sound;

/// A table of codes.
#[derive(Clone, Debug, Default)]
pub struct CodeTable {
    rows: Vec<Row>,
    by_code: BTreeMap<String, usize>,
    /// Rows by pairs of neighbouring letters of their names: those that can be alike at all.
    by_pair: BTreeMap<[char; 2], Vec<usize>>,
}

/// The tables of a hospital, by what they are of.
#[derive(Clone, Debug, Default)]
pub struct CodeTables {
    by_kind: BTreeMap<Kind, CodeTable>,
    none: CodeTable,
}

/// A code and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The code.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// Why a table of codes is none. Rows count from 1, the heading among them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodesError {
    /// It is no table.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A column is missing.
    #[error("the table has no column `{0}`")]
    Column(&'static str),
    /// More rows than are read.
    #[error("the table has more than {CODE_ROWS_MAX} rows")]
    Long,
    /// What should be a code is none.
    #[error("row {0}: the code is not {form}", form = .1.form())]
    Code(usize, Kind),
    /// A code without a name, or one that stands twice.
    #[error("row {0}: a code has one row and a name of at most {NAME_BYTES_MAX} bytes")]
    Name(usize),
}

impl CodeTable {
    /// Reads a table of the standard of a kind: a CSV with the columns `code` and `name` among others.
    ///
    /// # Errors
    /// [`CodesError`] naming the first row that is none.
    pub fn read(kind: Kind, text: &str) -> Result<Self, CodesError> {
        let rows = csv::read(text)?;
        let Some((heading, rows)) = rows.split_first() else { return Err(CodesError::Column("code")) };
        let place = |column: &'static str| {
            heading.iter().position(|cell| cell.trim() == column).ok_or(CodesError::Column(column))
        };
        let (code, name) = (place("code")?, place("name")?);
        if rows.len() > CODE_ROWS_MAX {
            return Err(CodesError::Long);
        }
        let mut table = Self::default();
        for (number, row) in (2..).zip(rows) {
            let cell = |at: usize| row.get(at).map_or("", |cell| cell.trim());
            if kind.standard(cell(code)).is_none() {
                return Err(CodesError::Code(number, kind));
            }
            let is_named = (1..=NAME_BYTES_MAX).contains(&cell(name).len());
            if !is_named || !table.add(cell(code), cell(name)) {
                return Err(CodesError::Name(number));
            }
        }
        Ok(table)
    }

    /// Whether the code was new.
    pub(crate) fn add(&mut self, code: &str, name: &str) -> bool {
        let at = self.rows.len();
        if self.by_code.insert(code.to_owned(), at).is_some() {
            return false;
        }
        for pair in pairs(&key(name)) {
            let places = self.by_pair.entry(pair).or_default();
            if places.last() != Some(&at) {
                places.push(at);
            }
        }
        self.rows.push(Row { code: code.to_owned(), name: name.to_owned() });
        true
    }

    /// The codes with their names, in the order of the table.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether there is no row: no table was named.
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What a code is called; none if the table does not have it.
    pub fn name(&self, code: &str) -> Option<&str> {
        let row = self.by_code.get(code).and_then(|at| self.rows.get(*at));
        row.map(|row| row.name.as_str())
    }

    /// Codes that something may be, the likeliest first: the code that the system sends, if the table has it, then by their names.
    pub fn suggest(&self, local: &Local) -> Vec<&Row> {
        let name = key(head(&local.name, NAME_BYTES_MAX));
        let sound = Sound::of(&name);
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for places in pairs(&name).iter().filter_map(|pair| self.by_pair.get(pair)) {
            places.iter().for_each(|at| *shared.entry(*at).or_default() += 1);
        }
        let mut likely: Vec<(usize, usize)> = shared.into_iter().collect();
        likely.sort_by_key(|(at, pairs)| (Reverse(*pairs), *at));
        let rows = likely.iter().take(CODE_CANDIDATES_MAX).filter_map(|(at, _)| self.rows.get(*at));
        let score = |row: &Row| {
            let spelled = [row.name.as_str(), component(&row.name)].map(key);
            let alike = spelled.iter().map(|known| likeness((known, &Sound::of(known)), (&name, &sound), ""));
            alike.max().flatten()
        };
        let mut found: Vec<(u32, &Row)> = rows.filter_map(|row| Some((score(row)?, row))).collect();
        found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.code.cmp(&other.1.code)));
        let same = self.by_code.get(&local.code).and_then(|at| self.rows.get(*at));
        let by_name = found.into_iter().map(|(_, row)| row).filter(|row| Some(*row) != same);
        same.into_iter().chain(by_name).take(SUGGESTIONS_MAX).collect()
    }
}

impl CodeTables {
    /// Puts the table of a kind beside those of others.
    pub fn put(&mut self, kind: Kind, table: CodeTable) {
        self.by_kind.insert(kind, table);
    }

    /// The table of a kind: the hospital's own, else the shipped one of a value set, else an empty one.
    pub fn of(&self, kind: Kind) -> &CodeTable {
        let shipped = if let Kind::Coded(set) = kind { set.table() } else { &self.none };
        self.by_kind.get(&kind).unwrap_or(shipped)
    }

    /// Whether what a system sends is a code of the standard itself: it says so, and the hospital's table, if there is one, has it. A value
    /// set knows its names, too; of staff and organisations the table has the same code with the same name.
    pub fn knows(&self, local: &Local, system: &str) -> bool {
        if let Kind::Coded(set) = local.kind
            && set.means(&local.code, &local.name).is_some()
        {
            return true;
        }
        if matches!(local.kind, Kind::Staff | Kind::Organisation) {
            let listed = self.of(local.kind).name(&local.code);
            return listed.is_some_and(|name| key(name) == key(&local.name));
        }
        let table = self.of(local.kind);
        let is_listed = table.is_empty() || table.name(&local.code).is_some();
        local.kind.is_said_by(system) && is_listed
    }
}

/// What is measured, which stands first in a name of LOINC; what is behind it says in which unit, of what and how.
fn component(name: &str) -> &str {
    name.split(['[', ':', '：', '/', '.', '(', '（', ',', '，']).next().unwrap_or(name)
}

/// Pairs of neighbouring letters, each once.
fn pairs(name: &str) -> BTreeSet<[char; 2]> {
    let letters: Vec<char> = name.chars().collect();
    letters.windows(2).filter_map(|pair| pair.try_into().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "code,name,kind\n14749-6,葡萄糖[摩尔/体积],a\n2823-3,\"钾[摩尔/体积], 血清或血浆\",a\n\
        33914-3,肾小球滤过率/1.73平方米.预测,b\n";

    #[test]
    fn u8_a_table_says_which_codes_there_are_and_what_a_name_may_be() {
        let table = CodeTable::read(Kind::Item, TABLE).unwrap();
        assert_eq!(table.name("14749-6"), Some("葡萄糖[摩尔/体积]"));
        assert_eq!((table.name("1-8"), table.is_empty()), (None, false));
        let suggested = |name: &str| {
            let local = Local::new("", name, "", "").unwrap();
            table.suggest(&local).iter().map(|row| row.code.clone()).collect::<Vec<_>>()
        };
        assert_eq!(suggested("估算肾小球滤过率"), ["33914-3"]);
        assert_eq!(suggested("心理评估"), [""; 0]);
    }

    #[test]
    fn u8_a_table_with_one_wrong_row_is_none() {
        for (row, error) in [
            ("14749-5,糖", CodesError::Code(2, Kind::Item)),
            ("14749-6,", CodesError::Name(2)),
            ("14749-6,糖\n14749-6,糖", CodesError::Name(3)),
        ] {
            assert_eq!(
                CodeTable::read(Kind::Item, &format!("code,name\n{row}")).unwrap_err(),
                error,
                "{row}"
            );
        }
        assert_eq!(CodeTable::read(Kind::Item, "code\n").unwrap_err(), CodesError::Column("name"));
        assert_eq!(CodeTable::read(Kind::Item, "").unwrap_err(), CodesError::Column("code"));
    }

    #[test]
    fn u12_staff_and_organisations_are_known_by_number_and_name_together() {
        let mut tables = CodeTables::default();
        tables.put(Kind::Staff, CodeTable::read(Kind::Staff, "code,name\n0456,王建平").unwrap());
        let knows = |code, name| tables.knows(&Local::of(Kind::Staff, code, name).unwrap(), "");
        assert!(knows("0456", "王 建平") && !knows("0456", "王芳") && !knows("L17", "王建平"));
        let suggested = |name| {
            let rows = tables.of(Kind::Staff).suggest(&Local::of(Kind::Staff, "L17", name).unwrap());
            rows.iter().map(|row| row.code.clone()).collect::<Vec<_>>()
        };
        assert_eq!(suggested("王建平"), ["0456"]);
    }

    #[test]
    fn u8_a_code_that_says_to_be_of_the_standard_is_known_if_the_hospitals_table_has_it() {
        let local = |code: &str| Local::of(Kind::Diagnosis, code, "高血压").unwrap();
        let mut tables = CodeTables::default();
        assert!(tables.knows(&local("I10.x09"), "I10") && !tables.knows(&local("I10.x09"), ""));
        let table =
            CodeTable::read(Kind::Diagnosis, "code,name\nI10.x00x002,高血压病\nE11.900,2型糖尿病").unwrap();
        tables.put(Kind::Diagnosis, table);
        assert!(!tables.knows(&local("I10.x09"), "I10") && tables.knows(&local("E11.900"), "I10"));
        let suggested = |code: &str, name: &str| {
            let local = Local::of(Kind::Diagnosis, code, name).unwrap();
            let rows = tables.of(Kind::Diagnosis).suggest(&local).into_iter();
            rows.map(|row| row.code.clone()).collect::<Vec<_>>()
        };
        assert_eq!(suggested("E11.900", "高血压病2级"), ["E11.900", "I10.x00x002"]);
        assert_eq!(suggested("gxy", "高血压病"), ["I10.x00x002"]);
    }
}

//! The data dictionary (对照): what one system of a hospital names by codes of its own, in a standard, as a person has decided.
//!
//! An item of a laboratory is what a system sends to name it: code, name, specimen and unit together, so that one code with two
//! meanings is two items. Of the other kinds a code is one thing, whatever words somebody wrote beside it; a name stands for itself only
//! where there is no code. Not here: what is kept of it, and who may decide: `yiqiao-node-core`.

use crate::csv::{self, CsvError};
use crate::folding::{head, key};
use crate::harmonise::Terms;
use crate::item::{Item, Named};
use crate::kind::Kind;
use crate::limits::{LOCAL_BYTES_MAX, SUGGESTIONS_MAX};
use crate::sound::Sound;

/// The columns of the table that people work on (对照手册).
pub const COLUMNS: [&str; 13] = [
    "system",
    "kind",
    "code",
    "name",
    "specimen",
    "unit",
    "results",
    "status",
    "standard",
    "suggested",
    "author",
    "date",
    "version",
];

/// What a system sends to name something.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local {
    /// What it is the name of.
    pub kind: Kind,
    /// The system's own code.
    pub code: String,
    /// The name, without the mark of mutual recognition.
    pub name: String,
    /// Of an item: the specimen in words.
    pub specimen: String,
    /// Of an item: the unit as sent.
    pub unit: String,
}

/// What a document or message names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// What no standard has, each once.
    pub unknown: Vec<Local>,
    /// Whether all that has a value set is said by a code, or by words that the value set knows; none if nothing has one.
    pub is_coded: Option<bool>,
}

/// How far it is decided what an item is. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Somebody proposes it: nothing follows.
    Proposed = 1,
    /// It counts.
    Accepted = 2,
    /// It is not that.
    Refused = 3,
    /// It counted, and counts no more.
    Retired = 4,
}

/// What somebody decided of an item, as a row of the table says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The system that sends the item.
    pub system: String,
    /// The item.
    pub local: Local,
    /// How far it is decided.
    pub status: Status,
    /// What it is: a code of the standard of its kind.
    pub standard: String,
}

/// Why a table of decisions is none. Rows count from 1, the heading among them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DictionaryError {
    /// It is no table.
    #[error(transparent)]
    Csv(#[from] CsvError),
    /// A column is missing.
    #[error("the table has no column `{0}`")]
    Column(&'static str),
    /// A status that there is not.
    #[error("row {0}: the status is not proposed, accepted, refused or retired")]
    Status(usize),
    /// A kind that there is not.
    #[error("row {0}: there is no such kind")]
    Kind(usize),
    /// What is decided has not the form of a code of its standard.
    #[error("row {0}: `standard` is not {form}", form = .1.form())]
    Standard(usize, Kind),
    /// An item without a code and a name, or a part of it that is too long.
    #[error("row {0}: an item has a code or a name, and no part longer than {LOCAL_BYTES_MAX} bytes")]
    Item(usize),
}

impl Local {
    /// What two spellings of it share: it is found by this.
    pub fn key(&self) -> String {
        let [code, name, specimen, unit] =
            [&self.code, &self.name, &self.specimen, &self.unit].map(|part| key(part));
        if self.kind == Kind::Item {
            return [code, name, specimen, unit].join("\u{1F}");
        }
        let parts = if code.is_empty() { ["", &name] } else { [code.as_str(), ""] };
        format!("{}\u{1E}{}", self.kind.name(), parts.join("\u{1F}"))
    }

    /// An item, of bounded length, on one line; `None` if neither code nor name is left.
    pub fn new(code: &str, name: &str, specimen: &str, unit: &str) -> Option<Self> {
        let [code, name, specimen, unit] = [code, name, specimen, unit].map(part);
        let local = Self { kind: Kind::Item, code, name, specimen, unit };
        local.is_named().then_some(local)
    }

    /// Something of this kind, of bounded length, on one line; `None` if neither code nor name is left.
    pub fn of(kind: Kind, code: &str, name: &str) -> Option<Self> {
        let local = Self { kind, code: part(code), name: part(name), ..Self::default() };
        local.is_named().then_some(local)
    }

    fn is_named(&self) -> bool {
        !self.code.is_empty() || !self.name.is_empty()
    }

    fn named(&self) -> Named<'_> {
        Named { loinc: None, code: &self.code, name: &self.name, specimen: &self.specimen }
    }
}

impl Names {
    /// What both name.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.unknown.extend(other.unknown);
        let is_coded =
            [self.is_coded, other.is_coded].into_iter().flatten().reduce(|one, other| one && other);
        Self { is_coded, ..self }
    }
}

/// A part of what names something, of bounded length, on one line.
fn part(text: &str) -> String {
    let plain: String = text.chars().filter(|letter| !letter.is_control()).collect();
    head(plain.trim(), LOCAL_BYTES_MAX).to_owned()
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Proposed, Self::Accepted, Self::Refused, Self::Retired];

    /// As tables write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Retired => "retired",
        }
    }

    /// The status of a number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as u32 == number)
    }
}

impl Terms {
    /// Whether the shipped tables say what an item is.
    pub fn knows(&self, local: &Local) -> bool {
        self.items().names(local.named())
            && self.items().find(local.named(), &self.spellings().readings(&local.unit)).is_some()
    }

    /// What an item may be, the likeliest first: by name and abbreviation, and only with its specimen and unit. Nothing of other kinds.
    pub fn suggest(&self, local: &Local) -> Vec<&Item> {
        if local.kind != Kind::Item {
            return Vec::new();
        }
        let readings = self.spellings().readings(&local.unit);
        let fits = |item: &&Item| {
            let unit = readings.is_empty() || readings.iter().any(|unit| item.line(unit).is_some());
            unit && item.is_of(&local.specimen) && item.loinc().is_some()
        };
        let (name, code) = (key(&local.name), key(&local.code));
        let sound = Sound::of(&name);
        let score =
            |item: &Item| item.sounds().filter_map(|known| likeness(known, (&name, &sound), &code)).max();
        let mut found: Vec<(u32, &Item)> =
            self.items().iter().filter(fits).filter_map(|item| Some((score(item)?, item))).collect();
        found.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.id.cmp(&other.1.id)));
        found.into_iter().take(SUGGESTIONS_MAX).map(|(_, item)| item).collect()
    }
}

/// How likely a known name is what a system calls this, in thousandths: by letters, by what the code or the name types of its sound, or because
/// both sound alike; none if it is not likely.
pub(crate) fn likeness(
    (known, known_sound): (&str, &Sound),
    (name, sound): (&str, &Sound),
    code: &str,
) -> Option<u32> {
    let by_letters = alike(known, name).max(alike(known, code));
    let is_typed = known_sound.is_typed(code) || known_sound.is_typed(name);
    let by_sound = if is_typed { TYPED } else { u32::from(known_sound.is_alike(sound)) * SOUNDS_ALIKE };
    Some(by_letters.max(by_sound)).filter(|score| *score >= ALIKE_MIN)
}

/// How likely it is a name whose sound was typed.
const TYPED: u32 = 900;
/// How likely it is a name that sounds the same.
const SOUNDS_ALIKE: u32 = 800;
/// From how alike on two names are suggested for one another.
const ALIKE_MIN: u32 = 500;

/// How many of the pairs of neighbouring letters two names share, in thousandths (Dice); one within the other counts more.
fn alike(one: &str, other: &str) -> u32 {
    if one.is_empty() || other.is_empty() {
        return 0;
    }
    if one == other {
        return 1000;
    }
    let pairs = |text: &str| {
        let letters: Vec<char> = text.chars().collect();
        letters.windows(2).map(<[char]>::to_vec).collect::<Vec<_>>()
    };
    let (ours, mut theirs) = (pairs(one), pairs(other));
    let all = ours.len() + theirs.len();
    let shared = ours.iter().filter(|pair| {
        let at = theirs.iter().position(|known| known == *pair);
        at.map(|at| theirs.swap_remove(at)).is_some()
    });
    let shared = u32::try_from(2_000 * shared.count() / all.max(1)).unwrap_or(0);
    // Two letters alone say little: `k` is within every `ck`.
    let within = one.chars().count().min(other.chars().count()) > 1 && !one.is_ascii();
    let within = within && (one.contains(other) || other.contains(one));
    if within { shared.max(700) } else { shared }
}

/// Reads what people have decided. Rows without a status are passed over; other columns may stand anywhere. A table without the column
/// `kind` is one of items, and `standard` may be called `loinc` there.
///
/// # Errors
///
/// If one row is none: then nothing of the table counts.
pub fn read(text: &str) -> Result<Vec<Decided>, DictionaryError> {
    let rows = csv::read(text)?;
    let Some((heading, rows)) = rows.split_first() else { return Err(DictionaryError::Column("system")) };
    let columns = Columns::of(heading)?;
    let read = (2..).zip(rows).filter_map(|(number, row)| columns.read(number, row).transpose());
    read.collect()
}

/// Where the columns of a table stand.
struct Columns {
    system: usize,
    kind: Option<usize>,
    parts: [usize; 4],
    status: usize,
    standard: usize,
}

impl Columns {
    fn of(heading: &[String]) -> Result<Self, DictionaryError> {
        let find = |column: &str| heading.iter().position(|cell| cell.trim() == column);
        let place = |column: &'static str| find(column).ok_or(DictionaryError::Column(column));
        let kind = find("kind");
        let earlier = find("loinc").filter(|_| kind.is_none());
        Ok(Self {
            system: place("system")?,
            kind,
            parts: [place("code")?, place("name")?, place("specimen")?, place("unit")?],
            status: place("status")?,
            standard: earlier.map_or_else(|| place("standard"), Ok)?,
        })
    }

    /// What a row decides; nothing if it has no status.
    fn read(&self, number: usize, row: &[String]) -> Result<Option<Decided>, DictionaryError> {
        let cell = |at: usize| row.get(at).map_or("", |cell| cell.trim());
        if cell(self.status).is_empty() {
            return Ok(None);
        }
        let known = Status::ALL.into_iter().find(|known| known.name() == cell(self.status));
        let status = known.ok_or(DictionaryError::Status(number))?;
        let kind = self.kind.map_or("", cell);
        let kind = if kind.is_empty() { Some(Kind::Item) } else { Kind::from_name(kind) };
        let kind = kind.ok_or(DictionaryError::Kind(number))?;
        let parts = self.parts.map(cell);
        let [code, name, specimen, unit] = parts;
        let local = if kind == Kind::Item {
            Local::new(code, name, specimen, unit)
        } else {
            Local::of(kind, code, name)
        };
        let local = local.filter(|_| parts.iter().all(|part| part.len() <= LOCAL_BYTES_MAX));
        let local = local.ok_or(DictionaryError::Item(number))?;
        let (system, standard) = (cell(self.system).to_owned(), cell(self.standard).to_owned());
        if kind.standard(&standard).is_none() {
            return Err(DictionaryError::Standard(number, kind));
        }
        Ok(Some(Decided { system, local, status, standard }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::is_loinc;

    fn local(code: &str, name: &str, specimen: &str, unit: &str) -> Local {
        Local::new(code, name, specimen, unit).unwrap()
    }

    fn suggested(local: &Local) -> Vec<String> {
        Terms::shipped().unwrap().suggest(local).iter().map(|item| item.id.clone()).collect()
    }

    #[test]
    fn u7_an_item_is_what_names_it_in_any_spelling() {
        assert_eq!(local("Ｋ", "钾", "", "mmol／L").key(), local("k", "钾 ", "", "MMOL/L").key());
        assert_ne!(local("K", "钾", "尿", "mmol/L").key(), local("K", "钾", "", "mmol/L").key());
        assert_eq!(Local::new(" ", "\r\n", "血", "g"), None);
        assert!(local(&"钾".repeat(200), "", "", "").code.len() <= LOCAL_BYTES_MAX);
    }

    #[test]
    fn u7_suggestions_come_by_name_and_fit_specimen_and_unit() {
        assert_eq!(
            suggested(&local("3021", "血清葡萄糖测定(GOD法)", "血清", "mmol/L")).first().unwrap(),
            "GLU"
        );
        assert_eq!(suggested(&local("Cr", "肌酐测定", "", "umol/L")).first().unwrap(), "CREA");
        assert!(!suggested(&local("", "葡萄糖测定", "尿液", "mmol/L")).contains(&"GLU".to_owned()));
        assert!(suggested(&local("9", "心理评估", "", "")).is_empty());
        assert!(suggested(&local("", "总胆红素测定", "", "mmHg")).is_empty(), "no unit of it");
    }

    #[test]
    fn u7_suggestions_come_by_sound_initials_and_names_that_sound_alike() {
        let first = |code: &str, name: &str| {
            suggested(&local(code, name, "", "umol/L")).first().cloned().unwrap_or_default()
        };
        assert_eq!(first("ZDHS", "某项"), "TBIL", "initials");
        assert_eq!(first("", "zongdanhongsu"), "TBIL", "typed as it sounds");
        assert_eq!(first("", "总旦红素"), "TBIL", "a wrong letter of the same sound");
        assert_eq!(first("ZD", "某项"), "");
    }

    #[test]
    fn u7_the_shipped_tables_know_an_item_or_not() {
        let terms = Terms::shipped().unwrap();
        assert!(terms.knows(&local("K", "钾", "", "mmol/L")));
        assert!(!terms.knows(&local("3021", "血清葡萄糖测定(GOD法)", "", "mmol/L")));
    }

    #[test]
    fn u7_a_table_of_decisions_is_taken_whole_or_not_at_all() {
        let heading = "system,code,name,specimen,unit,results,status,loinc"; // as earlier versions exported it
        let row = "lis,3021,血糖测定,血清,mmol/L,7,accepted,14749-6";
        let read_one = read(&format!("{heading}\n{row}\nlis,4,钾测定,,mmol/L,3,,\n")).unwrap();
        assert_eq!(read_one.len(), 1, "a row without a status is passed over");
        assert_eq!((read_one[0].status, read_one[0].standard.as_str()), (Status::Accepted, "14749-6"));
        let of = |row: &str| read(&format!("{heading}\n{row}"));
        assert_eq!(of("lis,1,a,,,1,yes,14749-6"), Err(DictionaryError::Status(2)));
        assert_eq!(of("lis,1,a,,,1,accepted,14749-5"), Err(DictionaryError::Standard(2, Kind::Item)));
        assert_eq!(of("lis,,,,,1,accepted,14749-6"), Err(DictionaryError::Item(2)));
        assert_eq!(read("system,code\n"), Err(DictionaryError::Column("name")));
        assert_eq!(read(""), Err(DictionaryError::Column("system")));
    }

    #[test]
    fn u7_rows_of_other_kinds_name_their_kind_and_have_a_code_of_its_standard() {
        let of = |row: &str| read(&format!("system,kind,code,name,specimen,unit,status,standard\n{row}"));
        let read = of("his,diagnosis,D01,高血压病,,,accepted,I10.x00x002").unwrap();
        assert_eq!(read[0].local, Local::of(Kind::Diagnosis, "D01", "高血压病").unwrap());
        assert_eq!(of("his,,3021,血糖,,g,accepted,14749-6").unwrap()[0].local.kind, Kind::Item);
        let wrong = DictionaryError::Standard(2, Kind::Diagnosis);
        assert_eq!(of("his,diagnosis,D01,高血压病,,,accepted,14749-6"), Err(wrong.clone()));
        assert!(wrong.to_string().contains("ICD-10"), "{wrong}");
        assert_eq!(of("his,drug,D01,高血压病,,,accepted,I10"), Err(DictionaryError::Kind(2)));
    }

    #[test]
    fn u7_a_code_of_another_kind_than_items_is_one_thing_whatever_is_written_beside_it() {
        let of = |kind, code, name| Local::of(kind, code, name).unwrap().key();
        assert_eq!(of(Kind::Diagnosis, "d01", "高血压"), of(Kind::Diagnosis, "D01", "高血压病?"));
        assert_ne!(of(Kind::Diagnosis, "D01", ""), of(Kind::Medicine, "D01", ""));
        assert_ne!(of(Kind::Department, "", "内科"), of(Kind::Department, "内科", ""));
        assert_ne!(of(Kind::Diagnosis, "K", ""), local("K", "", "", "").key());
    }

    #[test]
    fn every_loinc_code_of_the_tables_has_its_check_digit() {
        let terms = Terms::shipped().unwrap();
        for item in terms.items().iter() {
            assert!(item.loincs().all(is_loinc), "{}", item.id);
        }
    }
}

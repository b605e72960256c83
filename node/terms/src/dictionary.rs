//! The data dictionary (对照): what an item of one system of a hospital is, in LOINC, as a person has decided.
//!
//! An item is what a system sends to name it: code, name, specimen and unit together, so that one code with two meanings is two
//! items. Not here: what is kept of it, and who may decide: `yiqiao-node-core`.

use crate::csv::{self, CsvError};
use crate::folding::{head, key};
use crate::harmonise::Terms;
use crate::item::{Item, Named};
use crate::limits::{LOCAL_BYTES_MAX, SUGGESTIONS_MAX};
use crate::sound::Sound;

/// The columns of the table that people work on (对照手册).
pub const COLUMNS: [&str; 12] = [
    "system",
    "code",
    "name",
    "specimen",
    "unit",
    "results",
    "status",
    "loinc",
    "suggested",
    "author",
    "date",
    "version",
];

/// What a system sends to name an item.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local {
    /// The system's own code.
    pub code: String,
    /// The name, without the mark of mutual recognition.
    pub name: String,
    /// The specimen in words.
    pub specimen: String,
    /// The unit as sent.
    pub unit: String,
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
    /// What it is.
    pub loinc: String,
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
    /// What is accepted is not the form of a LOINC code.
    #[error("row {0}: `loinc` is no LOINC code: digits, a hyphen and its check digit")]
    Loinc(usize),
    /// An item without a code and a name, or a part of it that is too long.
    #[error("row {0}: an item has a code or a name, and no part longer than {LOCAL_BYTES_MAX} bytes")]
    Item(usize),
}

impl Local {
    /// What two spellings of an item share: the item is found by it.
    pub fn key(&self) -> String {
        [&self.code, &self.name, &self.specimen, &self.unit].map(|part| key(part)).join("\u{1F}")
    }

    /// Of bounded length, on one line; `None` if neither code nor name is left.
    pub fn new(code: &str, name: &str, specimen: &str, unit: &str) -> Option<Self> {
        let part = |text: &str| {
            let plain: String = text.chars().filter(|letter| !letter.is_control()).collect();
            head(plain.trim(), LOCAL_BYTES_MAX).to_owned()
        };
        let local = Self { code: part(code), name: part(name), specimen: part(specimen), unit: part(unit) };
        (!local.code.is_empty() || !local.name.is_empty()).then_some(local)
    }

    fn named(&self) -> Named<'_> {
        Named { loinc: None, code: &self.code, name: &self.name, specimen: &self.specimen }
    }
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

    /// What an item may be, the likeliest first: by name and abbreviation, and only with its specimen and unit.
    pub fn suggest(&self, local: &Local) -> Vec<&Item> {
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

/// Reads what people have decided. Rows without a status are passed over; other columns may stand anywhere.
///
/// # Errors
///
/// If one row is none: then nothing of the table counts.
pub fn read(text: &str) -> Result<Vec<Decided>, DictionaryError> {
    let rows = csv::read(text)?;
    let Some((heading, rows)) = rows.split_first() else { return Err(DictionaryError::Column("system")) };
    let place = |column: &'static str| {
        heading.iter().position(|cell| cell.trim() == column).ok_or(DictionaryError::Column(column))
    };
    let [system, code, name, specimen, unit, status, loinc] = [
        place("system")?,
        place("code")?,
        place("name")?,
        place("specimen")?,
        place("unit")?,
        place("status")?,
        place("loinc")?,
    ];
    let mut decided = Vec::new();
    for (number, row) in (2..).zip(rows) {
        let cell = |at: usize| row.get(at).map_or("", |cell| cell.trim());
        if cell(status).is_empty() {
            continue;
        }
        let known = Status::ALL.into_iter().find(|known| known.name() == cell(status));
        let status = known.ok_or(DictionaryError::Status(number))?;
        let parts = [cell(code), cell(name), cell(specimen), cell(unit)];
        let local = Local::new(parts[0], parts[1], parts[2], parts[3]);
        let local = local.filter(|_| parts.iter().all(|part| part.len() <= LOCAL_BYTES_MAX));
        let local = local.ok_or(DictionaryError::Item(number))?;
        if !is_loinc(cell(loinc)) {
            return Err(DictionaryError::Loinc(number));
        }
        let (system, loinc) = (cell(system).to_owned(), cell(loinc).to_owned());
        decided.push(Decided { system, local, status, loinc });
    }
    Ok(decided)
}

/// Digits, a hyphen and the check digit of LOINC (mod 10).
pub fn is_loinc(code: &str) -> bool {
    let Some((digits, check)) = code.split_once('-') else { return false };
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=7).contains(&digits.len()) || check.len() != 1 || !is_number(digits) || !is_number(check) {
        return false;
    }
    let weighed = digits.bytes().rev().enumerate().map(|(at, byte)| {
        let digit = u32::from(byte - b'0');
        if at % 2 == 1 { digit } else { digit * 2 / 10 + digit * 2 % 10 }
    });
    let sum: u32 = weighed.sum();
    check.parse() == Ok((10 - sum % 10) % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let heading = "system,code,name,specimen,unit,results,status,loinc";
        let row = "lis,3021,血糖测定,血清,mmol/L,7,accepted,14749-6";
        let read_one = read(&format!("{heading}\n{row}\nlis,4,钾测定,,mmol/L,3,,\n")).unwrap();
        assert_eq!(read_one.len(), 1, "a row without a status is passed over");
        assert_eq!((read_one[0].status, read_one[0].loinc.as_str()), (Status::Accepted, "14749-6"));
        let of = |row: &str| read(&format!("{heading}\n{row}"));
        assert_eq!(of("lis,1,a,,,1,yes,14749-6"), Err(DictionaryError::Status(2)));
        assert_eq!(of("lis,1,a,,,1,accepted,14749-5"), Err(DictionaryError::Loinc(2)));
        assert_eq!(of("lis,,,,,1,accepted,14749-6"), Err(DictionaryError::Item(2)));
        assert_eq!(read("system,code\n"), Err(DictionaryError::Column("name")));
        assert_eq!(read(""), Err(DictionaryError::Column("system")));
    }

    #[test]
    fn every_loinc_code_of_the_tables_has_its_check_digit() {
        let terms = Terms::shipped().unwrap();
        for item in terms.items().iter() {
            assert!(item.loincs().all(is_loinc), "{}", item.id);
        }
        for wrong in ["", "14749", "14749-7", "a-1", "14749-66", "-6"] {
            assert!(!is_loinc(wrong), "{wrong}");
        }
    }
}

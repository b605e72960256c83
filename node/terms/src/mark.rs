//! Marks of mutual recognition (检查检验结果互认): data beside the name of a result, and no part of it.
//!
//! A `*` before the name is the mark of the province that issued the report; `HR` stands with the region in which the result is
//! recognised (苏HR, 京津冀HR, 全国HR). Which items a region recognises is a table of its own, with versions, that the hospital
//! loads: there is no national list. Not here: whether a doctor relies on a result.

use crate::folding::{folded, head, key};
use crate::limits::{MARK_ROWS_MAX, NAME_BYTES_MAX};
use crate::table::{TableError, rows};

const HEADING: &str = "region,version,from,until,item";
/// Letters of a region before `HR`.
const REGION_CHARS_MAX: usize = 8;
/// Names of which `HR` is the abbreviation.
const HEART_RATE: [&str; 4] = ["心率", "心跳", "脉率", "heartrate"];

/// A mark on a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How it is written.
    pub sign: Sign,
    /// The region beside it; `None` if not said.
    pub region: Option<String>,
}

/// How a mark is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `*`, `＊` or `★` before the name.
    Star,
    /// `HR` in brackets, with or without a region.
    Hr,
}

impl Mark {
    /// As it is printed beside a name: `*`, `HR`, `苏HR`.
    pub fn shown(&self) -> String {
        match self.sign {
            Sign::Star => "*".to_owned(),
            Sign::Hr => format!("{}HR", self.region.as_deref().unwrap_or_default()),
        }
    }
}

/// A name without its mark, and the mark.
pub fn split(name: &str) -> (String, Option<Mark>) {
    let name = name.trim();
    let bare = name.trim_start_matches(['*', '＊', '★']).trim();
    let star = (bare != name).then_some(Mark { sign: Sign::Star, region: None });
    match hr(bare) {
        Some((rest, region)) => (rest, Some(Mark { sign: Sign::Hr, region })),
        None => (bare.to_owned(), star),
    }
}

/// `钾(苏HR)`, `【HR】钾`, `脂蛋白(a)(HR)`: the name without the brackets of the mark, and the region in them.
fn hr(name: &str) -> Option<(String, Option<String>)> {
    const OPEN: [char; 5] = ['(', '（', '[', '【', '［'];
    let opened = name.char_indices().filter(|(_, letter)| OPEN.contains(letter));
    let mut marked = opened.filter_map(|(at, open)| {
        marked(name.get(..at).unwrap_or_default(), name.get(at + open.len_utf8()..).unwrap_or_default())
    });
    marked.next()
}

/// The same of the brackets that open after `before`.
fn marked(before: &str, rest: &str) -> Option<(String, Option<String>)> {
    const CLOSE: [char; 5] = [')', '）', ']', '】', '］'];
    let (within, after) = rest.split_once(CLOSE)?;
    let region = folded(within).strip_suffix("HR")?.to_owned();
    let is_region =
        region.chars().count() <= REGION_CHARS_MAX && region.chars().all(|letter| !letter.is_ascii());
    let bare = format!("{before}{after}").trim().to_owned();
    let is_heart_rate = HEART_RATE.iter().any(|known| key(&bare).contains(known));
    let is_mark = is_region && !bare.is_empty() && !is_heart_rate;
    is_mark.then(|| (bare, Some(region).filter(|region| !region.is_empty())))
}

/// The items that regions recognise, in versions; the first region is the hospital's own.
#[derive(Clone, Debug, Default)]
pub struct Recognised {
    rows: Vec<Row>,
}

#[derive(Clone, Debug)]
struct Row {
    region: String,
    version: String,
    /// Days as `20260101`, both counted.
    days: (u32, u32),
    /// A LOINC code or a name.
    item: String,
}

/// A region and the version of its table, in which an item stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The region.
    pub region: &'a str,
    /// The version of its table.
    pub version: &'a str,
}

impl Recognised {
    /// Reads tables one after the other: `region,version,from,until,item`, days as `20260101`.
    ///
    /// # Errors
    ///
    /// If a row is none, or there are too many.
    pub fn read(text: &str) -> Result<Self, TableError> {
        let mut read = Vec::new();
        for (at, [region, version, from, until, item]) in rows(text.trim_start_matches('\u{FEFF}'), HEADING)?
        {
            if at > MARK_ROWS_MAX {
                return Err(TableError::Cell(at, "place in a table of this size"));
            }
            let day = |text: &str| text.parse().ok().filter(|day| (10_101..=99_991_231).contains(day));
            let days = day(from).zip(day(until)).filter(|(from, until)| from <= until);
            let is_said = |cell: &&str| !cell.trim().is_empty() && cell.len() <= NAME_BYTES_MAX;
            let said = |cell| Some(cell).filter(is_said).ok_or(TableError::Cell(at, "text"));
            read.push(Row {
                region: said(region)?.trim().to_owned(),
                version: said(version)?.trim().to_owned(),
                days: days.ok_or(TableError::Cell(at, "days"))?,
                item: key(said(item)?),
            });
        }
        Ok(Self { rows: read })
    }

    /// Where an item of a mark was listed on a day (`20260101`): under the region of the mark, or the hospital's own.
    pub fn listed(&self, mark: &Mark, loinc: Option<&str>, name: &str, day: u32) -> Option<Listed<'_>> {
        let own = self.rows.first().map(|row| row.region.as_str());
        let region = mark.region.as_deref().or(own)?;
        let name = key(head(name, NAME_BYTES_MAX));
        let is_item = |row: &Row| row.item == name || loinc.is_some_and(|loinc| row.item == loinc.trim());
        let is_then = |row: &Row| (row.days.0..=row.days.1).contains(&day);
        let found =
            self.rows.iter().rev().find(|row| row.region == region && is_then(row) && is_item(row))?;
        Some(Listed { region: &found.region, version: &found.version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "region,version,from,until,item\n苏,2025,20250101,20251231,葡萄糖\n\
        苏,2026,20260101,20271231,葡萄糖\n京津冀,2026-1,20260101,20261231,2823-3";

    fn mark(sign: Sign, region: Option<&str>) -> Option<Mark> {
        Some(Mark { sign, region: region.map(str::to_owned) })
    }

    #[test]
    fn u6_a_mark_is_no_part_of_the_name() {
        for (written, name, expected) in [
            (" *葡萄糖", "葡萄糖", mark(Sign::Star, None)),
            ("★钾", "钾", mark(Sign::Star, None)),
            ("钾(HR)", "钾", mark(Sign::Hr, None)),
            ("＊钾（苏HR）", "钾", mark(Sign::Hr, Some("苏"))),
            ("【京津冀HR】总蛋白", "总蛋白", mark(Sign::Hr, Some("京津冀"))),
            ("脂蛋白(a)(全国HR)", "脂蛋白(a)", mark(Sign::Hr, Some("全国"))),
            ("钾", "钾", None),
            ("心率(HR)", "心率(HR)", None),
            ("高危型(HR-HPV)", "高危型(HR-HPV)", None),
            ("(HR)", "(HR)", None),
            ("脂蛋白(a)", "脂蛋白(a)", None),
        ] {
            assert_eq!(split(written), (name.to_owned(), expected), "{written}");
        }
    }

    #[test]
    fn u6_a_mark_is_found_in_its_regions_table_of_that_day() {
        let tables = Recognised::read(TABLE).unwrap();
        let listed = |region: Option<&str>, loinc, name, day| {
            let mark = mark(Sign::Hr, region).unwrap();
            tables
                .listed(&mark, loinc, name, day)
                .map(|listed| format!("{} {}", listed.region, listed.version))
        };
        assert_eq!(listed(None, None, "葡萄糖", 20_250_601).as_deref(), Some("苏 2025"));
        assert_eq!(listed(Some("苏"), None, "葡萄糖", 20_260_601).as_deref(), Some("苏 2026"));
        assert_eq!(
            listed(Some("京津冀"), Some("2823-3"), "血钾", 20_260_601).as_deref(),
            Some("京津冀 2026-1")
        );
        assert_eq!(listed(Some("浙"), None, "葡萄糖", 20_260_601), None);
        assert_eq!(listed(None, None, "葡萄糖", 20_281_231), None, "after the last version");
        assert_eq!(listed(None, None, "钾", 20_260_601), None);
    }

    #[test]
    fn a_table_of_recognised_items_that_is_none_is_refused() {
        let heading = "region,version,from,until,item";
        for row in
            ["苏,1,20260101,20251231,钾", "苏,1,x,20251231,钾", ",1,20250101,20251231,钾", "苏,1,20250101"]
        {
            assert!(Recognised::read(&format!("{heading}\n{row}")).is_err(), "{row}");
        }
        let many = format!("{heading}{}", "\n苏,1,20250101,20251231,钾".repeat(MARK_ROWS_MAX + 1));
        assert!(Recognised::read(&many).is_err());
    }
}

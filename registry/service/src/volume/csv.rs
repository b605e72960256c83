//! A volume answer as a table for spreadsheets: RFC 4180, UTF-8 with a byte order mark, small counts not told.

use std::borrow::Cow;

use yiqiao_proto::directory::Directory;
use yiqiao_proto::id::Code;
use yiqiao_registry_core::state::Count;

use super::buckets::Zone;
use super::names::{Name, Named};
use super::question::Question;
use super::{Key, Volume};
use crate::limits::SMALL_COUNT;

/// By this Excel knows that the text is UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';
const HEADER: &str = "start,organisation,organisation_name,counterpart,counterpart_name,act,act_name,outcome,outcome_name,\
                      purpose,purpose_name,class,class_name,events,documents,bytes";

/// The table.
pub(crate) fn table(question: &Question, volume: &Volume, zone: &Zone, directory: &Directory) -> String {
    let mut text = format!("{BYTE_ORDER_MARK}{HEADER}\r\n");
    for (key, count) in &volume.rows {
        let fields = key_fields(question, key, zone, directory);
        let fields: Vec<Cow<'_, str>> = fields.iter().map(|field| quoted(field)).collect();
        let figures = if question.exact { exact(count) } else { suppressed(count) };
        text += &format!("{},{}\r\n", fields.join(","), figures.join(","));
    }
    text
}

fn key_fields(question: &Question, key: &Key, zone: &Zone, directory: &Directory) -> Vec<String> {
    let organisation = |code: Option<&Code>| {
        let name = code.and_then(|code| directory.member(code)).map(|member| member.name.clone());
        [code.map(ToString::to_string).unwrap_or_default(), name.unwrap_or_default()]
    };
    let code =
        |name: Option<Name>| name.map(|name| [name.code, name.zh]).unwrap_or_default().map(str::to_owned);
    let mut fields = vec![zone.label(question.by, key.start)];
    fields.extend(organisation(key.organisation.as_ref()));
    fields.extend(organisation(key.counterpart.as_ref()));
    fields.extend(code(key.act.map(Named::name)));
    fields.extend(code(key.outcome.map(Named::name)));
    fields.extend(code(key.purpose.map(Named::name)));
    fields.extend(code(key.class.map(Named::name)));
    fields
}

fn exact(count: &Count) -> [String; 3] {
    [count.events, count.documents, count.size].map(|figure| figure.to_string())
}

/// Every fact is about patients: a few of them may point to one.
fn suppressed(count: &Count) -> [String; 3] {
    let is_small = |figure: u64| (1..SMALL_COUNT).contains(&figure);
    let small = format!("<{SMALL_COUNT}");
    let [events, documents, bytes] = exact(count);
    match (is_small(count.events), is_small(count.documents)) {
        (true, _) if count.documents == 0 => [small, documents, bytes],
        (true, _) => [small.clone(), small, String::new()],
        (false, true) => [events, small, String::new()],
        (false, false) => [events, documents, bytes],
    }
}

/// Quoted where RFC 4180 asks for it, and never a formula: a spreadsheet runs what begins with one of these.
fn quoted(field: &str) -> Cow<'_, str> {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if !formula && !field.contains(['"', ',', '\r', '\n']) {
        return field.into();
    }
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", field.replace('"', "\"\"")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(events: u64, documents: u64, size: u64) -> [String; 3] {
        suppressed(&Count { events, documents, size })
    }

    #[test]
    fn small_counts_are_not_told() {
        assert_eq!(figures(4, 4, 9_000), ["<5", "<5", ""]);
        assert_eq!(figures(1, 30, 9_000), ["<5", "<5", ""]);
        assert_eq!(figures(7, 2, 9_000), ["7", "<5", ""]);
        assert_eq!(figures(5, 5, 9_000), ["5", "5", "9000"]);
        assert_eq!(figures(3, 0, 0), ["<5", "0", "0"]);
        assert_eq!(figures(0, 0, 0), ["0", "0", "0"]);
    }

    #[test]
    fn fields_are_quoted_and_never_formulas() {
        assert_eq!(quoted("示范医院"), "示范医院");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("=1+1"), "\"'=1+1\"");
        assert_eq!(quoted("2026-11-22"), "2026-11-22");
    }
}

//! Tables: CSV and JSON lines of systems that export rows, by a mapping that the hospital declares.
//!
//! Rows with the same key are one document of one patient: a settlement with its items, a prescription with its medicines. They are
//! gathered wherever they stand, and become a table of their own, in UTF-8 and with the header, which is what is kept. Tables that are
//! not about patients (stock, catalogues) are looked through and answered. What is wrong is named by line and column, never by its
//! value. Not here: where a mapping is declared, and which door has it.

use core::ops::Range;
use std::collections::BTreeMap;

use csv::{ByteRecord, ReaderBuilder, Terminator, Trim, WriterBuilder};
use serde_json::Value;
use yiqiao_proto::phi::Phi;

use crate::charset;
use crate::dates::{Period, When, Zone, birth_date};
use crate::facts::{Answer, Author, Document, Format, Payload, Review, SourceId, Status, Understood};
use crate::flag::{Flag, Flags};
use crate::intake::Item;
use crate::kind::{Class, DocumentKind, KindCode};
use crate::limits::{TABLE_COLUMNS_MAX, TABLE_DOCUMENTS_MAX};
use crate::patient::{IdKind, Identifier, Name, Patient, Sex};
use crate::refusal::Refusal;

/// With this and the name of its mapping the rows of a document begin, so that they can be read again.
const MARK: &str = "#table ";

/// What the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 费用明细: charges, item by item.
    Fees,
    /// 医保结算: what insurance settled.
    Settlement,
    /// 发药: what the pharmacy dispensed.
    Dispensing,
    /// 库存: what the pharmacy has. Not about patients.
    Stock,
    /// 目录: what a supplier offers. Not about patients.
    Catalogue,
    /// Records of a system that is no more.
    Export,
}

/// How a hospital says what the columns of a table are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The table's name: documents are told apart by it and their key.
    pub name: String,
    /// What its rows are.
    pub kind: Kind,
    /// What people call it.
    pub title: String,
    /// Columns whose values together name the document of a row.
    pub key: Vec<String>,
    /// What separates values, in CSV.
    pub separator: u8,
    /// Who gave the numbers in the column of [`Field::Number`]; empty: the register without a name.
    pub register: String,
    /// Which column says what.
    pub columns: BTreeMap<Field, String>,
}

/// What a column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The patient's number of the hospital.
    Number,
    /// The patient's resident identity number.
    ResidentId,
    /// The patient's health card.
    HealthCard,
    /// The patient's name.
    Name,
    /// The patient's sex.
    Sex,
    /// The patient's date of birth.
    BirthDate,
    /// The visit's number.
    Visit,
    /// When it took place.
    Date,
    /// The department.
    Department,
}

/// Documents of a table, gathered.
pub struct Gathered {
    /// The rows of each document together: items have their places in it.
    pub bytes: Vec<u8>,
    /// One for each document; or one for the whole table.
    pub items: Vec<Item>,
}

/// A row, and the line where it begins.
struct Row {
    line: u64,
    values: Vec<String>,
}

struct Rows {
    header: Vec<String>,
    rows: Vec<Row>,
    flags: Flags,
}

impl Kind {
    /// Whether its rows name patients.
    pub const fn is_about_patients(self) -> bool {
        !matches!(self, Self::Stock | Self::Catalogue)
    }

    const fn class(self) -> Class {
        match self {
            Self::Fees => Class::Charge,
            Self::Settlement => Class::Settlement,
            Self::Stock | Self::Catalogue => Class::Administrative,
            Self::Dispensing => Class::Medication,
            Self::Export => Class::Other,
        }
    }
}

/// Reads a table: its documents, in the order in which they begin. One fault refuses the document that has it, or the table if it is
/// not a document's.
pub fn gather(input: &[u8], charset: Option<&str>, mapping: &Mapping, zone: &Zone) -> Gathered {
    match documents(input, charset, mapping, zone) {
        Ok(gathered) => gathered,
        Err(refusal) => whole(input, Err(refusal)),
    }
}

/// Reads the rows of one document again, as [`gather`] has left them; none if these are no such rows, or of no known mapping.
pub fn again(input: &[u8], mappings: &[Mapping], zone: &Zone) -> Option<Item> {
    let text = core::str::from_utf8(input).ok()?;
    let (name, rest) = text.strip_prefix(MARK)?.split_once('\n')?;
    let mapping = mappings.iter().find(|mapping| mapping.name == name)?;
    let gathered = gather(rest.as_bytes(), Some("UTF-8"), mapping, zone);
    let [item] = <[Item; 1]>::try_from(gathered.items).ok()?;
    let content = input.len() - rest.len()..input.len();
    Some(Item { span: 0..input.len(), ..with_content(item, &content) })
}

/// An item whose content stands elsewhere.
fn with_content(mut item: Item, content: &Range<usize>) -> Item {
    if let Ok(Understood::Documents(documents)) = &mut item.outcome {
        documents.iter_mut().for_each(|document| document.payload = Payload::Message(content.clone()));
    }
    item
}

fn whole(input: &[u8], outcome: Result<Understood, Refusal>) -> Gathered {
    let item = Item { span: 0..input.len(), format: Some(Format::Table), envelope: None, outcome };
    Gathered { bytes: input.to_vec(), items: vec![item] }
}

fn documents(
    input: &[u8],
    charset: Option<&str>,
    mapping: &Mapping,
    zone: &Zone,
) -> Result<Gathered, Refusal> {
    let rows = read(input, charset, mapping)?;
    let places = Places::of(mapping, &rows.header)?;
    if !mapping.kind.is_about_patients() {
        let answer = Answer::NotAboutPatients(format!("table {}", mapping.name));
        return Ok(whole(input, Ok(Understood::Answer(answer))));
    }
    let mut gathered = Gathered { bytes: Vec::new(), items: Vec::new() };
    for group in grouped(&rows, &places)? {
        let start = gathered.bytes.len();
        gathered.bytes.extend_from_slice(format!("{MARK}{}\n", mapping.name).as_bytes());
        let content = gathered.bytes.len();
        write(&rows.header, &group, &mut gathered.bytes)?;
        let span = start..gathered.bytes.len();
        let content = content..gathered.bytes.len();
        let outcome = places.document(&group, mapping, zone, &rows.flags, content);
        gathered.items.push(Item { span, format: Some(Format::Table), envelope: None, outcome });
    }
    Ok(gathered)
}

// ---- Rows ----

fn read(input: &[u8], charset: Option<&str>, mapping: &Mapping) -> Result<Rows, Refusal> {
    let mut flags = Flags::none();
    let text = charset::decode(input, charset, &mut flags).text;
    if flags.has(Flag::TextDamaged) {
        return Err(Refusal::Charset { charset: "UTF-8 or GB18030" });
    }
    // Lines are counted as an editor does, whatever ends them.
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").replace('\r', "\n");
    let (header, rows) =
        if text.trim_start().starts_with('{') { json(&text)? } else { csv(&text, mapping.separator)? };
    if rows.is_empty() {
        return Err(fault(1, None, "there is no row below the header"));
    }
    Ok(Rows { header, rows, flags })
}

fn csv(text: &str, separator: u8) -> Result<(Vec<String>, Vec<Row>), Refusal> {
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    let (mut header, mut rows) = (Vec::new(), Vec::new());
    let mut record = ByteRecord::new();
    loop {
        let line = reader.position().line();
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok((header, rows)),
            Err(_) => return Err(fault(line, None, "it cannot be read")),
        }
        let line = record.position().map_or(line, csv::Position::line);
        let values: Vec<String> =
            record.iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        if header.is_empty() {
            header = checked_header(values, line)?;
        } else if values.len() == header.len() {
            rows.push(Row { line, values });
        } else if values.iter().any(|value| !value.is_empty()) {
            return Err(fault(line, None, "it has not as many values as the header has columns"));
        }
    }
}

fn checked_header(header: Vec<String>, line: u64) -> Result<Vec<String>, Refusal> {
    if header.len() > TABLE_COLUMNS_MAX {
        return Err(Refusal::TooLarge { what: "the number of columns", limit: TABLE_COLUMNS_MAX });
    }
    let mut seen = std::collections::BTreeSet::new();
    if header.iter().any(|name| !name.is_empty() && !seen.insert(name)) {
        return Err(fault(line, None, "two columns have one name"));
    }
    Ok(header)
}

/// One object a line; the columns are all names that any of them has.
fn json(text: &str) -> Result<(Vec<String>, Vec<Row>), Refusal> {
    let mut objects = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text) else {
            return Err(fault(line, None, "it is no JSON object"));
        };
        names.extend(object.keys().cloned());
        objects.push((line, object));
        if names.len() > TABLE_COLUMNS_MAX {
            return Err(Refusal::TooLarge { what: "the number of columns", limit: TABLE_COLUMNS_MAX });
        }
    }
    let header: Vec<String> = names.into_iter().collect();
    let value = |value: Option<&Value>| match value {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.trim().to_owned()),
        Some(other @ (Value::Bool(_) | Value::Number(_))) => Some(other.to_string()),
        Some(Value::Array(_) | Value::Object(_)) => None,
    };
    let row = |(line, object): (u64, serde_json::Map<String, Value>)| {
        let values: Option<Vec<String>> = header.iter().map(|name| value(object.get(name))).collect();
        values
            .map(|values| Row { line, values })
            .ok_or_else(|| fault(line, None, "a value is a list or an object"))
    };
    let rows = objects.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok((header, rows))
}

/// The rows of each document, in the order in which the documents begin.
fn grouped<'r>(rows: &'r Rows, places: &Places<'_>) -> Result<Vec<Vec<&'r Row>>, Refusal> {
    let mut groups: Vec<Vec<&Row>> = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for row in &rows.rows {
        let key = places.key(row)?;
        let place = *known.entry(key).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
        if groups.len() > TABLE_DOCUMENTS_MAX {
            return Err(Refusal::TooLarge { what: "the number of documents", limit: TABLE_DOCUMENTS_MAX });
        }
    }
    Ok(groups)
}

fn write(header: &[String], rows: &[&Row], into: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(into);
    let all = std::iter::once(header).chain(rows.iter().map(|row| row.values.as_slice()));
    let written = all.into_iter().try_for_each(|values| writer.write_record(values));
    let flushed = written.and_then(|()| Ok(writer.flush()?));
    flushed.map_err(|_| fault(1, None, "it cannot be written as a table"))
}

// ---- Columns ----

/// Where the columns of a mapping stand in a header.
struct Places<'m> {
    key: Vec<(&'m str, usize)>,
    fields: BTreeMap<Field, (&'m str, usize)>,
}

impl<'m> Places<'m> {
    fn of(mapping: &'m Mapping, header: &[String]) -> Result<Self, Refusal> {
        let find = |name: &'m String| -> Result<_, Refusal> {
            let place = header.iter().position(|known| known == name);
            let place = place.ok_or_else(|| fault(1, Some(name), "the header does not have it"))?;
            Ok((name.as_str(), place))
        };
        let key = mapping.key.iter().map(find).collect::<Result<_, _>>()?;
        let place = |(field, name): (&Field, &'m String)| -> Result<_, Refusal> { Ok((*field, find(name)?)) };
        let fields = mapping.columns.iter().map(place);
        Ok(Self { key, fields: fields.collect::<Result<_, _>>()? })
    }

    fn key(&self, row: &Row) -> Result<String, Refusal> {
        let mut parts = Vec::new();
        for (name, place) in &self.key {
            let value = row.values.get(*place).map(String::as_str).unwrap_or_default();
            if value.is_empty() {
                return Err(fault(row.line, Some(name), "it is empty"));
            }
            parts.push(value);
        }
        // Values may hold any separator.
        Ok(parts.iter().map(|part| format!("{}:{part}", part.len())).collect())
    }

    /// The value of a field in a row; none if there is no such column, or nothing in it.
    fn value<'r>(&self, field: Field, row: &'r Row) -> Option<&'r str> {
        let (_, place) = self.fields.get(&field)?;
        row.values.get(*place).map(String::as_str).filter(|value| !value.is_empty())
    }

    fn document(
        &self,
        rows: &[&Row],
        mapping: &Mapping,
        zone: &Zone,
        flags: &Flags,
        content: Range<usize>,
    ) -> Result<Understood, Refusal> {
        let Some(first) = rows.first() else { return Err(Refusal::Empty) };
        let mut flags = flags.clone();
        let patient = self.patient(first, mapping, &mut flags);
        self.require_one_patient(rows, first)?;
        let code = format!("table {}", mapping.name);
        if let Some(reason) = Review::of_patient(&patient) {
            return Ok(Understood::Review(Box::new(Review::new(reason, &code))));
        }
        flags.merge(&patient.check());
        let date = self.date(first, zone, &mut flags)?;
        let source = SourceId::new(&mapping.name, &self.key(first)?);
        Ok(Understood::Documents(vec![Document {
            patient,
            source_id: source,
            also_known_as: Vec::new(),
            kind: DocumentKind { class: mapping.kind.class(), code: KindCode::Local(mapping.name.clone()) },
            title: Some(Phi::new(mapping.title.clone())),
            format: Format::Table,
            date,
            created: date,
            service: Period { start: date, end: None },
            author: Author {
                department: self.value(Field::Department, first).map(str::to_owned),
                ..Author::default()
            },
            status: Status::Final,
            replaces: None,
            visit: self.value(Field::Visit, first).map(|visit| Phi::new(visit.to_owned())),
            visits: Vec::new(),
            confidentiality: None,
            lab: Vec::new(),
            payload: Payload::Message(content),
            flags,
        }]))
    }

    fn date(&self, row: &Row, zone: &Zone, flags: &mut Flags) -> Result<Option<When>, Refusal> {
        let Some(text) = self.value(Field::Date, row) else { return Ok(None) };
        let (name, _) = self.fields.get(&Field::Date).copied().unwrap_or_default();
        When::parse(text, zone, flags).map(Some).map_err(|_| fault(row.line, Some(name), "it is no date"))
    }

    fn patient(&self, row: &Row, mapping: &Mapping, flags: &mut Flags) -> Patient {
        let mut patient = Patient::default();
        let of = |field, kind, assigner: &str| {
            self.value(field, row).and_then(|value| Identifier::new(kind, value, assigner))
        };
        patient.identify(of(Field::Number, IdKind::Local, &mapping.register));
        patient.identify(of(Field::ResidentId, IdKind::ResidentId, ""));
        patient.identify(of(Field::HealthCard, IdKind::HealthCard, ""));
        let mut name = Name::default();
        name.add(self.value(Field::Name, row).unwrap_or_default(), &[]);
        (patient.name, patient.pinyin) = (name.written.map(Phi::new), name.pinyin.map(Phi::new));
        patient.sex = self.value(Field::Sex, row).and_then(|code| Sex::read(code, flags)).map(Phi::new);
        let birth = self.value(Field::BirthDate, row);
        patient.birth_date = birth.and_then(|birth| birth_date(birth, flags).ok()).map(Phi::new);
        patient
    }

    /// All rows of a document name the same patient.
    fn require_one_patient(&self, rows: &[&Row], first: &Row) -> Result<(), Refusal> {
        for field in [Field::Number, Field::ResidentId, Field::HealthCard] {
            let own = self.value(field, first);
            if let Some(other) = rows.iter().find(|row| self.value(field, row) != own) {
                let (name, _) = self.fields.get(&field).copied().unwrap_or_default();
                return Err(fault(
                    other.line,
                    Some(name),
                    "it is another than in the first row of its document",
                ));
            }
        }
        Ok(())
    }
}

fn fault(line: u64, column: Option<&str>, problem: &'static str) -> Refusal {
    Refusal::Table { line, column: column.map(str::to_owned), problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charset::Charset;

    const TABLE: &str = "\u{feff}结算单号,病案号,姓名,收费时间,项目,金额\r\n\
        J1,0088123,陈志远,2026-11-20 09:30:00,\"静脉输液, 一次\",12.00\r\n\
        J2,0088124,李秀英,2026-11-20 09:31:00,血常规,20.00\r\n\
        J1,0088123,陈志远,2026-11-20 09:30:00,\"奥美拉唑 \"\"20mg\"\"\",30.50\r\n";

    fn fees() -> Mapping {
        let columns = [(Field::Number, "病案号"), (Field::Name, "姓名"), (Field::Date, "收费时间")];
        Mapping {
            name: "fees".to_owned(),
            kind: Kind::Fees,
            title: "费用明细".to_owned(),
            key: vec!["结算单号".to_owned()],
            separator: b',',
            register: String::new(),
            columns: columns.map(|(field, name)| (field, name.to_owned())).into(),
        }
    }

    fn read_all(input: &[u8], mapping: &Mapping) -> Gathered {
        gather(input, None, mapping, &Zone::china())
    }

    fn refusals(input: &str) -> Vec<String> {
        let items = read_all(input.as_bytes(), &fees()).items;
        items.into_iter().filter_map(|item| item.outcome.err()).map(|refusal| refusal.to_string()).collect()
    }

    fn documents(gathered: &Gathered) -> Vec<&Document> {
        let of = |item| match item {
            &Item { outcome: Ok(Understood::Documents(ref documents)), .. } => &documents[0],
            other => panic!("{other:?}"),
        };
        gathered.items.iter().map(of).collect()
    }

    #[test]
    fn rows_of_one_key_are_one_document_wherever_they_stand() {
        for bytes in
            [TABLE.as_bytes().to_vec(), Charset::Gb18030.encode(TABLE.trim_start_matches('\u{feff}'))]
        {
            let gathered = read_all(&bytes, &fees());
            let [first, second] = <[_; 2]>::try_from(documents(&gathered)).unwrap();
            let content = |document: &Document| {
                let Payload::Message(range) = &document.payload else { panic!("it is in the message") };
                String::from_utf8(gathered.bytes[range.clone()].to_vec()).unwrap()
            };
            assert_eq!(
                content(first),
                "结算单号,病案号,姓名,收费时间,项目,金额\r\n\
                 J1,0088123,陈志远,2026-11-20 09:30:00,\"静脉输液, 一次\",12.00\r\n\
                 J1,0088123,陈志远,2026-11-20 09:30:00,\"奥美拉唑 \"\"20mg\"\"\",30.50\r\n"
            );
            assert_eq!(content(second).lines().count(), 2);
            assert_eq!((first.kind.class, first.format), (Class::Charge, Format::Table));
            assert_eq!(first.patient.primary().unwrap().value.expose(), "0088123");
            assert_eq!(Zone::china().show(first.date.unwrap().at), "2026-11-20T09:30:00+08:00");
            assert_ne!(first.source_id, second.source_id);
        }
    }

    #[test]
    fn json_lines_say_the_same_as_a_table() {
        let lines = "{\"结算单号\": \"J1\", \"病案号\": \"0088123\", \"姓名\": \"陈志远\", \"收费时间\": \"20261120\", \"金额\": 12.5}\n\n\
             {\"结算单号\": \"J1\", \"病案号\": \"0088123\", \"姓名\": \"陈志远\", \"收费时间\": \"20261120\", \"备注\": null}\n";
        let gathered = read_all(lines.as_bytes(), &fees());
        assert_eq!(documents(&gathered).len(), 1);
        let text = String::from_utf8(gathered.bytes).unwrap();
        assert!(
            text.contains("备注,姓名,收费时间,病案号,结算单号,金额\r\n,陈志远,20261120,0088123,J1,12.5\r\n"),
            "{text}"
        );
    }

    #[test]
    fn faults_are_named_by_line_and_column_and_never_by_value() {
        let header = "结算单号,病案号,姓名,收费时间\n";
        let said = |rows: &str| refusals(&format!("{header}{rows}"));
        assert_eq!(
            said("J1,1,陈,2026-13-45\nJ2,2,李,20261120\n"),
            ["line 2, column 收费时间: it is no date"]
        );
        assert_eq!(said("J1,1,陈,20261120\n,2,李,20261120\n"), ["line 3, column 结算单号: it is empty"]);
        assert_eq!(
            said("J1,1,陈,20261120\nJ2,5,王,20261120\nJ1,2,陈,20261120\n"),
            ["line 4, column 病案号: it is another than in the first row of its document"]
        );
        assert_eq!(
            refusals(&format!("{header}J1,1,陈,20261120\n,2,李,20261120\n").replace('\n', "\r\n")),
            ["line 3, column 结算单号: it is empty"]
        );
        assert_eq!(said("J1,1\n"), ["line 2: it has not as many values as the header has columns"]);
        assert_eq!(
            refusals("结算单号,姓名\nJ1,陈\n"),
            ["line 1, column 病案号: the header does not have it"]
        );
        assert_eq!(refusals(header), ["line 1: there is no row below the header"]);
        assert_eq!(refusals("a,a\n1,2\n"), ["line 1: two columns have one name"]);
        assert_eq!(refusals("{\"结算单号\": [1]}\n"), ["line 1: a value is a list or an object"]);
        assert_eq!(refusals("{\"结算单号\"\n"), ["line 1: it is no JSON object"]);
    }

    #[test]
    fn what_is_not_about_patients_is_looked_through_and_answered() {
        let stock = Mapping {
            name: "stock".to_owned(),
            kind: Kind::Stock,
            key: vec!["药品编码".to_owned()],
            columns: BTreeMap::new(),
            ..fees()
        };
        let [item] = <[_; 1]>::try_from(read_all("药品编码,数量\nA1,20\n".as_bytes(), &stock).items).unwrap();
        assert_eq!(item.outcome, Ok(Understood::Answer(Answer::NotAboutPatients("table stock".to_owned()))));
        let [item] = <[_; 1]>::try_from(read_all("编码,数量\nA1,20\n".as_bytes(), &stock).items).unwrap();
        assert!(item.outcome.is_err(), "its columns are checked all the same");
    }

    #[test]
    fn the_rows_of_a_document_can_be_read_again() {
        let gathered = read_all(TABLE.as_bytes(), &fees());
        let item = &gathered.items[0];
        let kept = &gathered.bytes[item.span.clone()];
        let read = again(kept, &[fees()], &Zone::china()).unwrap();
        assert_eq!(read.span, 0..kept.len());
        let Ok(Understood::Documents(documents)) = read.outcome else { panic!("it is a document") };
        let Payload::Message(content) = &documents[0].payload else { panic!("it is in the message") };
        assert!(kept[content.clone()].starts_with("结算单号,".as_bytes()) && content.end == kept.len());
        assert!(again(kept, &[], &Zone::china()).is_none());
        assert!(again(b"#table fees", &[fees()], &Zone::china()).is_none());
    }

    #[test]
    fn a_patient_without_an_identifier_waits_for_a_person() {
        let text = "结算单号,病案号,姓名,收费时间\nJ1,,陈,20261120\n";
        let [item] = <[_; 1]>::try_from(read_all(text.as_bytes(), &fees()).items).unwrap();
        assert!(matches!(item.outcome, Ok(Understood::Review(_))));
    }
}

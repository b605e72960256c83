//! Rows of one key together: each key becomes a table of its own, as CSV with the header.

use csv::{Writer, WriterBuilder};

use crate::limits::{DOCUMENT_BYTES_MAX, VALUE_CHARS_MAX};

/// What the rows of one key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// A table.
    Table(Vec<u8>),
    /// More than one document may hold, or a value that is: of this key.
    TooLong(Vec<String>),
}

/// What puts rows together that come key by key.
pub(crate) struct Gathering {
    header: Vec<String>,
    /// Where the columns of the key stand.
    key: Vec<usize>,
    separator: u8,
    /// The key whose rows come, and what came of it.
    open: Option<(Vec<String>, Writer<Vec<u8>>)>,
    /// Bytes of it.
    length: usize,
    is_too_long: bool,
}

impl Gathering {
    pub(crate) fn new(header: Vec<String>, key: &[String], separator: u8) -> Self {
        let place = |name: &String| header.iter().position(|known| known == name);
        let key = key.iter().filter_map(place).collect();
        Self { header, key, separator, open: None, length: 0, is_too_long: false }
    }

    /// Takes a row; the document before, if this one begins another.
    pub(crate) fn push(&mut self, row: &[String]) -> Option<Document> {
        let key: Vec<String> = self
            .key
            .iter()
            .filter_map(|place| row.get(*place))
            .map(|value| value.trim().to_owned())
            .collect();
        let before =
            if self.open.as_ref().is_some_and(|(known, _)| *known == key) { None } else { self.finish() };
        if self.open.is_none() {
            let mut writer = WriterBuilder::new().delimiter(self.separator).from_writer(Vec::new());
            self.is_too_long |= writer.write_record(&self.header).is_err();
            self.open = Some((key, writer));
        }
        self.add(row);
        before
    }

    /// The last document.
    pub(crate) fn finish(&mut self) -> Option<Document> {
        let (key, writer) = self.open.take()?;
        let is_too_long = std::mem::take(&mut self.is_too_long);
        self.length = 0;
        let table = writer.into_inner().ok().filter(|_| !is_too_long);
        Some(table.map_or(Document::TooLong(key), Document::Table))
    }

    fn add(&mut self, row: &[String]) {
        self.length += row.iter().map(|value| value.len() + 3).sum::<usize>();
        // A value is cut at one character more than it may have.
        let is_cut =
            |value: &String| value.len() > VALUE_CHARS_MAX && value.chars().count() > VALUE_CHARS_MAX;
        self.is_too_long |= self.length > DOCUMENT_BYTES_MAX || row.iter().any(is_cut);
        if !self.is_too_long
            && let Some((_, writer)) = &mut self.open
        {
            self.is_too_long |= writer.write_record(row).is_err();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: [&str; 3]) -> Vec<String> {
        values.map(str::to_owned).to_vec()
    }

    fn gathering() -> Gathering {
        Gathering::new(row(["no", "name", "sum"]), &["no".to_owned()], b',')
    }

    fn table(text: &str) -> Option<Document> {
        Some(Document::Table(text.as_bytes().to_vec()))
    }

    #[test]
    fn rows_of_one_key_are_one_table_with_the_header() {
        let mut rows = gathering();
        assert_eq!(rows.finish(), None);
        assert_eq!(rows.push(&row(["J1 ", "a, \"b\"", "1"])), None);
        assert_eq!(rows.push(&row(["J1", "c\nd", ""])), None, "spaces at the end make no other key");
        let first = "no,name,sum\nJ1 ,\"a, \"\"b\"\"\",1\nJ1,\"c\nd\",\n";
        assert_eq!(rows.push(&row(["J2", "e", "2"])), table(first));
        assert_eq!(rows.finish(), table("no,name,sum\nJ2,e,2\n"));
        assert_eq!(rows.finish(), None);
    }

    #[test]
    fn one_document_that_is_too_long_takes_no_other_with_it_and_no_memory() {
        let mut rows = gathering();
        let long = "x".repeat(VALUE_CHARS_MAX);
        for _row in 0..DOCUMENT_BYTES_MAX / VALUE_CHARS_MAX + 2 {
            assert_eq!(rows.push(&row(["J1", &long, ""])), None);
        }
        assert!(rows.open.as_ref().unwrap().1.get_ref().len() <= DOCUMENT_BYTES_MAX);
        assert_eq!(rows.push(&row(["J2", "e", "2"])), Some(Document::TooLong(vec!["J1".to_owned()])));
        assert_eq!(rows.push(&row(["J3", &format!("{long}y"), ""])), table("no,name,sum\nJ2,e,2\n"));
        assert_eq!(rows.push(&row(["J4", &long, ""])), Some(Document::TooLong(vec!["J3".to_owned()])));
        assert!(matches!(rows.finish(), Some(Document::Table(_))));
    }
}

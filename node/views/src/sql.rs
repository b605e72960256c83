//! What is asked of a database, word for word: texts alone, and two ways to write them.
//!
//! A window is cut by watermarks, and brings *all* rows of the keys that have one in it: a document comes whole, however its rows were
//! written one after the other. Names come from the configuration and are quoted; watermarks are digits ([`crate::watermark`]).

use crate::fault::Fault;
use crate::limits::{VALUE_CHARS_MAX, WINDOW_ROWS};
use crate::watermark::Watermark;

/// How a database writes what others write otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Postgres,
    Mysql,
}

/// What a column is, as far as that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// A number; with PostgreSQL's name for its type.
    Number(&'static str),
    /// A time; with the name of its type, and how the database says now.
    Time(&'static str, &'static str),
    /// Bytes that are no text.
    Bytes,
    Other,
}

/// A column of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) nature: Nature,
}

/// Where a window begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// At the first row.
    Beginning,
    /// So far before this, for rows that were committed late.
    Before(Watermark),
    /// Behind this.
    After(Watermark),
}

/// A view, as the configuration has it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) dialect: Dialect,
    /// The view with its name quoted, or a query in parentheses.
    pub(crate) relation: String,
    pub(crate) key: Vec<String>,
    pub(crate) watermark: String,
    /// Seconds of a time, or units of a number.
    pub(crate) overlap: u64,
}

/// The same with what the database says of it.
#[derive(Clone, Debug)]
pub(crate) struct Statements {
    pub(crate) asked: Asked,
    pub(crate) columns: Vec<Column>,
    pub(crate) nature: Nature,
}

impl Dialect {
    fn quote(self, name: &str) -> String {
        match self {
            Self::Postgres => format!("\"{}\"", name.replace('"', "\"\"")),
            Self::Mysql => format!("`{}`", name.replace('`', "``")),
        }
    }

    /// A view or table, with or without its schema.
    pub(crate) fn relation(self, name: &str) -> String {
        name.split('.').map(|part| self.quote(part)).collect::<Vec<_>>().join(".")
    }

    /// A query that a comment does not hide the end of.
    pub(crate) fn query(text: &str) -> String {
        format!("(\n{}\n)", text.trim().trim_end_matches(';'))
    }

    fn column(self, name: &str) -> String {
        format!("v.{}", self.quote(name))
    }

    fn as_text(self, expression: &str) -> String {
        match self {
            Self::Postgres => format!("({expression})::text"),
            Self::Mysql => format!("CAST({expression} AS CHAR)"),
        }
    }
}

impl Asked {
    /// Nothing but the columns.
    pub(crate) fn describe(&self) -> String {
        format!("SELECT * FROM {} AS v LIMIT 0", self.relation)
    }

    /// With what the database says of the columns.
    ///
    /// # Errors
    /// [`Fault`] if columns are missing that are `needed`, or the watermark is none.
    pub(crate) fn with(self, columns: Vec<Column>, needed: &[String]) -> Result<Statements, Fault> {
        let find = |name: &String| {
            let found = columns.iter().find(|column| column.name == *name);
            found.ok_or_else(|| Fault::NoColumn { column: name.clone() })
        };
        needed.iter().chain(&self.key).try_for_each(|name| find(name).map(drop))?;
        let nature = find(&self.watermark)?.nature;
        if !matches!(nature, Nature::Number(_) | Nature::Time(..)) {
            return Err(Fault::NoWatermark { column: self.watermark });
        }
        let names: std::collections::BTreeSet<_> = columns.iter().map(|column| &column.name).collect();
        if names.len() < columns.len() {
            return Err(Fault::TwoColumns);
        }
        Ok(Statements { asked: self, columns, nature })
    }
}

impl Statements {
    /// The highest watermark; the same, but not of the future; whether a row has none.
    pub(crate) fn ends(&self) -> String {
        let (dialect, relation, watermark) = (self.asked.dialect, &self.asked.relation, self.watermark());
        let highest = format!("MAX({watermark})");
        let missing = format!("SELECT 1 FROM {relation} AS v WHERE {watermark} IS NULL");
        format!(
            "SELECT {}, {}, CASE WHEN EXISTS({missing}) THEN '1' ELSE '0' END FROM {relation} AS v",
            dialect.as_text(&highest),
            dialect.as_text(&self.not_of_the_future(&highest))
        )
    }

    fn not_of_the_future(&self, watermark: &str) -> String {
        match self.nature {
            Nature::Time(_, now) => format!("LEAST({watermark}, {now})"),
            Nature::Number(_) | Nature::Bytes | Nature::Other => watermark.to_owned(),
        }
    }

    /// Where a window ends that begins here, if there are so many rows; the same, but not of the future.
    pub(crate) fn end_of_window(&self, from: &From) -> String {
        let (dialect, watermark) = (self.asked.dialect, self.watermark());
        format!(
            "SELECT {}, {} FROM {} AS v WHERE {} ORDER BY {watermark} LIMIT 1 OFFSET {}",
            dialect.as_text(&watermark),
            dialect.as_text(&self.not_of_the_future(&watermark)),
            self.asked.relation,
            self.begins(from),
            WINDOW_ROWS - 1
        )
    }

    /// Whether a row of the window has no key.
    pub(crate) fn keyless(&self, from: &From, to: &Watermark) -> String {
        let empty: Vec<String> = self.keys().map(|key| format!("{key} IS NULL")).collect();
        let window = self.window(from, to);
        format!(
            "SELECT '1' FROM {} AS v WHERE {window} AND ({}) LIMIT 1",
            self.asked.relation,
            empty.join(" OR ")
        )
    }

    /// All rows of the keys that have one in the window, key by key.
    pub(crate) fn rows(&self, from: &From, to: &Watermark) -> String {
        let (dialect, relation) = (self.asked.dialect, &self.asked.relation);
        let columns: Vec<String> = self.columns.iter().map(|column| self.value(column)).collect();
        let keys: Vec<String> = self.keys().collect();
        let order: Vec<String> = match dialect {
            Dialect::Postgres => keys.clone(),
            // Keys that a collation takes for the same must not stand among each other.
            Dialect::Mysql => keys.iter().map(|key| format!("CAST({key} AS BINARY)")).collect(),
        };
        let (keys, window) = (keys.join(", "), self.window(from, to));
        format!(
            "SELECT {} FROM {relation} AS v WHERE ({keys}) IN (SELECT {keys} FROM {relation} AS v WHERE {window}) ORDER BY {}",
            columns.join(", "),
            order.join(", ")
        )
    }

    fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.asked.key.iter().map(|name| self.asked.dialect.column(name))
    }

    fn watermark(&self) -> String {
        self.asked.dialect.column(&self.asked.watermark)
    }

    /// A value as text, cut where it is seen to be too long.
    fn value(&self, column: &Column) -> String {
        let (dialect, name) = (self.asked.dialect, self.asked.dialect.column(&column.name));
        let text = match (dialect, column.nature) {
            (Dialect::Mysql, Nature::Bytes) => format!("HEX({name})"),
            (Dialect::Mysql | Dialect::Postgres, _) => dialect.as_text(&name),
        };
        format!("LEFT({text}, {})", VALUE_CHARS_MAX + 1)
    }

    fn window(&self, from: &From, to: &Watermark) -> String {
        format!("{} AND {} <= {}", self.begins(from), self.watermark(), self.literal(to))
    }

    fn begins(&self, from: &From) -> String {
        let watermark = self.watermark();
        match from {
            From::After(last) if self.fits(last) => format!("{watermark} > {}", self.literal(last)),
            From::Before(last) if self.fits(last) => format!("{watermark} >= {}", self.overlapping(last)),
            // What was a number once and is a time now is read from its beginning.
            From::Beginning | From::After(_) | From::Before(_) => format!("{watermark} IS NOT NULL"),
        }
    }

    fn fits(&self, watermark: &Watermark) -> bool {
        matches!(self.nature, Nature::Number(_)) == watermark.is_number()
    }

    fn overlapping(&self, last: &Watermark) -> String {
        let (literal, overlap) = (self.literal(last), self.asked.overlap);
        match (self.nature, self.asked.dialect) {
            (Nature::Time(..), Dialect::Postgres) => format!("{literal} - INTERVAL '{overlap} seconds'"),
            (Nature::Time(..), Dialect::Mysql) => format!("{literal} - INTERVAL {overlap} SECOND"),
            (Nature::Number(_) | Nature::Bytes | Nature::Other, _) => format!("{literal} - {overlap}"),
        }
    }

    fn literal(&self, watermark: &Watermark) -> String {
        let text = watermark.text();
        match (self.asked.dialect, self.nature) {
            (Dialect::Postgres, Nature::Number(kind) | Nature::Time(kind, _)) => format!("'{text}'::{kind}"),
            (Dialect::Mysql, Nature::Time(..)) => format!("CAST('{text}' AS DATETIME(6))"),
            (Dialect::Mysql, Nature::Number(_)) => format!("({text})"),
            (Dialect::Mysql | Dialect::Postgres, Nature::Bytes | Nature::Other) => format!("'{text}'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(dialect: Dialect, nature: Nature) -> Statements {
        let asked = Asked {
            dialect,
            relation: dialect.relation("his.fees"),
            key: vec!["no".to_owned(), "part".to_owned()],
            watermark: "at".to_owned(),
            overlap: 600,
        };
        let other = |name: &str| Column { name: name.to_owned(), nature: Nature::Other };
        let columns = vec![other("no"), other("part"), Column { name: "at".to_owned(), nature }];
        asked.with(columns, &[]).unwrap()
    }

    fn mark(text: &str) -> Watermark {
        Watermark::parse(text).unwrap()
    }

    #[test]
    fn a_window_brings_all_rows_of_the_keys_that_have_one_in_it() {
        let time = Nature::Time("timestamp", "LOCALTIMESTAMP");
        let all = statements(Dialect::Postgres, time);
        let from = From::Before(mark("2026-11-20 09:30:00"));
        let window = "v.\"at\" >= '2026-11-20 09:30:00'::timestamp - INTERVAL '600 seconds' \
            AND v.\"at\" <= '2026-11-20 10:00:00'::timestamp";
        assert_eq!(
            all.rows(&from, &mark("2026-11-20 10:00:00")).split_once(" WHERE ").unwrap().1,
            format!(
                "(v.\"no\", v.\"part\") IN (SELECT v.\"no\", v.\"part\" FROM \"his\".\"fees\" AS v WHERE {window}) \
                 ORDER BY v.\"no\", v.\"part\""
            )
        );
        let all = statements(Dialect::Mysql, Nature::Number(""));
        let text = all.rows(&From::After(mark("17")), &mark("20"));
        assert!(text.contains("FROM `his`.`fees` AS v WHERE v.`at` > (17) AND v.`at` <= (20))"), "{text}");
    }

    #[test]
    fn what_does_not_fit_the_column_any_more_is_read_from_the_beginning() {
        let all = statements(Dialect::Mysql, Nature::Number(""));
        assert!(all.end_of_window(&From::After(mark("2026-11-20"))).contains("v.`at` IS NOT NULL"));
        assert!(all.end_of_window(&From::Before(mark("20"))).contains("v.`at` >= (20) - 600"));
    }

    #[test]
    fn names_are_quoted_and_a_comment_does_not_swallow_what_follows() {
        assert_eq!(Dialect::Postgres.quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(Dialect::Mysql.quote("a`b"), "`a``b`");
        assert_eq!(Dialect::query("SELECT 1 -- all;"), "(\nSELECT 1 -- all\n)");
    }

    #[test]
    fn columns_that_are_missing_are_named_and_a_watermark_is_a_number_or_a_time() {
        let all = statements(Dialect::Postgres, Nature::Number("int8"));
        let (asked, columns) = (all.asked.clone(), all.columns);
        let with = |columns: &[Column], needed: &str| {
            asked.clone().with(columns.to_vec(), &[needed.to_owned()]).map(drop).unwrap_err().to_string()
        };
        assert_eq!(with(&columns, "病案号"), "the view has no column 病案号");
        assert_eq!(with(&columns[1..], "part"), "the view has no column no");
        let twice = [columns.as_slice(), &columns[..1]].concat();
        assert_eq!(with(&twice, "no"), "two columns of the view have one name");
        let text = Asked { watermark: "no".to_owned(), ..asked.clone() }.with(columns, &[]);
        assert!(text.unwrap_err().to_string().contains("it is no watermark"));
    }
}

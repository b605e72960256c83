//! Rows of cells as spreadsheets write them (RFC 4180): a cell with a comma, a quote or a line end stands in quotes.

use crate::limits::{CSV_BYTES_MAX, CSV_CELLS_MAX};

/// Why a text is no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// It is longer than is read.
    #[error("the table is longer than {CSV_BYTES_MAX} bytes")]
    Long,
    /// A row has too many cells.
    #[error("row {0} has more than {CSV_CELLS_MAX} cells")]
    Cells(usize),
    /// A quote is not closed.
    #[error("row {0} begins a quoted cell that does not end")]
    Quote(usize),
}

/// One row as a line; a cell that a spreadsheet would compute is kept as text.
pub fn line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = |cell: &str| {
        let is_formula = cell.starts_with(['=', '+', '-', '@', '\t']);
        let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    };
    cells.into_iter().map(quoted).collect::<Vec<_>>().join(",")
}

/// The rows of a table, without those that are empty; the mark of byte order is none of it.
///
/// # Errors
///
/// If it is too long, or no table.
pub fn read(text: &str) -> Result<Vec<Vec<String>>, CsvError> {
    if text.len() > CSV_BYTES_MAX {
        return Err(CsvError::Long);
    }
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut letters = text.trim_start_matches('\u{FEFF}').chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                cell.push('"');
                letters.next();
            }
            '"' if quoted => quoted = false,
            '"' if cell.is_empty() => quoted = true,
            ',' if !quoted => push(&mut row, &mut cell, rows.len())?,
            '\r' if !quoted => {}
            '\n' if !quoted => {
                push(&mut row, &mut cell, rows.len())?;
                rows.push(std::mem::take(&mut row));
            }
            other => cell.push(other),
        }
    }
    if quoted {
        return Err(CsvError::Quote(rows.len() + 1));
    }
    push(&mut row, &mut cell, rows.len())?;
    rows.push(row);
    rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
    Ok(rows)
}

fn push(row: &mut Vec<String>, cell: &mut String, rows: usize) -> Result<(), CsvError> {
    if row.len() == CSV_CELLS_MAX {
        return Err(CsvError::Cells(rows + 1));
    }
    let cell = std::mem::take(cell);
    // What `line` put before a cell that is no formula.
    let plain = cell.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@', '\t']));
    row.push(plain.map(str::to_owned).unwrap_or(cell));
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_spreadsheets_write_is_read() {
        let text = "\u{FEFF}a,\"b,\"\"c\"\"\"\r\n\r\n钾,\"二\n行\"\n";
        assert_eq!(read(text).unwrap(), [vec!["a", "b,\"c\""], vec!["钾", "二\n行"]]);
        assert_eq!(read("a,\"b"), Err(CsvError::Quote(1)));
        assert_eq!(read(&",".repeat(CSV_CELLS_MAX)), Err(CsvError::Cells(1)));
        assert_eq!(read(&" ".repeat(CSV_BYTES_MAX + 1)), Err(CsvError::Long));
    }

    #[test]
    fn no_cell_becomes_a_formula() {
        assert_eq!(line(["=1+1", "@x", "+", "钾"]), "'=1+1,'@x,'+,钾");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_line_is_read_as_it_was(cells in prop::collection::vec("[a-z钾=+,\"\n '-]{0,8}", 1..6)) {
            prop_assume!(cells.iter().any(|cell| !cell.is_empty()));
            // A cell of a person that begins so would lose the mark.
            prop_assume!(cells.iter().all(|cell| !cell.starts_with('\'')));
            let written = line(cells.iter().map(String::as_str));
            prop_assert_eq!(read(&written).unwrap(), [cells]);
        }
    }
}

//! The tables that travel in the binary: rows of cells between commas, a heading first. No cell holds a comma.

use thiserror::Error;

/// Why a table of this crate is none. It is read at the start, so a wrong one stops there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TableError {
    /// The heading is another one.
    #[error("the heading of the table is not {0}")]
    Heading(&'static str),
    /// A row has another number of cells than the heading.
    #[error("row {0} of the table has another number of cells than its heading")]
    Cells(usize),
    /// A cell does not hold what its column says.
    #[error("row {0} of the table has no {1}")]
    Cell(usize, &'static str),
}

/// The rows below the heading, with their numbers; `N` cells each.
pub(crate) fn rows<'a, const N: usize>(
    text: &'a str,
    heading: &'static str,
) -> Result<Vec<(usize, [&'a str; N])>, TableError> {
    let mut lines = text.lines().enumerate();
    if lines.next().is_none_or(|(_, line)| line != heading) {
        return Err(TableError::Heading(heading));
    }
    let cells = |(at, line): (usize, &'a str)| {
        let cells: Vec<&str> = line.split(',').collect();
        Ok((at, cells.try_into().map_err(|_| TableError::Cells(at))?))
    };
    lines.map(cells).collect()
}

/// The words of a cell that holds several.
pub(crate) fn words(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(';').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_its_heading_and_as_many_cells() {
        assert_eq!(rows::<2>("a,b\n1,2", "a,b").unwrap(), [(1, ["1", "2"])]);
        assert_eq!(rows::<2>("a,c\n1,2", "a,b"), Err(TableError::Heading("a,b")));
        assert_eq!(rows::<2>("a,b\n1,2,3", "a,b"), Err(TableError::Cells(1)));
        assert_eq!(words("a;;b").collect::<Vec<_>>(), ["a", "b"]);
    }
}

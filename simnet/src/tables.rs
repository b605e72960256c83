//! Reads the tables under `data/`: one row a line, columns between bars, `#` before a remark; or words between blanks.
//!
//! The tables are part of the program: a wrong one is a defect that the tests of the modules that own them show.

/// The rows of a table of `N` columns, blanks around each column removed.
pub(crate) fn rows<const N: usize>(table: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
        let columns: Vec<&'static str> = line.split('|').map(str::trim).collect();
        <[&'static str; N]>::try_from(columns).expect("every row of a table has the columns of its heading")
    })
}

/// The words of a list, each of `N` parts between colons.
pub(crate) fn words<const N: usize>(list: &'static str) -> impl Iterator<Item = [&'static str; N]> {
    list.split_whitespace().map(|word| {
        let parts: Vec<&'static str> = word.split(':').collect();
        <[&'static str; N]>::try_from(parts).expect("every word of a list has the same number of parts")
    })
}

/// A number in a table.
pub(crate) fn number(column: &str) -> i64 {
    column.parse().expect("the column holds a whole number")
}

/// The items of a column that holds a list with commas; none if it is empty.
pub(crate) fn list(column: &'static str) -> impl Iterator<Item = &'static str> {
    column.split(',').map(str::trim).filter(|item| !item.is_empty())
}

//! Text tables: columns as wide as their content, no lines.

use std::fmt;

/// Spaces between two columns.
const GAP: usize = 2;

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()] }
    }

    /// Adds a row; a cell may have several lines.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table, or `nothing` if it has no rows.
    pub(crate) fn or(&self, nothing: &str) -> String {
        if self.rows.len() == 1 { nothing.to_owned() } else { self.to_string() }
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.flat_map(|cell| cell.lines()).map(|l| l.chars().count()).max().unwrap_or(0)
            })
            .collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in &self.rows {
            let height = row.iter().map(|cell| cell.lines().count()).max().unwrap_or(0).max(1);
            for line in 0..height {
                writeln!(f, "{}", row_line(row, line, &widths))?;
            }
        }
        Ok(())
    }
}

fn row_line(row: &[String], line: usize, widths: &[usize]) -> String {
    let mut text = String::new();
    for (cell, width) in row.iter().zip(widths) {
        let part = cell.lines().nth(line).unwrap_or("");
        text.push_str(part);
        text.push_str(&" ".repeat(width - part.chars().count() + GAP));
    }
    text.trim_end().to_owned()
}

/// A key as tables show it: enough to tell it from others, and to find the whole one with `-o json`.
pub(crate) fn wrap_key(key: &str) -> String {
    const SHOWN: usize = 12;
    match key.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_do_not_end_in_spaces() {
        let mut table = Table::new(&["ID", "STATE"]);
        table.row(["counter".to_owned(), "ready\nsince then".to_owned()]);
        table.row(["ä".to_owned(), String::new()]);
        assert_eq!(table.to_string(), "ID       STATE\ncounter  ready\n         since then\nä\n");
    }

    #[test]
    fn a_table_without_rows_says_so() {
        assert_eq!(Table::new(&["ID"]).or("no hosts"), "no hosts");
    }
}

//! Rows of figures, each with its median and spread over the rounds, as Markdown.

use std::fmt::{Display, Write as _};

use crate::report::Spread;

/// A table; every round adds one figure to each column of a row.
#[derive(Debug)]
pub struct Figures {
    labels: &'static [&'static str],
    columns: &'static [&'static str],
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    labels: Vec<String>,
    /// One a round.
    figures: Vec<Vec<f64>>,
}

impl Figures {
    /// An empty table with these headings.
    pub const fn new(labels: &'static [&'static str], columns: &'static [&'static str]) -> Self {
        Self { labels, columns, rows: Vec::new() }
    }

    /// Adds a round's figures to the row of these labels.
    pub fn add(&mut self, labels: &[&dyn Display], figures: &[f64]) {
        let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
        match self.rows.iter_mut().find(|row| row.labels == labels) {
            Some(row) => row.figures.push(figures.to_vec()),
            None => self.rows.push(Row { labels, figures: vec![figures.to_vec()] }),
        }
    }

    /// The table, ending in an empty line; nothing where nothing was measured.
    pub fn markdown(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let headings: Vec<&str> = self.labels.iter().chain(self.columns).copied().collect();
        let mut text = format!("| {} |\n|{}\n", headings.join(" | "), "---|".repeat(headings.len()));
        for row in &self.rows {
            let _ = write!(text, "| {} |", row.labels.join(" | "));
            for column in 0..self.columns.len() {
                let cell = row.spread(column).map_or_else(String::new, shown);
                let _ = write!(text, " {cell} |");
            }
            text.push('\n');
        }
        text + "\n"
    }
}

impl Row {
    fn spread(&self, column: usize) -> Option<Spread> {
        Spread::of(self.figures.iter().filter_map(|figures| figures.get(column).copied()))
    }
}

/// Small figures with two places, large ones with none; a single round has no spread.
fn shown(spread: Spread) -> String {
    let places = if spread.median < 10.0 { 2 } else { usize::from(spread.median < 1_000.0) };
    let Spread { min, median, max } = spread;
    if min.total_cmp(&max).is_eq() {
        return format!("{median:.places$}");
    }
    format!("{median:.places$} [{min:.places$}..{max:.places$}]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_one_row_become_a_median_with_its_spread() {
        let mut table = Figures::new(&["what"], &["ms", "events"]);
        for (ms, events) in [(3.0, 30_000.0), (1.0, 30_000.0), (2.0, 30_000.0)] {
            table.add(&[&"ours"], &[ms, events]);
            table.add(&[&"theirs"], &[9.0, 1.0]);
        }
        assert!(table.markdown().contains("| ours | 2.00 [1.00..3.00] | 30000 |"), "{}", table.markdown());
    }

    #[test]
    fn a_table_without_rows_is_not_printed() {
        assert_eq!(Figures::new(&["a"], &["b"]).markdown(), "");
    }
}

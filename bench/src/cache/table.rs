//! Figures with their spread, and ratios within a round, as Markdown.

use std::fmt::Write as _;

use crate::report::Spread;

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Row of the quality page, or a word.
    pub row: &'static str,
    /// What was measured.
    pub what: &'static str,
    /// Of what the figure is a number.
    pub unit: &'static str,
    /// The line it is compared with, in the same row and unit.
    pub floor: Option<&'static str>,
}

/// All lines with a figure a round, in the order of the first round.
#[derive(Debug, Default)]
pub struct Table {
    lines: Vec<(Line, Vec<f64>)>,
}

impl Table {
    /// Adds this round's figure.
    pub fn add(&mut self, line: Line, figure: f64) {
        match self.lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, figures)) => figures.push(figure),
            None => self.lines.push((line, vec![figure])),
        }
    }

    /// Whether nothing was measured.
    pub const fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The table.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| row | what | unit | median [min..max] | over its floor, same round |\n|---|---|---|---|---|\n",
        );
        for (line, figures) in &self.lines {
            let Some(spread) = Spread::of(figures.iter().copied()) else { continue };
            let places = usize::from(spread.median < 1_000.0);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.places$} [{:.places$}..{:.places$}] | {} |",
                line.row,
                line.what,
                line.unit,
                spread.median,
                spread.min,
                spread.max,
                self.ratio(line, figures).unwrap_or_default(),
            );
        }
        text + "\n"
    }

    fn ratio(&self, line: &Line, figures: &[f64]) -> Option<String> {
        let floor = line.floor?;
        let is_floor = |other: &Line| other.what == floor && other.row == line.row && other.unit == line.unit;
        let (_, floors) = self.lines.iter().find(|(other, _)| is_floor(other))?;
        let ratio = Spread::of(figures.iter().zip(floors).map(|(own, floor)| own / floor))?;
        Some(format!("{:.2} [{:.2}..{:.2}] of {floor}", ratio.median, ratio.min, ratio.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_taken_within_a_round_of_the_same_row_and_unit() {
        let line = |row, what, floor| Line { row, what, unit: "calls/s", floor };
        let mut table = Table::default();
        for (floor, own) in [(100.0, 50.0), (200.0, 180.0), (10.0, 6.0)] {
            table.add(line("S8", "bare", None), floor);
            table.add(line("S8", "ours", Some("bare")), own);
            table.add(line("S9", "bare", None), 1.0);
        }
        assert!(table.markdown().contains("| 0.60 [0.50..0.90] of bare |"), "{}", table.markdown());
    }
}

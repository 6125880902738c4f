//! Medians with their spread, and ratios within a round.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::load::Sample;

/// One measured line of the table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Row of the quality page, e.g. `S1`.
    pub row: &'static str,
    /// Connections.
    pub connections: u32,
    /// What was measured.
    pub name: &'static str,
}

/// All samples, in the order they were taken.
#[derive(Debug, Default)]
pub struct Report {
    samples: BTreeMap<Line, Vec<Sample>>,
}

/// Minimum, median and maximum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Smallest.
    pub min: f64,
    /// Middle.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// The spread of at least one number.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut numbers: Vec<f64> = numbers.into_iter().collect();
        numbers.sort_by(f64::total_cmp);
        let (min, max) = (*numbers.first()?, *numbers.last()?);
        let middle = numbers.len() / 2;
        let median =
            if numbers.len() % 2 == 1 { numbers[middle] } else { f64::midpoint(numbers[middle - 1], numbers[middle]) };
        Some(Self { min, median, max })
    }
}

impl Report {
    /// Adds one sample.
    pub fn add(&mut self, line: Line, sample: Sample) {
        self.samples.entry(line).or_default().push(sample);
    }

    /// The table as Markdown, with each line's rate over that of the line named by `floor_of` in the same round.
    pub fn markdown(&self, floor_of: impl Fn(&Line) -> Option<&'static str>) -> String {
        let mut text = String::from(
            "| row | conns | what | req/s median [min..max] | p50 µs | p99 µs | CPU µs/req | of its floor, same round | failures |\n|---|---|---|---|---|---|---|---|---|\n",
        );
        for (line, samples) in &self.samples {
            let rate = Spread::of(samples.iter().map(|sample| sample.per_second));
            let Some(rate) = rate else { continue };
            let median =
                |pick: fn(&Sample) -> f64| Spread::of(samples.iter().map(pick)).map_or(0.0, |spread| spread.median);
            let ratio = floor_of(line).and_then(|floor| {
                let floor_line = Line { name: floor, ..line.clone() };
                let floors = self.samples.get(&floor_line)?;
                let ratio =
                    Spread::of(samples.iter().zip(floors).map(|(own, floor)| own.per_second / floor.per_second))?;
                Some(format!("{:.2} [{:.2}..{:.2}] of {floor}", ratio.median, ratio.min, ratio.max))
            });
            let failures: u64 = samples.iter().map(|sample| sample.failures).sum();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.0} [{:.0}..{:.0}] | {} | {} | {} | {} | {failures} |",
                line.row,
                line.connections,
                line.name,
                rate.median,
                rate.min,
                rate.max,
                shown(median(|sample| sample.p50_us), 0),
                shown(median(|sample| sample.p99_us), 0),
                shown(median(|sample| sample.cpu_us), 1),
                ratio.unwrap_or_default(),
            );
        }
        text
    }
}

/// A figure, or a dash for one that was not measured.
fn shown(figure: f64, places: usize) -> String {
    if figure.is_nan() { "–".to_owned() } else { format!("{figure:.places$}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_is_the_midpoint() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Some(Spread { min: 1.0, median: 2.5, max: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }
}

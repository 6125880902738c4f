//! Progress of long commands on standard error, where it disturbs nobody who reads the result.

use std::{borrow::Cow, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a bar without news is drawn again, so that its clock moves.
const TICK: Duration = Duration::from_millis(200);

/// The bars of one command.
#[derive(Debug, Clone)]
pub struct Progress(MultiProgress);

impl Progress {
    /// Bars on standard error; indicatif leaves them out when nobody watches.
    pub fn shown() -> Self {
        Self(MultiProgress::with_draw_target(ProgressDrawTarget::stderr()))
    }

    /// No bars at all.
    pub fn hidden() -> Self {
        Self(MultiProgress::with_draw_target(ProgressDrawTarget::hidden()))
    }

    /// Bars for people, none for machines.
    pub fn unless(json: bool) -> Self {
        if json { Self::hidden() } else { Self::shown() }
    }

    /// A bar of `length` steps.
    pub fn bar(&self, label: impl Into<Cow<'static, str>>, length: usize) -> ProgressBar {
        let template = "{prefix:>16} [{bar:32}] {pos}/{len} {per_sec} {eta} {msg}";
        let style = ProgressStyle::with_template(template)
            .map_or_else(|_| ProgressStyle::default_bar(), |style| style.progress_chars("━╸ "));
        let bar = ProgressBar::new(length as u64).with_style(style).with_prefix(label);
        let bar = self.0.add(bar);
        bar.enable_steady_tick(TICK);
        bar
    }
}

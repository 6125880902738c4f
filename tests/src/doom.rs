//! What a process under test is doomed to: dying at a step, the n-th time it gets there. Written into its environment by a
//! test, read by the executable under test and by nothing else.

use std::{fmt, str::FromStr};

use anyhow::{Context, Result};
use fail_points::Step;

/// The variable that holds the dooms of a process: `relay.acknowledged@3,consumer.parking@1`.
pub const DOOMS: &str = "QUOIN_UNDER_TEST_DOOMS";
/// The variable that names the file a process writes the step it dies at to.
pub const GRAVE: &str = "QUOIN_UNDER_TEST_GRAVE";

/// Dying at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doom {
    /// Where.
    pub step: Step,
    /// At which time it is reached, from 1.
    pub time: usize,
}

impl fmt::Display for Doom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.step.name(), self.time)
    }
}

impl FromStr for Doom {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (step, time) = text.split_once('@').with_context(|| format!("`{text}` is not `step@time`"))?;
        let step = Step::named(step).with_context(|| format!("there is no step `{step}`"))?;
        Ok(Self { step, time: time.parse().with_context(|| format!("`{time}` is not a number"))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doom_is_read_as_it_is_written_and_an_unknown_step_is_refused() {
        for step in Step::ALL {
            let doom = Doom { step, time: 7 };
            assert_eq!(doom.to_string().parse::<Doom>().unwrap(), doom);
        }
        for wrong in ["relay.never@1", "relay.read", "relay.read@x", ""] {
            assert!(wrong.parse::<Doom>().is_err(), "{wrong}");
        }
    }
}

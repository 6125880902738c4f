//! How much is sold and killed.

use std::{env, fmt, str::FromStr};

use anyhow::{Context, Result};

/// Sales of the short form.
const FEW_SALES: usize = 60;

/// How much.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// At least so many sales.
    pub sales: usize,
    /// At least so many kills, of any kind.
    pub kills: usize,
    /// Processes that work.
    pub workers: usize,
    /// Clients at a time.
    pub sellers: usize,
    /// Kills of PostgreSQL, and as many of Kafka.
    pub server_kills: usize,
    /// Nobody is doomed to a step any more where so many have died already.
    pub rounds: usize,
    /// A process is doomed to die at a step the n-th time it gets there; n is at most this.
    pub depth: usize,
    /// Sales after which a process that has not met its doom is killed from outside.
    pub patience: usize,
    /// Sales between two poisoned events.
    pub poison_every: usize,
    /// Where chance begins.
    pub seed: u64,
}

impl Scale {
    /// `QUOIN_KILLS_SALES`, `QUOIN_KILLS_MIN`, `QUOIN_KILLS_WORKERS` and `QUOIN_KILLS_SEED`; without them the short form.
    pub fn from_environment() -> Result<Self> {
        let sales = variable("QUOIN_KILLS_SALES")?.unwrap_or(FEW_SALES);
        let long = sales > FEW_SALES;
        Ok(Self {
            sales,
            kills: variable("QUOIN_KILLS_MIN")?.unwrap_or(0),
            workers: variable("QUOIN_KILLS_WORKERS")?.unwrap_or(if long { 3 } else { 2 }),
            sellers: if long { 8 } else { 4 },
            server_kills: if long { 10 } else { 1 },
            rounds: if long { usize::MAX } else { 1 },
            depth: if long { 400 } else { 10 },
            patience: if long { 700 } else { 25 },
            poison_every: if long { sales / 20 } else { 15 },
            seed: variable("QUOIN_KILLS_SEED")?.unwrap_or_else(|| fastrand::u64(..)),
        })
    }

    /// Whether this is more than what runs with every test.
    pub const fn is_long(&self) -> bool {
        self.sales > FEW_SALES
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sales, kills, workers, seed, .. } = self;
        write!(f, "{sales} sales and {kills} kills at least, {workers} workers, QUOIN_KILLS_SEED={seed}")
    }
}

fn variable<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(name: &str) -> Result<Option<T>> {
    let Ok(text) = env::var(name) else { return Ok(None) };
    text.parse().map(Some).with_context(|| format!("{name} is `{text}`"))
}

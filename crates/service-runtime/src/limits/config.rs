//! Policies as they are written in configuration, and everything that can be wrong with them.
//!
//! Owns the settings and their check at start: a process with a policy that cannot mean what it says does not start. Must never
//! know which routes there are.

use std::{collections::BTreeMap, time::Duration};

use cache_ports::{MAX_RATE_CHECKS, MAX_UNIT_MICROS, RateAlgorithm, RateDimension, RatePolicy, WithoutStore};
use serde::Deserialize;

use super::pattern::{RoutePattern, SubjectPattern};

/// Longest window in milliseconds: a day.
const LONGEST_WINDOW_MS: u64 = 24 * 60 * 60 * 1000;
/// Longest name: it is part of every key, header and metric of its policy.
const LONGEST_NAME: usize = 32;

/// All limits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Off only where something in front of the service limits instead.
    pub enabled: bool,
    /// How many processes share each limit: while Redis is away each lets its part pass.
    pub processes: u32,
    /// Where a request says what it is about.
    #[serde(default)]
    pub subjects: SubjectsConfig,
    /// Classes of expensive operations: for each its routes.
    #[serde(default)]
    pub classes: BTreeMap<String, Vec<String>>,
    /// The policies by name.
    #[serde(default)]
    pub policies: BTreeMap<String, PolicyConfig>,
}

/// Where a path or a query names what a request is about. A body is never read for it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubjectsConfig {
    /// The quote: the beginning of a route up to its parameter (`/quotes/{id}`), or a query parameter (`?quoteId`).
    pub quote: Vec<String>,
    /// The customer account, in the same way.
    pub customer_account: Vec<String>,
}

/// One policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyConfig {
    /// Whether it is in force; a policy of the defaults is switched off with it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How it counts.
    pub algorithm: RateAlgorithm,
    /// Units per window.
    pub limit: u32,
    /// The window in milliseconds.
    pub window_ms: u64,
    /// Whose requests are counted together: one dimension, or several that are told apart together.
    pub dimensions: Vec<RateDimension>,
    /// Which methods it is for.
    #[serde(default)]
    pub methods: Methods,
    /// Which routes it is for, `POST /quote/v1/quotes`; a `*` stands for every method, and at the end for the rest of a path.
    /// Empty: all, unless classes are named.
    #[serde(default)]
    pub routes: Vec<String>,
    /// Which classes of operations it is for.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Units one request takes.
    #[serde(default = "one")]
    pub cost: u32,
    /// What becomes of a request while Redis is away.
    #[serde(default = "count_locally")]
    pub without_store: WithoutStore,
    /// Whether it only counts and reports.
    #[serde(default)]
    pub shadow: bool,
}

/// Which methods a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Methods {
    /// Every one.
    #[default]
    All,
    /// Those that change nothing.
    Reads,
    /// The others.
    Writes,
}

impl Methods {
    pub(super) const fn includes(self, safe: bool) -> bool {
        match self {
            Self::All => true,
            Self::Reads => safe,
            Self::Writes => !safe,
        }
    }
}

const fn yes() -> bool {
    true
}

const fn one() -> u32 {
    1
}

const fn count_locally() -> WithoutStore {
    WithoutStore::CountLocally
}

/// What is wrong with the limits, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limits.{place}: {fault}")]
pub struct LimitsError {
    /// The setting.
    pub place: String,
    /// What is wrong with it, and what would be right.
    pub fault: String,
}

impl LimitsError {
    pub(super) fn new(place: impl Into<String>, fault: impl Into<String>) -> Self {
        Self { place: place.into(), fault: fault.into() }
    }
}

/// One policy, understood.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) policy: RatePolicy,
    pub(super) dimensions: Vec<RateDimension>,
    pub(super) methods: Methods,
    pub(super) routes: Vec<RoutePattern>,
    pub(super) classes: Vec<Class>,
}

/// A class of expensive operations.
#[derive(Debug, Clone)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) routes: Vec<RoutePattern>,
}

impl LimitsConfig {
    /// Every route that is named somewhere, and where.
    pub fn routes(&self) -> impl Iterator<Item = (String, &str)> {
        let classes = self.classes.iter().map(|(name, routes)| (format!("classes.{name}"), routes));
        let policies = self.policies.iter().map(|(name, policy)| (format!("policies.{name}.routes"), &policy.routes));
        classes.chain(policies).flat_map(|(place, routes)| routes.iter().map(move |route| (place.clone(), &**route)))
    }

    pub(super) fn rules(&self) -> Result<Vec<Rule>, LimitsError> {
        if self.processes == 0 {
            return Err(LimitsError::new("processes", "at least one process answers"));
        }
        let in_force: Vec<_> = self.policies.iter().filter(|(_, policy)| policy.enabled).collect();
        if in_force.len() > MAX_RATE_CHECKS {
            let fault =
                format!("{} are in force; one request is checked against {MAX_RATE_CHECKS} at most", in_force.len());
            return Err(LimitsError::new("policies", fault));
        }
        in_force.into_iter().map(|(name, policy)| self.rule(name, policy)).collect()
    }

    pub(super) fn subject(&self, dimension: RateDimension) -> Result<Vec<SubjectPattern>, LimitsError> {
        let (place, patterns) = match dimension {
            RateDimension::Quote => ("subjects.quote", &self.subjects.quote),
            RateDimension::CustomerAccount => ("subjects.customer_account", &self.subjects.customer_account),
            _ => return Ok(Vec::new()),
        };
        let parse =
            |text: &String| text.parse().map_err(|fault: &str| LimitsError::new(place, format!("`{text}` {fault}")));
        patterns.iter().map(parse).collect()
    }

    fn rule(&self, name: &str, config: &PolicyConfig) -> Result<Rule, LimitsError> {
        let wrong = |setting: &str, fault: String| Err(LimitsError::new(format!("policies.{name}{setting}"), fault));
        if !is_name(name) {
            return wrong("", format!("a name has 1 to {LONGEST_NAME} of a-z, 0-9, _ and -"));
        }
        if !(1..=LONGEST_WINDOW_MS).contains(&config.window_ms) {
            return wrong(
                ".window_ms",
                format!("{} is not between 1 and {LONGEST_WINDOW_MS}, a day", config.window_ms),
            );
        }
        let most = MAX_UNIT_MICROS / (config.window_ms * 1000);
        if !(1..=most).contains(&u64::from(config.limit)) {
            return wrong(
                ".limit",
                format!(
                    "{} is not between 1 and {most}, the most that is counted exactly in a window of {} ms: take a shorter one",
                    config.limit, config.window_ms
                ),
            );
        }
        if !(1..=config.limit).contains(&config.cost) {
            return wrong(
                ".cost",
                format!("{} is not between 1 and the limit, {}: nothing would pass", config.cost, config.limit),
            );
        }
        self.check_dimensions(name, config)?;
        let routes = patterns(&format!("policies.{name}.routes"), &config.routes)?;
        let classes = config.classes.iter().map(|class| self.class(name, class)).collect::<Result<_, _>>()?;
        let policy = RatePolicy {
            cost: config.cost,
            shadow: config.shadow,
            without_store: config.without_store,
            alone: (config.limit / self.processes).max(config.cost),
            ..RatePolicy::new(name, config.algorithm, config.limit, Duration::from_millis(config.window_ms))
        };
        Ok(Rule { policy, dimensions: config.dimensions.clone(), methods: config.methods, routes, classes })
    }

    fn check_dimensions(&self, name: &str, config: &PolicyConfig) -> Result<(), LimitsError> {
        let wrong = |fault: &str| Err(LimitsError::new(format!("policies.{name}.dimensions"), fault));
        let dimensions = &config.dimensions;
        if dimensions.is_empty() {
            return wrong("at least one is needed; `tenant` counts all of a tenant's requests together");
        }
        if dimensions.iter().enumerate().any(|(at, dimension)| dimensions[..at].contains(dimension)) {
            return wrong("one of them is named twice");
        }
        if dimensions.contains(&RateDimension::ExpensiveOperation) && config.classes.is_empty() {
            return wrong("`expensive-operation` needs `classes`");
        }
        for (dimension, word) in [(RateDimension::Quote, "quote"), (RateDimension::CustomerAccount, "customer_account")]
        {
            if dimensions.contains(&dimension) && self.subject(dimension)?.is_empty() {
                return wrong(&format!("limits.subjects.{word} says nowhere where a request names it"));
            }
        }
        Ok(())
    }

    fn class(&self, policy: &str, name: &str) -> Result<Class, LimitsError> {
        let Some(routes) = self.classes.get(name) else {
            let known: Vec<&str> = self.classes.keys().map(String::as_str).collect();
            let fault = format!("there is no class `{name}` in limits.classes, which has [{}]", known.join(", "));
            return Err(LimitsError::new(format!("policies.{policy}.classes"), fault));
        };
        let place = format!("classes.{name}");
        if !is_name(name) {
            return Err(LimitsError::new(place, format!("a name has 1 to {LONGEST_NAME} of a-z, 0-9, _ and -")));
        }
        if routes.is_empty() {
            return Err(LimitsError::new(place, "a class without routes is never met"));
        }
        Ok(Class { name: name.to_owned(), routes: patterns(&place, routes)? })
    }
}

fn patterns(place: &str, texts: &[String]) -> Result<Vec<RoutePattern>, LimitsError> {
    let parse =
        |text: &String| text.parse().map_err(|fault: &str| LimitsError::new(place, format!("`{text}` {fault}")));
    texts.iter().map(parse).collect()
}

fn is_name(name: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain)
}

//! The rate limits every authenticated request passes, as configured.
//!
//! Owns which policies a request meets, and who is counted; counting is the port's. Must never count by what a client claims to
//! be: tenant, user and client come from the verified token, a quote or a customer from the route's own parameters, and nothing
//! from a body.

mod config;
mod fields;
mod pattern;
mod prepaid;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use axum::extract::MatchedPath;
use cache_ports::{MAX_RATE_CHECKS, RateAlgorithm, RateCheck, RateDecision, RateDimension, RateLimiter};
use http::{HeaderValue, Method, request::Parts};

pub use config::{LimitsConfig, LimitsError, Methods, PolicyConfig, SubjectsConfig};
pub(crate) use fields::rate_limit;
pub use pattern::RoutePattern;
pub(crate) use prepaid::Prepaid;

use crate::auth::VerifiedToken;
use config::Rule;
use pattern::{SubjectPattern, subject_of};

/// The part of a limit that one bearer may pay for in advance: one in this many.
const PREPAID_PART: u32 = 20;
/// Shortest window that may be paid for in advance: ten times as long as what was paid for is valid, so that what passes is
/// late by a tenth of a window at most.
const PREPAID_WINDOW: Duration = Duration::from_secs(1);

/// The policies in force. Cloning is one reference count.
#[derive(Debug, Clone)]
pub struct Limits(Arc<Policies>);

#[derive(Debug)]
struct Policies {
    rules: Vec<Rule>,
    quote: Vec<SubjectPattern>,
    customer_account: Vec<SubjectPattern>,
    /// Whether which policies apply depends on the route at all.
    by_route: bool,
    /// What applies to reads and to writes everywhere.
    everywhere: [Arc<Applying>; 2],
    /// What applies to a route, worked out when it is first asked for; routes are the router's own, so their number is bounded.
    routes: RwLock<ByRoute>,
}

type ByRoute = HashMap<(Method, Box<str>), Arc<Applying>>;

/// A rule that applies, by its index, and why.
type Met = (usize, Reason);

/// Why a rule applies to a route.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    /// It is for the route itself, or for all.
    Route,
    /// It is for the class of operations the route belongs to.
    Class(String),
}

/// The policies that apply to one route.
#[derive(Debug, Default)]
struct Applying {
    rules: Vec<Met>,
    /// The `RateLimit-Policy` field.
    field: Option<HeaderValue>,
    /// Most requests one bearer may pay for in advance; one where every request is asked about by itself.
    most_prepaid: u32,
}

/// What the limiter said about one request, ready for the answer's header.
#[derive(Debug, Clone)]
pub(crate) struct RateNote {
    pub(crate) decision: RateDecision,
    pub(crate) policy_field: Option<HeaderValue>,
}

impl Limits {
    /// The policies the configuration asks for, or what is wrong with them.
    pub fn new(config: &LimitsConfig) -> Result<Self, LimitsError> {
        let rules = config.rules()?;
        Ok(Self::of(
            if config.enabled { rules } else { Vec::new() },
            config.subject(RateDimension::Quote)?,
            config.subject(RateDimension::CustomerAccount)?,
        ))
    }

    /// No limits, for tests of other things.
    pub fn off() -> Self {
        Self::of(Vec::new(), Vec::new(), Vec::new())
    }

    fn of(rules: Vec<Rule>, quote: Vec<SubjectPattern>, customer_account: Vec<SubjectPattern>) -> Self {
        let everywhere = [true, false].map(|safe| {
            let whole = |(at, rule): (usize, &Rule)| {
                (rule.is_about_the_bearer() && rule.methods.includes(safe)).then_some((at, Reason::Route))
            };
            Arc::new(Applying::of(&rules, rules.iter().enumerate().filter_map(whole).collect()))
        });
        let by_route = rules.iter().any(|rule| !rule.is_about_the_bearer());
        let routes = RwLock::default();
        Self(Arc::new(Policies { rules, quote, customer_account, by_route, everywhere, routes }))
    }

    /// Counts the request; `None` where no policy decides.
    pub(crate) async fn check(
        &self,
        limiter: &dyn RateLimiter,
        caller: &VerifiedToken,
        parts: &mut Parts,
    ) -> Option<RateNote> {
        let applying = self.0.applying(parts);
        if applying.rules.is_empty() {
            return None;
        }
        if applying.most_prepaid <= 1 {
            return self.0.ask(limiter, caller, Some(parts), &applying, 1).await;
        }
        let prepaid = if parts.method.is_safe() { &caller.prepaid_reads } else { &caller.prepaid_writes };
        let now = Instant::now();
        let size = match prepaid.spend(now, applying.most_prepaid) {
            Ok(note) => return Some(note),
            Err(size) => size,
        };
        let note = self.0.ask(limiter, caller, None, &applying, size).await?;
        if note.decision.allowed {
            prepaid.fill(now, size, &note);
            return Some(note);
        }
        // There may still be room for this one request.
        if size > 1 { self.0.ask(limiter, caller, None, &applying, 1).await } else { Some(note) }
    }
}

impl Policies {
    fn applying(&self, parts: &Parts) -> Arc<Applying> {
        let everywhere = &self.everywhere[usize::from(!parts.method.is_safe())];
        let Some(matched) = parts.extensions.get::<MatchedPath>().filter(|_| self.by_route) else {
            return Arc::clone(everywhere);
        };
        let key = (parts.method.clone(), Box::from(matched.as_str()));
        if let Some(known) = self.routes.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let met = |(at, rule): (usize, &Rule)| rule.meets(&key.0, &key.1).map(|reason| (at, reason));
        let applying = Arc::new(Applying::of(&self.rules, self.rules.iter().enumerate().filter_map(met).collect()));
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(key).or_insert(applying))
    }

    /// Asks about `requests` requests at once. `parts` are needed only where a policy is about more than the bearer.
    async fn ask(
        &self,
        limiter: &dyn RateLimiter,
        caller: &VerifiedToken,
        mut parts: Option<&mut Parts>,
        applying: &Applying,
        requests: u32,
    ) -> Option<RateNote> {
        let mut counted: Vec<(&Rule, String, String)> = Vec::with_capacity(applying.rules.len());
        for (at, reason) in &applying.rules {
            let Some(rule) = self.rules.get(*at) else { continue };
            if let Some(actor) = self.actor(rule, reason, caller, parts.as_deref_mut()).await {
                let by_route = rule.dimensions.contains(&RateDimension::Route);
                let route = if by_route { parts.as_deref().map(route_name) } else { None };
                counted.push((rule, actor, route.unwrap_or_else(|| "*".to_owned())));
            }
        }
        let checks: Vec<RateCheck<'_>> = counted
            .iter()
            .map(|(rule, actor, route)| RateCheck { policy: &rule.policy, dimensions: &rule.dimensions, actor, route })
            .collect();
        let decision = limiter.check(&caller.tenant, &checks, requests).await?;
        Some(RateNote { policy_field: applying.field.clone(), decision })
    }

    /// Who is counted by `rule`; `None` when the request does not say, and so the rule is not about it.
    async fn actor(
        &self,
        rule: &Rule,
        reason: &Reason,
        caller: &VerifiedToken,
        mut parts: Option<&mut Parts>,
    ) -> Option<String> {
        let mut actor = String::new();
        for dimension in &rule.dimensions {
            let found;
            let part = match dimension {
                // The tenant is in every key, and the route has a place of its own.
                RateDimension::Tenant | RateDimension::Route => continue,
                RateDimension::User => caller.subject_hash.as_str(),
                RateDimension::Client => caller.client_hash.as_str(),
                RateDimension::ExpensiveOperation => match reason {
                    Reason::Class(name) => name.as_str(),
                    Reason::Route => return None,
                },
                RateDimension::Quote | RateDimension::CustomerAccount => {
                    let quote = *dimension == RateDimension::Quote;
                    let patterns = if quote { &self.quote } else { &self.customer_account };
                    found = subject_of(patterns, parts.as_deref_mut()?).await?;
                    found.as_str()
                }
            };
            if !actor.is_empty() {
                actor.push('.');
            }
            actor.push_str(part);
        }
        Some(if actor.is_empty() { "*".to_owned() } else { actor })
    }
}

fn route_name(parts: &Parts) -> String {
    let route = parts.extensions.get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str);
    format!("{} {route}", parts.method)
}

impl Rule {
    /// Whether everything it depends on is in the token.
    fn is_about_the_bearer(&self) -> bool {
        let known = [RateDimension::Tenant, RateDimension::User, RateDimension::Client];
        self.routes.is_empty()
            && self.classes.is_empty()
            && self.dimensions.iter().all(|dimension| known.contains(dimension))
    }

    /// Whether it is for this route, and why.
    fn meets(&self, method: &Method, route: &str) -> Option<Reason> {
        if !self.methods.includes(method.is_safe()) {
            return None;
        }
        if let Some(class) = self.classes.iter().find(|class| class.routes.iter().any(|r| r.matches(method, route))) {
            return Some(Reason::Class(class.name.clone()));
        }
        let named = self.routes.iter().any(|pattern| pattern.matches(method, route));
        (named || (self.routes.is_empty() && self.classes.is_empty())).then_some(Reason::Route)
    }

    /// Whether what passes may have been counted a moment before. Windows may not: what was paid for at the end of one would
    /// pass in the next.
    fn may_be_prepaid(&self) -> bool {
        let drains = matches!(self.policy.algorithm, RateAlgorithm::TokenBucket | RateAlgorithm::Gcra);
        drains && self.policy.window >= PREPAID_WINDOW && self.is_about_the_bearer()
    }
}

impl Applying {
    fn of(rules: &[Rule], met: Vec<Met>) -> Self {
        let met: Vec<_> = met.into_iter().take(MAX_RATE_CHECKS).collect();
        let applying = || met.iter().filter_map(|(at, _)| rules.get(*at));
        let field = fields::rate_limit_policy(applying().map(|rule| &rule.policy));
        let prepaid = applying().all(Rule::may_be_prepaid);
        let most = applying().map(|rule| rule.policy.limit / rule.policy.cost.max(1) / PREPAID_PART).min();
        let most_prepaid = if prepaid { most.unwrap_or(1).max(1) } else { 1 };
        Self { rules: met, field, most_prepaid }
    }
}

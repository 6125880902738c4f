//! What a replay did and whether the account closes, for people and for machines.

use std::{fmt, time::Duration};

use rust_decimal::Decimal;
use serde::Serialize;

use super::Failure;
use crate::retail::{
    closing::{Closing, Held},
    plan::{CURRENCY, Plan, Unrepresented},
};

/// Failures shown to people; all of them are in the JSON.
const SHOWN_FAILURES: usize = 10;

/// What a replay did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplaySummary {
    /// The account.
    #[serde(flatten)]
    pub closing: Closing,
    /// Whether everything meets.
    pub settled: bool,
    /// Every row that could not be represented.
    pub unrepresented: Vec<Unrepresented>,
    /// Steps that could not be carried out.
    pub failures: Vec<Failure>,
    /// How long sending took, in seconds.
    pub seconds: f64,
}

impl ReplaySummary {
    pub(super) fn of(
        plan: &Plan,
        not_replayed: &[Unrepresented],
        held: Held,
        failures: Vec<Failure>,
        took: Duration,
    ) -> Self {
        let closing = Closing::of(plan, not_replayed, held);
        Self {
            settled: failures.is_empty() && closing.is_settled(plan),
            closing,
            unrepresented: plan.unrepresented.iter().chain(not_replayed).cloned().collect(),
            failures,
            seconds: took.as_secs_f64(),
        }
    }
}

impl fmt::Display for ReplaySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (closing, held) = (&self.closing, &self.closing.held);
        let orders = u32::try_from(held.orders).unwrap_or(u32::MAX);
        let rate = f64::from(orders) / self.seconds.max(f64::EPSILON);
        writeln!(
            f,
            "{} invoices, {} rows, sent in {:.1} s ({rate:.0} orders/s)",
            closing.invoices, closing.rows, self.seconds
        )?;
        writeln!(
            f,
            "{} orders, {} duplicates, {} unfinished; {} cancellations; {} overrides, {} approvals",
            held.orders,
            held.duplicate_orders,
            held.unfinished_orders,
            held.cancellations,
            held.overrides,
            held.approvals
        )?;
        // Whole pence, and more digits only where they are not zero.
        let money = |f: &mut fmt::Formatter<'_>, what: &str, amount: Decimal| {
            let mut amount = amount.normalize();
            amount.rescale(amount.scale().max(2));
            writeln!(f, "  {what:<44} {:>16} {CURRENCY}", amount.to_string())
        };
        money(f, "file total (exact)", closing.file_total)?;
        money(f, "ordered", held.ordered)?;
        money(f, "credited", -held.credited)?;
        money(f, "represented", closing.represented)?;
        money(f, "not representable", closing.not_representable)?;
        for (why, rest) in &closing.not_representable_by_reason {
            let label = format!("  {} ({} rows)", why.words(), rest.rows);
            money(f, &label, rest.amount)?;
        }
        money(f, "rounding to the penny", closing.rounding_difference)?;
        money(f, "difference", closing.difference)?;
        for failure in self.failures.iter().take(SHOWN_FAILURES) {
            writeln!(f, "failed: invoice {}: {}", failure.invoice, failure.error)?;
        }
        if self.failures.len() > SHOWN_FAILURES {
            writeln!(f, "and {} more failures", self.failures.len() - SHOWN_FAILURES)?;
        }
        writeln!(f, "{}", if self.settled { "settled: every penny is accounted for" } else { "NOT SETTLED" })
    }
}

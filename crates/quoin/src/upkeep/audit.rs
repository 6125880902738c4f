//! `quoin cache audit`: one audit from beginning to end, and its table.

use std::{collections::BTreeMap, fmt};

use anyhow::Context;
use cache_engine::audit::{
    AuditRules, Auditor, Finding, Pass,
    difference::FieldDifference,
    inspection::{Extent, Stage},
    report::{Report, Tally},
};
use cache_ports::keyspace::Keyspace;
use indicatif::ProgressBar;
use kernel::{TenantId, Version};
use serde::Serialize;

use super::{all_witnesses, audited, broken_off, reached};
use crate::{app::Parts, progress::Progress};

/// What is audited.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// These keyspaces; none for all.
    pub keyspaces: Vec<&'static Keyspace>,
    /// This tenant's entries; none for everybody's.
    pub tenant: Option<TenantId>,
    /// How many.
    pub extent: Extent,
    /// Whether wrong entries are removed.
    pub repair: bool,
}

/// Audits once.
pub async fn audit(parts: &Parts, options: AuditOptions, progress: &Progress) -> anyhow::Result<AuditSummary> {
    let known = audited();
    let chosen = if options.keyspaces.is_empty() { known.clone() } else { options.keyspaces };
    reached(parts, &chosen).await.context("nothing was looked at")?;
    let rules = AuditRules { repair: options.repair, ..parts.config.audit.rules() };
    let witnesses = all_witnesses(parts).await?;
    let stores = &parts.stores;
    let auditor = Auditor::new(stores.bytes.clone(), stores.scan.clone(), known, witnesses, rules);
    let mut bars = Bars::on(progress);
    let told = |stage| bars.show(stage);
    let report = auditor.inspect(&chosen, options.tenant.as_ref(), options.extent, told).await.map_err(broken_off)?;
    bars.end();
    Ok(AuditSummary::of(&report, options.repair))
}

/// One bar a keyspace, and one for the wait.
struct Bars<'a> {
    progress: &'a Progress,
    bars: BTreeMap<&'static str, ProgressBar>,
}

impl<'a> Bars<'a> {
    const fn on(progress: &'a Progress) -> Self {
        Self { progress, bars: BTreeMap::new() }
    }

    fn show(&mut self, stage: Stage) {
        match stage {
            Stage::Found(keyspace, more) => self.bar(keyspace.name).inc_length(more as u64),
            Stage::Looked(keyspace) => self.bar(keyspace.name).inc(1),
            Stage::Waiting(suspects) => self.bar("second look").set_message(format!(
                "{suspects} entries differ; lag is given its time before they are looked at again"
            )),
        }
    }

    fn bar(&mut self, name: &'static str) -> &ProgressBar {
        self.bars.entry(name).or_insert_with(|| self.progress.bar(name, 0))
    }

    fn end(&self) {
        self.bars.values().for_each(ProgressBar::finish_and_clear);
    }
}

/// What an audit found, for people and for machines.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditSummary {
    /// Entries that were judged.
    pub checked: u64,
    /// Wrong ones.
    pub mismatches: u64,
    /// Wrong ones that are still there.
    pub remaining: u64,
    /// Entries of which the authority did not say what they should be.
    pub unanswered: u64,
    /// Whether wrong ones were to be removed.
    pub repair: bool,
    /// By keyspace.
    pub keyspaces: Vec<KeyspaceSummary>,
    /// The first wrong entries. No value of an entry is ever shown.
    pub findings: Vec<FindingSummary>,
}

/// The counts of one keyspace.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyspaceSummary {
    /// Its name.
    pub keyspace: &'static str,
    /// Entries that were judged.
    pub checked: u64,
    /// Entries that agree.
    pub agreed: u64,
    /// Entries that were not judged, by reason.
    pub passed: BTreeMap<&'static str, u64>,
    /// Wrong entries, by kind.
    pub mismatches: BTreeMap<&'static str, u64>,
    /// Wrong entries that were removed.
    pub repaired: u64,
}

/// One wrong entry.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FindingSummary {
    /// Its keyspace.
    pub keyspace: &'static str,
    /// How it is wrong.
    pub kind: &'static str,
    /// Its key.
    pub key: String,
    /// The version it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The version of the authority.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority_version: Option<Version>,
    /// Seconds since its fill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_secs: Option<u64>,
    /// Where the contents differ, with salted hashes in place of the values.
    pub fields: Vec<FieldDifference>,
    /// Whether it was removed.
    pub repaired: bool,
}

impl AuditSummary {
    fn of(report: &Report, repair: bool) -> Self {
        Self {
            checked: report.checked(),
            mismatches: report.mismatches(),
            remaining: report.remaining(),
            unanswered: report.tallies.iter().filter_map(|(_, tally)| tally.passed.get(&Pass::NoAnswer)).sum(),
            repair,
            keyspaces: report.tallies.iter().map(|(keyspace, tally)| counts(keyspace, tally)).collect(),
            findings: report.findings.iter().map(finding).collect(),
        }
    }

    /// Whether nothing wrong is left, as far as everybody who knows could be asked.
    pub const fn holds(&self) -> bool {
        self.remaining == 0 && self.unanswered == 0
    }
}

fn counts(keyspace: &Keyspace, tally: &Tally) -> KeyspaceSummary {
    KeyspaceSummary {
        keyspace: keyspace.name,
        checked: tally.checked(),
        agreed: tally.agreed,
        passed: tally.passed.iter().map(|(why, count)| (why.as_str(), *count)).collect(),
        mismatches: tally.wrong.iter().map(|(kind, count)| (kind.as_str(), *count)).collect(),
        repaired: tally.repaired,
    }
}

fn finding(finding: &Finding) -> FindingSummary {
    FindingSummary {
        keyspace: finding.keyspace.name,
        kind: finding.kind.as_str(),
        key: finding.key.clone(),
        version: finding.version,
        authority_version: finding.authority,
        age_secs: finding.age.map(|age| age.as_secs()),
        fields: finding.fields.clone(),
        repaired: finding.repaired,
    }
}

impl fmt::Display for AuditSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heads = ("keyspace", "checked", "agreed", "not judged", "wrong", "removed");
        writeln!(f, "{:<28} {:>9} {:>9} {:>11} {:>7} {:>8}", heads.0, heads.1, heads.2, heads.3, heads.4, heads.5)?;
        for row in &self.keyspaces {
            let (passed, wrong): (u64, u64) = (row.passed.values().sum(), row.mismatches.values().sum());
            writeln!(
                f,
                "{:<28} {:>9} {:>9} {:>11} {:>7} {:>8}",
                row.keyspace, row.checked, row.agreed, passed, wrong, row.repaired
            )?;
        }
        self.findings.iter().try_for_each(|finding| write!(f, "\n{finding}"))?;
        if self.unanswered > 0 {
            writeln!(f, "\n{} entries could not be judged: PostgreSQL did not answer", self.unanswered)?;
        }
        match (self.mismatches, self.remaining) {
            (0, _) => writeln!(f, "\n{} entries checked; none is wrong", self.checked),
            (wrong, 0) => writeln!(f, "\n{} entries checked; {wrong} were wrong and are removed", self.checked),
            (wrong, left) if self.repair => {
                writeln!(
                    f,
                    "\n{} entries checked; {wrong} are wrong, {left} of them could not be removed",
                    self.checked
                )
            }
            (wrong, _) => writeln!(f, "\n{} entries checked; {wrong} are wrong. --repair removes them", self.checked),
        }
    }
}

impl fmt::Display for FindingSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = |version: Option<Version>| version.map_or_else(|| "–".to_owned(), |version| version.to_string());
        let (cached, authority) = (version(self.version), version(self.authority_version));
        writeln!(f, "{} · {}\n  {}", self.keyspace, self.kind, self.key)?;
        write!(f, "  version {cached}, authority {authority}")?;
        if let Some(age) = self.age_secs {
            write!(f, ", filled {age} s ago")?;
        }
        writeln!(f, "{}", if self.repaired { "; removed" } else { "" })?;
        let paths: Vec<&str> = self.fields.iter().map(|field| field.path.as_str()).collect();
        if !paths.is_empty() {
            writeln!(f, "  differs in {}", paths.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cache_ports::quote::keyspaces::QUOTE_SUMMARY;

    use super::*;

    #[test]
    fn an_audit_whose_questions_were_not_answered_does_not_hold() {
        let mut report = Report::on(&[&QUOTE_SUMMARY]);
        report.tallies[0].1.agreed = 3;
        assert!(AuditSummary::of(&report, false).holds());
        report.tallies[0].1.passed.insert(Pass::NoAnswer, 2);
        let summary = AuditSummary::of(&report, false);
        assert!(!summary.holds());
        assert!(summary.to_string().contains("2 entries could not be judged"), "{summary}");
        assert!(summary.to_string().contains("3 entries checked; none is wrong"), "{summary}");
    }
}

//! `quoin import`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::{Verdict, print, retail::Target};
use crate::{
    import::{self, Source},
    progress::Progress,
    retail::finding::Finding,
};

#[derive(Debug, Args)]
pub struct ImportArgs {
    #[command(flatten)]
    target: Target,
    /// Write every dirty row with its reason here, CSV
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub async fn run(args: ImportArgs) -> anyhow::Result<Verdict> {
    let source = Source::open(&args.target.file)?;
    if let Some(report) = &args.report {
        write_report(report, &source.findings).with_context(|| format!("cannot write {}", report.display()))?;
    }
    let api = args.target.api(import::SUBJECT, &import::ROLES)?;
    let summary = import::online_retail(&api, &source, &Progress::unless(args.target.json)).await?;
    print(&summary, args.target.json)?;
    Ok(Verdict::Holds)
}

fn write_report(path: &Path, findings: &[Finding]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["row", "invoice", "code", "reason", "traded", "amount", "note"])?;
    for finding in findings {
        let (row, amount) = (finding.row.to_string(), finding.amount.to_string());
        let traded = if finding.kept { "yes" } else { "no" };
        let words = finding.reason.words();
        writer.write_record([&row, &finding.invoice, &finding.code, words, traded, &amount, &finding.note])?;
    }
    Ok(writer.flush()?)
}

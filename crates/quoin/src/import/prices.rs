//! Price books: one a segment, with the observed quantity breaks as volume tiers.

use anyhow::Context;
use kernel::OfferingId;
use reqwest::StatusCode;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Counts, OfferingIds};
use crate::{
    api::Api,
    progress::Progress,
    retail::{
        breaks::Step,
        invoice::Segment,
        masters::{Book, Masters},
        plan::CURRENCY,
    },
};

/// External id of a segment's price book.
pub fn book_external_id(segment: Segment) -> String {
    format!("online-retail-{}", segment.name())
}

#[derive(Serialize)]
struct PutBook {
    name: String,
    currency: &'static str,
    entries: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    offering_id: OfferingId,
    price_type: &'static str,
    model: &'static str,
    tiers: Vec<Tier>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tier {
    #[serde(skip_serializing_if = "Option::is_none")]
    up_to: Option<Decimal>,
    unit_price: Decimal,
}

#[derive(Deserialize)]
struct Known {
    version: u64,
}

#[derive(Deserialize)]
struct Put {
    changed: bool,
}

/// Sends every book; a book that is there already gets a new version only when its content differs.
pub async fn send(api: &Api, masters: &Masters, ids: &OfferingIds, progress: &Progress) -> anyhow::Result<Counts> {
    let bar = progress.bar("price books", masters.books.len());
    let mut counts = Counts::default();
    for book in &masters.books {
        let put = send_one(api, book, ids).await;
        counts.add(put.with_context(|| format!("cannot put the price book of {} buyers", book.segment.name()))?);
        bar.inc(1);
    }
    Ok(counts)
}

async fn send_one(api: &Api, book: &Book, ids: &OfferingIds) -> anyhow::Result<Counts> {
    let path = format!("/pricing/v1/price-books/{}", book_external_id(book.segment));
    let known = match api.get(path.clone()).send::<Known>().await {
        Ok(known) => Some(known.value.version),
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => None,
        Err(error) => return Err(error.into()),
    };
    let call = api.put(path).json(&body(book, ids));
    let Some(version) = known else {
        call.if_absent().send::<Put>().await?;
        return Ok(Counts { created: 1, ..Counts::default() });
    };
    let changed = call.if_match(version).send::<Put>().await?.value.changed;
    Ok(Counts { created: 0, updated: u64::from(changed), unchanged: u64::from(!changed) })
}

fn body(book: &Book, ids: &OfferingIds) -> PutBook {
    let entries = book.steps.iter().filter_map(|(code, steps)| {
        let offering_id = *ids.get(code)?;
        Some(Entry { offering_id, price_type: "oneTime", model: "volume", tiers: tiers(steps) })
    });
    PutBook {
        name: format!("Online retail, {} buyers", book.segment.name()),
        currency: CURRENCY,
        entries: entries.collect(),
    }
}

/// Steps say where a price begins, tiers where it ends: each ends one unit before the next begins.
fn tiers(steps: &[Step]) -> Vec<Tier> {
    let ends = steps.iter().skip(1).map(|next| Some(Decimal::from(next.from - 1))).chain([None]);
    steps.iter().zip(ends).map(|(step, up_to)| Tier { up_to, unit_price: step.unit_price }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_ends_one_unit_before_the_next_begins() {
        let step = |from: i64, price: &str| Step { from, unit_price: price.parse().unwrap() };
        let tiers = tiers(&[step(1, "2.95"), step(12, "2.55"), step(100, "2.10")]);
        let json = serde_json::to_string(&tiers).unwrap();
        assert_eq!(json, r#"[{"upTo":"11","unitPrice":"2.95"},{"upTo":"99","unitPrice":"2.55"},{"unitPrice":"2.10"}]"#);
    }
}

//! Offerings, and the publication that freezes them.

use anyhow::{Context, bail};
use kernel::OfferingId;
use serde::{Deserialize, Serialize};

use super::{BATCH, Counts, OfferingIds};
use crate::{
    api::Api,
    progress::Progress,
    retail::masters::{Masters, Offering},
};

/// Name of every publication made here; the content hash tells them apart.
const PUBLICATION: &str = "online-retail";

#[derive(Serialize)]
struct Batch<'a> {
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    external_id: &'a str,
    name: &'a str,
    category: &'static str,
    kind: &'static str,
    stocked: bool,
}

impl<'a> From<&'a Offering> for Item<'a> {
    fn from(offering: &'a Offering) -> Self {
        Self {
            external_id: &offering.code,
            name: &offering.name,
            category: offering.kind.category(),
            kind: "simple",
            stocked: offering.kind.is_stocked(),
        }
    }
}

#[derive(Deserialize)]
struct Imported {
    #[serde(flatten)]
    counts: Counts,
    items: Vec<ImportedItem>,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ImportedItem {
    external_id: String,
    offering_id: OfferingId,
}

/// Sends all offerings and learns their ids.
pub async fn send(api: &Api, masters: &Masters, progress: &Progress) -> anyhow::Result<(Counts, OfferingIds)> {
    let bar = progress.bar("offerings", masters.offerings.len());
    let (mut counts, mut ids) = (Counts::default(), OfferingIds::new());
    for batch in masters.offerings.chunks(BATCH) {
        let body = Batch { items: batch.iter().map(Item::from).collect() };
        let imported = api.post("/catalog/v1/imports").json(&body).send::<Imported>().await?.value;
        if let Some(first) = imported.errors.first() {
            bail!("the catalog refused {} of {} offerings; the first: {first}", imported.errors.len(), batch.len());
        }
        counts.add(imported.counts);
        ids.extend(imported.items.into_iter().map(|item| (item.external_id, item.offering_id)));
        bar.inc(batch.len() as u64);
    }
    if let Some(offering) = masters.offerings.iter().find(|offering| !ids.contains_key(&offering.code)) {
        bail!("the catalog did not report an id for {}", offering.code);
    }
    Ok((counts, ids))
}

#[derive(Serialize)]
struct Publish {
    name: &'static str,
    activate: bool,
}

#[derive(Deserialize)]
struct Published {
    #[serde(default)]
    unchanged: bool,
}

/// Publishes the working copy and makes it the active publication; the same content is not published twice.
pub async fn publish(api: &Api) -> anyhow::Result<Counts> {
    let body = Publish { name: PUBLICATION, activate: true };
    let published = api.post("/catalog/v1/publications").json(&body).send::<Published>().await;
    let unchanged = published.context("cannot publish the catalog")?.value.unchanged;
    Ok(Counts { created: u64::from(!unchanged), updated: 0, unchanged: u64::from(unchanged) })
}

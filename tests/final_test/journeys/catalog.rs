//! A catalog is imported, published, read, changed, published again and read again; then the first is put back and away.

use anyhow::{Context, Result};
use cache_ports::catalog::keyspaces::ACTIVE_PUBLICATION;
use serde_json::{Map, Value, json};

use super::{Goods, text};
use crate::visitor::{ADMIN, BUYER, Request, SELLER, Scene};

const ACTIVE: &str = "/catalog/v1/publications/active";

/// Two goods, a service and a bundle.
pub(super) fn items(lamp: &str) -> Value {
    let simple = |name: &str, title: &str, stocked: bool| json!({ "externalId": name, "name": title, "category": "things", "kind": "simple", "stocked": stocked });
    let component = |name: &str, max: u32| json!({ "externalId": name, "min": 1, "max": max, "default": 1 });
    let set = json!({
        "externalId": "set", "name": "The set", "category": "bundles", "kind": "bundle", "stocked": false,
        "components": [component("lamp", 2), component("chair", 4)],
    });
    json!({ "items": [
        simple("lamp", lamp, true), simple("chair", "The chair", true), simple("delivery", "Delivery", false), set,
    ] })
}

/// Imports, and gives the offering ids by external id.
pub(super) async fn import(scene: Scene<'_>, who: &'static str, lamp: &str) -> Result<Value> {
    let imported = scene.send(Request::post(who, "/catalog/v1/imports", items(lamp))).await?;
    let items = imported["items"].as_array().context("no items")?.iter();
    Ok(items.map(|item| (text(item, "/externalId"), item["offeringId"].clone())).collect::<Map<_, _>>().into())
}

pub(super) async fn publish(scene: Scene<'_>, who: &'static str, name: &str) -> Result<Value> {
    let body = json!({ "name": name, "activate": true });
    scene.send(Request::post(who, "/catalog/v1/publications", body).key(name)).await
}

/// Reads everything of a publication twice: once to fill a cache, once to be answered by it.
pub(super) async fn read_twice(scene: Scene<'_>, who: &'static str, publication: &Value, ids: &Value) -> Result<()> {
    let base = format!("/catalog/v1/publications/{}", text(publication, "/id"));
    let mut requests: Vec<Request> = ids
        .as_object()
        .context("no ids")?
        .values()
        .map(|id| Request::get(who, format!("{base}/offerings/{}", id.as_str().unwrap_or_default())))
        .collect();
    requests.push(Request::get(who, format!("{base}/offerings?q=lamp")));
    requests.push(Request::get(who, format!("{base}/offerings?category=things&limit=2")));
    requests.push(Request::get(who, format!("{base}/offerings/0198f000-0000-7000-8000-00000000000a")));
    scene.send_all(requests.clone()).await?;
    scene.send_all(requests).await?;
    Ok(())
}

pub(super) async fn publish_twice(scene: Scene<'_>) -> Result<Goods> {
    let active = |version: &Value| Request::get(BUYER, ACTIVE).at_least(version);
    let may_be_old = || Request::get(BUYER, ACTIVE).may_be_old(&[&ACTIVE_PUBLICATION]);
    scene.send(may_be_old()).await?;
    let ids = import(scene, ADMIN, "The lamp").await?;
    let first = publish(scene, ADMIN, "first").await?;
    scene.send(active(&first["activeVersion"])).await?;
    scene.send(may_be_old()).await?;
    read_twice(scene, BUYER, &first, &ids).await?;
    let bundle = json!({ "offeringId": ids["set"], "components": [{ "offeringId": ids["lamp"], "quantity": "2" }] });
    let validate = format!("/catalog/v1/publications/{}/configurations/validate", text(&first, "/id"));
    scene.send(Request::ask(SELLER, &validate, bundle.clone())).await?;
    scene.send(Request::ask(SELLER, &validate, bundle)).await?;

    import(scene, ADMIN, "The better lamp").await?;
    publish(scene, ADMIN, "first").await.context("the same name and key again")?;
    let second = publish(scene, ADMIN, "second").await?;
    scene.send(may_be_old()).await?;
    scene.send(active(&second["activeVersion"])).await?;
    read_twice(scene, BUYER, &second, &ids).await?;
    read_twice(scene, SELLER, &first, &ids).await?;

    let activate = |publication: &Value| {
        Request::post(ADMIN, format!("/catalog/v1/publications/{}/activate", text(publication, "/id")), json!({}))
    };
    let back = scene.send(activate(&first).if_match(&second["activeVersion"])).await?;
    scene.send(may_be_old()).await?;
    scene.send(active(&back["activeVersion"])).await?;
    scene.send(activate(&second).if_match(&second["activeVersion"])).await.context("a stale tag")?;
    let again = scene.send(activate(&second)).await?;
    scene.send(active(&again["activeVersion"])).await?;
    scene.send(may_be_old()).await?;
    Ok(Goods { ids, publication: second["id"].clone(), before: first["id"].clone() })
}

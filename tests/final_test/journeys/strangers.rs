//! Another tenant has the same kinds of things under the same names, and asks for the shop's by their ids.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Shop, Sold, catalog, prices, sale, text};
use crate::visitor::{Request, STRANGER, Scene};

/// What the other tenant has.
pub(super) struct Other {
    ids: Value,
    book: Value,
    publication: Value,
    quote: Value,
}

pub(super) async fn open(scene: Scene<'_>) -> Result<Other> {
    let ids = catalog::import(scene, STRANGER, "Another lamp").await?;
    let published = catalog::publish(scene, STRANGER, "first").await?;
    catalog::read_twice(scene, STRANGER, &published, &ids).await?;
    let path = "/pricing/v1/price-books/list";
    let put = Request::put(STRANGER, path, prices::book(&ids, "77.00")).with("if-none-match", "*");
    let book = scene.send(put).await?["id"].clone();
    let publication = published["id"].clone();
    let question = prices::question(&book, &publication, &ids, &[("lamp", 2)]);
    scene.send(Request::ask(STRANGER, "/pricing/v1/price-previews", question)).await?;
    let customers = json!({ "items": [{ "externalId": "c-1", "name": "Another Customer", "country": "BE" }] });
    let customers = scene.send(Request::post(STRANGER, "/quote/v1/imports/customers", customers)).await?;
    let stock = json!({ "items": [{ "productId": ids["lamp"], "externalId": "lamp", "quantity": "7", "reference": "opening" }] });
    scene.send(Request::post(STRANGER, "/inventory/v1/imports/stock", stock)).await?;
    scene
        .send(Request::get(
            STRANGER,
            format!("/inventory/v1/products/{}/stock?consistency=strict", text(&ids, "/lamp")),
        ))
        .await?;
    let body = json!({
        "externalId": "a quote", "customerId": customers["items"][0]["customerId"], "priceBookId": book,
        "publicationId": publication, "currency": "EUR", "level": "firm",
        "items": [{ "offeringId": ids["lamp"], "quantity": "3" }],
    });
    let quote = scene.send(Request::post(STRANGER, "/quote/v1/quotes", body).key("a quote")).await?;
    scene.send(Request::get(STRANGER, sale::path(&quote))).await?;
    Ok(Other { ids, book, publication, quote })
}

pub(super) async fn look(scene: Scene<'_>, shop: &Shop, sold: &Sold, other: &Other) -> Result<()> {
    let (quote, order) = (sale::path(&sold.quote), format!("/order/v1/orders/{}", text(&sold.order, "/id")));
    let lamp = text(&shop.goods.ids, "/lamp");
    let of = |publication: &Value, offering: &str| {
        format!("/catalog/v1/publications/{}/offerings/{offering}", publication.as_str().unwrap_or_default())
    };
    let paths = [
        quote.clone(),
        format!("{quote}/revisions/1"),
        format!("{quote}/revisions/1/acceptance"),
        format!("{quote}/history"),
        order.clone(),
        format!("{order}/cancellations"),
        format!("{order}/workflow"),
        format!("/pricing/v1/price-results/{}", text(&sold.quote, "/currentRevision/priceResultId")),
        format!("/inventory/v1/products/{lamp}/stock?consistency=strict"),
        format!("/inventory/v1/products/{lamp}/stock?consistency=bounded"),
        of(&shop.goods.publication, &lamp),
        of(&shop.goods.before, &lamp),
        of(&other.publication, &lamp),
        of(&shop.goods.publication, &text(&other.ids, "/lamp")),
        of(&other.publication, &text(&other.ids, "/lamp")),
        sale::path(&other.quote),
        "/catalog/v1/publications/active".to_owned(),
    ];
    for path in paths {
        scene.send(Request::get(STRANGER, path)).await?;
    }
    for (book, ids) in [(&shop.book, &shop.goods.ids), (&other.book, &other.ids)] {
        let question = prices::question(book, &other.publication, ids, &[("lamp", 2)]);
        scene.send(Request::ask(STRANGER, "/pricing/v1/price-previews", question)).await?;
    }
    Ok(())
}

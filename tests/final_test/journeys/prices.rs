//! A price book, previews from it, a new version of it, and previews again.

use anyhow::Result;
use cache_ports::pricing::keyspaces::PRICE_BOOK_VERSION;
use serde_json::{Value, json};

use super::{Goods, text};
use crate::visitor::{ADMIN, BUYER, Request, SELLER, Scene};

const BOOK: &str = "/pricing/v1/price-books/list";
const PREVIEW: &str = "/pricing/v1/price-previews";

/// A book in which the first lamp costs `lamp`.
pub(super) fn book(ids: &Value, lamp: &str) -> Value {
    let once = |name: &str, model: &str, tiers: Value| json!({ "offeringId": ids[name], "priceType": "oneTime", "model": model, "tiers": tiers });
    let month = json!({ "unit": "month", "length": 1 });
    json!({
        "name": "list prices", "currency": "EUR",
        "entries": [
            // A volume price would be warned about by its position, and ids decide positions.
            once("lamp", "graduated", json!([{ "upTo": "9", "unitPrice": lamp }, { "unitPrice": "8.00" }])),
            once("chair", "volume", json!([{ "unitPrice": "49.95" }])),
            once("delivery", "volume", json!([{ "unitPrice": "12.50" }])),
            once("set", "volume", json!([{ "unitPrice": "99.00" }])),
            { "offeringId": ids["delivery"], "priceType": "recurring", "period": month, "model": "volume", "tiers": [{ "unitPrice": "3.00" }] },
        ],
    })
}

/// A question what these lines cost.
pub(super) fn question(book: &Value, publication: &Value, ids: &Value, lines: &[(&str, u32)]) -> Value {
    let items: Vec<Value> = lines
        .iter()
        .enumerate()
        .map(|(at, (name, quantity))| json!({ "itemId": format!("i{at}"), "offeringId": ids[name], "quantity": quantity.to_string() }))
        .collect();
    json!({ "priceBookId": book, "publicationId": publication, "currency": "EUR", "items": items })
}

pub(super) async fn change_a_book(scene: Scene<'_>, goods: &Goods) -> Result<Value> {
    let first = scene.send(Request::put(ADMIN, BOOK, book(&goods.ids, "10.00")).with("if-none-match", "*")).await?;
    let id = first["id"].clone();
    let ask =
        |who, lines: &[(&str, u32)]| Request::ask(who, PREVIEW, question(&id, &goods.publication, &goods.ids, lines));
    let shown = |lines: &[(&str, u32)]| ask(BUYER, lines).may_be_old(&[&PRICE_BOOK_VERSION]);
    for _ in 0..2 {
        scene
            .send_all(vec![shown(&[("lamp", 2)]), shown(&[("lamp", 12), ("delivery", 1)]), shown(&[("set", 1)])])
            .await?;
    }
    let second = scene.send(Request::put(ADMIN, BOOK, book(&goods.ids, "11.00")).if_match(&first["version"])).await?;
    scene.send(shown(&[("lamp", 2)])).await?;
    scene.send(ask(SELLER, &[("lamp", 2)]).at_least(&second["version"])).await?;
    scene.send(Request::put(ADMIN, BOOK, book(&goods.ids, "1.00")).if_match(&first["version"])).await?;
    scene.send(shown(&[("lamp", 2)])).await?;
    scene.send(ask(SELLER, &[("lamp", 12), ("set", 3)]).at_least(&second["version"])).await?;
    scene.send(Request::get(SELLER, BOOK)).await?;
    scene.send(Request::get(SELLER, format!("{BOOK}/entries?offeringId={}", text(&goods.ids, "/lamp")))).await?;
    Ok(id)
}

//! Importing by external id.

use serde_json::json;

use crate::support::{Catalog, import, publish, simple, text};

#[tokio::test]
async fn an_import_creates_updates_and_leaves_alone() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let first = import(&editor, json!([simple("A", "a"), simple("B", "b")])).await;
    assert_eq!((&first["created"], &first["updated"], &first["unchanged"]), (&json!(2), &json!(0), &json!(0)));
    let second = import(&editor, json!([simple("A", "a"), simple("B", "b2"), simple("C", "c")])).await;
    assert_eq!((&second["created"], &second["updated"], &second["unchanged"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(first["items"][0]["offeringId"], second["items"][0]["offeringId"]);
    assert_eq!(second["items"][1]["outcome"], "updated");
}

#[tokio::test]
async fn repeating_an_import_changes_nothing_at_all() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let items = json!([
        {"externalId": "K", "name": "kit", "kind": "bundle", "stocked": false,
         "components": [{"externalId": "A", "min": 1, "max": 2, "default": 1}]},
        {"externalId": "A", "name": "a", "description": "d", "category": "c", "kind": "simple", "stocked": true,
         "characteristics": [{"name": "kg", "valueType": "decimal", "minimum": "0.50", "defaultValues": ["1.0"]}],
         "prices": [{"priceType": "recurring", "period": {"unit": "month", "length": 1}, "amount": {"amount": "1.50", "currency": "EUR"}}]},
    ]);
    import(&editor, items.clone()).await;
    let before = catalog.everything().await;
    let again = import(&editor, items).await;
    assert_eq!((&again["created"], &again["updated"], &again["unchanged"]), (&json!(0), &json!(0), &json!(2)));
    assert_eq!(catalog.everything().await, before);
}

#[tokio::test]
async fn a_dry_run_tells_and_writes_nothing() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let before = catalog.everything().await;
    let body = json!({"dryRun": true, "items": [simple("A", "a")]});
    let told = editor.post("/catalog/v1/imports", &body).send().await.expect(200).value();
    assert_eq!((&told["created"], &told["dryRun"]), (&json!(1), &json!(true)));
    let body = json!({"dryRun": true, "items": [simple("", "a")]});
    let told = editor.post("/catalog/v1/imports", &body).send().await.expect(200).value();
    assert_eq!(text(&told["errors"][0], "pointer"), "/items/0/externalId");
    assert_eq!(catalog.everything().await, before);
}

#[tokio::test]
async fn two_imports_at_once_make_one_catalog() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let items: Vec<_> = (0..50).map(|number| simple(&format!("P{number}"), &format!("p{number}"))).collect();
    let imports = (0..6).map(|_| {
        let (editor, items) = (editor.clone(), items.clone());
        tokio::spawn(async move { import(&editor, json!(items)).await })
    });
    let mut created = 0;
    for report in futures::future::join_all(imports).await {
        created += report.unwrap()["created"].as_u64().unwrap();
    }
    assert_eq!((created, catalog.count("offering").await, catalog.count("price").await), (50, 50, 50));
}

#[tokio::test]
async fn imports_and_patches_at_once_never_lose_or_repeat_a_version() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let report = import(&editor, json!([simple("A", "a")])).await;
    let path = format!("/catalog/v1/offerings/{}", text(&report["items"][0], "offeringId"));
    let writer = async |number: u32| {
        let mut statuses = Vec::new();
        for round in 0..25 {
            let reply = if number.is_multiple_of(2) {
                let body = json!({"items": [simple("A", &format!("import {number}-{round}"))]});
                editor.post("/catalog/v1/imports", &body).send().await
            } else {
                let version = editor.get(&path).send().await.version();
                let body = json!({"name": format!("patch {number}-{round}")});
                editor.patch(&path, &body).if_match(version).send().await
            };
            statuses.push(reply.status.as_u16());
        }
        statuses
    };
    let statuses = futures::future::join_all((0..8).map(writer)).await;
    // An import waits for its rows and is never refused; a patch that comes too late is told so.
    assert!(statuses.iter().step_by(2).flatten().all(|status| *status == 200), "{statuses:?}");
    let statuses = statuses.concat();
    assert!(statuses.iter().all(|status| [200, 412].contains(status)), "{statuses:?}");
    let written = 1 + i64::try_from(statuses.iter().filter(|status| **status == 200).count()).unwrap();
    let versions: Vec<i64> = sqlx::query_scalar(
        "select aggregate_version from catalog.outbox where aggregate_type = 'offering' order by seq",
    )
    .fetch_all(&catalog.admin)
    .await
    .unwrap();
    assert_eq!(versions, (1..=written).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_thousand_items_are_one_batch_and_publish() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let items: Vec<_> =
        (0..1_000).map(|number| simple(&format!("P{number:04}"), &format!("product {number}"))).collect();
    assert_eq!(import(&editor, json!(items)).await["created"], 1_000);
    assert_eq!(publish(&editor, "all").await["offerings"], 1_000);
    let items: Vec<_> = (0..1_001).map(|number| simple(&format!("Q{number}"), "q")).collect();
    let too_many = editor.post("/catalog/v1/imports", &json!({ "items": items })).send().await;
    too_many.expect_problem(422, "invalid-request");
    assert_eq!(too_many.pointers(), ["/items"]);
}

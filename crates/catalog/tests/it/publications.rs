//! Freezing, activating, reading and searching publications.

use serde_json::{Value, json};

use crate::support::{Catalog, id, import, publish, simple, text};

#[tokio::test]
async fn what_is_published_stays_as_it_was() {
    for catalog in [Catalog::start().await, Catalog::without_cache().await] {
        let (editor, buyer) = (catalog.editor(), catalog.buyer());
        let offering = import(&editor, json!([simple("A", "old")])).await["items"][0]["offeringId"].clone();
        let first = publish(&editor, "one").await;
        let path = |publication: &Value| {
            format!("/catalog/v1/publications/{}/offerings/{}", text(publication, "id"), offering.as_str().unwrap())
        };
        let frozen = buyer.get(&path(&first)).send().await.expect(200);
        assert_eq!(text(&frozen.value(), "name"), "old");
        assert_eq!(frozen.value()["prices"][0]["amount"], json!({"amount": "9.90", "currency": "EUR"}));
        import(&editor, json!([simple("A", "new")])).await;
        let second = publish(&editor, "two").await;
        assert_eq!((first["version"].as_u64(), second["version"].as_u64()), (Some(1), Some(2)));
        assert_eq!(buyer.get(&path(&first)).send().await.expect(200).value(), frozen.value());
        assert_eq!(text(&buyer.get(&path(&second)).send().await.expect(200).value(), "name"), "new");
    }
}

#[tokio::test]
async fn an_unchanged_catalog_is_the_same_publication() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "a")])).await;
    let first = publish(&editor, "one").await;
    let before = catalog.everything().await;
    let again = editor.post("/catalog/v1/publications", &json!({"name": "two", "activate": true})).send().await;
    let again = again.expect(200).value();
    assert_eq!((&again["id"], &again["name"], &again["unchanged"]), (&first["id"], &json!("one"), &json!(true)));
    assert_eq!(catalog.everything().await, before);
}

#[tokio::test]
async fn buyers_see_the_activated_publication_at_once() {
    let catalog = Catalog::start().await;
    let (editor, buyer) = (catalog.editor(), catalog.buyer());
    let active = async || buyer.get("/catalog/v1/publications/active").send().await;
    active().await.expect_problem(404, "no-active-publication");
    import(&editor, json!([simple("A", "a")])).await;
    let first = publish(&editor, "one").await;
    let shown = buyer.get("/catalog/v1/publications/active").header("min-version", "1").send().await.expect(200);
    assert_eq!((text(&shown.value(), "publicationId"), shown.version()), (text(&first, "id"), 1));
    import(&editor, json!([simple("B", "b")])).await;
    let second = publish(&editor, "two").await;
    assert_eq!(second["activeVersion"], 2);
    let back = format!("/catalog/v1/publications/{}/activate", text(&first, "id"));
    editor.post(&back, &json!({})).if_match(1).send().await.expect_problem(412, "precondition-failed");
    let reactivated = editor.post(&back, &json!({})).if_match(2).send().await.expect(200);
    assert_eq!((reactivated.version(), &reactivated.value()["active"]), (3, &json!(true)));
    let repeated = editor.post(&back, &json!({})).send().await.expect(200);
    assert_eq!((repeated.version(), &repeated.value()["unchanged"]), (3, &json!(true)));
    let shown = buyer.get("/catalog/v1/publications/active").header("min-version", "3").send().await.expect(200);
    assert_eq!(text(&shown.value(), "publicationId"), text(&first, "id"));
    let second =
        buyer.get(&format!("/catalog/v1/publications/{}", text(&second, "id"))).send().await.expect(200).value();
    assert_eq!((text(&second, "name"), &second["active"]), ("two", &json!(false)));
    let listed = buyer.get("/catalog/v1/publications").send().await.expect(200).value();
    let listed: Vec<_> =
        listed["items"].as_array().unwrap().iter().map(|one| (text(one, "name"), &one["active"])).collect();
    assert_eq!(listed, [("two", &json!(false)), ("one", &json!(true))]);
    let history: Vec<(i64,)> = sqlx::query_as("select version from catalog.activation_history order by version")
        .fetch_all(&catalog.admin)
        .await
        .unwrap();
    assert_eq!(history, [(1,), (2,), (3,)]);
}

#[tokio::test]
async fn a_broken_working_copy_is_refused_with_pointers_and_nothing_is_published() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    let bundle = json!({"externalId": "K", "name": "kit", "kind": "bundle", "stocked": false, "components": [{"externalId": "K", "min": 2, "max": 1, "default": 0}]});
    import(&editor, json!([simple("A", "a"), bundle])).await;
    let priceless = json!({"externalId": "P", "name": "p", "kind": "simple", "stocked": false, "prices": [{"priceType": "oneTime", "amount": {"amount": "1.00"}}]});
    import(&editor, json!([priceless])).await;
    let before = catalog.everything().await;
    let refused = editor.post("/catalog/v1/publications", &json!({"name": "broken"})).send().await;
    let problem = refused.expect_problem(422, "invalid-request");
    let mut codes: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|error| text(error, "code")).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["bad-cardinality", "bundle-cycle", "missing-price-currency"]);
    assert!(refused.pointers().iter().all(|pointer| pointer.starts_with("/offerings/")));
    assert_eq!(catalog.everything().await, before);
}

#[tokio::test]
async fn drafts_that_are_not_active_are_left_out_and_lost_references_are_found() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "a")])).await;
    let draft = json!({"name": "not yet", "kind": "simple", "stocked": false});
    let hidden = id(&editor.post("/catalog/v1/offerings", &draft).send().await.expect(201));
    let first = publish(&editor, "one").await;
    assert_eq!(first["offerings"], 1);
    let path = format!("/catalog/v1/publications/{}/offerings/{hidden}", text(&first, "id"));
    editor.get(&path).send().await.expect_problem(404, "not-found");
    let lost = json!({"name": "kit", "kind": "bundle", "stocked": false, "lifecycleStatus": "active",
        "components": [{"offeringId": hidden, "min": 0, "max": 1, "default": 0}]});
    let kit = id(&editor.post("/catalog/v1/offerings", &lost).send().await.expect(201));
    let refused = editor.post("/catalog/v1/publications", &json!({"name": "two"})).send().await;
    assert_eq!(refused.pointers(), [format!("/offerings/{kit}/components/0/offeringId")]);
}

#[tokio::test]
async fn publishing_twice_at_once_makes_one_publication() {
    let catalog = Catalog::start().await;
    let editor = catalog.editor();
    import(&editor, json!([simple("A", "a")])).await;
    let publishes = (0..6).map(|_| {
        let editor = editor.clone();
        tokio::spawn(async move { publish(&editor, "race").await })
    });
    let made = futures::future::join_all(publishes).await;
    let new = made.into_iter().filter(|one| one.as_ref().unwrap()["unchanged"] == false).count();
    assert_eq!((new, catalog.count("publication").await, catalog.count("activation_history").await), (1, 1, 1));
}

#[tokio::test]
async fn a_search_finds_words_by_their_beginnings_in_order_of_name_page_by_page() {
    for catalog in [Catalog::start().await, Catalog::without_cache().await] {
        let (editor, buyer) = (catalog.editor(), catalog.buyer());
        let mut items: Vec<_> =
            (0..5).map(|number| simple(&format!("H{number}"), &format!("White HEART {number}"))).collect();
        items.push(simple("85123A", "Lantern/fiber (large)"));
        items[0]["category"] = json!("decor");
        items[1]["description"] = json!("hangs about");
        import(&editor, json!(items)).await;
        let base = format!("/catalog/v1/publications/{}/offerings", text(&publish(&editor, "one").await, "id"));
        let names = async |query: &str| {
            let page = buyer.get(&format!("{base}?{query}")).send().await.expect(200).value();
            page["items"].as_array().unwrap().iter().map(|item| text(item, "name").to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("q=fib").await, ["Lantern/fiber (large)"]);
        assert_eq!(names("q=85123a").await, ["Lantern/fiber (large)"]);
        assert_eq!(names("q=hang%20whi").await, ["White HEART 1"]);
        assert_eq!(names("q=eart").await, Vec::<String>::new());
        assert_eq!(names("category=decor&q=heart").await, ["White HEART 0"]);
        let mut found = Vec::new();
        let mut query = "q=heart&limit=2".to_owned();
        loop {
            let page = buyer.get(&format!("{base}?{query}")).send().await.expect(200).value();
            assert!(page["generatedAt"].is_string());
            found.extend(page["items"].as_array().unwrap().iter().map(|item| text(item, "name").to_owned()));
            let Some(cursor) = page["nextCursor"].as_str() else { break };
            query = format!("q=heart&limit=2&cursor={cursor}");
            let elsewhere = buyer.get(&format!("{base}?q=other&cursor={cursor}")).send().await;
            elsewhere.expect_problem(400, "invalid-cursor");
        }
        assert_eq!(found, (0..5).map(|number| format!("White HEART {number}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_second_read_comes_from_the_cache_and_says_so() {
    let catalog = Catalog::start().await;
    let (editor, buyer) = (catalog.editor(), catalog.buyer());
    let offering = import(&editor, json!([simple("A", "a")])).await["items"][0]["offeringId"].clone();
    let publication = publish(&editor, "one").await;
    let path =
        format!("/catalog/v1/publications/{}/offerings/{}", text(&publication, "id"), offering.as_str().unwrap());
    let first = buyer.get(&path).send().await.expect(200);
    assert_eq!(first.header("cache-status"), "quoin; fwd=miss");
    let second = buyer.get(&path).send().await.expect(200);
    assert!(second.header("cache-status").starts_with("quoin; hit"), "{}", second.header("cache-status"));
    assert_eq!((second.value(), second.header("age")), (first.value(), "0"));
}

//! Price books: numbered versions of content, preconditions, pages.

use futures::future::join_all;
use serde_json::{Value, json};
use service_runtime::Role;

use crate::world::{World, book, ladder, monthly, offering, put, replace, simple, text};

#[tokio::test]
async fn content_makes_versions_and_the_same_content_makes_none() {
    let world = World::new().await;
    let keeper = world.keeper();
    let created = put(&keeper, "list", &book(&[simple(1, "1.50"), monthly(1, "3")])).await.expect(201);
    assert_eq!((created.version(), created.header("location")), (1, "/pricing/v1/price-books/list"));
    assert_eq!(created.value()["changed"], true);

    let reordered = book(&[monthly(1, "3.000"), simple(1, "1.5")]);
    let same = replace(&keeper, "list", 1, &reordered).await.expect(200);
    assert_eq!((same.version(), &same.value()["changed"]), (1, &json!(false)));
    assert_eq!(same.value()["contentHash"], created.value()["contentHash"]);

    let other = replace(&keeper, "list", 1, &book(&[simple(1, "1.60"), monthly(1, "3")])).await.expect(200);
    assert_eq!((other.version(), &other.value()["changed"]), (2, &json!(true)));
    let now = keeper.get("/pricing/v1/price-books/list").send().await.expect(200);
    assert_eq!((now.version(), &now.value()["contentHash"]), (2, &other.value()["contentHash"]));

    let old = "select count(*) from pricing.price_book_entry where version = 1 and tiers->0->>'unitPrice' = '1.5'";
    assert_eq!(world.count(old).await, 1, "the first version is kept as it was");
    let events: Vec<(i64, String)> =
        sqlx::query_as("select aggregate_version, event_type from pricing.outbox order by seq")
            .fetch_all(&world.owner)
            .await
            .unwrap();
    assert_eq!(events, [(1, "PriceBookUpdated".to_owned()), (2, "PriceBookUpdated".to_owned())]);
}

#[tokio::test]
async fn a_put_says_what_it_believes_and_is_refused_when_it_is_wrong() {
    let world = World::new().await;
    let keeper = world.keeper();
    let body = book(&[simple(1, "1")]);
    let path = "/pricing/v1/price-books/list";
    keeper.put(path, &body).send().await.expect_problem(428, "precondition-required");
    replace(&keeper, "list", 1, &body).await.expect_problem(404, "not-found");
    put(&keeper, "list", &body).await.expect(201).version();
    let exists = put(&keeper, "list", &body).await;
    assert_eq!(exists.expect_problem(412, "precondition-failed")["currentVersion"], 1);
    assert_eq!(exists.version(), 1);
    replace(&keeper, "list", 7, &body).await.expect_problem(412, "precondition-failed");
    keeper.put(path, &body).header("if-match", "W/\"1\"").send().await.expect_problem(412, "precondition-failed");
    let dollars = json!({ "name": "n", "currency": "USD", "entries": [] });
    let fixed = replace(&keeper, "list", 1, &dollars).await;
    fixed.expect_problem(422, "currency-fixed");
    assert_eq!(fixed.pointers(), ["/currency"]);
    assert_eq!(world.count("select count(*) from pricing.price_book_version").await, 1);
}

#[tokio::test]
async fn one_of_many_writers_wins() {
    let world = World::new().await;
    let keeper = world.keeper();
    let bodies: Vec<Value> = (1..=8).map(|price| book(&[simple(1, &price.to_string())])).collect();
    let created = join_all(bodies.iter().map(|body| put(&keeper, "list", body))).await;
    let statuses = |replies: &[service_runtime::testing::TestReply], status: u16| {
        replies.iter().filter(|reply| reply.status.as_u16() == status).count()
    };
    assert_eq!((statuses(&created, 201), statuses(&created, 412)), (1, 7), "{created:?}");
    let others: Vec<Value> = (11..=18).map(|price| book(&[simple(1, &price.to_string())])).collect();
    let replaced = join_all(others.iter().map(|body| replace(&keeper, "list", 1, body))).await;
    assert_eq!((statuses(&replaced, 200), statuses(&replaced, 412)), (1, 7), "{replaced:?}");
    assert_eq!(world.count("select count(*) from pricing.price_book_version").await, 2);
    assert_eq!(world.count("select count(*) from pricing.outbox").await, 2);
}

#[tokio::test]
async fn an_idempotency_key_repeats_the_answer() {
    let world = World::new().await;
    let keeper = world.keeper();
    let send = |price: &str| {
        let request = keeper.put("/pricing/v1/price-books/list", &book(&[simple(1, price)]));
        request.header("if-none-match", "*").key("import-7").send()
    };
    let first = send("1").await.expect(201);
    let again = send("1").await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    send("2").await.expect_problem(422, "idempotency-key-reused");
}

#[tokio::test]
async fn stored_versions_are_written_once() {
    let world = World::new().await;
    world.price_book(&[simple(1, "1")]).await;
    for sql in [
        "update pricing.price_book_entry set tiers = '[{\"unitPrice\":\"9\"}]'",
        "delete from pricing.price_book_entry",
        "update pricing.price_book_version set name = 'x'",
        "delete from pricing.price_book_version",
    ] {
        let refused = sqlx::query(sql).execute(&world.owner).await.unwrap_err();
        assert!(refused.to_string().contains("written once"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn lists_come_in_pages_that_stay_on_their_version() {
    let world = World::new().await;
    let keeper = world.keeper();
    let entries: Vec<Value> = (1..=5).map(|n| simple(n, "1")).collect();
    put(&keeper, "list", &book(&entries)).await.expect(201).version();
    put(&keeper, "other", &book(&[])).await.expect(201).version();

    let books = keeper.get("/pricing/v1/price-books?limit=1").send().await.expect(200).value();
    assert_eq!(text(&books, "/items/0/externalId"), "list");
    let next = keeper.get(&format!("/pricing/v1/price-books?limit=1&cursor={}", text(&books, "/nextCursor")));
    let next = next.send().await.expect(200).value();
    assert_eq!((text(&next, "/items/0/externalId"), &next["nextCursor"]), ("other".to_owned(), &Value::Null));

    let path = "/pricing/v1/price-books/list/entries";
    let page = keeper.get(&format!("{path}?limit=3")).send().await.expect(200).value();
    assert_eq!(page["items"].as_array().unwrap().len(), 3);
    replace(&keeper, "list", 1, &book(&[simple(9, "9")])).await.expect(200).version();
    let rest = keeper.get(&format!("{path}?limit=3&cursor={}", text(&page, "/nextCursor"))).send().await.expect(200);
    assert_eq!((rest.version(), text(&rest.value(), "/items/1/offeringId")), (1, offering(5).to_string()));
    let one = keeper.get(&format!("{path}?offeringId={}", offering(9))).send().await.expect(200);
    assert_eq!((one.version(), one.value()["items"].as_array().unwrap().len()), (2, 1));
    keeper.get(&format!("{path}?cursor=forged")).send().await.expect_problem(400, "invalid-cursor");
    keeper.get(&format!("{path}?limit=0")).send().await.expect_problem(400, "invalid-query");
}

#[tokio::test]
async fn a_held_version_is_not_sent_again() {
    let world = World::new().await;
    world.price_book(&[]).await;
    let read =
        |tag: &'static str| world.seller().get("/pricing/v1/price-books/list").header("if-none-match", tag).send();
    let held = read("\"1\"").await;
    assert_eq!((held.status.as_u16(), held.body.len()), (304, 0));
    read("\"2\"").await.expect(200).version();
}

#[tokio::test]
async fn twenty_thousand_entries_fit_and_odd_tiers_are_pointed_out() {
    let world = World::new().await;
    let entries: Vec<Value> = (1..=20_000).map(|n| ladder(n, "volume")).collect();
    let stored = put(&world.keeper(), "list", &book(&entries)).await.expect(201).value();
    assert_eq!((&stored["entryCount"], &stored["warningCount"]), (&json!(20_000), &json!(40_000)));
    assert_eq!(stored["warnings"].as_array().unwrap().len(), 20);
    assert_eq!(stored["warnings"][0]["code"], "tier-inversion");
}

#[tokio::test]
async fn only_keepers_write_and_only_insiders_read_every_price() {
    let world = World::new().await;
    world.price_book(&[simple(1, "1")]).await;
    for role in [Role::Buyer, Role::SalesRep, Role::Approver, Role::System] {
        put(&world.client(role), "new", &book(&[])).await.expect_problem(403, "forbidden");
    }
    put(&world.client(Role::TenantAdmin), "new", &book(&[])).await.expect(201).version();
    let entries = "/pricing/v1/price-books/list/entries";
    world.client(Role::Buyer).get(entries).send().await.expect_problem(403, "forbidden");
    let seen = world.seller().get(entries).send().await.expect(200);
    assert_eq!(seen.value()["items"].as_array().unwrap().len(), 1);
}

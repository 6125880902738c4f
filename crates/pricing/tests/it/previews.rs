//! Previews: computed, cached, never evidence.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use kernel::ManualClock;
use serde_json::{Value, json};
use service_runtime::Role;

use crate::world::{World, adjusted, book, item, ladder, monthly, offering, preview, replace, request, simple, text};

#[tokio::test]
async fn a_preview_says_that_it_is_no_evidence_and_leaves_no_trace() {
    let world = World::new().await;
    let id = world.price_book(&[ladder(1, "graduated"), monthly(2, "19.99")]).await;
    let before = world.row_counts().await;
    let mut body = request(&id, &[item(1, "60"), item(2, "3")]);
    body["termMonths"] = json!(12);
    let reply = preview(&world.seller(), &body).await.expect(200);
    let answer = reply.value();
    assert_eq!(answer["evidence"], false);
    assert_eq!(answer["priceBookVersion"], 1);
    assert_eq!(text(&answer, "/items/0/amount/amount"), "540.00");
    assert_eq!(text(&answer, "/items/0/unit"), "9");
    assert_eq!(text(&answer, "/totals/oneTime/amount"), "540.00");
    assert_eq!(text(&answer, "/totals/recurring/0/amount/amount"), "59.97");
    assert_eq!(text(&answer, "/totals/net/amount"), "1259.64");
    let time = |pointer| text(&answer, pointer).parse::<DateTime<Utc>>().unwrap();
    assert_eq!(time("/expiresAt") - time("/calculatedAt"), TimeDelta::seconds(120));
    assert_eq!(world.row_counts().await, before, "a preview writes nothing");
}

#[tokio::test]
async fn the_same_question_is_answered_from_the_cache_and_another_is_not() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "10"), simple(2, "20")]).await;
    let body = request(&id, &[item(1, "1")]);
    let first = preview(&world.seller(), &body).await.expect(200);
    assert_eq!(first.header("cache-status"), "quoin; fwd=miss");
    let again = preview(&world.client(Role::Buyer), &body).await.expect(200);
    assert!(again.header("cache-status").starts_with("quoin; hit"), "{:?}", again.headers);
    assert_eq!((again.header("age"), &again.body), ("0", &first.body));
    let mut longer = body.clone();
    longer["termMonths"] = json!(24);
    let mut off = body.clone();
    off["documentDiscountPercent"] = json!("1");
    for other in [request(&id, &[item(1, "2")]), request(&id, &[item(2, "1")]), longer, off] {
        let reply = preview(&world.seller(), &other).await.expect(200);
        assert_eq!(reply.header("cache-status"), "quoin; fwd=miss", "{other}");
    }
}

#[tokio::test]
async fn a_new_version_of_the_book_is_previewed_at_once() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "10")]).await;
    let body = request(&id, &[item(1, "1")]);
    let old = preview(&world.seller(), &body).await.expect(200).value();
    assert_eq!(text(&old, "/totals/net/amount"), "10.00");
    replace(&world.keeper(), "list", 1, &book(&[simple(1, "11")])).await.expect(200).version();
    let demanded = world.seller().post("/pricing/v1/price-previews", &body).header("min-version", "2").send().await;
    assert_eq!(text(&demanded.expect(200).value(), "/totals/net/amount"), "11.00");
    replace(&world.keeper(), "list", 2, &book(&[simple(1, "12")])).await.expect(200).version();
    // The writer's process forgets the pointer right after the commit, off the request's path.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let now = preview(&world.seller(), &body).await.expect(200).value();
        if now["priceBookVersion"] == 3 {
            assert_eq!(text(&now, "/totals/net/amount"), "12.00");
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {now}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_cached_preview_ends_when_another_entry_begins() {
    let start: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
    let clock = Arc::new(ManualClock::starting_at(start));
    let world = World::at(clock.clone()).await;
    let turn = start + TimeDelta::seconds(30);
    let (mut before, mut after) = (simple(1, "10"), simple(1, "12"));
    before["validTo"] = json!(turn);
    after["validFrom"] = json!(turn);
    let id = world.price_book(&[after, before]).await;
    let body = request(&id, &[item(1, "1")]);
    let first = preview(&world.seller(), &body).await.expect(200).value();
    assert_eq!(
        (text(&first, "/totals/net/amount"), text(&first, "/expiresAt")),
        ("10.00".to_owned(), "2026-03-01T12:00:30Z".to_owned())
    );
    clock.advance(TimeDelta::seconds(29));
    assert_eq!(preview(&world.seller(), &body).await.expect(200).value(), first);
    clock.advance(TimeDelta::seconds(1));
    let second = preview(&world.seller(), &body).await.expect(200).value();
    assert_eq!(text(&second, "/totals/net/amount"), "12.00");
}

#[tokio::test]
async fn without_a_cache_the_answers_are_the_same() {
    let (cached, bare) = (World::new().await, World::without_cache().await);
    let answer = async |world: &World| -> Vec<Value> {
        let id = world.price_book(&[ladder(1, "volume"), monthly(2, "0.333333")]).await;
        let mut answers = Vec::new();
        for quantity in ["10", "10.5", "51", "10"] {
            let mut body = request(&id, &[item(1, quantity), item(2, quantity)]);
            body["documentDiscountPercent"] = json!("3.7");
            let mut answer = preview(&world.seller(), &body).await.expect(200).value();
            for field in ["calculatedAt", "expiresAt"] {
                answer[field] = Value::Null;
            }
            answers.push(answer);
        }
        answers
    };
    assert_eq!(answer(&cached).await, answer(&bare).await);
}

#[tokio::test]
async fn manual_changes_need_a_role_and_show_in_the_result() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "120.00")]).await;
    let body = request(&id, &[adjusted(1, "50", "overrideUnitPrice", "93.14")]);
    for role in [Role::Buyer, Role::Approver, Role::OrderAgent] {
        preview(&world.client(role), &body).await.expect_problem(403, "forbidden");
    }
    let mut document = request(&id, &[item(1, "50")]);
    document["documentDiscountPercent"] = json!("5");
    preview(&world.client(Role::Buyer), &document).await.expect_problem(403, "forbidden");
    for role in [Role::SalesRep, Role::DealDesk, Role::System, Role::TenantAdmin] {
        let answer = preview(&world.client(role), &body).await.expect(200).value();
        assert_eq!(text(&answer, "/items/0/discountPercent"), "22.3833");
        assert_eq!(
            (&answer["items"][0]["overridden"], text(&answer, "/items/0/listUnit")),
            (&json!(true), "120".to_owned())
        );
    }
}

#[tokio::test]
async fn an_item_without_a_price_is_named() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "1")]).await;
    let refused = preview(&world.seller(), &request(&id, &[item(1, "1"), item(7, "1")])).await;
    let problem = refused.expect_problem(422, "unpriced");
    assert_eq!((refused.pointers(), &problem["errors"][0]["code"]), (vec!["/items/1".to_owned()], &json!("unpriced")));
    let custom = request(&id, &[adjusted(7, "2", "overrideUnitPrice", "4.25")]);
    let answer = preview(&world.seller(), &custom).await.expect(200).value();
    assert_eq!(
        (text(&answer, "/items/0/amount/amount"), &answer["items"][0]["custom"]),
        ("8.50".to_owned(), &json!(true))
    );
    assert_eq!(text(&answer, "/items/0/offeringId"), offering(7).to_string());
    assert_eq!(text(&answer, "/warnings/0/code"), "custom-price");
}

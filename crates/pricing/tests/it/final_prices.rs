//! Final prices: sealed once, read back whole, chained, and made from PostgreSQL whatever a cache says.

use cache_ports::{Loaded, load, pricing::PriceBookDocument};
use futures::future::join_all;
use kernel::Version;
use serde_json::{Value, json};
use service_runtime::Role;
use uuid::Uuid;

use crate::world::{
    World, adjusted, book, item, ladder, monthly, preview, replace, request, seal, simple, text, verify,
};

fn result_path(sealed: &Value) -> String {
    format!("/pricing/v1/price-results/{}", text(sealed, "/priceResultId"))
}

#[tokio::test]
async fn a_final_price_is_sealed_and_read_back_as_it_was() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "366.06"), monthly(2, "120.00"), ladder(3, "graduated")]).await;
    let mut body = request(
        &id,
        &[adjusted(1, "25", "discountPercent", "10"), adjusted(2, "50", "overrideUnitPrice", "93.14"), item(3, "10.5")],
    );
    body["termMonths"] = json!(18);
    body["documentDiscountPercent"] = json!("2.5");
    let reply = seal(&world.seller(), Uuid::from_u128(7), 1, &body).await.expect(201);
    let sealed = reply.value();
    assert_eq!(reply.header("location"), result_path(&sealed));
    assert_eq!(text(&sealed, "/items/0/listAmount/amount"), "9151.50");
    assert_eq!(text(&sealed, "/totals/recurring/0/amount/amount"), "4540.57");
    assert_eq!(sealed["approvalInputs"]["overrides"], 1);
    assert!(sealed.get("trace").is_none(), "the trace is read where roles are checked");

    for _ in 0..2 {
        let read = world.seller().get(&result_path(&sealed)).send().await.expect(200).value();
        for field in ["totals", "items", "approvalInputs", "inputHash", "resultHash", "chainHash", "sealedAt"] {
            assert_eq!(read[field], sealed[field], "{field}");
        }
        let steps: Vec<_> = read["trace"][0].as_array().unwrap().iter().map(|step| step["step"].clone()).collect();
        assert_eq!(steps, [5, 9, 12, 15]);
        assert_eq!(text(&read, "/trace/0/1/reason"), "agreed by phone");
    }
    let event: (i64, Vec<u8>) =
        sqlx::query_as("select aggregate_version, payload from pricing.outbox where event_type = 'FinalPriceSealed'")
            .fetch_one(&world.owner)
            .await
            .unwrap();
    let payload: Value = serde_json::from_slice(&event.1).unwrap();
    assert_eq!(
        (event.0, &payload["resultHash"], &payload["total"]),
        (1, &sealed["resultHash"], &sealed["totals"]["net"])
    );
}

#[tokio::test]
async fn only_insiders_see_how_a_price_came_about_on_a_hit_as_on_a_miss() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "5")]).await;
    let sealed = seal(&world.seller(), Uuid::from_u128(1), 1, &request(&id, &[item(1, "1")])).await.expect(201).value();
    let path = result_path(&sealed);
    for round in ["miss", "hit"] {
        for (role, sees) in
            [(Role::Buyer, false), (Role::OrderAgent, false), (Role::SalesRep, true), (Role::TenantAdmin, true)]
        {
            let read = world.client(role).get(&path).send().await.expect(200);
            assert_eq!(read.value().get("trace").is_some(), sees, "{role} {round}");
            assert_eq!(text(&read.value(), "/totals/net/amount"), "5.00");
        }
    }
    let verify = world.client(Role::Buyer).post(&format!("{path}/verify"), &json!({})).send().await;
    verify.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn the_same_inputs_for_the_same_revision_are_one_price() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "5")]).await;
    let (seller, quote, body) = (world.seller(), Uuid::from_u128(1), request(&id, &[item(1, "1")]));
    let first = seal(&seller, quote, 1, &body).await.expect(201).value();
    let again = seal(&seller, quote, 1, &body).await.expect(200).value();
    assert_eq!(again, first);
    let next = seal(&seller, quote, 2, &body).await.expect(201).value();
    assert_ne!(next["priceResultId"], first["priceResultId"]);
    assert_eq!(next["resultHash"], first["resultHash"]);
    replace(&world.keeper(), "list", 1, &book(&[simple(1, "6")])).await.expect(200).version();
    let dearer = seal(&seller, quote, 1, &body).await.expect(201).value();
    assert_eq!((&dearer["priceBookVersion"], text(&dearer, "/totals/net/amount")), (&json!(2), "6.00".to_owned()));
    let kept = seller.get(&result_path(&first)).send().await.expect(200).value();
    assert_eq!((&kept["priceBookVersion"], text(&kept, "/totals/net/amount")), (&json!(1), "5.00".to_owned()));
}

#[tokio::test]
async fn an_idempotency_key_repeats_the_answer_and_refuses_another_question() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "5")]).await;
    let send = |quantity: &str| {
        let body =
            json!({ "quoteId": Uuid::from_u128(1), "revisionNo": 1, "request": request(&id, &[item(1, quantity)]) });
        let seller = world.seller();
        async move { seller.post("/pricing/v1/final-prices", &body).key("k-1").send().await }
    };
    let first = send("1").await.expect(201);
    let again = send("1").await.expect(201);
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &first.body));
    send("2").await.expect_problem(422, "idempotency-key-reused");
    assert_eq!(world.count("select count(*) from pricing.price_result").await, 1);
}

#[tokio::test]
async fn many_at_once_make_one_price_each_and_one_unbroken_chain() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "5")]).await;
    let seller = world.seller();
    let body = request(&id, &[item(1, "1")]);
    let revisions = (0..48).map(|n| seal(&seller, Uuid::from_u128(1), 1 + n % 12, &body));
    let replies = join_all(revisions).await;
    let created = replies.iter().filter(|reply| reply.status.as_u16() == 201).count();
    let repeated = replies.iter().filter(|reply| reply.status.as_u16() == 200).count();
    assert_eq!((created, repeated), (12, 36));
    let links: Vec<(i64, Vec<u8>, Vec<u8>)> =
        sqlx::query_as("select chain_no, previous_hash, chain_hash from pricing.price_seal order by chain_no")
            .fetch_all(&world.owner)
            .await
            .unwrap();
    assert_eq!(links.len(), 12);
    let mut previous = vec![0; 32];
    for (expected, (chain_no, before, hash)) in (1..).zip(links) {
        assert_eq!((chain_no, before), (expected, previous));
        previous = hash;
    }
    for reply in replies {
        assert_eq!(verify(&seller, &text(&reply.value(), "/priceResultId")).await["verdict"], "match");
    }
}

#[tokio::test]
async fn a_lying_cache_changes_no_final_price() {
    let world = World::new().await;
    let id = world.price_book(&[simple(1, "5")]).await;
    let honest: PriceBookDocument = {
        let entries = world.keeper().get("/pricing/v1/price-books/list/entries").send().await.value();
        let head = world.keeper().get("/pricing/v1/price-books/list").send().await.value();
        let document = json!({
            "id": id, "externalId": "list", "name": "List prices", "currency": "EUR", "rounding": "halfUp",
            "version": 1, "contentHash": head["contentHash"], "entries": entries["items"],
        });
        serde_json::from_value(document).unwrap()
    };
    let lie = load(|| {
        let mut document = honest.clone();
        document.entries[0].tiers[0].unit_price = "0.01".parse().unwrap();
        async move { Ok::<_, std::io::Error>(Loaded::immutable(Some(document))) }
    });
    let price_book = id.parse().unwrap();
    world.caches.pricing.price_book(&world.tenant, price_book, Version::FIRST, &lie).await.unwrap();
    let body = request(&id, &[item(1, "1")]);
    let shown = preview(&world.seller(), &body).await.expect(200).value();
    assert_eq!(text(&shown, "/totals/net/amount"), "0.01", "the lie is in the cache");
    let sealed = seal(&world.seller(), Uuid::from_u128(1), 1, &body).await.expect(201).value();
    assert_eq!(text(&sealed, "/totals/net/amount"), "5.00");
}

#[tokio::test]
async fn five_thousand_lines_are_sealed_and_verified() {
    let world = World::new().await;
    let entries: Vec<Value> = (1..=500).map(|n| ladder(n, "graduated")).collect();
    let id = world.price_book(&entries).await;
    let items: Vec<Value> = (0..5_000u128)
        .map(|n| {
            let mut line = adjusted(1 + n % 500, "12.5", "discountPercent", "7.5");
            line["itemId"] = json!(format!("line-{n}"));
            line
        })
        .collect();
    let mut body = request(&id, &items);
    body["documentDiscountPercent"] = json!("3");
    let began = std::time::Instant::now();
    let sealed = seal(&world.seller(), Uuid::from_u128(1), 1, &body).await.expect(201).value();
    println!("5,000 lines sealed in {:?}", began.elapsed());
    assert_eq!(sealed["items"].as_array().unwrap().len(), 5_000);
    let began = std::time::Instant::now();
    assert_eq!(verify(&world.seller(), &text(&sealed, "/priceResultId")).await["verdict"], "match");
    println!("verified in {:?}", began.elapsed());
}

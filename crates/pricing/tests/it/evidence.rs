//! What a replay proves: one changed value anywhere in the evidence is found, and its step of the waterfall named.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{World, adjusted, item, ladder, monthly, request, seal, text, verify};

/// Seals one price with every kind of step; answers its id.
async fn sealed(world: &World, price_book: &str, revision_no: u32) -> String {
    let mut body = request(price_book, &[adjusted(1, "10.5", "discountPercent", "10"), item(2, "3")]);
    body["documentDiscountPercent"] = json!("5");
    let reply = seal(&world.seller(), Uuid::from_u128(9), revision_no, &body).await.expect(201);
    text(&reply.value(), "/priceResultId")
}

fn found(answer: &Value) -> (String, u64) {
    (text(answer, "/verdict"), answer["step"].as_u64().unwrap_or_else(|| panic!("no step in {answer}")))
}

#[tokio::test]
async fn a_changed_value_is_found_and_its_step_named() {
    let world = World::new().await;
    let price_book = world.price_book(&[ladder(1, "graduated"), monthly(2, "19.99")]).await;
    let component = "update pricing.price_component set";
    let result = "update pricing.price_result set";
    let cases: Vec<(String, u64)> = [
        (component, "amount = amount + 0.01 where position = 0", 12),
        (component, "list_amount = list_amount - 0.01 where position = 1", 5),
        (component, "list_unit = list_unit + 0.000001 where position = 0", 5),
        (component, "unit = unit - 0.000001 where position = 0", 9),
        (component, "overridden = not overridden where position = 1", 9),
        (component, "document_discount = 0 where position = 0", 15),
        (component, "quantity = quantity + 1 where position = 0", 0),
        (component, "item_id = 'another' where position = 1", 0),
        (component, r#"steps = jsonb_set(steps, '{1,output}', '"1"') where position = 0"#, 9),
        (component, r#"steps = jsonb_set(steps, '{1,reason}', '"none"') where position = 0"#, 9),
        (component, r#"steps = jsonb_set(steps, '{2,output}', '"1"') where position = 0"#, 12),
        (component, "steps = steps - 0 where position = 1", 5),
        (component, "steps = '{}' where position = 1", 5),
        (result, r#"totals = jsonb_set(totals, '{net,amount}', '"1.00"') where true"#, 17),
        (result, "totals = '[]' where true", 17),
        (result, r"approval_inputs = jsonb_set(approval_inputs, '{overrides}', '7') where true", 18),
        (result, r#"input = jsonb_set(input, '{request,items,0,quantity}', '"1"') where true"#, 0),
        (result, r#"input = jsonb_set(input, '{priceBook,rounding}', '"halfEven"') where true"#, 0),
        (result, "input_hash = result_hash where true", 0),
        (result, "result_hash = input_hash where true", 19),
        (result, "priced_at = priced_at - interval '1 microsecond' where true", 19),
        (result, "sealed_by = 'somebody else' where true", 19),
        (result, "engine_version = 'quoin-pricing/0' where true", 19),
        (result, "quote_id = id where true", 19),
        ("delete from pricing.price_component", " where position = 1", 0),
    ]
    .into_iter()
    .map(|(verb, change, step)| {
        let id = if verb.contains("price_result") { "id" } else { "price_result_id" };
        (format!("{verb} {change} and {id} = "), step)
    })
    .collect();
    for (number, (sql, step)) in (1..).zip(cases) {
        let id = sealed(&world, &price_book, number).await;
        assert_eq!(verify(&world.seller(), &id).await["verdict"], "match", "before: {sql}");
        world.tamper(&format!("{sql} '{id}'")).await;
        let answer = verify(&world.seller(), &id).await;
        assert_eq!(found(&answer), ("tampered".to_owned(), step), "{sql}: {answer}");
    }
}

#[tokio::test]
async fn a_changed_link_is_found() {
    for change in ["chain_hash = seal_hash", "previous_hash = seal_hash", "seal_hash = chain_hash", "chain_no = 7"] {
        let world = World::new().await;
        let price_book = world.price_book(&[ladder(1, "graduated"), monthly(2, "19.99")]).await;
        let id = sealed(&world, &price_book, 1).await;
        world.tamper(&format!("update pricing.price_seal set {change}")).await;
        assert_eq!(found(&verify(&world.seller(), &id).await), ("tampered".to_owned(), 19), "{change}");
    }
}

#[tokio::test]
async fn a_changed_price_book_version_is_found() {
    let world = World::new().await;
    let price_book = world.price_book(&[ladder(1, "graduated"), monthly(2, "19.99")]).await;
    let id = sealed(&world, &price_book, 1).await;
    world
        .tamper(
            r#"update pricing.price_book_entry set tiers = jsonb_set(tiers, '{0,unitPrice}', '"1"') where ordinal = 0"#,
        )
        .await;
    assert_eq!(found(&verify(&world.seller(), &id).await), ("tampered".to_owned(), 2));
}

#[tokio::test]
async fn a_missing_link_is_found_by_its_neighbours() {
    let world = World::new().await;
    let price_book = world.price_book(&[ladder(1, "graduated"), monthly(2, "19.99")]).await;
    let mut ids = Vec::new();
    for revision_no in 1..=3 {
        ids.push(sealed(&world, &price_book, revision_no).await);
    }
    world.tamper("delete from pricing.price_seal where chain_no = 2").await;
    for (id, field) in [(&ids[0], "hashAfter"), (&ids[1], "link"), (&ids[2], "hashBefore")] {
        let answer = verify(&world.seller(), id).await;
        assert_eq!(
            (found(&answer), text(&answer, "/difference/field")),
            (("tampered".to_owned(), 19), field.to_owned())
        );
    }
}

#[tokio::test]
async fn the_last_link_cannot_be_cut_off_unseen() {
    let world = World::new().await;
    let price_book = world.price_book(&[ladder(1, "graduated"), monthly(2, "19.99")]).await;
    let first = sealed(&world, &price_book, 1).await;
    sealed(&world, &price_book, 2).await;
    world.tamper("delete from pricing.price_seal where chain_no = 2").await;
    let answer = verify(&world.seller(), &first).await;
    assert_eq!(
        (found(&answer), text(&answer, "/difference/field")),
        (("tampered".to_owned(), 19), "hashAfter".to_owned())
    );
}

#[tokio::test]
async fn evidence_is_written_once() {
    let world = World::new().await;
    let price_book = world.price_book(&[ladder(1, "graduated"), monthly(2, "19.99")]).await;
    sealed(&world, &price_book, 1).await;
    for table in ["price_result", "price_component", "price_seal"] {
        for sql in [format!("update pricing.{table} set tenant_id = tenant_id"), format!("delete from pricing.{table}")]
        {
            let refused = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&world.owner).await.unwrap_err();
            assert!(refused.to_string().contains("written once"), "{sql}: {refused}");
        }
    }
}

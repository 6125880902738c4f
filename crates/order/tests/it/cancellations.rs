//! Cancellations: before and after completion, whole and in part, exact to the cent.

use serde_json::{Value, json};

use crate::world::{Order, World};

fn whole() -> Value {
    json!({ "reason": "changed my mind" })
}

fn part(order: &Order, n: usize, quantity: &str) -> Value {
    json!({ "reason": "broken", "items": [{ "orderItemId": order.item(n), "quantity": quantity }] })
}

fn effects(world: &World) -> Vec<String> {
    world.neighbours.books().effects.clone()
}

#[tokio::test]
async fn an_order_under_way_is_stopped_and_its_stock_released() {
    let world = World::new().await;
    let order = world.ordered(&[("2", "20.00"), ("1", "5.00")]).await;
    world.runner("one").round().await.unwrap();
    assert_eq!(world.read(&order).await.state(), "inProgress");
    let asked = world.cancel(&order, &whole(), "c").await.expect(201);
    assert_eq!(
        (&asked.value()["state"], &asked.value()["creditAmount"]["amount"]),
        (&json!("inProgress"), &json!("-25.00"))
    );
    let stopped = world.read(&order).await;
    assert_eq!(stopped.state(), "assessingCancellation");
    world.settle().await;
    let cancelled = world.read(&order).await;
    assert_eq!((cancelled.state(), cancelled.credited()), ("cancelled", "-25.00"));
    assert_eq!(cancelled.0["items"][0]["cancelledQuantity"], "2");
    assert_eq!(cancelled.0["invoiceHandoff"]["state"], "none");
    assert_eq!(cancelled.tasks()[1..], [("provision", "cancelled"), ("handoff", "cancelled"), ("cancel", "completed")]);
    assert_eq!(effects(&world), ["held", "released"]);
    assert_eq!(world.cancellation(&order, &asked.value()).await["state"], "done");
    assert_eq!(world.count("select count(*) from \"order\".invoice_handoff").await, 0);
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn an_order_just_taken_in_is_cancelled_once_its_intake_is_over() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    let asked = world.cancel(&order, &whole(), "c").await.expect(201).value();
    assert_eq!((&asked["state"], world.read(&order).await.state()), (&json!("acknowledged"), "acknowledged"));
    world.settle().await;
    assert_eq!(world.read(&order).await.state(), "cancelled");
    assert_eq!(world.cancellation(&order, &asked).await["state"], "done");
    assert_eq!(effects(&world), ["held", "released"]);
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn an_order_that_waits_for_stock_can_be_cancelled() {
    let world = World::new().await;
    world.neighbours.books().out_of_stock = true;
    let order = world.ordered(&[("1", "10.00")]).await;
    world.settle().await;
    world.cancel(&order, &whole(), "c").await.expect(201);
    world.settle().await;
    assert_eq!(world.read(&order).await.state(), "cancelled");
    assert!(effects(&world).is_empty());
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn goods_that_left_though_the_answer_was_lost_come_back() {
    let world = World::new().await;
    let order = world.ordered(&[("2", "20.00")]).await;
    world.runner("one").round().await.unwrap();
    // Provision commits the reservation and never hears of it: three times, then it falls out.
    world.neighbours.books().lose_commits = 3;
    world.settle().await;
    assert_eq!(world.read(&order).await.state(), "held");
    assert_eq!(effects(&world), ["held", "committed"]);
    world.cancel(&order, &whole(), "c").await.expect(201);
    world.settle().await;
    assert_eq!(world.read(&order).await.state(), "cancelled");
    assert_eq!(effects(&world)[2..], ["returned 2"]);
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn a_complete_order_takes_goods_back_in_any_portions_and_gives_back_exactly_the_price() {
    let world = World::new().await;
    let order = world.completed(&[("3", "10.00"), ("1", "5.00")]).await;
    let mut credits = Vec::new();
    for n in 0..3 {
        let asked = world.cancel(&order, &part(&order, 0, "1"), &format!("c{n}")).await.expect(201).value();
        credits.push(asked["creditAmount"]["amount"].as_str().unwrap().to_owned());
        world.settle().await;
        assert_eq!(world.cancellation(&order, &asked).await["state"], "done");
    }
    assert_eq!(credits, ["-3.33", "-3.34", "-3.33"]);
    let seen = world.read(&order).await;
    assert_eq!((seen.state(), seen.credited()), ("completed", "-10.00"));
    assert_eq!(seen.0["items"][0]["cancelledQuantity"], "3");
    assert_eq!(effects(&world)[4..], ["returned 1", "returned 1", "returned 1"]);
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn everything_that_is_left_of_a_complete_order_can_be_given_back_at_once() {
    let world = World::new().await;
    let order = world.completed(&[("3", "10.00"), ("1", "5.00")]).await;
    world.cancel(&order, &part(&order, 0, "2"), "c1").await.expect(201);
    let rest = world.cancel(&order, &whole(), "c2").await.expect(201).value();
    assert_eq!(rest["creditAmount"]["amount"], "-8.33");
    world.settle().await;
    assert_eq!(world.read(&order).await.credited(), "-15.00");
    let problem = world.cancel(&order, &whole(), "c3").await;
    problem.expect_problem(409, "nothing-left");
}

#[tokio::test]
async fn never_more_than_was_ordered_however_many_ask_at_once() {
    let world = World::new().await;
    let order = world.completed(&[("3", "10.00")]).await;
    let body = part(&order, 0, "2");
    let (one, two) = tokio::join!(world.cancel(&order, &body, "c1"), world.cancel(&order, &body, "c2"));
    let (done, refused) = if one.status.is_success() { (one, two) } else { (two, one) };
    done.expect(201);
    refused.expect_problem(422, "invalid-request");
    assert_eq!(refused.pointers(), ["/items/0/quantity"]);
    world.settle().await;
    assert_eq!(world.read(&order).await.credited(), "-6.67");
}

#[tokio::test]
async fn quantities_of_an_order_under_way_are_given_back_when_it_is_complete() {
    let world = World::new().await;
    let order = world.ordered(&[("2", "20.00")]).await;
    let asked = world.cancel(&order, &part(&order, 0, "1"), "c").await.expect(201).value();
    assert_eq!(asked["state"], "acknowledged");
    world.settle().await;
    let seen = world.read(&order).await;
    assert_eq!((seen.state(), seen.credited()), ("completed", "-10.00"));
    assert_eq!(world.cancellation(&order, &asked).await["state"], "done");
    assert!(effects(&world).contains(&"returned 1".to_owned()));
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn cancelling_everything_takes_the_place_of_waiting_parts() {
    let world = World::new().await;
    let order = world.ordered(&[("2", "20.00")]).await;
    world.runner("one").round().await.unwrap();
    let waiting = world.cancel(&order, &part(&order, 0, "1"), "c1").await.expect(201).value();
    let all = world.cancel(&order, &whole(), "c2").await.expect(201).value();
    assert_eq!(all["creditAmount"]["amount"], "-20.00");
    let again = world.cancel(&order, &whole(), "c3").await;
    assert_eq!(again.expect_problem(409, "already-cancelling")["existingId"], all["id"]);
    world.settle().await;
    let waiting = world.cancellation(&order, &waiting).await;
    assert_eq!((&waiting["state"], waiting["error"].is_string()), (&json!("terminatedWithError"), true));
    assert_eq!(world.read(&order).await.credited(), "-20.00");
    world.cancel(&order, &whole(), "c4").await.expect_problem(409, "illegal-transition");
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn a_request_with_an_external_id_is_found_again_whatever_its_key() {
    let world = World::new().await;
    let order = world.completed(&[("3", "10.00")]).await;
    let mut body = part(&order, 0, "1");
    body["externalId"] = json!("C536379");
    let first = world.cancel(&order, &body, "c1").await.expect(201).value();
    world.settle().await;
    let again = world.cancel(&order, &body, "c2").await.expect(200).value();
    assert_eq!((&again["id"], &again["state"]), (&first["id"], &json!("done")));
    assert_eq!(world.count("select count(*) from \"order\".cancellation").await, 1);
    let replay = world.cancel(&order, &body, "c1").await.expect(201);
    assert_eq!(replay.header("idempotency-replayed"), "true");
    let path = format!("{}/cancellations", order.path());
    let list = world.rep().get(&path).send().await.expect(200).value();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_return_that_inventory_cannot_take_now_is_tried_again_and_made_once() {
    let world = World::new().await;
    let order = world.completed(&[("2", "20.00")]).await;
    world.neighbours.books().lose_answers = 1;
    let asked = world.cancel(&order, &whole(), "c").await.expect(201).value();
    assert_eq!(world.read(&order).await.credited(), "0.00", "no credit before the goods are back");
    world.settle().await;
    assert_eq!(
        (world.read(&order).await.credited(), &world.cancellation(&order, &asked).await["state"]),
        ("-20.00", &json!("done"))
    );
    assert_eq!(effects(&world).iter().filter(|effect| effect.starts_with("returned")).count(), 1);
}

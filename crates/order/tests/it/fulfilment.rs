//! From reserve over provision to the hand-off, without a human; and what happens when inventory is not there.

use serde_json::json;
use service_runtime::Role;

use crate::world::{Order, World};

#[tokio::test]
async fn an_order_is_fulfilled_and_every_step_is_told_once() {
    let world = World::new().await;
    let order = world.completed(&[("2", "20.00"), ("1", "5.00")]).await;
    assert_eq!(order.tasks(), [("reserve", "completed"), ("provision", "completed"), ("handoff", "completed")]);
    assert_eq!(order.0["invoiceHandoff"]["state"], "requested");
    assert!(order.0["completedAt"].is_string());
    assert!(order.0["items"].as_array().unwrap().iter().all(|item| item["state"] == "completed"));
    assert_eq!(world.neighbours.books().effects, ["held", "committed", "installed", "installed"]);
    let types: Vec<String> = sqlx::query_scalar("select event_type from \"order\".outbox order by seq")
        .fetch_all(&world.owner)
        .await
        .unwrap();
    let result = "FulfillmentResultRecorded";
    let expected =
        ["OrderCreated", "OrderStateChanged", result, "OrderStateChanged", result, "InvoiceHandoffRequested", result];
    assert_eq!(types, expected);
    let handed: String =
        sqlx::query_scalar("select amount::text from \"order\".invoice_handoff").fetch_one(&world.owner).await.unwrap();
    assert_eq!(handed, "25.00");
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn the_stored_state_is_the_roll_up_of_the_items_after_every_step() {
    let world = World::new().await;
    let order = world.ordered(&[("2", "20.00"), ("1", "5.00")]).await;
    let runner = world.runner("one");
    loop {
        let seen = world.read(&order).await;
        let states: Vec<_> = seen.0["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| order::model::ItemState::named(item["state"].as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(order::rules::rollup::order_state(&states).as_str(), seen.state());
        if runner.round().await.unwrap() == 0 {
            break;
        }
    }
    assert_eq!(world.read(&order).await.state(), "completed");
}

#[tokio::test]
async fn of_a_backlog_an_order_is_completed_before_a_younger_one_is_begun() {
    let mut world = World::new().await;
    world.config.task_batch = 1;
    let (old, young) = (world.ordered(&[("1", "20.00")]).await, world.ordered(&[("1", "5.00")]).await);
    let runner = world.runner("one");
    for _ in 0..3 {
        assert_eq!(runner.round().await.unwrap(), 1);
    }
    assert_eq!((world.read(&old).await.state(), world.read(&young).await.state()), ("completed", "acknowledged"));
}

#[tokio::test]
async fn services_without_stock_reserve_nothing() {
    let world = World::new().await;
    let quote = world.accepted(&[("1", "10.00"), ("1", "5.00")]);
    for item in world.neighbours.books().acceptances.get_mut(&(quote, 1)).unwrap()["items"].as_array_mut().unwrap() {
        item["stocked"] = json!(false);
    }
    let order = Order(world.order(quote, "k").await.expect(201).value());
    world.settle().await;
    let order = world.read(&order).await;
    assert_eq!(order.tasks()[0], ("reserve", "skipped"));
    assert_eq!(
        (order.state(), &world.neighbours.books().effects[..]),
        ("completed", &["installed".to_owned(), "installed".to_owned()][..])
    );
}

#[tokio::test]
async fn only_the_stocked_lines_are_reserved() {
    let world = World::new().await;
    let quote = world.accepted(&[("2", "10.00"), ("3", "5.00")]);
    world.neighbours.books().acceptances.get_mut(&(quote, 1)).unwrap()["items"][0]["stocked"] = json!(false);
    let order = Order(world.order(quote, "k").await.expect(201).value());
    world.settle().await;
    let books = world.neighbours.books();
    let reserved = books.reservations[order.id()]["items"].as_array().unwrap();
    assert_eq!((reserved.len(), &reserved[0]["quantity"]), (1, &json!("3")));
}

#[tokio::test]
async fn an_inventory_that_is_briefly_away_is_asked_again() {
    let world = World::new().await;
    world.neighbours.books().away = 2;
    let order = world.ordered(&[("1", "10.00")]).await;
    let runner = world.runner("one");
    runner.round().await.unwrap();
    let waiting = world.read(&order).await;
    assert_eq!((waiting.state(), waiting.tasks()[0]), ("acknowledged", ("reserve", "retryWait")));
    assert!(waiting.task("reserve")["error"].is_string());
    assert_eq!(runner.round().await.unwrap(), 0, "not before its time");
    world.settle().await;
    let done = world.read(&order).await;
    assert_eq!((done.state(), &done.task("reserve")["attempts"]), ("completed", &json!(3)));
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn effects_whose_answers_are_lost_happen_once() {
    let world = World::new().await;
    world.neighbours.books().lose_answers = 2;
    let order = world.ordered(&[("1", "10.00")]).await;
    world.settle().await;
    assert_eq!(world.read(&order).await.state(), "completed");
    assert_eq!(world.neighbours.books().effects, ["held", "committed", "installed"]);
}

#[tokio::test]
async fn without_stock_the_order_waits_for_people_and_goes_on_when_they_have_acted() {
    let world = World::new().await;
    world.neighbours.books().out_of_stock = true;
    let order = world.ordered(&[("1", "10.00")]).await;
    world.settle().await;
    let waiting = world.read(&order).await;
    assert_eq!((waiting.state(), waiting.tasks()[0]), ("pending", ("reserve", "fallout")));
    assert_eq!(waiting.task("reserve")["attempts"], 1, "a refusal is not repeated");

    let path = waiting.retry_path("reserve");
    let agent = world.client(Role::FulfilmentAgent);
    world.rep().post(&path, &json!({})).send().await.expect_problem(403, "forbidden");
    world.neighbours.books().out_of_stock = false;
    agent.post(&path, &json!({})).send().await.expect(200);
    agent.post(&path, &json!({})).send().await.expect_problem(409, "illegal-transition");
    world.settle().await;
    assert_eq!(world.read(&order).await.state(), "completed");
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn a_provision_that_falls_out_holds_the_order_until_somebody_retries() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    world.runner("one").round().await.unwrap();
    world.neighbours.books().away = 3;
    world.settle().await;
    let held = world.read(&order).await;
    assert_eq!((held.state(), held.tasks()[1]), ("held", ("provision", "fallout")));
    let path = held.retry_path("provision");
    let again = world.client(Role::OrderAgent).post(&path, &json!({})).send().await.expect(200);
    assert_eq!(again.value()["state"], "inProgress");
    world.settle().await;
    assert_eq!(world.read(&order).await.state(), "completed");
    world.assert_events_are_gap_free().await;
}

#[tokio::test]
async fn the_order_is_read_by_its_versioned_key_and_its_tasks_are_always_as_they_are() {
    let world = World::new().await;
    let order = world.ordered(&[("1", "10.00")]).await;
    let read = || world.rep().get(&order.path()).send();
    let miss = read().await.expect(200);
    let hit = read().await.expect(200);
    assert!(miss.header("cache-status").contains("miss") && hit.header("cache-status").contains("hit"));
    assert_eq!(miss.value(), hit.value());
    world.neighbours.books().away = 1;
    world.runner("one").round().await.unwrap();
    let hit = read().await.expect(200);
    assert!(hit.header("cache-status").contains("hit"), "the order itself has not changed");
    assert_eq!(hit.value()["tasks"][0]["state"], "retryWait");
}

#[tokio::test]
async fn lists_show_orders_by_quote_and_state() {
    let world = World::new().await;
    let one = world.completed(&[("1", "10.00")]).await;
    world.ordered(&[("1", "20.00")]).await;
    let list = |query: String| world.rep().get(&format!("/order/v1/orders?{query}")).send();
    let by_quote = list(format!("quoteId={}", one.0["quoteId"].as_str().unwrap())).await.expect(200).value();
    assert_eq!(
        (by_quote["items"].as_array().unwrap().len(), &by_quote["items"][0]["total"]["amount"]),
        (1, &json!("10.00"))
    );
    let open = list("state=acknowledged".to_owned()).await.expect(200).value();
    assert_eq!((open["items"].as_array().unwrap().len(), &open["items"][0]["total"]["amount"]), (1, &json!("20.00")));
    let first = list("limit=1".to_owned()).await.expect(200).value();
    let next = list(format!("limit=1&cursor={}", first["nextCursor"].as_str().unwrap())).await.expect(200).value();
    assert_eq!((&next["items"][0]["id"], next["nextCursor"].is_null()), (&json!(one.id()), true));
}

//! Reservations that run out.

use inventory::expiry::expire_due;
use kernel::ProductId;
use serde_json::{Value, json};

use crate::world::{World, line};

/// A reservation of one unit whose end lies in the past by the database's clock.
async fn overdue(world: &World, reference: &str, product: ProductId) -> String {
    let made: Value = world.reserve(reference, json!([line("a", product, "1")])).await.expect(201).value();
    let id = made["id"].as_str().unwrap().to_owned();
    sqlx::query(
        "update inventory.reservation set expires_at = now() - interval '1 second' where reservation_id = $1::uuid",
    )
    .bind(&id)
    .execute(&world.admin)
    .await
    .unwrap();
    id
}

#[tokio::test]
async fn only_what_ran_out_is_given_up() {
    let world = World::start().await;
    let product = world.product("10").await;
    let late = overdue(&world, "order-1", product).await;
    world.reserve("order-2", json!([line("a", product, "2")])).await.expect(201);
    let work = world.work_state().await;
    assert_eq!(expire_due(&work.runtime.pool, &work.runtime.clock, 10).await.unwrap(), 1);
    assert_eq!(expire_due(&work.runtime.pool, &work.runtime.clock, 10).await.unwrap(), 0);
    assert_eq!(world.stock(product).await, ["10", "2", "8"]);
    let seen = world.buyer().get(&format!("/inventory/v1/reservations/{late}")).send().await.value();
    assert_eq!(seen["state"], "expired");
    let release = format!("/inventory/v1/reservations/{late}/release");
    let nothing_left = world.keeper().post(&release, &json!(null)).send().await.expect(200).value();
    assert_eq!(nothing_left["state"], "expired", "there is nothing to give back");
    world.expect_reconciled().await;
}

#[tokio::test]
async fn a_late_commit_succeeds_while_the_stock_is_there_and_fails_when_it_is_gone() {
    let world = World::start().await;
    let product = world.product("1").await;
    let late = overdue(&world, "order-1", product).await;
    let work = world.work_state().await;
    expire_due(&work.runtime.pool, &work.runtime.clock, 10).await.unwrap();
    let other = world.reserve("order-2", json!([line("a", product, "1")])).await.expect(201).value();

    let commit = format!("/inventory/v1/reservations/{late}/commit");
    let refused = world.keeper().post(&commit, &json!(null)).send().await.expect(409).value();
    assert_eq!(refused["code"], "insufficient-stock");
    let release = format!("/inventory/v1/reservations/{}/release", other["id"].as_str().unwrap());
    world.keeper().post(&release, &json!(null)).send().await.expect(200);
    world.keeper().post(&commit, &json!(null)).send().await.expect(200);
    assert_eq!(world.stock(product).await, ["0", "0", "0"]);
    world.expect_reconciled().await;
}

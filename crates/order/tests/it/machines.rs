//! The tables of the rules and the tables of the database are the same, and the database refuses what is not listed.

use std::collections::BTreeSet;

use order::{
    model::{CancellationState, ItemState, OrderState, TaskState},
    rules::transitions::{CANCELLATION, ITEM, ORDER, TASK},
};

use crate::world::World;

type Moves = BTreeSet<(String, String)>;

fn listed<S: Copy>(table: &[(S, S)], name: fn(S) -> &'static str, first: &[&str]) -> Moves {
    let moves = table.iter().map(|(from, to)| (name(*from).to_owned(), name(*to).to_owned()));
    moves.chain(first.iter().map(|first| (String::new(), (*first).to_owned()))).collect()
}

async fn enforced(world: &World, machine: &str) -> Moves {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select from_state, to_state from \"order\".state_transition where machine = $1")
            .bind(machine)
            .fetch_all(&world.owner)
            .await
            .unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn the_database_enforces_exactly_the_tables_of_the_rules() {
    let world = World::new().await;
    assert_eq!(enforced(&world, "order").await, listed(ORDER, OrderState::as_str, &["acknowledged"]));
    assert_eq!(enforced(&world, "item").await, listed(ITEM, ItemState::as_str, &["acknowledged"]));
    assert_eq!(enforced(&world, "task").await, listed(TASK, TaskState::as_str, &["planned", "ready"]));
    let cancellation = listed(CANCELLATION, CancellationState::as_str, &["acknowledged"]);
    assert_eq!(enforced(&world, "cancellation").await, cancellation);
}

#[tokio::test]
async fn a_move_that_is_not_listed_is_refused_by_the_database_itself() {
    let world = World::new().await;
    world.ordered(&[("1", "10.00")]).await;
    for sql in [
        "update \"order\".product_order set state = 'completed', version = version + 1, completed_at = now()",
        "update \"order\".product_order set version = version + 2",
        "update \"order\".product_order set credited = -10.01, version = version + 1",
        "update \"order\".order_item set state = 'completed'",
        "update \"order\".order_item set cancelled_quantity = 2",
        "update \"order\".task set state = 'completed'",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&world.owner).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("23514"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn the_service_can_neither_rewrite_history_nor_the_machines() {
    let world = World::new().await;
    world.ordered(&[("1", "10.00")]).await;
    let serve = sqlx::PgPool::connect(&world.database.service_url("order_serve")).await.unwrap();
    for sql in [
        "update \"order\".history set actor = 'nobody'",
        "delete from \"order\".invoice_handoff",
        "insert into \"order\".state_transition values ('order', 'acknowledged', 'completed')",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&serve).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{sql}: {refused}");
    }
}

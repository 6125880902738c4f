//! The tables of the rules and the tables of the database are the same, and the database refuses what is not listed.

use std::collections::BTreeSet;

use quote::rules::transitions::{APPROVAL, QUOTE, REVISION};

use crate::world::World;

type Moves = BTreeSet<(String, String)>;

fn listed<S: Copy + PartialEq>(
    table: &[(S, quote::rules::transitions::Command, S)],
    name: fn(S) -> &'static str,
    first: &str,
) -> Moves {
    let moves = table
        .iter()
        .filter(|(from, _, to)| from != to)
        .map(|(from, _, to)| (name(*from).to_owned(), name(*to).to_owned()));
    moves.chain([(String::new(), first.to_owned())]).collect()
}

async fn enforced(world: &World, machine: &str) -> Moves {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select from_state, to_state from quote.state_transition where machine = $1")
            .bind(machine)
            .fetch_all(&world.owner)
            .await
            .unwrap();
    rows.into_iter().collect()
}

#[tokio::test]
async fn the_database_enforces_exactly_the_tables_of_the_rules() {
    let world = World::new().await;
    assert_eq!(enforced(&world, "quote").await, listed(QUOTE, quote::model::QuoteState::as_str, "open"));
    assert_eq!(enforced(&world, "revision").await, listed(REVISION, quote::model::RevisionState::as_str, "draft"));
    assert_eq!(enforced(&world, "approval").await, listed(APPROVAL, quote::model::ApprovalState::as_str, "pending"));
}

#[tokio::test]
async fn a_move_that_is_not_listed_is_refused_by_the_database_itself() {
    let world = World::new().await;
    world.draft("1").await;
    for sql in [
        "update quote.revision set state = 'accepted'",
        "update quote.quote set state = 'closed', version = version + 1",
        "update quote.quote set version = version + 2",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&world.owner).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("23514"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn the_service_can_neither_rewrite_history_nor_the_machines() {
    let world = World::new().await;
    world.draft("1").await;
    let serve = sqlx::PgPool::connect(&world.database.service_url("quote_serve")).await.unwrap();
    for sql in [
        "update quote.history set actor = 'nobody'",
        "delete from quote.history",
        "delete from quote.acceptance",
        "insert into quote.state_transition values ('revision', 'draft', 'accepted')",
        "truncate quote.item",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&serve).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{sql}: {refused}");
    }
}

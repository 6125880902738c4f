//! Refusals, new revisions, and giving up.

use serde_json::json;
use service_runtime::Role;

use crate::world::{Quote, World};

#[tokio::test]
async fn a_declined_offer_can_be_revised_and_the_new_one_has_the_same_lines_unpriced() {
    let world = World::new().await;
    let offer = world.presented("3").await;
    let path = format!("{}/decline", offer.revision_path());
    let declined = world.buyer().post(&path, &json!({ "reason": "too dear" })).if_match(offer.version()).send().await;
    let declined = Quote(declined.expect(200).value());
    assert_eq!(declined.state(), "declined");
    let revised = world.rep().post(&format!("{}/revisions", offer.path()), &json!(null)).if_match(declined.version());
    let revised = Quote(revised.send().await.expect(200).value());
    assert_eq!((revised.state(), &revised.revision()["revisionNo"]), ("draft", &json!(2)));
    assert_eq!((revised.item(0), &revised.revision()["priceStale"]), (offer.item(0), &json!(true)));
    assert!(revised.revision()["items"][0]["amount"].is_null());
    let old = world.rep().get(&format!("{}/revisions/1", offer.path())).send().await.expect(200).value();
    assert_eq!(old["currentRevision"]["items"][0]["amount"]["amount"], "30.00", "the old revision stays what it was");
}

#[tokio::test]
async fn an_older_offer_cannot_be_accepted_and_a_newer_one_supersedes_it() {
    let world = World::new().await;
    let rep = world.rep();
    let first = world.presented("1").await;
    let revised = rep.post(&format!("{}/revisions", first.path()), &json!(null)).if_match(first.version()).send().await;
    let revised = Quote(revised.expect(200).value());
    let problem = first.accept(&world.buyer(), "old").await.expect_problem(409, "not-current-revision");
    assert_eq!(problem["currentRevisionNo"], 2);
    let second = revised.then(&rep, "price").await.then(&rep, "submit").await.then(&rep, "present").await;
    let old = rep.get(&format!("{}/revisions/1", first.path())).send().await.expect(200).value();
    assert_eq!(old["currentRevision"]["state"], "superseded");
    assert_eq!(Quote(second.accept(&world.buyer(), "new").await.expect(200).value()).state(), "accepted");
}

#[tokio::test]
async fn requested_changes_open_the_next_draft() {
    let world = World::new().await;
    let offer = world.presented("1").await;
    let changed = offer.then(&world.buyer(), "request-changes").await;
    assert_eq!((changed.state(), &changed.0["currentRevisionNo"]), ("draft", &json!(2)));
    let old = world.rep().get(&format!("{}/revisions/1", offer.path())).send().await.expect(200).value();
    assert_eq!(old["currentRevision"]["state"], "changesRequested");
    assert_eq!(
        world
            .count(
                "select max(version) - count(*) from quote.outbox o join quote.quote q on q.quote_id = o.aggregate_id"
            )
            .await,
        0
    );
}

#[tokio::test]
async fn a_draft_that_cannot_be_provided_ends_and_can_be_revised() {
    let world = World::new().await;
    let ended = world.draft("1").await.then(&world.rep(), "unable-to-provide").await;
    assert_eq!(ended.state(), "unableToProvide");
    let reply =
        world.rep().post(&format!("{}/revisions", ended.path()), &json!(null)).if_match(ended.version()).send().await;
    assert_eq!(Quote(reply.expect(200).value()).state(), "draft");
}

#[tokio::test]
async fn only_one_revision_is_in_preparation() {
    let world = World::new().await;
    for quote in [world.draft("1").await, world.approved("1").await, world.in_approval().await] {
        let path = format!("{}/revisions", quote.path());
        let refused = world.rep().post(&path, &json!(null)).if_match(quote.version()).send().await;
        let problem = refused.expect_problem(409, "illegal-transition");
        assert!(!problem["allowed"].as_array().unwrap().contains(&json!("revisions")));
    }
}

#[tokio::test]
async fn a_cancelled_quote_is_over_and_its_approval_void() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    let path = format!("{}/cancel", quote.path());
    world.rep().post(&path, &json!({})).send().await.expect_problem(400, "idempotency-key-required");
    let cancelled = world.rep().post(&path, &json!({ "reason": "gone" })).key("c").send().await.expect(200);
    let cancelled = Quote(cancelled.value());
    assert_eq!((cancelled.state(), &cancelled.0["state"]), ("cancelled", &json!("cancelled")));
    assert_eq!(cancelled.revision()["approval"]["state"], "invalidated");
    let problem = world.rep().post(&path, &json!({})).key("c2").send().await.expect_problem(409, "illegal-transition");
    assert_eq!(problem["allowed"], json!([]));
}

#[tokio::test]
async fn a_buyer_cancels_only_what_he_asked_for_himself() {
    let world = World::new().await;
    let quote = world.draft("1").await;
    let path = format!("{}/cancel", quote.path());
    world.buyer().post(&path, &json!({})).key("b").send().await.expect_problem(403, "forbidden");
    let own = crate::world::new_quote(&[]);
    let own = Quote(world.buyer().post("/quote/v1/quotes", &own).send().await.expect(201).value());
    world.buyer().post(&format!("{}/cancel", own.path()), &json!({})).key("b").send().await.expect(200);
}

#[tokio::test]
async fn an_offer_that_is_out_is_not_cancelled_but_can_be_given_up() {
    let world = World::new().await;
    let offer = world.presented("1").await;
    let path = format!("{}/cancel", offer.path());
    world.rep().post(&path, &json!({})).key("c").send().await.expect_problem(409, "illegal-transition");
    let lost = world.rep().post(&format!("{}/lose", offer.path()), &json!({})).if_match(offer.version()).send().await;
    let lost = Quote(lost.expect(200).value());
    assert_eq!((lost.state(), &lost.0["state"]), ("superseded", &json!("lost")));
    offer.accept(&world.buyer(), "late").await.expect_problem(409, "illegal-transition");
}

#[tokio::test]
async fn every_command_from_every_state_is_allowed_or_refused_with_what_is_allowed() {
    let world = World::new().await;
    let rep = world.rep();
    let declined = world.presented("1").await.then(&world.buyer(), "decline").await;
    let accepted = Quote(world.presented("1").await.accept(&world.buyer(), "a").await.expect(200).value());
    for quote in [world.approved("1").await, world.presented("1").await, declined, accepted] {
        for command in ["price", "submit", "recall", "present", "decline", "unable-to-provide"] {
            let client = if command == "decline" { world.client(Role::Buyer) } else { rep.clone() };
            let reply = quote.send(&client, command).await;
            let listed =
                matches!((quote.state(), command), ("approved", "recall" | "present") | ("presented", "decline"));
            if listed {
                // Whoever goes last changes the state; the others were refused before.
                assert_eq!(reply.status.as_u16(), 200, "{} {command}: {}", quote.state(), reply.text());
                break;
            }
            let problem = reply.expect_problem(409, "illegal-transition");
            assert_eq!(problem["state"], quote.state(), "{command}");
            assert!(!problem["allowed"].as_array().unwrap().contains(&json!(command)));
        }
    }
}

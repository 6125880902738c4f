//! Submission, approval, rejection, recall: bound to the content, and never by those who made it.

use serde_json::json;
use service_runtime::Role;

use crate::world::{Quote, World};

#[tokio::test]
async fn a_small_discount_is_approved_at_once_and_a_deep_one_waits() {
    let world = World::new().await;
    let plain = world.approved("1").await;
    assert!(plain.revision()["approval"].is_null());
    let deep = world.in_approval().await;
    let approval = &deep.revision()["approval"];
    assert_eq!((&approval["state"], &approval["requestedBy"]), (&json!("pending"), &json!("salesRep")));
    assert_eq!(approval["reasons"][0]["rule"], "maxLineDiscountPercent");
    assert_eq!(world.count("select count(*) from quote.outbox where event_type = 'QuoteSubmitted'").await, 2);
}

#[tokio::test]
async fn an_approver_approves_exactly_what_was_submitted() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    let decider = world.client(Role::Approver);
    let other = json!({ "contentHash": "0".repeat(64) });
    quote.with_key(&decider, "approve", "a0", &other).await.expect_problem(409, "content-changed");
    let named = json!({ "contentHash": quote.hash(), "comment": "once" });
    let approved = Quote(quote.with_key(&decider, "approve", "a1", &named).await.expect(200).value());
    let approval = &approved.revision()["approval"];
    assert_eq!((approved.state(), &approval["decidedBy"]), ("approved", &json!("approver")));
    assert_eq!(approval["comment"], "once");
    let again = quote.with_key(&decider, "approve", "a1", &named).await.expect(200);
    assert_eq!((again.header("idempotency-replayed"), again.value()), ("true", approved.0.clone()));
    quote.with_key(&decider, "approve", "a2", &named).await.expect_problem(409, "illegal-transition");
}

#[tokio::test]
async fn neither_the_requester_nor_an_editor_may_decide_whatever_his_roles() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    let before = world.digest().await;
    // The sales rep made, priced and submitted it; here he comes with more roles.
    for role in [Role::Approver, Role::TenantAdmin] {
        let himself = world.named("salesRep", role);
        let reply = quote.with_key(&himself, "approve", "s1", &json!({})).await;
        reply.expect_problem(403, "separation-of-duties");
        let reply = quote.with_key(&himself, "reject", "s2", &json!({ "comment": "no" })).await;
        reply.expect_problem(403, "separation-of-duties");
    }
    quote.with_key(&world.rep(), "approve", "s3", &json!({})).await.expect_problem(403, "forbidden");
    assert_eq!(world.digest().await, before);
    let admin = world.client(Role::TenantAdmin);
    quote.with_key(&admin, "approve", "s4", &json!({})).await.expect(200);
}

#[tokio::test]
async fn somebody_who_only_changed_a_line_may_not_decide_either() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    let draft = quote.then(&world.rep(), "recall").await;
    let path = format!("{}/items/{}", draft.revision_path(), draft.item(0));
    let helper = world.named("helper", Role::DealDesk);
    let reply = helper.patch(&path, &json!({ "quantity": "11" })).if_match(draft.version()).send().await.expect(200);
    let priced = Quote(reply.value()).then(&world.rep(), "price").await;
    let quote = priced.then(&world.rep(), "submit").await;
    let helper = world.named("helper", Role::Approver);
    quote.with_key(&helper, "approve", "h", &json!({})).await.expect_problem(403, "separation-of-duties");
}

#[tokio::test]
async fn a_rejection_needs_a_comment_and_opens_the_draft_again() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    let decider = world.client(Role::Approver);
    for body in [json!({}), json!({ "comment": "" }), json!({ "comment": "  " })] {
        let reply = quote.with_key(&decider, "reject", "r0", &body).await;
        reply.expect_problem(422, "invalid-request");
        assert_eq!(reply.pointers(), ["/comment"], "{body}");
    }
    let rejected = quote.with_key(&decider, "reject", "r1", &json!({ "comment": "too much" })).await.expect(200);
    let rejected = Quote(rejected.value());
    assert_eq!((rejected.state(), &rejected.revision()["approval"]["state"]), ("draft", &json!("rejected")));
    assert!(rejected.revision()["contentHash"].is_null());
    assert_eq!(world.count("select count(*) from quote.history where reason = 'too much'").await, 1);
    // The price still fits the lines, so it can be submitted again; that is a new request.
    let again = rejected.then(&world.rep(), "submit").await;
    assert_eq!(again.revision()["approval"]["state"], "pending");
    assert_eq!(world.count("select count(*) from quote.approval").await, 2);
}

#[tokio::test]
async fn a_recall_voids_an_approval_that_was_asked_for_or_granted() {
    let world = World::new().await;
    let recalled = world.in_approval().await.then(&world.rep(), "recall").await;
    assert_eq!((recalled.state(), &recalled.revision()["approval"]["state"]), ("draft", &json!("recalled")));
    let quote = recalled.then(&world.rep(), "submit").await;
    let decider = world.client(Role::Approver);
    let approved = Quote(quote.with_key(&decider, "approve", "a", &json!({})).await.expect(200).value());
    let voided = approved.then(&world.rep(), "recall").await;
    assert_eq!((voided.state(), &voided.revision()["approval"]["state"]), ("draft", &json!("invalidated")));
}

#[tokio::test]
async fn only_a_priced_quote_for_a_known_customer_can_be_submitted() {
    let world = World::new().await;
    let draft = world.draft("1").await;
    draft.send(&world.rep(), "submit").await.expect_problem(409, "price-stale");

    let mut body = crate::world::new_quote(&[crate::world::line(1, "1")]);
    body["customerId"] = json!(uuid::Uuid::from_u128(404));
    let quote = Quote(world.rep().post("/quote/v1/quotes", &body).send().await.expect(201).value());
    let priced = quote.then(&world.rep(), "price").await;
    let before = world.digest().await;
    let refused = priced.send(&world.rep(), "submit").await;
    refused.expect_problem(422, "invalid-request");
    assert_eq!(refused.pointers(), ["/customerId"]);
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn content_changed_behind_the_services_back_can_be_neither_approved_nor_presented() {
    let world = World::new().await;
    let quote = world.in_approval().await;
    world.tamper("update quote.item set amount = amount - 1").await;
    let decider = world.client(Role::Approver);
    quote.with_key(&decider, "approve", "t", &json!({})).await.expect_problem(500, "internal-error");

    let world = World::new().await;
    let quote = world.approved("1").await;
    world.tamper("update quote.item set quantity = 2").await;
    quote.send(&world.rep(), "present").await.expect_problem(500, "internal-error");
}

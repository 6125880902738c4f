//! Registering, showing, removing; the secret, shown once.

use serde_json::json;
use service_runtime::Role;
use sqlx::{AssertSqlSafe, PgPool};
use uuid::Uuid;

use crate::{
    receiver::Receiver,
    world::{Listener, PATH, World},
};

#[tokio::test]
async fn a_callback_is_registered_shown_and_removed() {
    let world = World::new().await;
    let body = json!({ "callback": "http://127.0.0.1:9/hook", "query": "eventType=QuoteAccepted" });
    let made = world.admin().post(PATH, &body).send().await.expect(201);
    let listener = Listener(made.value());
    assert_eq!(made.header("location"), listener.path());
    assert_eq!((made.version(), made.header("cache-control")), (1, "no-store"));
    let shown = listener.now(&world).await.value();
    assert_eq!(shown["callback"], "http://127.0.0.1:9/hook");
    assert_eq!(shown["query"], "eventType=QuoteAccepted");
    assert_eq!(
        (&shown["state"], &shown["nextSequence"], &shown["createdBy"]),
        (&json!("active"), &json!(1), &json!("admin"))
    );
    world.admin().request("DELETE".parse().unwrap(), &listener.path()).if_match(1).send().await.expect(204);
    world.admin().get(&listener.path()).send().await.expect_problem(404, "not-found");
    assert_eq!(world.count("select count(*) from quote.webhook_subscription").await, 0);
    assert_eq!(world.count("select listeners::bigint from quote.webhook_feed").await, 0);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_stored_in_no_answer() {
    let world = World::new().await;
    let body = json!({ "callback": "http://127.0.0.1:9/hook" });
    let first = world.admin().post(PATH, &body).key("k").send().await.expect(201);
    let listener = Listener(first.value());
    assert!(listener.secret().starts_with("whsec_") && listener.secret().len() == 50);
    let again = world.admin().post(PATH, &body).key("k").send().await.expect(201);
    assert_eq!(again.value()["id"], listener.id());
    assert!(again.value().get("secret").is_none(), "{}", again.text());
    assert!(listener.now(&world).await.value().get("secret").is_none());
    let told = format!(
        "select count(*) from quote.idempotency_record where position('{}' in convert_from(body, 'UTF8')) > 0",
        listener.secret()
    );
    assert_eq!(world.count(&told).await, 0);
    assert_eq!(world.count("select count(*) from quote.idempotency_record").await, 1);
}

#[tokio::test]
async fn subscriptions_are_paged_in_their_order() {
    let world = World::new().await;
    let mut made = Vec::new();
    for port in 1..=5 {
        made.push(world.register(&format!("http://127.0.0.1:{port}/")).await.id().to_owned());
    }
    let (mut seen, mut path) = (Vec::new(), format!("{PATH}?limit=2"));
    loop {
        let page = world.admin().get(&path).send().await.expect(200).value();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        path = format!("{PATH}?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_tenant_has_at_most_twenty() {
    let world = World::new().await;
    let mut last = None;
    for port in 1..=20 {
        last = Some(world.register(&format!("http://127.0.0.1:{port}/")).await);
    }
    let body = json!({ "callback": "http://127.0.0.1:21/" });
    let problem = world.admin().post(PATH, &body).send().await.expect_problem(409, "too-many-subscriptions");
    assert_eq!(problem["limit"], 20);
    let path = last.unwrap().path();
    world.admin().request("DELETE".parse().unwrap(), &path).if_match(1).send().await.expect(204);
    world.admin().post(PATH, &body).send().await.expect(201);
}

#[tokio::test]
async fn nobody_sees_or_touches_another_tenants_callback() {
    let world = World::new().await;
    let receiver = Receiver::start().await;
    let listener = world.register(&receiver.callback).await;
    let before = world.digest().await;
    let stranger = world.admin_of(&"other".parse().unwrap());
    let path = listener.path();
    stranger.get(&path).send().await.expect_problem(404, "not-found");
    stranger.get(&format!("{path}/deliveries")).send().await.expect_problem(404, "not-found");
    for command in ["resume", "secrets"] {
        let reply = stranger.post(&format!("{path}/{command}"), &json!({})).if_match(1).send().await;
        reply.expect_problem(404, "not-found");
    }
    stranger.request("DELETE".parse().unwrap(), &path).if_match(1).send().await.expect_problem(404, "not-found");
    assert_eq!(stranger.get(PATH).send().await.expect(200).value()["items"], json!([]));
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn only_who_runs_the_tenant_may() {
    let world = World::new().await;
    let listener = world.register("http://127.0.0.1:9/").await;
    let before = world.digest().await;
    let roles: Vec<Role> = Role::ALL.into_iter().filter(|role| *role != Role::TenantAdmin).collect();
    let others = world.service.client(&world.tenant, "everybody else", &roles);
    let path = listener.path();
    others.get(PATH).send().await.expect_problem(403, "forbidden");
    others.get(&path).send().await.expect_problem(403, "forbidden");
    others.get(&format!("{path}/deliveries")).send().await.expect_problem(403, "forbidden");
    others.post(PATH, &json!({ "callback": "http://127.0.0.1:8/" })).send().await.expect_problem(403, "forbidden");
    for command in ["resume", "secrets"] {
        let reply = others.post(&format!("{path}/{command}"), &json!({})).if_match(1).send().await;
        reply.expect_problem(403, "forbidden");
    }
    others.request("DELETE".parse().unwrap(), &path).if_match(1).send().await.expect_problem(403, "forbidden");
    assert_eq!(world.digest().await, before);
}

#[tokio::test]
async fn without_a_tenant_a_worker_only_looks_and_whoever_answers_sees_nothing() {
    let world = World::new().await;
    world.register("http://127.0.0.1:9/").await;
    world.quote_changed(Uuid::from_u128(1), 1).await;
    let before = world.digest().await;
    let serve = PgPool::connect(&world.database.service_url("quote_serve")).await.unwrap();
    for table in ["feed", "event", "subscription"] {
        let count = format!("select count(*) from quote.webhook_{table}");
        let seen = async |pool: &PgPool| -> i64 {
            sqlx::query_scalar(AssertSqlSafe(count.clone())).fetch_one(pool).await.unwrap()
        };
        assert_eq!((seen(&world.work).await, seen(&serve).await), (1, 0), "{table}");
    }
    for statement in [
        "update quote.webhook_feed set last_sequence = 7",
        "update quote.webhook_subscription set callback = 'http://127.0.0.1:6/'",
        "delete from quote.webhook_event",
        "delete from quote.webhook_delivery",
    ] {
        let changed = sqlx::query(statement).execute(&world.work).await.unwrap();
        assert_eq!(changed.rows_affected(), 0, "{statement}");
    }
    assert_eq!(world.digest().await, before);
}

//! Bad input for every endpoint: a problem document, never a 5xx, and nothing changed.

use anyhow::{Context, Result};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sqlx::Row;
use system_tests::{Shop, System, Weather, shop::get};
use uuid::Uuid;

use crate::PROGRAM;

/// One operation of the services' documents.
struct Operation {
    method: Method,
    path: String,
    has_body: bool,
}

async fn operations(shop: &Shop) -> Result<Vec<Operation>> {
    let mut found = Vec::new();
    for service in ["catalog", "pricing", "quote", "order", "inventory"] {
        let document = get(&shop.admin, &format!("/{service}/v1/openapi.json")).await?;
        for (path, methods) in document["paths"].as_object().context("no paths")? {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
                let has_body = operation.get("requestBody").is_some();
                found.push(Operation { method, path: path.clone(), has_body });
            }
        }
    }
    Ok(found)
}

async fn rows_everywhere(system: &System) -> Result<Vec<(String, i64)>> {
    let mut owner = system.owner().await?;
    // Idempotency records may remember a refusal; outbox, leases, positions and lists made from events move by themselves.
    let tables = sqlx::query(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables
         where schemaname in ('catalog', 'pricing', 'quote', 'order', 'inventory')
           and tablename !~ '(outbox|relay|lease|consumer|parked|idempotency|migrations|projection|_list)' order by 1",
    )
    .fetch_all(&mut owner)
    .await?;
    let mut counts = Vec::new();
    for table in tables {
        let name: String = table.get("name");
        let count =
            sqlx::query(sqlx::AssertSqlSafe(format!("select count(*) as n from {name}"))).fetch_one(&mut owner).await?;
        counts.push((name, count.get("n")));
    }
    Ok(counts)
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_refused_with_a_problem_and_changes_nothing() -> Result<()> {
    let system = System::start(PROGRAM, Weather::Calm).await?;
    let shop = Shop::open(&system.deployment.url(), &system.tenant).await?;
    let before = rows_everywhere(&system).await?;
    let http = Client::new();
    let url = system.deployment.url();
    let person = json!({ "tenant": system.tenant, "subject": "admin", "roles": ["tenantAdmin"] });
    let token = http.post(format!("{url}/dev/v1/tokens")).json(&person).send().await?.json::<Value>().await?;
    let token = token["token"].as_str().context("no token")?.to_owned();
    let operations = operations(&shop).await?;
    assert!(operations.len() > 40, "only {} operations were found", operations.len());
    for operation in operations {
        let with_ids = |id: &str| {
            let part = |part: &str| if part.starts_with('{') { id.to_owned() } else { part.to_owned() };
            format!("{url}{}", operation.path.split('/').map(part).collect::<Vec<_>>().join("/"))
        };
        let address = with_ids(&Uuid::now_v7().to_string());
        let call = |body: Option<&'static str>| {
            let request = http
                .request(operation.method.clone(), &address)
                .header("idempotency-key", Uuid::now_v7().to_string())
                .header("if-match", "\"1\"");
            match body {
                Some(body) => request.header("content-type", "application/json").body(body),
                None => request,
            }
        };
        let what = format!("{} {}", operation.method, operation.path);
        expect(&what, call(None).send().await?, &[401]).await?;
        expect(&what, call(None).bearer_auth("not.a.token").send().await?, &[401]).await?;
        if operation.has_body {
            expect(&what, call(Some("{")).bearer_auth(&token).send().await?, &[400, 404]).await?;
            expect(&what, call(Some("{\"no-such-field\":1}")).bearer_auth(&token).send().await?, &[404, 422]).await?;
            expect(&what, call(Some("[]")).bearer_auth(&token).send().await?, &[400, 404, 422]).await?;
        }
        if operation.path.contains('{') {
            let answer = http.request(operation.method.clone(), with_ids("no%00id")).bearer_auth(&token).send().await?;
            assert!(answer.status().is_client_error(), "{what}: {}", answer.status());
        }
    }
    assert_eq!(rows_everywhere(&system).await?, before);
    Ok(())
}

async fn expect(what: &str, answer: reqwest::Response, statuses: &[u16]) -> Result<()> {
    let status = answer.status();
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let body = answer.text().await?;
    assert!(statuses.contains(&status.as_u16()), "{what}: {status} {body}");
    assert!(kind.starts_with("application/problem+json"), "{what}: {kind}");
    let problem: Value = serde_json::from_str(&body).with_context(|| what.to_owned())?;
    assert_eq!(problem["status"], status.as_u16(), "{what}");
    assert!(problem["code"].as_str().is_some_and(|code| !code.is_empty()), "{what}: {problem}");
    let pointed = problem["errors"]
        .as_array()
        .is_some_and(|errors| errors.iter().all(|error| error["pointer"].is_string()) && !errors.is_empty());
    assert!(status != StatusCode::UNPROCESSABLE_ENTITY || pointed, "{what} points nowhere: {problem}");
    Ok(())
}

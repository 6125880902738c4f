//! Stand-ins for quote and inventory. Inventory keeps books, so that a test can compare what came and went.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

/// What the stand-ins know and how they behave.
#[derive(Default)]
pub struct Books {
    /// Acceptances by quote and revision.
    pub acceptances: BTreeMap<(Uuid, u32), Value>,
    /// Reservations by reference.
    pub reservations: BTreeMap<String, Value>,
    /// Movements by reference.
    pub returns: BTreeMap<String, Value>,
    /// Installed order items.
    pub installed: BTreeMap<String, Value>,
    /// Every effect that really happened, in order.
    pub effects: Vec<String>,
    /// The tenants whose tokens reserved stock.
    pub tenants: Vec<String>,
    /// Inventory answers 503 this many times.
    pub away: u32,
    /// Inventory has no stock.
    pub out_of_stock: bool,
    /// The effect happens, but the answer is an error, this many times.
    pub lose_answers: u32,
    /// The same for commits of reservations only.
    pub lose_commits: u32,
}

#[derive(Clone, Default)]
pub struct Neighbours(Arc<Mutex<Books>>);

impl Neighbours {
    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap()
    }

    /// Both neighbours on one socket; answers their address.
    pub async fn start(&self) -> String {
        let router = Router::new()
            .route("/quote/v1/quotes/{id}/revisions/{n}/acceptance", get(acceptance))
            .route("/inventory/v1/reservations", post(reserve))
            .route("/inventory/v1/reservations/{id}/{step}", post(step))
            .route("/inventory/v1/installed-products", post(install))
            .route("/inventory/v1/movements", post(movement))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        address
    }
}

fn problem(status: StatusCode, code: &str) -> Response {
    let body = json!({
        "type": format!("https://quoin.dev/problems/{code}"), "title": code, "status": status.as_u16(), "code": code,
        "retryable": status.is_server_error(),
    });
    (status, [("content-type", "application/problem+json")], Json(body)).into_response()
}

async fn acceptance(State(neighbours): State<Neighbours>, Path((id, n)): Path<(Uuid, u32)>) -> Response {
    match neighbours.books().acceptances.get(&(id, n)) {
        Some(acceptance) => Json(acceptance.clone()).into_response(),
        None => problem(StatusCode::NOT_FOUND, "not-found"),
    }
}

/// What inventory answers before it does anything.
fn refusal(books: &mut Books) -> Option<Response> {
    if books.away > 0 {
        books.away -= 1;
        return Some(problem(StatusCode::SERVICE_UNAVAILABLE, "temporarily-unavailable"));
    }
    None
}

/// The answer, or none of it: the effect has happened either way.
fn answer(books: &mut Books, body: Value) -> Response {
    if books.lose_answers > 0 {
        books.lose_answers -= 1;
        return problem(StatusCode::BAD_GATEWAY, "upstream-failed");
    }
    Json(body).into_response()
}

/// The tenant a token claims; the stand-in believes it.
fn tenant_of(headers: &HeaderMap) -> String {
    let token = headers["authorization"].to_str().unwrap().trim_start_matches("Bearer ");
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["tenant"].as_str().unwrap().to_owned()
}

async fn reserve(State(neighbours): State<Neighbours>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let mut books = neighbours.books();
    books.tenants.push(tenant_of(&headers));
    if let Some(refusal) = refusal(&mut books) {
        return refusal;
    }
    let reference = body["reference"].as_str().unwrap().to_owned();
    let living = books.reservations.get(&reference).filter(|known| known["state"] != "released").cloned();
    if let Some(known) = living {
        return answer(&mut books, known);
    }
    if books.out_of_stock {
        return problem(StatusCode::CONFLICT, "insufficient-stock");
    }
    let held = json!({ "id": Uuid::now_v7(), "reference": reference, "state": "held", "items": body["items"] });
    books.effects.push("held".to_owned());
    books.reservations.insert(reference, held.clone());
    answer(&mut books, held)
}

async fn step(State(neighbours): State<Neighbours>, Path((id, step)): Path<(Uuid, String)>) -> Response {
    let mut books = neighbours.books();
    if let Some(refusal) = refusal(&mut books) {
        return refusal;
    }
    let to = if step == "commit" { "committed" } else { "released" };
    let Some(known) = books.reservations.values_mut().find(|known| known["id"] == json!(id)) else {
        return problem(StatusCode::NOT_FOUND, "not-found");
    };
    if known["state"] != "held" && known["state"] != to {
        return problem(StatusCode::CONFLICT, "illegal-transition");
    }
    let moved = known["state"] != to;
    known["state"] = json!(to);
    let known = known.clone();
    if moved {
        books.effects.push(to.to_owned());
    }
    if to == "committed" && books.lose_commits > 0 {
        books.lose_commits -= 1;
        return problem(StatusCode::BAD_GATEWAY, "upstream-failed");
    }
    answer(&mut books, known)
}

async fn install(State(neighbours): State<Neighbours>, Json(body): Json<Value>) -> Response {
    let mut books = neighbours.books();
    if let Some(refusal) = refusal(&mut books) {
        return refusal;
    }
    for item in body["items"].as_array().unwrap() {
        let key = item["orderItemId"].as_str().unwrap().to_owned();
        if books.installed.insert(key, item.clone()).is_none() {
            books.effects.push("installed".to_owned());
        }
    }
    answer(&mut books, json!({ "items": [] }))
}

async fn movement(State(neighbours): State<Neighbours>, Json(body): Json<Value>) -> Response {
    let mut books = neighbours.books();
    if let Some(refusal) = refusal(&mut books) {
        return refusal;
    }
    let reference = body["reference"].as_str().unwrap().to_owned();
    if books.returns.insert(reference, body.clone()).is_none() {
        books.effects.push(format!("returned {}", body["quantity"].as_str().unwrap()));
    }
    answer(&mut books, json!({}))
}

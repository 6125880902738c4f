//! An integrator's server: hears, verifies nothing by itself, answers as the test says.

use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};
use uuid::Uuid;

/// The longest a test waits for something that must come.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_mins(1);

/// One request.
#[derive(Debug, Clone)]
pub struct Heard {
    pub headers: HeaderMap,
    pub raw: Bytes,
    pub event: Value,
    /// What it was answered.
    pub status: StatusCode,
}

impl Heard {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub fn sequence(&self) -> i64 {
        self.event["sequence"].as_str().unwrap().parse().unwrap()
    }

    pub fn aggregate(&self) -> Uuid {
        self.event["aggregateid"].as_str().unwrap().parse().unwrap()
    }

    pub fn version(&self) -> u64 {
        self.event["aggregateversion"].as_u64().unwrap()
    }

    pub fn accepted(&self) -> bool {
        self.status.is_success()
    }

    /// As an integrator verifies it: some signature is the one `secret` makes.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut content = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).into_bytes();
        content.extend_from_slice(&self.raw);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &content);
        let ours = format!("v1,{}", BASE64_STANDARD.encode(tag));
        self.header("webhook-signature").split(' ').any(|signature| signature == ours)
    }
}

/// What to answer the n-th request.
type Answer = dyn Fn(&Heard) -> Response + Send + Sync;

struct Book {
    answer: Box<Answer>,
    heard: Mutex<Vec<Heard>>,
    count: watch::Sender<usize>,
}

/// A running receiver.
pub struct Receiver {
    pub callback: String,
    book: Arc<Book>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self::answering(|_| StatusCode::NO_CONTENT.into_response()).await
    }

    /// One that answers so.
    pub async fn answering(answer: impl Fn(&Heard) -> Response + Send + Sync + 'static) -> Self {
        let book =
            Arc::new(Book { answer: Box::new(answer), heard: Mutex::default(), count: watch::Sender::default() });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let callback = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(hear).with_state(Arc::clone(&book));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { callback, book, serving }
    }

    /// Everything heard so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.book.heard.lock().unwrap().clone()
    }

    /// What was accepted so far.
    pub fn accepted(&self) -> Vec<Heard> {
        self.heard().into_iter().filter(Heard::accepted).collect()
    }

    /// The numbers of what was accepted so far, in the order it came.
    pub fn numbers(&self) -> Vec<i64> {
        self.accepted().iter().map(Heard::sequence).collect()
    }

    /// Waits until what was heard is enough.
    pub async fn until(&self, enough: impl Fn(&[Heard]) -> bool) {
        let mut count = self.book.count.subscribe();
        let waiting = count.wait_for(|_| enough(&self.book.heard.lock().unwrap()));
        let waited = timeout(PATIENCE, waiting).await.map(drop);
        assert!(waited.is_ok(), "only {} requests came: {:?}", self.heard().len(), self.numbers());
    }

    /// Waits for so many accepted requests.
    pub async fn until_accepted(&self, count: usize) {
        self.until(|heard| heard.iter().filter(|heard| heard.accepted()).count() >= count).await;
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn hear(State(book): State<Arc<Book>>, headers: HeaderMap, raw: Bytes) -> Response {
    let event = serde_json::from_slice(&raw).unwrap_or_default();
    let mut heard = Heard { headers, raw, event, status: StatusCode::OK };
    let response = (book.answer)(&heard);
    heard.status = response.status();
    book.heard.lock().unwrap().push(heard);
    book.count.send_modify(|count| *count += 1);
    response
}

//! Every SQL statement about callbacks: free functions over a connection.
//!
//! The tables are those `platform.create_webhooks` makes, the same in every service's schema, so the schema is put in when a
//! statement is sent.

pub mod deliveries;
pub mod feed;
pub mod subscriptions;

use sqlx::AssertSqlSafe;

/// `statement` with `hub.` as the schema of a service. Quoted, because `order` is a word of SQL.
fn within(schema: &str, statement: &str) -> AssertSqlSafe<String> {
    AssertSqlSafe(statement.replace("hub.", &format!("\"{schema}\".")))
}

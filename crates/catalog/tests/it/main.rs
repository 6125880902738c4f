//! The catalog over HTTP against a real PostgreSQL, a database a test.

mod audit;
mod bad_input;
mod configurations;
mod facts;
mod imports;
mod isolation;
mod publications;
mod support;
mod views;
mod warming;
mod working_copy;

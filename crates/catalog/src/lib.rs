//! The catalog service (stub map while the pieces land).
pub mod model;
pub mod rules;
pub mod words;

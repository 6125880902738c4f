//! The composition root and the one executable: everything is put together here and nothing is decided here.

pub mod retail;

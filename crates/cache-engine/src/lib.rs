//! cache-engine

//! events-kafka

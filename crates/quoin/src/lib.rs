//! quoin

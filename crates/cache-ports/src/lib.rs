//! cache-ports

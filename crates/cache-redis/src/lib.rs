//! cache-redis

//! A service under test: its router on a real socket with everything around it, and a client with tokens.
//!
//! Only for tests. Must never be switched on in a product build: it holds an issuer anybody can use.

//! What the compiler cannot keep in order: edges between crates, where SQL may look, which files stay pure, sizes,
//! names, fresh generated files, isolated tables, declared events and those that can be asked for.
//!
//! Every check names the file and the rule, so that the message alone is enough to mend it. The checks read the
//! working tree and need no server.

mod declared;
mod edges;
mod generated;
mod heard;
mod migrations;
mod observed;
mod purity;
mod shape;
mod sql;
mod tracked;
mod tree;

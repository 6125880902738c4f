//! Generated files are fresh: what the generators would write is what lies there.

use crate::tree::{report, root};

#[test]
fn generated_files_are_what_the_generators_write() {
    let stale = quoin::generate::stale(&root()).expect("the generators run");
    let broken: Vec<String> = stale.into_iter().map(|file| file.path).collect();
    report("run `make generate`", &broken);
}

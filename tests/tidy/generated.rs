//! Generated files are fresh: what the generators would write is what lies there.

use crate::tree::{report, root};

#[test]
fn generated_files_are_what_the_generators_write() {
    let stale = |file: &quoin::generate::GeneratedFile| {
        std::fs::read_to_string(root().join(&file.path)).unwrap_or_default() != file.content
    };
    let broken: Vec<String> =
        quoin::generate::all().iter().filter(|file| stale(file)).map(|file| file.path.clone()).collect();
    report("run `make generate`", &broken);
}

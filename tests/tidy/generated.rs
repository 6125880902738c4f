//! Generated files are fresh: what the generators would write is what lies there.

use crate::tree::{report, root};

#[tokio::test]
async fn generated_files_are_what_the_generators_write() {
    let stale = quoin::generate::stale(&root()).await.expect("the generators run");
    let broken: Vec<String> = stale.into_iter().map(|file| file.path).collect();
    report("run `make generate`", &broken);
}

//! `docs/proofs.md`: each proof owns one section and writes it when it runs in its long form.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// The page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/proofs.md");

/// Puts `body` into the section of this title, in place of what it said before.
pub fn put(title: &str, body: &str) -> Result<()> {
    let path = Path::new(PAGE);
    let page = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(path, with_section(&page, title, body)?).with_context(|| format!("cannot write {}", path.display()))
}

fn with_section(page: &str, title: &str, body: &str) -> Result<String> {
    let heading = format!("\n## {title}\n");
    let (before, after) = page.split_once(&heading).with_context(|| format!("the page has no section `{title}`"))?;
    // What stands before the first figures says what is proved; it is written by hand.
    let end = after.find("\n## ").unwrap_or(after.len());
    let (section, rest) = after.split_at(end);
    let meaning = section.split("\n<!-- figures -->\n").next().unwrap_or_default().trim_end();
    Ok(format!("{before}{heading}{meaning}\n\n<!-- figures -->\n\n{}\n{rest}", body.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_and_its_neighbours_and_its_meaning_stay() {
        let page = "# P\n\n## One\n\nIt means.\n\n<!-- figures -->\n\nold\n\n## Two\n\nKeep.\n";
        let written = with_section(page, "One", "new\n").unwrap();
        assert_eq!(written, "# P\n\n## One\n\nIt means.\n\n<!-- figures -->\n\nnew\n\n## Two\n\nKeep.\n");
        assert_eq!(with_section(&written, "One", "new").unwrap(), written);
        let first = with_section("# P\n\n## One\n\nIt means.\n", "One", "new").unwrap();
        assert_eq!(first, "# P\n\n## One\n\nIt means.\n\n<!-- figures -->\n\nnew\n");
        assert!(with_section(page, "Three", "new").is_err());
    }
}

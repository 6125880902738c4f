//! From what a user types to what PostgreSQL's full text search takes.

/// Words of a search that count; more narrow nothing further.
const MAX_WORDS: usize = 10;

/// A tsquery in which every word must begin a word of the offering's text; `None` if `text` has no words.
///
/// White space and ASCII punctuation separate words, exactly as in `catalog.publication_offering.search`. What is left is
/// quoted, so no input is an operator.
pub fn tsquery(text: &str) -> Option<String> {
    let is_separator = |c: char| c.is_whitespace() || c.is_control() || c.is_ascii_punctuation();
    let words: Vec<String> = text
        .split(is_separator)
        .filter(|word| !word.is_empty())
        .take(MAX_WORDS)
        .map(|word| format!("'{}':*", word.to_lowercase()))
        .collect();
    (!words.is_empty()).then(|| words.join(" & "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_quoted_prefixes() {
        assert_eq!(tsquery("White hanging-HEART").as_deref(), Some("'white':* & 'hanging':* & 'heart':*"));
        assert_eq!(tsquery(" !&|':*\\ "), None);
        assert_eq!(tsquery(""), None);
    }

    proptest! {
        #[test]
        fn no_input_can_leave_its_quotes(text in "\\PC{0,60}") {
            if let Some(query) = tsquery(&text) {
                for part in query.split(" & ") {
                    let word = part.strip_prefix('\'').and_then(|rest| rest.strip_suffix("':*"));
                    prop_assert!(word.is_some_and(|word| !word.contains(['\'', '\\', ' '])), "{}", query);
                }
            }
        }
    }
}

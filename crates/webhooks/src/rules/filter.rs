//! The filter of a subscription, written as TM Forum writes it:
//! `eventType=QuoteAccepted,QuoteExpired&aggregateType=quote`.

/// Which events a subscription asks for; `None` means whichever.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of these types.
    pub event_types: Option<Vec<String>>,
    /// About these kinds of aggregates.
    pub aggregate_types: Option<Vec<String>>,
}

/// The words a filter may use.
#[derive(Debug, Clone, Copy)]
pub struct Vocabulary {
    /// The event types the service publishes.
    pub event_types: &'static [&'static str],
    /// The kinds of aggregates they are about.
    pub aggregate_types: &'static [&'static str],
}

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterFault {
    /// A part is not `name=value`, or its name is none of ours.
    #[error("knows eventType=… and aggregateType=…, joined by &; {0:?} is neither")]
    Parameter(String),
    /// No such event type.
    #[error("{0:?} is no event type of this service; there are {1}")]
    EventType(String, String),
    /// No such kind of aggregate.
    #[error("{0:?} is no aggregate type of this service; there are {1}")]
    AggregateType(String, String),
}

impl FilterFault {
    /// The stable code of the fault.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Parameter(_) => "unknown-parameter",
            Self::EventType(..) => "unknown-event-type",
            Self::AggregateType(..) => "unknown-aggregate-type",
        }
    }
}

/// Reads a filter; an empty one admits everything.
pub fn parse(query: &str, vocabulary: Vocabulary) -> Result<Filter, FilterFault> {
    let mut filter = Filter::default();
    if query.is_empty() {
        return Ok(filter);
    }
    for part in query.split('&') {
        let unknown = || FilterFault::Parameter(part.to_owned());
        let (name, values) = part.split_once('=').ok_or_else(unknown)?;
        let (chosen, known, fault): (_, _, fn(String, String) -> FilterFault) = match name {
            "eventType" => (&mut filter.event_types, vocabulary.event_types, FilterFault::EventType),
            "aggregateType" => (&mut filter.aggregate_types, vocabulary.aggregate_types, FilterFault::AggregateType),
            _ => return Err(unknown()),
        };
        let chosen = chosen.get_or_insert_default();
        for value in values.split(',') {
            if !known.contains(&value) {
                return Err(fault(value.to_owned(), known.join(", ")));
            }
            if !chosen.iter().any(|there| there == value) {
                chosen.push(value.to_owned());
            }
        }
    }
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::subsequence};

    use super::*;

    const TYPES: &[&str] = &["QuoteAccepted", "QuoteChanged", "QuoteExpired"];
    const KINDS: &[&str] = &["customer", "quote"];
    const WORDS: Vocabulary = Vocabulary { event_types: TYPES, aggregate_types: KINDS };

    #[test]
    fn an_empty_filter_asks_for_everything() {
        assert_eq!(parse("", WORDS), Ok(Filter::default()));
    }

    #[test]
    fn what_nobody_publishes_cannot_be_asked_for() {
        for (query, code) in [
            ("eventType=QuoteEaten", "unknown-event-type"),
            ("eventType=QuoteAccepted,", "unknown-event-type"),
            ("eventType=", "unknown-event-type"),
            ("aggregateType=Quote", "unknown-aggregate-type"),
            ("eventType", "unknown-parameter"),
            ("state=open", "unknown-parameter"),
            ("&", "unknown-parameter"),
            ("eventType=QuoteAccepted&", "unknown-parameter"),
        ] {
            assert_eq!(parse(query, WORDS).unwrap_err().code(), code, "{query}");
        }
    }

    proptest! {
        #[test]
        fn a_filter_means_what_it_lists(types in subsequence(TYPES, 1..=3), kinds in subsequence(KINDS, 1..=2), twice in any::<bool>()) {
            let mut query = format!("eventType={}&aggregateType={}", types.join(","), kinds.join(","));
            if twice {
                query = format!("{query}&{query}");
            }
            let owned = |words: &[&str]| Some(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
            let filter = parse(&query, WORDS).unwrap();
            prop_assert_eq!(filter, Filter { event_types: owned(&types), aggregate_types: owned(&kinds) });
        }

        #[test]
        fn any_text_is_read_or_refused(query in ".{0,60}") {
            if let Ok(filter) = parse(&query, WORDS) {
                prop_assert!(filter.event_types.iter().flatten().all(|name| TYPES.contains(&name.as_str())));
            }
        }
    }
}

//! The words for the catalog's enums, the same in SQL, JSON and derived ids. Changing one changes stored data.

use cache_ports::catalog::{LifecycleStatus, OfferingKind, OfferingPriceType, PeriodUnit};

/// An enum whose values have stable words.
pub trait Word: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// This value's word.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(value, _)| *value == self).map_or("", |(_, word)| word)
    }

    /// The value with this word.
    fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, known)| *known == word).map(|(value, _)| *value)
    }
}

impl Word for LifecycleStatus {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::InStudy, "inStudy"),
        (Self::InDesign, "inDesign"),
        (Self::InTest, "inTest"),
        (Self::Active, "active"),
        (Self::Launched, "launched"),
        (Self::Retired, "retired"),
        (Self::Obsolete, "obsolete"),
    ];
}

impl Word for OfferingKind {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Simple, "simple"), (Self::Bundle, "bundle")];
}

impl Word for OfferingPriceType {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::OneTime, "oneTime"), (Self::Recurring, "recurring"), (Self::Usage, "usage")];
}

impl Word for PeriodUnit {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Day, "day"), (Self::Week, "week"), (Self::Month, "month"), (Self::Year, "year")];
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::Serialize;

    use super::*;

    fn words_are_those_of_json<T: Word + Serialize + Debug>() {
        for (value, word) in T::WORDS.iter().copied() {
            assert_eq!(serde_json::to_value(value).unwrap(), word);
            assert_eq!(T::from_word(word), Some(value));
        }
    }

    #[test]
    fn sql_and_json_say_the_same() {
        words_are_those_of_json::<LifecycleStatus>();
        words_are_those_of_json::<OfferingKind>();
        words_are_those_of_json::<OfferingPriceType>();
        words_are_those_of_json::<PeriodUnit>();
    }
}

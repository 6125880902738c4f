//! Services on the command line: some by name, or all.

use clap::{ValueEnum, builder::PossibleValue};

use crate::services::Service;

/// A service, or all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    All,
    One(Service),
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        const CHOICES: [Choice; 6] = [
            Choice::All,
            Choice::One(Service::Catalog),
            Choice::One(Service::Pricing),
            Choice::One(Service::Quote),
            Choice::One(Service::Order),
            Choice::One(Service::Inventory),
        ];
        &CHOICES
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::All => Some(PossibleValue::new("all")),
            Self::One(service) => service.to_possible_value(),
        }
    }
}

impl Choice {
    /// The chosen services, each once, in the order a quote passes through them.
    pub fn services(choices: &[Self]) -> Vec<Service> {
        let chosen = |service: &Service| choices.contains(&Self::All) || choices.contains(&Self::One(*service));
        Service::ALL.into_iter().filter(chosen).collect()
    }
}

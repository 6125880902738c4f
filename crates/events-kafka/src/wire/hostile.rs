//! Records that somebody broken or hostile could write: whatever is in them, they are read as an event or refused with a
//! reason, and the bytes are kept as they came.

use proptest::prelude::*;

use super::{
    tests::{event, message},
    *,
};

/// One header's name and value.
type Pair = (String, Vec<u8>);

/// What is done to a real record's headers.
#[derive(Debug, Clone)]
enum Harm {
    Drop(usize),
    Put(usize, Vec<u8>),
    Flip(usize, usize, u8),
    Repeat(usize, Vec<u8>),
    Rename(usize, String),
}

fn harm() -> impl Strategy<Value = Harm> {
    let text = prop_oneof![
        any::<Vec<u8>>(),
        ".*".prop_map(String::into_bytes),
        "-?[0-9]{1,40}".prop_map(String::into_bytes),
        Just(b"\0".to_vec()),
        Just(b"acme\0other".to_vec()),
        Just(b"9999-99-99T99:99:99Z".to_vec()),
        Just(vec![b'7'; 100_000]),
    ];
    prop_oneof![
        any::<usize>().prop_map(Harm::Drop),
        (any::<usize>(), text.clone()).prop_map(|(at, value)| Harm::Put(at, value)),
        (any::<usize>(), any::<usize>(), any::<u8>()).prop_map(|(at, byte, mask)| Harm::Flip(at, byte, mask)),
        (any::<usize>(), text).prop_map(|(at, value)| Harm::Repeat(at, value)),
        (any::<usize>(), ".{0,20}").prop_map(|(at, name)| Harm::Rename(at, name)),
    ]
}

fn harmed(mut pairs: Vec<Pair>, harms: &[Harm]) -> Vec<Pair> {
    for harm in harms {
        let length = pairs.len().max(1);
        match harm {
            Harm::Drop(at) if !pairs.is_empty() => drop(pairs.remove(at % length)),
            Harm::Put(at, value) => {
                pairs.iter_mut().skip(at % length).take(1).for_each(|pair| pair.1.clone_from(value))
            }
            Harm::Flip(at, byte, mask) => {
                if let Some((_, value)) = pairs.get_mut(at % length).filter(|(_, value)| !value.is_empty()) {
                    let byte = byte % value.len();
                    value[byte] ^= mask;
                }
            }
            Harm::Repeat(at, value) => {
                let name = pairs.get(at % length).map(|(name, _)| name.clone());
                pairs.insert(0, (name.unwrap_or_default(), value.clone()));
            }
            Harm::Rename(at, name) => {
                // The client library keeps names as C strings: one with a zero cannot arrive.
                let name = name.replace('\0', "");
                pairs.iter_mut().skip(at % length).take(1).for_each(|pair| pair.0.clone_from(&name));
            }
            Harm::Drop(_) => {}
        }
    }
    pairs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_harmed_record_is_an_event_or_refused_with_a_reason(
        harms in prop::collection::vec(harm(), 0..6), data in prop_oneof![Just(b"{}".to_vec()), any::<Vec<u8>>()]
    ) {
        let real = Envelope { data: data.into(), ..event() };
        let pairs = headers(&real).iter().map(|it| (it.key.to_owned(), it.value.unwrap_or_default().to_vec())).collect();
        let pairs = harmed(pairs, &harms);
        let broken = pairs.iter().fold(OwnedHeaders::new(), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        });
        match read(&message(broken, &real)) {
            Record::Event(event) => {
                prop_assert_eq!(&event.data, &real.data);
                // What was read can be written and read again: nothing half-understood goes on.
                let again = message(headers(&event), &event);
                prop_assert!(matches!(read(&again), Record::Event(same) if same == event));
            }
            Record::Unreadable { key, value, reason } => {
                prop_assert_eq!((key, &value), (Some(real.key()), &real.data));
                prop_assert!(!reason.is_empty());
            }
        }
    }
}

//! Whether a listener has heard everything: pure rules over what publishers say.
//!
//! Owns the count of each publisher and the moment until which this process's memory may be trusted. That moment is a lease: when
//! nothing extends it, it passes by itself, whatever the task that listens is doing. Must never read a clock or touch a memory.
//!
//! The memory is trusted while this process hears its own beats soon after it sent them (so the whole way there and back works,
//! and everything published before them has arrived), and while every publisher it knows is sound and was heard lately.

use std::collections::HashMap;

use super::message::{Epoch, Message, PublisherId, Word};

/// A publisher says that it lives this often.
pub(super) const BEAT_EVERY_MS: u64 = 1_000;
/// After three missed beats a publisher is silent.
pub(super) const SILENT_AFTER_MS: u64 = 3 * BEAT_EVERY_MS;
/// A publisher that was silent for that long is believed gone. One that was only cut off and still changes things is from then on
/// unknown, and the age limit of each keyspace is what bounds the harm.
pub(super) const GONE_AFTER_MS: u64 = 15 * BEAT_EVERY_MS;
/// More publishers than that are not counted at once; the counting starts anew.
const MOST_PUBLISHERS: usize = 4_096;

/// Why what is in memory may be old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Doubt {
    /// A number is missing.
    Gap,
    /// A publisher counts anew, or its beginning was not heard.
    Epoch,
    /// This process was too slow.
    Lagged,
    /// The connection was lost.
    Interrupted,
    /// Somebody was not heard for too long.
    Silence,
    /// A message could not be read.
    Unreadable,
    /// More keys changed than are remembered.
    Overflow,
}

impl Doubt {
    /// Its word in metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Gap => "gap",
            Self::Epoch => "epoch",
            Self::Lagged => "lagged",
            Self::Interrupted => "interrupted",
            Self::Silence => "silence",
            Self::Unreadable => "unreadable",
            Self::Overflow => "overflow",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Following {
    own: (PublisherId, Epoch),
    /// Our own messages, as they come back.
    own_count: Count,
    /// When the newest of our own beats that came back was sent.
    own_sent_ms: Option<u64>,
    /// Beats that were sent up to then prove nothing: they may have waited somewhere since before the interruption.
    proves_after_ms: Option<u64>,
    others: HashMap<PublisherId, Other>,
}

#[derive(Debug)]
struct Other {
    epoch: Epoch,
    count: Count,
    heard_ms: u64,
    beat_at_ms: Option<u64>,
}

/// How far a publisher's numbers have been heard.
#[derive(Debug, Clone, Copy)]
struct Count {
    /// The last number; unknown after an interruption.
    seq: Option<u64>,
    /// Whether the last message was in order.
    sound: bool,
}

/// How a message fits a count.
enum Order {
    /// The one that was expected.
    Next,
    /// An earlier one, late or doubled.
    Late,
    /// That many numbers are missing.
    Missing(u64),
}

impl Count {
    fn take(&mut self, message: &Message) -> Order {
        let is_hint = matches!(message.word, Word::Hint(_));
        let Some(last) = self.seq else {
            *self = Self { seq: Some(message.seq), sound: true };
            return Order::Next;
        };
        let expected = if is_hint { last.saturating_add(1) } else { last };
        if message.seq < expected {
            return Order::Late;
        }
        self.seq = Some(message.seq);
        self.sound = message.seq == expected;
        if self.sound { Order::Next } else { Order::Missing(message.seq - expected) }
    }
}

/// What a message says about those that were not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Noticed {
    pub(super) doubt: Option<Doubt>,
    /// Numbers that are missing, where they can be counted.
    pub(super) missing: u64,
}

const NOTHING: Noticed = Noticed { doubt: None, missing: 0 };

impl Following {
    pub(super) fn new(publisher: PublisherId, epoch: Epoch) -> Self {
        Self {
            own: (publisher, epoch),
            own_count: Count { seq: None, sound: true },
            own_sent_ms: None,
            proves_after_ms: None,
            others: HashMap::new(),
        }
    }

    /// Whether we have said that ourselves.
    pub(super) fn is_own(&self, message: &Message) -> bool {
        (message.publisher, message.epoch) == self.own
    }

    /// Notes a message.
    pub(super) fn hear(&mut self, message: &Message, now_ms: u64) -> Noticed {
        if self.is_own(message) {
            return self.hear_own(message);
        }
        if self.others.len() >= MOST_PUBLISHERS && !self.others.contains_key(&message.publisher) {
            self.others.clear();
        }
        let known = self.others.get_mut(&message.publisher).filter(|other| other.epoch == message.epoch);
        let noticed = match known {
            Some(other) => other.hear(message, now_ms),
            None => self.meet(message, now_ms),
        };
        if message.word == Word::Leave {
            self.others.remove(&message.publisher);
        }
        noticed
    }

    fn hear_own(&mut self, message: &Message) -> Noticed {
        let order = self.own_count.take(message);
        if let Word::Beat { at_ms } = message.word
            && self.proves_after_ms.is_none_or(|after| at_ms > after)
        {
            self.own_sent_ms = self.own_sent_ms.max(Some(at_ms));
        }
        noticed(order)
    }

    /// A publisher, or a count of it, is heard for the first time.
    fn meet(&mut self, message: &Message, now_ms: u64) -> Noticed {
        let was_known = self.others.contains_key(&message.publisher);
        let first = u64::from(matches!(message.word, Word::Hint(_)));
        let from_the_beginning = message.seq == first && !was_known;
        let count = Count { seq: Some(message.seq), sound: from_the_beginning };
        let other = Other { epoch: message.epoch, count, heard_ms: now_ms, beat_at_ms: None };
        self.others.insert(message.publisher, other);
        if from_the_beginning { NOTHING } else { Noticed { doubt: Some(Doubt::Epoch), missing: 0 } }
    }

    /// Anything may have been missed up to now: everybody's count is learnt anew.
    pub(super) fn interrupted(&mut self, now_ms: u64) {
        self.own_sent_ms = None;
        self.proves_after_ms = Some(now_ms);
        self.own_count.seq = None;
        for other in self.others.values_mut() {
            other.count.seq = None;
        }
    }

    /// Forgets publishers that are gone.
    pub(super) fn forget_the_gone(&mut self, now_ms: u64) {
        self.others.retain(|_, other| other.heard_ms.saturating_add(GONE_AFTER_MS) > now_ms);
    }

    /// The moment until which memory may be trusted if nothing more is heard; zero for not now.
    pub(super) fn trusted_until_ms(&self) -> u64 {
        let Some(own_sent_ms) = self.own_sent_ms else { return 0 };
        let sound = self.own_count.sound && self.others.values().all(|other| other.count.sound);
        let oldest = self.others.values().map(|other| other.heard_ms).min().unwrap_or(u64::MAX).min(own_sent_ms);
        if sound { oldest.saturating_add(SILENT_AFTER_MS) } else { 0 }
    }
}

impl Other {
    fn hear(&mut self, message: &Message, now_ms: u64) -> Noticed {
        let order = self.count.take(message);
        let lives = match message.word {
            // A beat that was heard before, or overtaken, is no sign of life.
            Word::Beat { at_ms } => self.beat_at_ms.replace(at_ms.max(self.beat_at_ms.unwrap_or(0))) < Some(at_ms),
            Word::Hint(_) | Word::Leave => !matches!(order, Order::Late),
        };
        if lives {
            self.heard_ms = now_ms;
        }
        noticed(order)
    }
}

const fn noticed(order: Order) -> Noticed {
    match order {
        Order::Next | Order::Late => NOTHING,
        Order::Missing(missing) => Noticed { doubt: Some(Doubt::Gap), missing },
    }
}

#[cfg(test)]
mod tests {
    use kernel::Version;

    use super::{
        super::message::{Hint, KeyHash},
        *,
    };

    struct Somebody(PublisherId, Epoch);

    impl Somebody {
        fn new() -> Self {
            Self(PublisherId::unique(), Epoch::begin())
        }

        fn says(&self, seq: u64, word: Word) -> Message {
            Message { publisher: self.0, epoch: self.1, seq, word }
        }

        fn beats(&self, seq: u64, at_ms: u64) -> Message {
            self.says(seq, Word::Beat { at_ms })
        }

        fn hints(&self, seq: u64) -> Message {
            let hint = Hint { keyspace: "a".into(), key: KeyHash::of("k"), version: Version::FIRST };
            self.says(seq, Word::Hint(hint))
        }
    }

    /// We, who hear ourselves, and another publisher who was met at its beginning.
    fn two() -> (Following, Somebody, Somebody) {
        let (own, other) = (Somebody::new(), Somebody::new());
        let mut following = Following::new(own.0, own.1);
        assert_eq!(following.trusted_until_ms(), 0, "nobody is trusted before our own beat is back");
        assert_eq!(following.hear(&own.beats(0, 1_000), 1_001), NOTHING);
        assert_eq!(following.trusted_until_ms(), 4_000);
        assert_eq!(following.hear(&other.beats(0, 77), 1_500), NOTHING);
        (following, own, other)
    }

    const fn gap(missing: u64) -> Noticed {
        Noticed { doubt: Some(Doubt::Gap), missing }
    }

    #[test]
    fn numbers_in_order_are_trusted() {
        let (mut following, own, other) = two();
        for seq in 1..4 {
            assert_eq!(following.hear(&other.hints(seq), 1_600), NOTHING);
        }
        assert_eq!(following.hear(&other.beats(3, 1_077), 2_500), NOTHING);
        assert_eq!(following.hear(&own.beats(0, 2_000), 2_001), NOTHING);
        assert_eq!(following.trusted_until_ms(), 5_000);
    }

    #[test]
    fn a_missing_number_is_seen_by_the_next_hint_or_beat_and_order_heals() {
        for (next, missing) in [(2, 1), (5, 4)] {
            let (mut following, _, other) = two();
            assert_eq!(following.hear(&other.hints(next), 1_600), gap(missing));
            assert_eq!(following.trusted_until_ms(), 0);
            assert_eq!(following.hear(&other.hints(1), 1_700), NOTHING, "a late one is no doubt");
            assert_eq!(following.trusted_until_ms(), 0, "and heals nothing");
            assert_eq!(following.hear(&other.beats(next, 1_077), 1_800), NOTHING);
            assert_eq!(following.trusted_until_ms(), 4_000);
        }
        let (mut following, _, other) = two();
        assert_eq!(following.hear(&other.beats(2, 1_077), 1_600), gap(2));
        assert_eq!(following.trusted_until_ms(), 0);
    }

    #[test]
    fn doubled_messages_are_no_doubt_and_no_sign_of_life() {
        let (mut following, own, other) = two();
        following.hear(&own.beats(0, 9_000), 9_000);
        let before = following.trusted_until_ms();
        assert_eq!(following.hear(&other.hints(1), 2_000), NOTHING);
        for _ in 0..3 {
            assert_eq!(following.hear(&other.hints(1), 3_000), NOTHING);
        }
        assert_eq!((before, following.trusted_until_ms()), (4_500, 5_000));
        following.hear(&other.beats(1, 1_077), 3_500);
        following.hear(&other.beats(1, 1_077), 8_000);
        assert_eq!(following.trusted_until_ms(), 6_500);
    }

    #[test]
    fn whoever_counts_anew_or_was_not_heard_from_the_beginning_is_a_doubt() {
        let doubt = Noticed { doubt: Some(Doubt::Epoch), missing: 0 };
        let (mut following, _, other) = two();
        let again = Somebody(other.0, Epoch::begin());
        assert_eq!(following.hear(&again.beats(0, 5), 1_600), doubt);
        assert_eq!(following.trusted_until_ms(), 0);
        assert_eq!(following.hear(&again.hints(1), 1_700), NOTHING);
        assert_eq!(following.trusted_until_ms(), 4_000);
        let stranger = Somebody::new();
        assert_eq!(following.hear(&stranger.beats(7, 5), 1_800), doubt);
        let newcomer = Somebody::new();
        assert_eq!(following.hear(&newcomer.hints(1), 1_800), NOTHING);
    }

    #[test]
    fn a_beat_of_ours_that_was_long_on_its_way_proves_little() {
        let (mut following, own, _) = two();
        following.forget_the_gone(60_000);
        following.hear(&own.beats(0, 50_000), 52_900);
        assert_eq!(following.trusted_until_ms(), 53_000, "counted from when it was sent");
        following.hear(&own.beats(0, 49_000), 52_950);
        assert_eq!(following.trusted_until_ms(), 53_000, "and never backwards");
    }

    #[test]
    fn after_an_interruption_only_what_was_sent_later_counts() {
        let (mut following, own, other) = two();
        following.interrupted(1_700);
        assert_eq!(following.trusted_until_ms(), 0);
        following.hear(&own.beats(0, 1_650), 1_800);
        assert_eq!(following.trusted_until_ms(), 0, "it was on its way before");
        assert_eq!(following.hear(&other.hints(9), 1_900), NOTHING, "its count is learnt anew");
        following.hear(&own.beats(0, 2_000), 2_001);
        assert_eq!(following.trusted_until_ms(), 4_900);
        assert_eq!(following.hear(&other.hints(11), 2_002), gap(1));
    }

    #[test]
    fn silence_ends_trust_until_the_silent_are_gone_or_heard() {
        let (mut following, own, other) = two();
        for second in 2..=20 {
            following.hear(&own.beats(0, second * 1_000), second * 1_000);
            following.forget_the_gone(second * 1_000);
            let (now, until) = (second * 1_000, following.trusted_until_ms());
            assert_eq!(until > now, !(4_500..1_500 + GONE_AFTER_MS).contains(&now), "{now} {until}");
        }
        following.hear(&other.says(0, Word::Leave), 20_000);
        assert_eq!(following.trusted_until_ms(), 23_000, "whoever leaves is not waited for");
    }

    #[test]
    fn a_farewell_shows_what_is_missing() {
        let (mut following, _, other) = two();
        assert_eq!(following.hear(&other.says(2, Word::Leave), 1_600), gap(2));
        assert_eq!(following.trusted_until_ms(), 4_000, "and then nobody is missed");
    }

    #[test]
    fn a_crowd_is_counted_within_bounds() {
        let (mut following, ..) = two();
        for _ in 0..MOST_PUBLISHERS + 10 {
            following.hear(&Somebody::new().beats(0, 1), 1_600);
            assert!(following.others.len() <= MOST_PUBLISHERS);
        }
    }
}

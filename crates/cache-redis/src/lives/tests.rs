//! What is remembered, beside a server that is lost, flushed, restored and meddled with.

use bytes::Bytes;
use cache_engine::frame::{self, Content};
use cache_ports::catalog::keyspaces::OFFERING;
use kernel::Version;
use proptest::prelude::*;

use super::*;

const KEY: &str = "catalog:acme:publication:p:offering:o:en";
const HARD: Duration = Duration::from_secs(20);
/// From sending a fill to its being done.
const TRIP: Duration = Duration::from_millis(3);

fn frame(number: i64) -> Bytes {
    let life = frame::Life { soft: HARD / 2, hard: HARD };
    let (version, payload) = (Version::new(7), Some(&b"{}"[..]));
    let content = Content { keyspace: &OFFERING, key: KEY, version, life, generated_at_ms: number, payload };
    frame::write(&content).unwrap().into()
}

/// What lies in Redis.
#[derive(Debug, Clone)]
struct Lying {
    bytes: Bytes,
    /// When it was to end as it was filled.
    due: Instant,
    /// When it ends now that others have been at it.
    ends: Option<Instant>,
    /// Whether this process met it before others were at it.
    met: bool,
    meddled: bool,
}

struct World {
    now: Instant,
    lives: Lives,
    lying: Option<Lying>,
    /// What a replica that lags still has.
    older: Option<Lying>,
    filled: i64,
}

#[derive(Debug, Clone)]
enum Step {
    Pass(Duration),
    Fill { own: bool },
    FillTheSame,
    Read { there: Duration, back: Duration },
    Evict,
    Persist,
    Lengthen,
    FailOver,
}

fn step() -> impl Strategy<Value = Step> {
    let millis = |most: u64| (0..most).prop_map(Duration::from_millis);
    prop_oneof![
        4 => millis(90_000).prop_map(Step::Pass),
        4 => millis(9_000).prop_map(Step::Pass),
        2 => any::<bool>().prop_map(|own| Step::Fill { own }),
        1 => Just(Step::FillTheSame),
        8 => (millis(50), millis(50)).prop_map(|(there, back)| Step::Read { there, back }),
        1 => Just(Step::Evict),
        1 => Just(Step::Persist),
        1 => Just(Step::Lengthen),
        1 => Just(Step::FailOver),
    ]
}

impl World {
    fn new() -> Self {
        Self { now: Instant::now(), lives: Lives::new(), lying: None, older: None, filled: 0 }
    }

    /// What a question finds, and its life.
    fn lies(&mut self) -> Option<Stored> {
        let now = self.now;
        self.lying.take_if(|lying| lying.ends.is_some_and(|ends| ends <= now));
        let remaining = |lying: &Lying| lying.ends.map(|ends| ends - now);
        self.lying.as_ref().map(|lying| Stored { bytes: lying.bytes.clone(), remaining: remaining(lying) })
    }

    fn put(&mut self, bytes: Bytes, own: bool) {
        let due = self.now + HARD;
        // Of one key one fill is remembered: what this one takes the place of is a stranger when it comes back. Sent twice, a fill
        // can be told from itself by nobody, so the first one's end is as good as changed.
        let older = self.lying.take();
        self.older = older.map(|older| Lying { met: false, meddled: older.meddled || older.bytes == bytes, ..older });
        self.lying = Some(Lying { bytes, due, ends: Some(due), met: own, meddled: false });
    }

    /// As `reading::read` does it.
    fn read(&mut self, there: Duration, back: Duration) -> Option<Stored> {
        let slot = self.lives.slot(KEY);
        if let Some(known) = self.lives.known(slot) {
            self.now += there;
            let bytes = self.lies().map(|stored| stored.bytes);
            self.now += back;
            if let Told::All(stored) = self.lives.told(slot, &known, bytes, self.now) {
                return stored;
            }
        }
        let asked = self.now;
        self.now += there;
        let stored = self.lies();
        self.now += back;
        self.lives.learned(slot, stored, asked, self.now)
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Pass(time) => self.now += time,
            Step::Fill { own } => {
                self.filled += 1;
                let (asked, frame) = (self.now, frame(self.filled));
                self.now += TRIP;
                self.put(frame.clone(), own);
                if own {
                    self.lives.filled(self.lives.slot(KEY), &frame, asked, HARD);
                }
            }
            Step::FillTheSame => self.put(frame(self.filled), false),
            Step::Evict => self.lying = None,
            Step::Persist => self.meddle(None),
            Step::Lengthen => self.meddle(Some(self.now + 10 * HARD)),
            Step::FailOver => self.lying = self.older.take(),
            Step::Read { there, back } => self.check_read(there, back),
        }
    }

    fn meddle(&mut self, ends: Option<Instant>) {
        if self.lies().is_some()
            && let Some(lying) = &mut self.lying
        {
            (lying.ends, lying.meddled) = (ends, true);
        }
    }

    fn check_read(&mut self, there: Duration, back: Duration) {
        let found = self.read(there, back);
        let lying = self.lying.as_mut().filter(|lying| lying.ends.is_none_or(|ends| ends + back > self.now));
        let (Some(found), Some(lying)) = (&found, lying) else {
            assert_eq!(found, None, "what is empty is empty");
            return;
        };
        assert_eq!(found.bytes, lying.bytes);
        let left = lying.due.saturating_duration_since(self.now);
        if lying.met || !lying.meddled {
            assert!(found.remaining.is_none_or(|life| life <= left + back), "{:?} of {left:?}", found.remaining);
            assert!(lying.meddled || found.remaining.is_some());
        }
        lying.met |= !lying.meddled;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nothing_is_told_to_live_beyond_its_end(steps in prop::collection::vec(step(), 1..40)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
        }
    }
}

/// The world in which frame 1 was filled by another process and read once.
fn read_once() -> World {
    let mut world = World::new();
    world.take(Step::Fill { own: false });
    world.check_read(Duration::ZERO, Duration::ZERO);
    world
}

fn remaining(world: &mut World) -> Option<Duration> {
    world.read(Duration::ZERO, Duration::ZERO).expect("the server keeps it").remaining
}

#[test]
fn a_frame_that_redis_keeps_beyond_its_end_has_ended() {
    let mut world = read_once();
    world.take(Step::Lengthen);
    for _ in 0..90 {
        world.now += HARD / 10;
        let left = world.lying.as_ref().map(|lying| lying.due.saturating_duration_since(world.now));
        assert_eq!(remaining(&mut world), left, "also once its life has been asked anew");
    }
}

#[test]
fn a_life_that_was_taken_away_is_noticed_within_a_minute() {
    let mut world = read_once();
    world.take(Step::Persist);
    assert!(remaining(&mut world).is_some(), "until then the end that is known holds");
    world.now += BELIEVED;
    assert_eq!(remaining(&mut world), None);
}

#[test]
fn an_older_frame_that_came_back_has_its_own_end() {
    let mut world = read_once();
    world.now += HARD / 4;
    world.take(Step::Fill { own: true });
    assert_eq!(remaining(&mut world), Some(HARD.saturating_sub(TRIP)));
    world.take(Step::FailOver);
    assert_eq!(remaining(&mut world), Some((HARD * 3 / 4).saturating_sub(TRIP)));
}

#[test]
fn a_known_frame_needs_no_second_question() {
    let world = read_once();
    let slot = world.lives.slot(KEY);
    let known = world.lives.known(slot).expect("it was read");
    let told = world.lives.told(slot, &known, Some(frame(1)), world.now);
    assert!(matches!(told, Told::All(Some(_))), "{told:?}");
    assert_eq!(world.lives.told(slot, &known, Some(frame(2)), world.now), Told::Ask);
    let tombstone = frame::tombstone(Version::new(8));
    let told = world.lives.told(slot, &known, Some(Bytes::copy_from_slice(&tombstone)), world.now);
    assert_eq!(told, Told::Ask);
    assert_eq!(world.lives.told(slot, &known, None, world.now), Told::All(None));
    assert!(world.lives.known(slot).is_none(), "of an empty key nothing is remembered");
}

#[test]
fn no_more_keys_are_remembered_than_the_bound() {
    let (lives, now, frame) = (Lives::new(), Instant::now(), frame(1));
    for number in 0..2 * KEYS {
        lives.filled(lives.slot(&number.to_string()), &frame, now, HARD);
    }
    assert!((KEYS / 2..=KEYS).contains(&lives.known.len()), "{}", lives.known.len());
    assert!(size_of::<(u64, Known)>() <= 96);
}

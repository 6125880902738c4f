//! A lane: shard groups that are published together because they stand at the same cursor.

use std::time::Duration;

use tokio::time::Instant;

use super::{cursor::Cursor, reader::Rows};
use crate::{lease::Held, outbox::SHARDS};

/// Shard groups a relay's outbox is leased by. Frozen with `relay_cursor`.
pub(crate) const GROUPS: u8 = 8;

/// Shards in each group.
const SHARDS_PER_GROUP: u8 = SHARDS / GROUPS;

/// Shortest time between two stores of one cursor: a store per poll would itself bloat the table. A crash publishes at
/// most this much again.
const STORE_EVERY: Duration = Duration::from_millis(250);

/// Groups with one cursor. Groups taken over at different times begin as lanes of their own and merge once they have
/// caught up, so that the steady state is one query a poll.
#[derive(Debug)]
pub(crate) struct Lane {
    pub groups: Vec<Held>,
    pub cursor: Cursor,
    /// The shards of `groups`, for the query.
    pub shards: Vec<i16>,
    /// The page at `cursor` of these shards, where it was read already.
    pub ahead: Option<Rows>,
    stored: Instant,
    /// Something was published since the cursor was stored.
    published: bool,
}

impl Lane {
    /// One group at the cursor it was claimed with.
    pub fn claimed(group: Held, cursor: Cursor) -> Self {
        let shards = shards_of(group.slot).collect();
        Self { groups: vec![group], cursor, shards, ahead: None, stored: Instant::now(), published: false }
    }

    /// So many rows before `cursor` were published, and what follows may have been read.
    pub fn advance(&mut self, cursor: Cursor, rows: usize, ahead: Option<Rows>) {
        self.cursor = cursor;
        self.ahead = ahead;
        self.published |= rows > 0;
    }

    /// When the cursor should be stored; `None` while there is nothing worth storing.
    pub fn store_at(&self) -> Option<Instant> {
        self.published.then(|| self.stored + STORE_EVERY)
    }

    /// Whether the cursor should be stored now.
    pub fn store_due(&self) -> bool {
        self.store_at().is_some_and(|at| at <= Instant::now())
    }

    /// The cursor was stored.
    pub fn stored(&mut self) {
        self.stored = Instant::now();
        self.published = false;
    }
}

/// Joins lanes whose cursors are equal.
pub(crate) fn merge(lanes: &mut Vec<Lane>) {
    let mut merged: Vec<Lane> = Vec::with_capacity(lanes.len());
    for lane in lanes.drain(..) {
        match merged.iter_mut().find(|other| other.cursor == lane.cursor) {
            Some(other) => {
                other.groups.extend(lane.groups);
                other.shards.extend(lane.shards);
                other.ahead = None;
                other.stored = other.stored.min(lane.stored);
                other.published |= lane.published;
            }
            None => merged.push(lane),
        }
    }
    *lanes = merged;
}

/// Takes groups that were lost out of their lanes.
pub(crate) fn remove(lanes: &mut Vec<Lane>, lost: &[Held]) {
    for lane in lanes.iter_mut() {
        lane.groups.retain(|group| !lost.iter().any(|gone| gone.slot == group.slot));
        lane.shards = lane.groups.iter().flat_map(|group| shards_of(group.slot)).collect();
        lane.ahead = None;
    }
    lanes.retain(|lane| !lane.groups.is_empty());
}

fn shards_of(group: i32) -> impl Iterator<Item = i16> {
    let width = i16::from(SHARDS_PER_GROUP);
    let first = i16::try_from(group).unwrap_or_default() * width;
    first..first + width
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(group: i32) -> Lane {
        Lane::claimed(Held { slot: group, term: 1 }, Cursor::start())
    }

    fn at(snapshot: &str) -> Cursor {
        Cursor { from: snapshot.parse().unwrap(), page: None }
    }

    fn nothing() -> Rows {
        Rows { rows: Vec::new(), cut: false }
    }

    #[test]
    fn what_was_read_ahead_is_of_these_shards_or_forgotten() {
        let mut lanes = vec![lane(0), lane(1)];
        lanes[0].advance(at("8:8:"), 1, Some(nothing()));
        lanes[1].advance(at("9:9:"), 1, Some(nothing()));
        merge(&mut lanes);
        assert!(lanes.iter().all(|lane| lane.ahead.is_some()), "each is alone");
        lanes[0].advance(at("9:9:"), 1, Some(nothing()));
        merge(&mut lanes);
        assert!(lanes[0].ahead.is_none(), "the page of one is not that of both");
        lanes[0].advance(at("9:9:"), 1, Some(nothing()));
        remove(&mut lanes, &[Held { slot: 0, term: 1 }]);
        assert!(lanes[0].ahead.is_none(), "it may hold rows of a shard that is somebody else's now");
    }

    #[test]
    fn the_groups_cover_every_shard_once() {
        let mut shards: Vec<i16> = (0..i32::from(GROUPS)).flat_map(shards_of).collect();
        shards.sort_unstable();
        assert_eq!(shards, (0..i16::from(SHARDS)).collect::<Vec<_>>());
    }

    #[test]
    fn lanes_merge_when_they_stand_at_the_same_place_and_not_before() {
        let mut lanes = vec![lane(0), lane(1), lane(2)];
        let within = lanes[2].cursor.moved("5:5:".parse().unwrap(), Some(9));
        lanes[2].advance(within, 1, None);
        merge(&mut lanes);
        assert_eq!(lanes.iter().map(|lane| lane.groups.len()).collect::<Vec<_>>(), [2, 1]);
        lanes[0].advance(at("8:8:"), 0, None);
        lanes[1].advance(at("8:8:"), 3, None);
        merge(&mut lanes);
        assert_eq!((lanes.len(), lanes[0].shards.len()), (1, 24));
        assert!(lanes[0].store_at().is_some(), "what one lane published must still be stored");
    }

    #[test]
    fn a_lost_group_takes_its_shards_along() {
        let mut lanes = vec![lane(0), lane(1)];
        merge(&mut lanes);
        remove(&mut lanes, &[Held { slot: 0, term: 1 }]);
        assert_eq!(lanes[0].shards, (8..16).collect::<Vec<i16>>());
        remove(&mut lanes, &[Held { slot: 1, term: 1 }]);
        assert!(lanes.is_empty());
    }
}

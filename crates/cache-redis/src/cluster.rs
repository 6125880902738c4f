//! What is different where the keys are spread over several servers.
//!
//! Owns which keys may travel in one command, and to which server a script is given. The client library follows the
//! redirections of keys that moved. Must never decide in which slot a key lies: its keyspace has declared that.

use std::collections::BTreeMap;

use fred::{
    clients::{Client, WithOptions},
    error::Error,
    interfaces::ClientLike,
    types::{ClusterHash, CustomCommand, Value},
    util::redis_keyslot,
};

/// How often one command follows a key that moved.
pub(crate) const REDIRECTIONS: u32 = 3;

/// The positions of `keys`, those of one slot together: a cluster refuses a command whose keys lie apart.
pub(crate) fn by_slot<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (position, key) in keys.enumerate() {
        groups.entry(redis_keyslot(key.as_bytes())).or_default().push(position);
    }
    groups.into_values().collect()
}

/// Gives a script to the server that holds `key`: each server of a cluster remembers scripts of its own, and one that was
/// added or promoted a moment ago remembers none.
pub(crate) async fn load_script(client: &WithOptions<Client>, text: &str, key: &str) -> Result<(), Error> {
    let slot = ClusterHash::Custom(redis_keyslot(key.as_bytes()));
    let command = CustomCommand::new_static("SCRIPT", slot, false);
    client.custom::<Value, Value>(command, vec!["LOAD".into(), text.into()]).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_one_tag_travel_together_and_no_position_is_lost() {
        let keys = ["rate:{acme}:a", "catalog:acme:1", "rate:{acme}:b", "catalog:acme:2", "rate:{acme}:c"];
        let groups = by_slot(keys.into_iter());
        assert!(groups.contains(&vec![0, 2, 4]), "{groups:?}");
        let mut positions: Vec<usize> = groups.into_iter().flatten().collect();
        positions.sort_unstable();
        assert_eq!(positions, [0, 1, 2, 3, 4]);
    }
}

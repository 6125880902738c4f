//! What the registry knows: a key, whose it is, and who may touch it. `cargo run -p cache-ports --example one_keyspace`
//!
//! Owns nothing. Nothing is connected and nothing is cached here: the registry alone says all of it.

use std::{error::Error, time::Duration};

use cache_ports::{
    RateAlgorithm, RateCheck, RateDimension, RatePolicy, coordination::keyspaces::rate_key,
    pricing::keyspaces::price_book_key, registry,
};
use kernel::{PriceBookId, TenantId, Version};

fn main() -> Result<(), Box<dyn Error>> {
    let tenant: TenantId = "acme".parse()?;
    let key = price_book_key(&tenant, PriceBookId::generate(), Version::new(7)).text();
    let keyspace = registry::keyspace_of(&key).ok_or("every key belongs to a keyspace")?;
    println!("{key}\n  is of the keyspace    {}", keyspace.name);
    println!("  lives at most         {:?}", keyspace.ttl.hard);
    println!("  is right without it:  {}", keyspace.correctness);

    let policy = RatePolicy::new("searches", RateAlgorithm::Gcra, 5, Duration::from_secs(1));
    // What a client sends can neither leave its segment nor widen a pattern; braces stand around the tenant only.
    let dimensions = [RateDimension::Client];
    let check = RateCheck { policy: &policy, dimensions: &dimensions, actor: "*:{other}", route: "GET /x" };
    println!("{}", rate_key(&tenant, &check, &RateDimension::words(&dimensions), "w").text());

    let acl = registry::users_acl("");
    let user = acl.lines().find(|line| line.starts_with("user quoin-pricing-content ")).ok_or("pricing has a user")?;
    println!("{user}");
    Ok(())
}

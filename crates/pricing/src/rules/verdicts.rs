//! What a verdict says about evidence of another engine, and about evidence that was rewritten with all its hashes.

use kernel::{ContentHash, Money, PriceResultId, QuoteId, Rounding};
use uuid::Uuid;

use super::{
    evidence::{InputSnapshot, Link, LinkInPlace, SealContent, StoredPrice, Verdict, chain_hash, result_hash, verdict},
    golden::{book, item, noon, number, off, request, simple},
    price,
};
use crate::model::{ENGINE_VERSION, Priced};

/// A price as `engine` would have sealed it, had it answered what `change` makes of today's answer; every hash fits.
fn sealed(engine: &str, change: impl FnOnce(&mut Priced)) -> StoredPrice {
    let (asked, terms, entries) =
        (request("EUR", vec![item(1, "3", Some(off("25")))]), book("EUR", Rounding::HalfUp), [simple(1, "19.99")]);
    let mut priced = price(&asked, &terms, &entries, noon()).unwrap();
    change(&mut priced);
    let input = InputSnapshot::take(asked, terms, &entries, noon()).unwrap();
    let seal = SealContent {
        tenant: "acme".parse().unwrap(),
        price_result_id: PriceResultId::from(Uuid::from_u128(1)),
        quote_id: QuoteId::from(Uuid::from_u128(2)),
        revision_no: 1,
        priced_at: noon(),
        sealed_by: "ann".to_owned(),
        engine_version: engine.to_owned(),
        input_hash: ContentHash::of_json(&input).unwrap(),
        result_hash: result_hash(&priced).unwrap(),
    };
    let (seal_hash, previous_hash) = (ContentHash::of_json(&seal).unwrap(), ContentHash::from([0; 32]));
    let link = Link { seal_hash, previous_hash, chain_hash: chain_hash(previous_hash, seal_hash) };
    let place = LinkInPlace { link, hash_before: Some(previous_hash), hash_after: Some(link.chain_hash) };
    StoredPrice { seal, input, priced, link: Some(place) }
}

fn judge(stored: &StoredPrice) -> Verdict {
    verdict(stored, &[simple(1, "19.99")]).unwrap()
}

/// A result as an engine that rounds down would have given it.
fn rounded_down(priced: &mut Priced) {
    let item = &mut priced.components[0].item;
    item.amount = Money::new(number("44.97"), item.amount.currency()).unwrap();
    priced.components[0].steps[2].output = number("44.97");
}

#[test]
fn what_today_s_engine_gives_again_matches_whoever_sealed_it() {
    assert_eq!(judge(&sealed(ENGINE_VERSION, |_| ())), Verdict::Match);
    assert_eq!(judge(&sealed("quoin-pricing/0", |_| ())), Verdict::Match);
}

#[test]
fn another_engine_s_intact_result_is_explained_and_not_accused() {
    let Verdict::EngineDiffers(difference) = judge(&sealed("quoin-pricing/0", rounded_down)) else {
        panic!("the engines differ")
    };
    assert_eq!((difference.step, difference.position), (12, Some(0)));
    assert!(difference.stored.contains("44.97") && difference.replayed.contains("44.98"), "{difference:?}");
}

#[test]
fn this_engine_s_result_rewritten_with_all_its_hashes_is_still_found() {
    let Verdict::Tampered(difference) = judge(&sealed(ENGINE_VERSION, rounded_down)) else {
        panic!("this engine never answered that")
    };
    assert_eq!(difference.step, 12);
}

#[test]
fn a_broken_result_of_another_engine_is_tampered_with() {
    let mut stored = sealed("quoin-pricing/0", |_| ());
    rounded_down(&mut stored.priced);
    assert!(matches!(judge(&stored), Verdict::Tampered(difference) if difference.step == 12));
}

//! The registry is coherent, and its keys can neither collide nor stray.

use std::collections::HashSet;

use cache_ports::{
    LockKey, RateAlgorithm, RateCheck, RateDimension, RatePolicy, UserKey,
    access::keyspaces as access,
    catalog::keyspaces as catalog,
    coordination::keyspaces as coordination,
    counters::{LiveCount, keyspaces as counters},
    draft::{DraftOwner, keyspaces as draft},
    eligibility::{Asked, keyspaces as eligibility},
    inventory::keyspaces as inventory,
    key::{self, Key, MAX_PACKED_BYTES, MAX_TEXT_BYTES, Reading, Scope},
    keyspace::{Coherence, DimensionKind, Keyspace, Slot},
    order::keyspaces as order,
    pricing::keyspaces as pricing,
    quote::keyspaces as quote,
    registry,
    streams::keyspaces as streams,
};
use kernel::{ContentHash, TenantId, Version};
use proptest::prelude::*;
use uuid::Uuid;

#[test]
fn names_and_templates_are_unique() {
    let names: HashSet<_> = registry::all().map(|keyspace| keyspace.name).collect();
    let templates: HashSet<_> = registry::all().map(|keyspace| keyspace.template).collect();
    let count = registry::all().count();
    assert_eq!((names.len(), templates.len()), (count, count));
}

#[test]
fn a_template_names_its_dimensions_in_order_and_nothing_else_in_braces() {
    for keyspace in registry::all() {
        let mut named = Vec::new();
        for segment in keyspace.template.split(':') {
            let Some((literal, rest)) = segment.split_once('{') else { continue };
            let (name, after) = rest.split_once('}').expect("a brace closes in its segment");
            assert!(after.is_empty(), "{}: a dimension ends its segment", keyspace.name);
            assert!(literal.bytes().all(|b| b.is_ascii_lowercase()), "{}", keyspace.name);
            named.push(name);
        }
        let declared: Vec<_> = keyspace.dimensions.iter().map(|dimension| dimension.name).collect();
        assert_eq!(named, declared, "{}", keyspace.name);
    }
}

#[test]
fn every_immutable_key_names_what_makes_it_immutable() {
    let fixes_content = |keyspace: &Keyspace| {
        keyspace.dimensions.iter().any(|dimension| {
            matches!(dimension.kind, DimensionKind::Hash)
                || ["publicationId", "version", "priceResultId"].contains(&dimension.name)
        })
    };
    for keyspace in registry::all().filter(|keyspace| keyspace.coherence == Coherence::Versioned) {
        assert!(fixes_content(keyspace), "{}", keyspace.name);
    }
}

#[test]
fn a_loaded_key_fits_its_packed_form() {
    let widest = |kind: DimensionKind| match kind {
        DimensionKind::Tenant => 1 + TenantId::MAX_LEN,
        DimensionKind::Id => 16,
        DimensionKind::Number => 8,
        DimensionKind::Hash => 32,
        DimensionKind::Text => 1 + MAX_TEXT_BYTES,
    };
    for keyspace in registry::all().filter(|keyspace| keyspace.loading.is_some()) {
        let bytes: usize = keyspace.dimensions.iter().map(|dimension| widest(dimension.kind)).sum();
        assert!(bytes <= MAX_PACKED_BYTES, "{} needs {bytes}", keyspace.name);
    }
}

/// Every answer of the design review reaches the document, and every keyspace its own section.
#[test]
fn the_document_answers_twenty_questions_for_each_keyspace() {
    let document = registry::keyspaces_markdown();
    for keyspace in registry::all() {
        let section = document.split(&format!("\n## {}\n", keyspace.name)).nth(1).expect(keyspace.name);
        let section = section.split("\n## ").next().unwrap();
        assert_eq!(section.lines().filter(|line| line.starts_with("| ")).count() - 1, 20, "{}", keyspace.name);
        assert!(section.contains(keyspace.correctness));
    }
}

#[test]
fn access_is_by_owner_and_never_to_everything() {
    let acl = registry::users_acl("q:");
    let user =
        |name: &str| acl.lines().find(|line| line.starts_with(&format!("user {name} "))).expect("the user exists");
    assert!(user("quoin-catalog-content").contains("%RW~q:catalog:*:publication:*:offering:*:*"));
    assert!(!user("quoin-pricing-content").contains("~q:catalog:"));
    // It connects, because every process connects every pool, and reaches nothing.
    let idle = user("quoin-order-preview");
    assert!(!idle.contains('~') && !idle.contains('&') && !idle.contains("+get") && !idle.contains("+set"), "{idle}");
    assert!(acl.contains("user default off"));
    assert!(user("quoin-order-hints").contains(" &q:hints "));
    assert!(!user("quoin-order-content").contains('&') && !user("quoin-order-content").contains("+publish"));
    for line in acl.lines().filter(|line| line.starts_with("user quoin-")) {
        for forbidden in [
            "~*",
            "+@all",
            "+eval ",
            "+flushall",
            "+keys",
            "+config",
            "+debug",
            "allkeys",
            "nopass",
            "allchannels",
            "&* ",
        ] {
            assert!(!format!("{line} ").contains(forbidden), "{forbidden} in {line}");
        }
    }
}

/// Walking over keys and removing them is granted where there is something to audit, and nowhere else.
#[test]
fn only_those_who_audit_may_walk_and_only_those_who_sweep_may_measure() {
    let acl = registry::users_acl("q:");
    let may = |user: &str, command: &str| {
        let line = acl.lines().find(|line| line.starts_with(&format!("user {user} "))).expect("the user exists");
        line.split(' ').any(|word| word == command)
    };
    for service in ["catalog", "pricing", "quote", "order", "inventory"] {
        assert!(
            may(&format!("quoin-{service}-content"), "+scan") && may(&format!("quoin-{service}-content"), "+unlink")
        );
        assert!(may(&format!("quoin-{service}-coordination"), "+scan"));
        for command in ["+scan", "+unlink", "+strlen", "+getrange"] {
            assert!(!may(&format!("quoin-{service}-rate-limit"), command), "{service} {command}");
        }
    }
    assert!(may("quoin-inventory-content", "+strlen") && may("quoin-pricing-content", "+strlen"));
    assert!(!may("quoin-quote-content", "+strlen") && !may("quoin-inventory-coordination", "+strlen"));
}

/// Texts that try to escape from their segment.
fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9._-]{0,12}",
        "[:{}*?\\[\\]~% \\n\\\\a-c]{0,12}",
        "\\PC{0,12}",
        Just("~".to_owned() + &"0".repeat(64)),
        "[a:]{60,140}",
    ]
}

fn tenant() -> impl Strategy<Value = TenantId> {
    prop_oneof!["[a-z0-9]{1,3}", "[a-z0-9][a-z0-9-]{0,61}[a-z0-9]"].prop_map(|text| text.parse().expect("a tenant"))
}

fn id() -> impl Strategy<Value = Uuid> {
    prop_oneof![any::<u128>(), 0_u128..3].prop_map(Uuid::from_u128)
}

fn hash() -> impl Strategy<Value = ContentHash> {
    prop_oneof![any::<u8>().prop_map(|b| [b; 32]), any::<[u8; 32]>()].prop_map(ContentHash::from)
}

/// All that a key of any keyspace can be made from.
#[derive(Debug, Clone, PartialEq)]
struct Ingredients {
    tenant: TenantId,
    ids: [Uuid; 2],
    number: u32,
    hashes: [ContentHash; 2],
    texts: [String; 3],
}

fn ingredients() -> impl Strategy<Value = Ingredients> {
    (
        tenant(),
        [id(), id()],
        prop_oneof![any::<u32>(), 0_u32..12],
        [hash(), hash()],
        [hostile_text(), hostile_text(), hostile_text()],
    )
        .prop_map(|(tenant, ids, number, hashes, texts)| Ingredients { tenant, ids, number, hashes, texts })
}

fn policy() -> RatePolicy {
    RatePolicy::new("p", RateAlgorithm::Gcra, 1, std::time::Duration::from_secs(1))
}

/// Reading a key gives what it was built from; text too long for a key is said to be hashed.
fn reads_back(key: &Key<'_>, from: &Ingredients) {
    let text = key.text();
    match key::read(key.keyspace(), &text) {
        Some(Reading::Whole(read)) => assert_eq!(read.key(), *key, "{text}"),
        Some(Reading::Hashed { dimension }) => {
            assert!(from.texts.iter().any(|text| text.len() > MAX_TEXT_BYTES), "{text} hides {dimension}");
        }
        None => panic!("{text} is not read back"),
    }
    let scope = |tenant| Scope { keyspace: key.keyspace(), tenant };
    let other = "somebody-else-entirely".parse().expect("a tenant");
    assert!(scope(None).covers(&text) && scope(Some(&from.tenant)).covers(&text), "{text}");
    assert!(!scope(Some(&other)).covers(&text), "{text}");
}

#[test]
fn what_no_builder_writes_is_no_key() {
    let tenant: TenantId = "acme".parse().expect("a tenant");
    let (publication, offering) = (Uuid::from_u128(1).into(), Uuid::from_u128(2).into());
    let sound = catalog::offering_key(&tenant, publication, offering, "e n").text();
    assert!(key::belongs_to(&catalog::OFFERING, &sound) && sound.ends_with(":e%20n"), "{sound}");
    for (from, to) in [
        ("e%20n", "e%2"),
        ("e%20n", "e%2en"),
        ("e%20n", "%65n"),
        ("e%20n", "e n"),
        ("e%20n", "~ab"),
        ("e%20n", "%FF"),
        ("e%20n", &*"a".repeat(MAX_TEXT_BYTES + 1)),
        ("e%20n", "en:x"),
        (":e%20n", ""),
        ("acme", "Acme"),
        ("acme", "{acme}"),
        ("-000000000002", "000000000002"),
        ("catalog:", "catalogue:"),
    ] {
        let other = sound.replace(from, to);
        assert!(other != sound && key::read(&catalog::OFFERING, &other).is_none(), "{other}");
    }
    let numbered = order::order_summary_key(&tenant, Uuid::from_u128(1).into(), Version::new(7)).text();
    for (from, to) in [("version:7", "version:07"), ("version:7", "version:+7"), ("version:7", "version:")] {
        assert!(key::read(&order::ORDER_SUMMARY, &numbered.replace(from, to)).is_none(), "{to}");
    }
}

#[test]
fn a_pattern_of_one_tenant_names_it_where_the_keys_do() {
    let tenant: TenantId = "acme".parse().expect("a tenant");
    let pattern = |keyspace| Scope { keyspace, tenant: Some(&tenant) }.pattern();
    assert_eq!(pattern(&inventory::STOCK_ITEM), "inventory:acme:product:*:v*");
    assert_eq!(pattern(&coordination::RATE), "rate:{acme}:*:*:route:*:window:*");
    assert_eq!(pattern(&catalog::ACTIVE_PUBLICATION), "catalog-index:acme:active-publication");
}

/// Exactly the keyspaces of which docs and specification say that superseded versions are swept.
#[test]
fn the_versions_of_stock_price_books_and_orders_are_left_behind() {
    let left: Vec<&str> = registry::all().filter(|k| k.numbered_by().is_some()).map(|k| k.name).collect();
    assert_eq!(left, ["price book", "order summary", "inventory item"]);
}

/// One key of every keyspace: its text, and what it was made from (as text, joined so that distinct inputs differ).
fn texts(from: &Ingredients) -> Vec<(&'static str, String, String, Option<Vec<u8>>)> {
    let Ingredients { tenant, ids: [a, b], number, hashes: [h, g], texts: [actor, route, window] } = from;
    let version = Version::new(u64::from(*number));
    let shard = u16::try_from(*number % 12).expect("a small number");
    let policy = policy();
    let check = RateCheck { policy: &policy, dimensions: &[RateDimension::User], actor, route };
    let asked = Asked { policy: version, customer: (*a).into(), customer_version: version };
    let owner = DraftOwner { user: UserKey::from(*h), quote: (*a).into() };
    let warm = LockKey::CacheWarm { tenant: tenant.clone(), key_hash: *h };
    let preview = LockKey::QuotePreview { tenant: tenant.clone(), quote: (*a).into(), config_hash: *h };
    let describe = |key: Key<'_>, of: String| {
        reads_back(&key, from);
        let packed = key.keyspace().loading.map(|_| key.packed().as_slice().to_vec());
        (key.keyspace().name, key.text(), of, packed)
    };
    vec![
        describe(catalog::offering_key(tenant, (*a).into(), (*b).into(), actor), format!("{tenant:?}{a}{b}{actor:?}")),
        describe(catalog::missing_offering_key(tenant, (*a).into(), (*b).into()), format!("{tenant:?}{a}{b}")),
        describe(catalog::active_publication_key(tenant), format!("{tenant:?}")),
        describe(catalog::search_page_key(tenant, (*a).into(), *h), format!("{tenant:?}{a}{h}")),
        describe(draft::quote_draft_key(tenant, &owner), format!("{tenant:?}{h}{a}")),
        describe(eligibility::eligible_key(tenant, &asked, (*b).into()), format!("{tenant:?}{version} {a}{b}")),
        describe(eligibility::not_eligible_key(tenant, &asked, (*b).into()), format!("{tenant:?}{version} {a}{b}")),
        describe(eligibility::active_policy_key(tenant), format!("{tenant:?}")),
        describe(eligibility::customer_version_key(tenant, (*a).into()), format!("{tenant:?}{a}")),
        describe(access::access_profile_key(tenant, &UserKey::from(*h), version), format!("{tenant:?}{h}{version}")),
        describe(access::active_access_policy_key(tenant), format!("{tenant:?}")),
        describe(pricing::price_book_key(tenant, (*a).into(), version), format!("{tenant:?}{a}{version}")),
        describe(pricing::price_book_version_key(tenant, (*a).into()), format!("{tenant:?}{a}")),
        describe(pricing::preview_key(tenant, (*a).into(), *h, *g), format!("{tenant:?}{a}{h}{g}")),
        describe(
            pricing::final_price_key(tenant, (*a).into(), *number, (*b).into()),
            format!("{tenant:?}{a}{number} {b}"),
        ),
        describe(quote::quote_summary_key(tenant, (*a).into(), *number), format!("{tenant:?}{a}{number}")),
        describe(order::order_summary_key(tenant, (*a).into(), version), format!("{tenant:?}{a}{version}")),
        describe(order::workflow_summary_key(tenant, (*a).into()), format!("{tenant:?}{a}")),
        describe(inventory::stock_item_key(tenant, (*a).into(), version), format!("{tenant:?}{a}{version}")),
        describe(inventory::stock_version_key(tenant, (*a).into()), format!("{tenant:?}{a}")),
        describe(coordination::idempotency_key(tenant, route, *h), format!("{tenant:?}{route:?}{h}")),
        describe(
            coordination::rate_key(tenant, &check, "user", window),
            format!("{tenant:?}{actor:?}{route:?}{window:?}"),
        ),
        describe(coordination::lock_key(&warm), format!("{tenant:?}{h}")),
        describe(coordination::lock_key(&preview), format!("{tenant:?}{a}{h}")),
        describe(
            counters::live_counter_key(tenant, LiveCount::OfferingViews, *a, shard),
            format!("{tenant:?}{a}{shard}"),
        ),
        describe(streams::warm_queue_key(tenant), format!("{tenant:?}")),
        describe(streams::ui_notices_key(tenant, &UserKey::of(tenant, actor)), format!("{tenant:?}{actor:?}")),
        describe(counters::most_counted_key(tenant, LiveCount::OfferingViews), format!("{tenant:?}")),
    ]
}

proptest! {
    #[test]
    fn a_key_matches_its_own_template_and_no_other(from in ingredients()) {
        let made = texts(&from);
        prop_assert_eq!(made.len(), registry::all().count(), "every keyspace has a builder here");
        for (name, text, _, _) in made {
            let matching: Vec<_> = registry::all().filter(|k| key::belongs_to(k, &text)).map(|k| k.name).collect();
            prop_assert_eq!(matching, vec![name], "{}", text);
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"*?[]\\".contains(&b)), "{}", text);
        }
    }

    /// In a cluster braces decide where a key lies: a stray pair would gather keys of all tenants on one server.
    #[test]
    fn no_key_has_braces_but_the_declared_tag(from in ingredients()) {
        for (name, text, _, _) in texts(&from) {
            let keyspace = registry::all().find(|keyspace| keyspace.name == name).expect("it is declared");
            let tag = format!("{{{}}}", from.tenant.as_str());
            let rest = match keyspace.slot {
                Slot::ByKey => text.clone(),
                Slot::ByTenant => {
                    prop_assert_eq!(text.matches(&tag).count(), 1, "{}", text);
                    text.replace(&tag, "")
                }
            };
            prop_assert!(!rest.contains(['{', '}']), "{}", text);
        }
    }

    #[test]
    fn distinct_values_make_distinct_keys(one in ingredients(), other in ingredients()) {
        for (left, right) in texts(&one).into_iter().zip(texts(&other)) {
            prop_assert_eq!(left.1 == right.1, left.2 == right.2, "{} / {}", left.1, right.1);
            prop_assert_eq!(left.3 == right.3 || left.3.is_none(), left.2 == right.2 || left.3.is_none());
        }
    }

    #[test]
    fn text_cannot_leave_its_segment(one in hostile_text(), other in hostile_text(), tenant in tenant()) {
        let policy = policy();
        let make = |actor: &str, route: &str| {
            let check = RateCheck { policy: &policy, dimensions: &[RateDimension::User], actor, route };
            coordination::rate_key(&tenant, &check, "user", "w").text()
        };
        prop_assert_eq!(make(&one, &other) == make(&other, &one), one == other);
    }
}

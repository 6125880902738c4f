//! Which addresses a callback may have: those anybody on the internet can reach, and no other.
//!
//! A callback is a request that a stranger lets us send. To an address inside our own network it would be a way past every
//! door: so whatever is not plainly public is refused (the special-purpose registries of RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether this is the address of somebody on the internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let octets = address.octets();
    // This network, this machine, private, link-local; between a provider and its customers (RFC 6598).
    let inside = matches!(
        octets,
        [0 | 10 | 127, ..] | [172, 16..=31, ..] | [192, 168, ..] | [169, 254, ..] | [100, 64..=127, ..]
    );
    // Protocol assignments, documentation, the old relay to IPv6, benchmarks.
    let set_aside = matches!(
        octets,
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] | [198, 18..=19, ..]
    );
    // Multicast, reserved, broadcast.
    let nobodys = octets[0] >= 224;
    !(inside || set_aside || nobodys)
}

/// Only 2000::/3 is given to anybody. Of it, what carries an IPv4 address inside or is for documentation is left out; an
/// IPv4 address written as IPv6 lies outside.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let given = matches!(segments[0], 0x2000..=0x3fff);
    // Protocol assignments with Teredo and ORCHID; 6to4.
    let tunnel = matches!(segments, [0x2001, 0..=0x01ff, ..] | [0x2002, ..]);
    let documentation = matches!(segments, [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..]);
    given && !tunnel && !documentation
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_public_addresses_pass() {
        let refused = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.8.8.8",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:1f::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for address in refused {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let let_in = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.1",
            "169.253.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.1.1",
            "198.20.0.1",
            "203.0.112.1",
            "223.255.255.255",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00::1",
        ];
        for address in let_in {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    proptest! {
        #[test]
        fn what_the_standard_library_knows_to_be_special_is_refused(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_multicast() || address.is_unspecified() || address.is_broadcast() || address.is_documentation();
            prop_assert!(!(special && is_public(address.into())));
        }

        #[test]
        fn an_ipv4_address_in_the_clothes_of_ipv6_is_refused(bits in any::<u32>()) {
            let address = Ipv4Addr::from(bits);
            prop_assert!(!is_public(address.to_ipv6_mapped().into()));
            prop_assert!(!is_public(address.to_ipv6_compatible().into()));
        }
    }
}

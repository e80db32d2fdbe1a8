//! Addresses of callers, and the networks by which they are counted.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Limit of the networks that are remembered, about a megabyte of memory. Above it, networks that use nothing are
/// forgotten.
pub(crate) const MAX_NETWORKS: usize = 16_384;

/// Returns the network that counts as one caller: an IPv4 address, or the /64 of an IPv6 address, because one household
/// has all of it.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Returns true for an address of the platform's inner network, where the edge is.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // Clouds number their nodes with 100.64.0.0/10 (RFC 6598).
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Parses an address, with or without a port.
pub(crate) fn parse_address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_addresses_of_one_network_count_as_one_caller() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
    }

    #[test]
    fn private_addresses_are_known_by_their_ranges() {
        for (address, want) in [
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("172.16.0.1", true),
            ("fd00::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_private(address.parse().unwrap()), want, "{address}");
        }
    }
}

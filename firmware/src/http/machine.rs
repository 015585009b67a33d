//! The names and addresses by which clients reach this machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sysinfo::Networks;

/// The most addresses of a machine.
const MAX_ADDRESSES: usize = 16;
/// The kernel's table of IPv6 addresses.
const IPV6_ADDRESSES: &str = "/proc/self/net/if_inet6";
/// The flag of a temporary address in that table (`IFA_F_TEMPORARY`).
const TEMPORARY: u8 = 0x01;

/// The names and addresses by which clients reach this machine.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) names: Vec<String>,
    pub(crate) addresses: Vec<IpAddr>,
}

impl Machine {
    /// This machine with these names, some of which may be addresses, and its present IPv4 addresses. It may have many
    /// IPv6 addresses; those that clients use are [added](Self::add).
    pub(crate) fn this(names: &[String]) -> Self {
        let mut machine = Self {
            names: Vec::new(),
            addresses: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        };
        for name in names {
            let name = name.to_ascii_lowercase();
            match name.parse() {
                Ok(address) => machine.add(address),
                Err(_) if machine.names.contains(&name) => {}
                Err(_) => machine.names.push(name),
            }
        }
        for network in Networks::new_with_refreshed_list().values() {
            for network in network.ip_networks() {
                if network.addr.is_ipv4() {
                    machine.add(network.addr);
                }
            }
        }
        machine
    }

    /// Adds an address in its [`lasting`] form, if it has one, unless there are too many.
    pub(crate) fn add(&mut self, address: IpAddr) {
        let Some(address) = lasting(address) else {
            return;
        };
        if self.addresses.contains(&address) {
            return;
        }
        if self.is_full() {
            log::warn!(
                "this machine has more than {MAX_ADDRESSES} addresses; {address} is left out"
            );
            return;
        }
        self.addresses.push(address);
    }

    /// Adds addresses that it had earlier, the newest first, as long as there is room.
    pub(crate) fn add_earlier(&mut self, addresses: Vec<IpAddr>) {
        for address in addresses {
            if self.is_full() {
                return;
            }
            self.add(address);
        }
    }

    /// Whether there is no room for another address.
    pub(crate) fn is_full(&self) -> bool {
        self.addresses.len() >= MAX_ADDRESSES
    }
}

/// An address as clients write it; `None` if only this machine or its cable knows it, or if it is temporary (RFC 8981),
/// so that it is replaced by another every day.
pub(crate) fn lasting(address: IpAddr) -> Option<IpAddr> {
    let address = address.to_canonical();
    let is_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    let is_special =
        is_local || address.is_loopback() || address.is_unspecified() || address.is_multicast();
    (!is_special && !is_temporary(address)).then_some(address)
}

fn is_temporary(address: IpAddr) -> bool {
    let IpAddr::V6(address) = address else {
        return false;
    };
    // A kernel without IPv6 has no table.
    let table = std::fs::read_to_string(IPV6_ADDRESSES).unwrap_or_default();
    is_temporary_in(&table, address)
}

/// Whether the table says that an address is temporary.
fn is_temporary_in(table: &str, address: Ipv6Addr) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [digits, _, _, _, flags, ..] = fields[..] else {
            return false;
        };
        let is_this = u128::from_str_radix(digits, 16) == Ok(address.to_bits());
        let flags = u8::from_str_radix(flags, 16);
        is_this && flags.is_ok_and(|flags| flags & TEMPORARY != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine {
            names: Vec::new(),
            addresses: Vec::new(),
        }
    }

    #[test]
    fn addresses_that_clients_cannot_use_are_left_out() {
        let mut machine = machine();
        for address in [
            "127.0.0.9",
            "0.0.0.0",
            "169.254.1.1",
            "fe80::1",
            "224.0.0.251",
            "::",
        ] {
            machine.add(address.parse().unwrap());
        }
        assert_eq!(machine.addresses, [] as [IpAddr; 0]);
        machine.add("::ffff:192.0.2.7".parse().unwrap());
        assert_eq!(machine.addresses, ["192.0.2.7".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn temporary_addresses_are_told_by_the_kernel() {
        let table = "20010db800000000000000000000abcd 02 40 00 80     eth0\n\
                     20010db80000000000000000deadbeef 02 40 00 01     eth0\n\
                     00000000000000000000000000000001 01 80 10 80       lo\n";
        let is_temporary = |address: &str| is_temporary_in(table, address.parse().unwrap());
        assert!(is_temporary("2001:db8::dead:beef"));
        assert!(!is_temporary("2001:db8::abcd"));
        assert!(!is_temporary("2001:db8::1"));
    }

    #[test]
    fn the_oldest_address_makes_room() {
        let mut machine = machine();
        let address = |last: u8| IpAddr::from([192, 0, 2, last]);
        machine.add(address(100));
        machine.add_earlier((0..20).map(address).collect());
        let expected = std::iter::once(100).chain(0..15).map(address);
        assert_eq!(machine.addresses, expected.collect::<Vec<_>>());
        machine.add(address(101));
        assert!(!machine.addresses.contains(&address(101)));
    }

    #[test]
    fn names_are_told_apart_without_regard_to_case() {
        let names = ["Bench", "bench", "2001:db8::7"].map(str::to_owned);
        let machine = Machine::this(&names);
        assert_eq!(machine.names, ["bench"]);
        assert!(machine.addresses.contains(&"2001:db8::7".parse().unwrap()));
    }
}

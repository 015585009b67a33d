//! The user that a connection from this machine belongs to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::process::getuid;

/// The kernel's tables of TCP sockets.
const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
/// The user ids that Linux distributions give to people.
const PEOPLE: std::ops::RangeInclusive<u32> = 1000..=60513;

/// Whether a user may do here what its user at the screen may: root, a person, or the user of this program. The users
/// of services, such as those of reverse proxies, may not.
pub(crate) fn is_trusted(uid: u32) -> bool {
    uid == 0 || PEOPLE.contains(&uid) || uid == getuid().as_raw()
}

/// The user whose socket at `client` is connected to `server`, both on this machine; `None` if there is no such socket
/// any more.
///
/// # Errors
/// If the kernel does not tell.
pub(crate) fn uid(client: SocketAddr, server: SocketAddr) -> io::Result<Option<u32>> {
    for table in TABLES {
        let text = match std::fs::read_to_string(table) {
            // A kernel without IPv6 has no table for it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            text => text?,
        };
        let uid = text.lines().find_map(|line| owner(line, client, server));
        if uid.is_some() {
            return Ok(uid);
        }
    }
    Ok(None)
}

/// The user id in a line of a table, if it is the socket in question.
fn owner(line: &str, client: SocketAddr, server: SocketAddr) -> Option<u32> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, local, remote, _, _, _, _, uid, _, inode, ..] = fields[..] else {
        return None;
    };
    // A socket that its program has closed is shown as root's, without an inode.
    let is_open = inode != "0";
    let is_this = address(local)? == canonical(client) && address(remote)? == canonical(server);
    (is_open && is_this).then(|| uid.parse().ok()).flatten()
}

/// An address as the kernel writes it: words of 32 bits in the machine's byte order, a colon, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (words, port) = text.split_once(':')?;
    let mut bytes = Vec::new();
    for start in (0..words.len()).step_by(8) {
        let word = u32::from_str_radix(words.get(start..start + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let address: IpAddr = match bytes.len() {
        4 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        16 => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
        _ => return None,
    };
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(canonical(SocketAddr::new(address, port)))
}

/// The address without the zone, as IPv4 if it stands for one.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_user_of_a_connection_is_found_until_it_is_closed() {
        for here in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(here) else {
                continue;
            };
            let server = listener.local_addr().unwrap();
            let stream = TcpStream::connect(server).unwrap();
            let client = stream.local_addr().unwrap();
            let (accepted, _) = listener.accept().unwrap();
            let this = getuid().as_raw();
            assert_eq!(uid(client, server).unwrap(), Some(this), "{here}");
            drop(stream);
            assert_eq!(uid(client, server).unwrap(), None, "{here}");
            drop(accepted);
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read() {
        let (client, server) = ("127.0.0.1:34567", "127.0.0.1:8080");
        let of = |line: &str| owner(line, client.parse().unwrap(), server.parse().unwrap());
        let open = "  12: 0100007F:8707 0100007F:1F90 01 00000000:00000000 00:00000000 00000000    33        0 4242 1 0";
        assert_eq!(of(open), Some(33));
        let mapped = open.replace("0100007F", "0000000000000000FFFF00000100007F");
        assert_eq!(of(&mapped), Some(33));
        let closed = open.replace("    33        0 4242", "     0        0 0");
        assert_eq!(of(&closed), None);
        for other in [
            open.replace("8707", "8708"),
            open.replace("1F90", "1F91"),
            String::new(),
        ] {
            assert_eq!(of(&other), None, "{other}");
        }
    }

    #[test]
    fn people_are_trusted_and_services_are_not() {
        for uid in [0, 1000, 1001, 60513] {
            assert!(is_trusted(uid), "{uid}");
        }
        let service = if getuid().as_raw() == 33 { 34 } else { 33 };
        for uid in [service, 60514, 65534, 100_033, u32::MAX] {
            assert!(!is_trusted(uid), "{uid}");
        }
    }
}

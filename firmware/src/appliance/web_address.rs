//! Where other machines find the web page, for the screen.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use crate::config::http::HttpSettings;

/// An address for documentation (RFC 5737). Nothing is sent to it; the system only chooses the interface that would be
/// used.
const ELSEWHERE: (Ipv4Addr, u16) = (Ipv4Addr::new(192, 0, 2, 1), 9);

/// The address of the web page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WebAddress {
    has_tls: bool,
    listen: SocketAddr,
}

impl WebAddress {
    /// The address of a server with these settings; `None` if other machines cannot connect.
    pub(crate) fn of(settings: &HttpSettings) -> Option<Self> {
        let listen = settings.listen;
        let is_public = !listen.ip().is_loopback() && listen.port() != 0;
        is_public.then(|| Self {
            has_tls: settings.tls.is_some(),
            listen,
        })
    }

    /// The URL at present: a machine that listens on all its addresses may get another one at any time.
    pub(crate) fn url(&self) -> String {
        let ip = self.listen.ip();
        if ip.is_unspecified() {
            self.with_host(&own_address().map_or_else(own_name, |ip| ip.to_string()))
        } else if ip.is_ipv6() {
            self.with_host(&format!("[{ip}]"))
        } else {
            self.with_host(&ip.to_string())
        }
    }

    fn with_host(&self, host: &str) -> String {
        let (scheme, usual) = if self.has_tls {
            ("https", 443)
        } else {
            ("http", 80)
        };
        match self.listen.port() {
            port if port == usual => format!("{scheme}://{host}"),
            port => format!("{scheme}://{host}:{port}"),
        }
    }
}

/// The address by which this machine reaches others; `None` without a network.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

/// The name of this machine on the local network.
fn own_name() -> String {
    let name = rustix::system::uname();
    format!("{}.local", name.nodename().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::http::{RawHttp, TlsKind};

    fn address(listen: &str, tls: TlsKind) -> Option<WebAddress> {
        let raw = RawHttp {
            listen: listen.into(),
            tls,
            ..RawHttp::default()
        };
        WebAddress::of(&raw.validate(true).unwrap().unwrap())
    }

    #[test]
    fn only_a_server_for_other_machines_has_an_address() {
        assert_eq!(address("127.0.0.1:8080", TlsKind::Auto), None);
        assert_eq!(address("0.0.0.0:0", TlsKind::Auto), None);
        for (listen, tls, url) in [
            ("192.0.2.7:8080", TlsKind::Auto, "https://192.0.2.7:8080"),
            ("192.0.2.7:443", TlsKind::Auto, "https://192.0.2.7"),
            ("192.0.2.7:80", TlsKind::Off, "http://192.0.2.7"),
            ("[2001:db8::7]:80", TlsKind::On, "https://[2001:db8::7]:80"),
        ] {
            assert_eq!(address(listen, tls).unwrap().url(), url);
        }
    }

    #[test]
    fn a_server_on_all_addresses_names_one_that_others_can_use() {
        let url = address("0.0.0.0:8080", TlsKind::Auto).unwrap().url();
        assert!(!url.contains("0.0.0.0") && !url.contains("127."), "{url}");
        assert!(
            url.starts_with("https://") && url.ends_with(":8080"),
            "{url}"
        );
    }
}

//! The other end of a connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock};

use crate::http::connections::Place;
use crate::system::socket_owner;

/// The client of a connection; an extension of its requests.
#[derive(Clone)]
pub(crate) struct Peer(Arc<Connected>);

struct Connected {
    client: SocketAddr,
    server: SocketAddr,
    place: Option<Place>,
    /// Determined once.
    distrust: OnceLock<Option<String>>,
}

impl Peer {
    /// The client at the address `client`, which is connected to the address `server` of this machine.
    pub(crate) fn new(client: SocketAddr, server: SocketAddr, place: Place) -> Self {
        Self(Arc::new(Connected {
            client,
            server,
            place: Some(place),
            distrust: OnceLock::new(),
        }))
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.0.client.ip().to_canonical()
    }

    /// A request of this client was allowed: its connection is not closed to make room for others.
    pub(crate) fn keep(&self) {
        if let Some(place) = &self.0.place {
            place.keep();
        }
    }

    /// Why this client is not trusted without a token although it is on this machine; `None` if it is trusted.
    pub(crate) fn distrust(&self) -> Option<&str> {
        let Connected { client, server, .. } = *self.0;
        let of = || match socket_owner::uid(client, server) {
            Ok(Some(uid)) if socket_owner::is_trusted(uid) => None,
            Ok(Some(uid)) => Some(format!(
                "the connection is that of a service (user id {uid}), such as a reverse proxy"
            )),
            Ok(None) => Some("the user of the connection is unknown".into()),
            Err(error) => Some(format!("the user of the connection is unknown ({error})")),
        };
        self.0.distrust.get_or_init(of).as_deref()
    }

    /// A client without a connection.
    #[cfg(test)]
    pub(crate) fn fake(client: IpAddr, distrust: Option<&str>) -> Self {
        let client = SocketAddr::new(client, 50_000);
        Self(Arc::new(Connected {
            client,
            server: client,
            place: None,
            distrust: OnceLock::from(distrust.map(str::to_owned)),
        }))
    }
}

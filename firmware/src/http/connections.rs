//! Places for connections: how many are served at a time, and which one is closed to make room.
//!
//! A connection is a newcomer until a request on it was allowed by a token or because its sender is local. Where no
//! place is left, the oldest newcomer is closed, so that whoever has no token cannot keep others out. A connection for
//! which there is no room gets a place in the reserve, where only health checks are answered.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// Connections that are served at a time.
const MAX: usize = 64;
/// Connections of one address.
const MAX_OF_ADDRESS: usize = 32;
/// Further connections, which may only check the health.
const RESERVE: usize = 8;
/// Places of the reserve that only this machine may use.
const LOCAL_RESERVE: usize = 2;
/// Places of the reserve that one address may use.
const RESERVE_OF_ADDRESS: usize = 2;
/// A newcomer is not closed before this, so that its first request can arrive.
const FIRST_REQUEST: Duration = Duration::from_secs(1);

/// What a connection may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    /// Everything that its requests have permission for.
    Full,
    /// Health checks.
    Health,
}

/// The open connections.
#[derive(Default)]
pub(crate) struct Connections {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    /// Most connections at a time since the last call of [`Connections::take_peak`].
    peak: usize,
    /// By number, so that older ones come first.
    open: BTreeMap<u64, Entry>,
}

struct Entry {
    peer: IpAddr,
    service: Service,
    since: Instant,
    is_newcomer: bool,
    /// Dropped to close the connection.
    _open: oneshot::Sender<()>,
}

/// The place of a connection; dropping it frees the place.
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    pub(crate) service: Service,
}

/// Completes when the connection must be closed to make room.
pub(crate) struct Closed(oneshot::Receiver<()>);

impl Closed {
    pub(crate) async fn wait(self) {
        // The sender is never used, only dropped.
        let _ = self.0.await;
    }
}

impl Connections {
    /// A place for a new connection; `None` if even the reserve has none.
    pub(crate) fn admit(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Option<(Place, Closed)> {
        let mut table = self.lock();
        let service = table.make_room(peer, now)?;
        let (open, closed) = oneshot::channel();
        let number = table.next;
        table.next += 1;
        let entry = Entry {
            peer,
            service,
            since: now,
            is_newcomer: true,
            _open: open,
        };
        table.open.insert(number, entry);
        table.peak = table.peak.max(table.open.len());
        let place = Place {
            connections: Arc::clone(self),
            number,
            service,
        };
        Some((place, Closed(closed)))
    }

    /// Most connections that were open at a time since the last call.
    pub(crate) fn take_peak(&self) -> usize {
        let mut table = self.lock();
        let open = table.open.len();
        std::mem::replace(&mut table.peak, open)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn make_room(&mut self, peer: IpAddr, now: Instant) -> Option<Service> {
        let full = |entry: &&Entry| entry.service == Service::Full;
        let of_peer = |entry: &&Entry| entry.peer == peer;
        let is_crowded = self.open.values().filter(full).filter(of_peer).count() >= MAX_OF_ADDRESS;
        if is_crowded && self.close_newcomer(now, Some(peer)) {
            return Some(Service::Full);
        }
        let is_full = self.open.values().filter(full).count() >= MAX;
        if !is_crowded && (!is_full || self.close_newcomer(now, None)) {
            return Some(Service::Full);
        }
        let reserve = || {
            self.open
                .values()
                .filter(|entry| entry.service == Service::Health)
        };
        let places = if peer.is_loopback() {
            RESERVE
        } else {
            RESERVE - LOCAL_RESERVE
        };
        let is_left =
            reserve().count() < places && reserve().filter(of_peer).count() < RESERVE_OF_ADDRESS;
        is_left.then_some(Service::Health)
    }

    /// Closes the oldest newcomer, of this address if there is one; returns whether there was one.
    fn close_newcomer(&mut self, now: Instant, peer: Option<IpAddr>) -> bool {
        let oldest = self.open.iter().find(|(_, entry)| {
            entry.is_newcomer
                && entry.service == Service::Full
                && peer.is_none_or(|peer| entry.peer == peer)
                && now.saturating_duration_since(entry.since) >= FIRST_REQUEST
        });
        let Some(number) = oldest.map(|(number, _)| *number) else {
            return false;
        };
        self.open.remove(&number);
        true
    }
}

impl Place {
    /// A request on the connection was allowed, so that it is no longer closed for others.
    pub(crate) fn keep(&self) {
        if let Some(entry) = self.connections.lock().open.get_mut(&self.number) {
            entry.is_newcomer = false;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn fill(
        connections: &Arc<Connections>,
        peers: impl IntoIterator<Item = IpAddr>,
        now: Instant,
    ) -> Vec<(Place, Closed)> {
        let admit = |peer| connections.admit(peer, now).unwrap();
        peers.into_iter().map(admit).collect()
    }

    fn is_closed((_, closed): &mut (Place, Closed)) -> bool {
        !matches!(
            closed.0.try_recv(),
            Err(oneshot::error::TryRecvError::Empty)
        )
    }

    #[test]
    fn the_oldest_newcomer_makes_room_and_who_was_allowed_stays() {
        let connections = Arc::new(Connections::default());
        let start = Instant::now();
        let mut open = fill(&connections, (0..MAX as u8).map(address), start);
        open[0].0.keep();
        let early = connections.admit(address(200), start).unwrap();
        assert_eq!(early.0.service, Service::Health, "all are new");
        let later = connections
            .admit(address(200), start + FIRST_REQUEST)
            .unwrap();
        assert_eq!(later.0.service, Service::Full);
        assert!(!is_closed(&mut open[0]), "it was allowed");
        assert!(is_closed(&mut open[1]));
        assert!(!is_closed(&mut open[2]));
        drop(open);
        drop((early, later));
        assert!(connections.lock().open.is_empty());
        assert_eq!(connections.take_peak(), MAX + 1);
        assert_eq!(connections.take_peak(), 0);
    }

    #[test]
    fn an_address_that_takes_too_many_places_loses_its_own() {
        let connections = Arc::new(Connections::default());
        let start = Instant::now();
        let mut open = fill(&connections, [address(1)], start);
        let many = std::iter::repeat_n(address(2), MAX_OF_ADDRESS);
        open.extend(fill(&connections, many, start));
        let later = start + FIRST_REQUEST;
        let (place, _closed) = connections.admit(address(2), later).unwrap();
        assert_eq!(place.service, Service::Full);
        assert!(!is_closed(&mut open[0]), "it has another address");
        assert!(is_closed(&mut open[1]));
        for (place, _) in &open {
            place.keep();
        }
        place.keep();
        let (place, _closed) = connections.admit(address(2), later).unwrap();
        assert_eq!(place.service, Service::Health);
        let (place, _closed) = connections.admit(address(3), later).unwrap();
        assert_eq!(place.service, Service::Full);
    }

    #[test]
    fn the_reserve_has_places_for_this_machine() {
        let connections = Arc::new(Connections::default());
        let now = Instant::now();
        let open = fill(&connections, (0..MAX as u8).map(address), now);
        for (place, _) in &open {
            place.keep();
        }
        let peers = (100..).map(address).take(RESERVE - LOCAL_RESERVE);
        let reserve = fill(&connections, peers, now);
        assert!(
            reserve
                .iter()
                .all(|(place, _)| place.service == Service::Health)
        );
        assert!(connections.admit(address(200), now).is_none());
        let local = std::iter::repeat_n(Ipv4Addr::LOCALHOST.into(), LOCAL_RESERVE);
        let local = fill(&connections, local, now);
        assert!(
            local
                .iter()
                .all(|(place, _)| place.service == Service::Health)
        );
        assert!(connections.admit(Ipv4Addr::LOCALHOST.into(), now).is_none());
    }
}

//! Whether the parts of the board and the disk allow captures.

use std::mem::discriminant;

use smearscope_hardware::{Faults, PartFault};

use crate::records::{Room, Space};

/// Watches the parts of the board and, if records are kept, the disk space for them.
pub(crate) struct Readiness {
    faults: Faults,
    space: Option<Space>,
    /// Why captures are not saved, although they are possible.
    not_saved: Option<String>,
    /// The disk space at the last check.
    room: Option<Room>,
}

impl Readiness {
    /// Watches the parts only.
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            space: None,
            not_saved: None,
            room: None,
        }
    }

    /// Watches the disk space for records, too. With a reason why nothing is saved, that is an obstacle, although it
    /// prevents no capture.
    pub(crate) fn watch(&mut self, space: Option<Space>, refusal: Option<&str>) {
        self.space = space;
        self.not_saved = refusal.map(|reason| format!("NOT SAVED: {reason}"));
        self.check_room();
    }

    /// Messages to the operator about what prevents captures or saving them now; empty if nothing does.
    pub(crate) fn obstacles(&mut self) -> Vec<String> {
        self.check_room();
        let mut messages = self.faults.check();
        messages.extend(self.no_room().map(str::to_owned));
        messages.extend(self.not_saved.clone());
        messages
    }

    /// What [`Readiness::obstacles`] found last, by part; the disk and the records are parts, too.
    pub(crate) fn known(&self) -> Vec<PartFault> {
        let fault = |part, message: &str| PartFault {
            part,
            message: message.to_owned(),
        };
        let mut known = self.faults.known();
        known.extend(self.no_room().map(|message| fault("disk", message)));
        known.extend(self.not_saved().map(|message| fault("records", message)));
        known
    }

    /// Messages about the parts that do not work now.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.check()
    }

    /// Checks the disk space for records and logs changes.
    pub(crate) fn check_room(&mut self) {
        let room = self.space.as_ref().map(Space::room);
        if self.room.as_ref().map(discriminant) != room.as_ref().map(discriminant) {
            match &room {
                Some(Room::Enough(free)) => log::info!("room for records: {free} MiB free"),
                Some(Room::Low(free)) => log::warn!("disk low, {free} MiB free; export records"),
                Some(Room::None(message)) => log::error!("{message}"),
                None => {}
            }
        }
        self.room = room;
    }

    /// Why there is no disk space for another field; `None` if there is.
    pub(crate) fn no_room(&self) -> Option<&str> {
        match &self.room {
            Some(Room::None(message)) => Some(message),
            _ => None,
        }
    }

    /// Why captures are not saved, although there may be disk space; `None` if they are or are not to be.
    pub(crate) fn not_saved(&self) -> Option<&str> {
        self.not_saved.as_deref()
    }

    /// Whether the disk is low, so that the operator should export records.
    pub(crate) fn is_disk_low(&self) -> bool {
        matches!(self.room, Some(Room::Low(_)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn a_full_disk_is_an_obstacle() {
        let mut readiness = Readiness::new(Faults::default());
        assert_eq!(readiness.obstacles(), Vec::<String>::new());
        let free = Arc::new(AtomicU64::new(3 << 20));
        let probe = {
            let free = Arc::clone(&free);
            move || Ok(free.load(Ordering::Relaxed))
        };
        readiness.watch(Some(Space::probed(probe, 4 << 20, 2 << 20)), None);
        assert!(readiness.is_disk_low());
        free.store(1 << 20, Ordering::Relaxed);
        let obstacles = readiness.obstacles();
        let known = readiness.known();
        assert_eq!((known.len(), known[0].part), (1, "disk"));
        assert_eq!(obstacles, [known[0].message.clone()]);
        assert!(
            readiness
                .no_room()
                .unwrap()
                .starts_with("disk full, 1 MiB free")
        );
        assert!(!readiness.is_disk_low());
        free.store(4 << 20, Ordering::Relaxed);
        assert_eq!(readiness.obstacles(), Vec::<String>::new());
        assert!(!readiness.is_disk_low());
    }

    #[test]
    fn records_that_are_refused_are_an_obstacle_but_prevent_no_capture() {
        let mut readiness = Readiness::new(Faults::default());
        readiness.watch(None, Some("a power cut empties /state"));
        let expected = ["NOT SAVED: a power cut empties /state"];
        assert_eq!(readiness.obstacles(), expected);
        assert_eq!(readiness.not_saved(), Some(expected[0]));
        assert_eq!(readiness.no_room(), None);
        assert_eq!(readiness.known()[0].part, "records");
    }
}

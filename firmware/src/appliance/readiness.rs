//! Whether parts and disk let the appliance work.

use std::mem::discriminant;

use smearscope_hardware::Faults;

use crate::records::{Room, Space};

/// The parts of the board, and the room for records where any are kept.
pub(crate) struct Readiness {
    faults: Faults,
    space: Option<Space>,
    /// What was last seen of it.
    room: Option<Room>,
}

impl Readiness {
    pub(crate) fn new(faults: Faults) -> Self {
        Self {
            faults,
            space: None,
            room: None,
        }
    }

    /// Watches the room for records, too.
    pub(crate) fn watch(&mut self, space: Option<Space>) {
        self.space = space;
        self.look_at_room();
    }

    /// What does not work now, in the operator's words.
    pub(crate) fn obstacles(&mut self) -> Vec<String> {
        self.look_at_room();
        let mut messages = self.faults.check();
        messages.extend(self.no_room().map(str::to_owned));
        messages
    }

    /// The parts that do not work now.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.check()
    }

    /// Looks at the room for records, and logs what is new.
    pub(crate) fn look_at_room(&mut self) {
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

    /// Why nothing must be photographed, if there is no room for it.
    pub(crate) fn no_room(&self) -> Option<&str> {
        match &self.room {
            Some(Room::None(message)) => Some(message),
            _ => None,
        }
    }

    /// Whether the operator should make room.
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
    fn the_room_for_records_is_an_obstacle_once_there_is_none() {
        let mut readiness = Readiness::new(Faults::default());
        assert_eq!(readiness.obstacles(), Vec::<String>::new());
        let free = Arc::new(AtomicU64::new(3 << 20));
        readiness.watch(Some(Space::probed(
            {
                let free = Arc::clone(&free);
                move || Ok(free.load(Ordering::Relaxed))
            },
            4 << 20,
            2 << 20,
        )));
        assert!(readiness.is_disk_low());
        free.store(1 << 20, Ordering::Relaxed);
        assert_eq!(readiness.obstacles().len(), 1);
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
}

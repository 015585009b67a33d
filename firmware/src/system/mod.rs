//! The operating system: service manager, signals, threads, log, time, files, disk, host metrics, owners of connections and
//! sanitising of text.

pub(crate) mod certificate;
pub(crate) mod clock;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod hang_up;
pub(crate) mod host_metrics;
pub(crate) mod logging;
pub(crate) mod memory;
pub(crate) mod mounts;
pub(crate) mod priority;
pub(crate) mod sanitize;
pub(crate) mod shutdown;
pub(crate) mod socket_owner;
pub(crate) mod systemd;
pub mod time;
pub(crate) mod worker;

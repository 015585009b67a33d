//! The configuration file: its settings and sections, and where it is.

use std::path::{Path, PathBuf};

use smearscope_hardware::config::{
    CameraConfig, Display, LinuxLines, OledConfig, PiPins, RpicamConfig, Wired,
};

use crate::config::board::BoardKind;
use crate::config::hias::RawHias;
use crate::config::http::RawHttp;
use crate::config::limits::RawLimits;
use crate::config::log::RawLog;
use crate::config::model::RawModel;
use crate::config::mqtt::RawMqtt;
use crate::config::sim::RawSim;
use crate::config::storage::RawStorage;
use crate::config::timing::RawTiming;

/// The configuration file that is read if no other is named.
pub const DEFAULT_PATH: &str = "/etc/smearscope/config.toml";

smearscope_hardware::settings! {
    /// The parts of the appliance.
    pub struct Raw in "" {
        /// Board; "auto": as "pi", but `selftest` tests "sim" on any other machine; "pi": a Raspberry Pi; "linux": another
        /// board; "sim": a simulated bench.
        board: BoardKind = BoardKind::default();
        /// OLED display; `oled.controller` names its chip.
        display: Display = Display::default();
        /// The three LEDs; "gpio": on the pins in the section of the board.
        leds: Wired = Wired::default();
        /// The push-button; "gpio": on the pin in the section of the board.
        button: Wired = Wired::default();
        /// Program and arguments that switch the machine off after the button was held for 8 s, such as
        /// `["systemctl", "poweroff"]`, which the package permits; empty: only smearscope ends; as a service, it starts again at
        /// the next press.
        switch_off: Vec<String> = Vec::new();
    }
    with sections {
        model: RawModel;
        log: RawLog;
        timing: RawTiming;
        limits: RawLimits;
        storage: RawStorage;
        http: RawHttp;
        mqtt: RawMqtt;
        hias: RawHias;
        sim: RawSim;
        camera: CameraConfig;
        rpicam: RpicamConfig;
        oled: OledConfig;
        pi: PiPins;
        linux: LinuxLines;
    }
}

/// The configuration file that is read: the one that is named, or the default one if it exists.
pub fn existing_file(named: Option<&Path>) -> Option<PathBuf> {
    let default = Path::new(DEFAULT_PATH);
    named
        .or_else(|| default.exists().then_some(default))
        .map(Path::to_path_buf)
}

impl Raw {
    /// The parts of the bench and their settings; all others are the defaults.
    pub(crate) fn bench(self) -> Self {
        Self {
            board: self.board,
            display: self.display,
            leds: self.leds,
            button: self.button,
            sim: self.sim,
            camera: self.camera,
            rpicam: self.rpicam,
            oled: self.oled,
            pi: self.pi,
            linux: self.linux,
            ..Self::default()
        }
    }
}

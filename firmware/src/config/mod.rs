//! `config.toml`, in two stages: [`Raw`] as it is written, [`Config`] as it is used.

mod env;
pub mod http;
pub mod mqtt;
pub mod secret;
pub mod storage;
pub mod timing;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use log::LevelFilter;
use serde::{Deserialize, Serialize};
use smearscope_artifacts::decode::Limits;
use smearscope_artifacts::{EngineChoice, EngineConfig, PublicKey, did_you_mean};
use smearscope_hardware::config::{
    CameraConfig, Display, Equipment, LinuxLines, OledConfig, PiPins, Wired,
};

use crate::config::http::{HttpSettings, RawHttp};
use crate::config::mqtt::{Hias, Mqtt, RawHias, RawMqtt};
use crate::config::storage::Retention;
use crate::config::storage::StorageConfig;
use crate::config::timing::Timing;

/// Where the appliance's configuration is looked for if none is named.
pub const DEFAULT_PATH: &str = "/etc/smearscope/config.toml";
/// Longer than anybody keeps anything, larger than any disk.
const MAX_DAYS: u32 = 36_500;
const MAX_MIB: u64 = 1 << 30;
/// A configuration is text of some kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// The file as it is written. Every key has a default.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Raw {
    /// Which hardware.
    pub board: BoardKind,
    /// Which display.
    pub display: Display,
    /// Whether there are LEDs.
    pub leds: Wired,
    /// Whether there is a button.
    pub button: Wired,
    /// What switches the machine off after the button was held; empty: only the program ends.
    pub switch_off: Vec<String>,
    /// Which model on which engine.
    pub model: RawModel,
    /// What the log tells.
    pub log: RawLog,
    /// How long things may take.
    pub timing: RawTiming,
    /// How large pictures may be.
    pub limits: RawLimits,
    /// What is kept.
    pub storage: RawStorage,
    /// The HTTP API.
    pub http: RawHttp,
    /// MQTT.
    pub mqtt: RawMqtt,
    /// HIAS.
    pub hias: RawHias,
    /// The simulated bench.
    pub sim: RawSim,
    /// The camera of a real bench.
    pub camera: CameraConfig,
    /// The display of a real bench.
    pub oled: OledConfig,
    /// The Raspberry Pi's wiring.
    pub pi: PiPins,
    /// Another board's wiring.
    pub linux: LinuxLines,
}

/// Which hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum BoardKind {
    /// A Raspberry Pi with camera, button, LEDs and OLED.
    Pi,
    /// Another board with the same, on its GPIO character device.
    Linux,
    /// A simulated bench on a desktop.
    Sim,
}

impl Default for BoardKind {
    fn default() -> Self {
        if cfg!(all(feature = "pi", target_os = "linux")) {
            Self::Pi
        } else {
            Self::Sim
        }
    }
}

/// Which model on which engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawModel {
    /// The model's folder; empty: the one that is installed, or else comes with the program.
    pub folder: PathBuf,
    /// Minisign public key of whoever signs models; empty: they need no signature.
    pub public_key: String,
    /// Which engine.
    pub engine: EngineChoice,
    /// OpenVINO devices in order of preference.
    pub devices: Vec<String>,
    /// `libopenvino_c` or its folder; empty: the usual places.
    pub library: PathBuf,
    /// `libopenvino_c.so` of a runtime that drives a Neural Compute Stick 2, or its folder; empty: the usual places.
    pub stick_library: PathBuf,
    /// Where the system lists USB devices, among which the stick is looked for.
    pub usb_devices: PathBuf,
    /// Where OpenVINO keeps compiled networks; empty: nowhere.
    pub cache: PathBuf,
    /// Threads of one inference; 0: as many as the engine likes.
    pub threads: usize,
}

impl Default for RawModel {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            public_key: String::new(),
            engine: EngineChoice::Auto,
            devices: vec!["CPU".into()],
            library: PathBuf::new(),
            stick_library: PathBuf::new(),
            usb_devices: "/sys/bus/usb/devices".into(),
            cache: PathBuf::new(),
            threads: 0,
        }
    }
}

/// What the log tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawLog {
    /// The least important messages that it holds.
    pub level: LogLevel,
}

impl Default for RawLog {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
        }
    }
}

/// How important a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something is not as it was meant.
    Warn,
    /// What the appliance does.
    Info,
    /// How it does it.
    Debug,
    /// Every detail.
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}

/// How long things may take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawTiming {
    /// From one picture to the next without anybody pressing; 0: only when asked.
    pub interval_s: f64,
    /// Fields after which a slide is closed without anybody asking; 0: never.
    pub slide_fields: u32,
    /// From the press to the frame.
    pub capture_s: f64,
    /// From the frame to the verdict.
    pub analysis_s: f64,
    /// How long the findings of the self-test are shown.
    pub selftest_s: f64,
    /// How long a verdict or a fault is shown.
    pub hold_s: f64,
    /// After which the display is drawn again, in case it lost its power.
    pub refresh_s: f64,
}

impl Default for RawTiming {
    fn default() -> Self {
        Self {
            interval_s: 0.0,
            slide_fields: 0,
            capture_s: 10.0,
            analysis_s: 20.0,
            selftest_s: 3.0,
            hold_s: 60.0,
            refresh_s: 5.0,
        }
    }
}

/// How large pictures may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawLimits {
    /// Largest image file, in MiB.
    pub file_mib: u64,
    /// Largest picture, in megapixels.
    pub megapixels: u64,
}

impl Default for RawLimits {
    fn default() -> Self {
        Self {
            file_mib: 32,
            megapixels: 32,
        }
    }
}

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawStorage {
    /// Folder for records, images and models, and whatever else is kept from start to start; empty: nothing is.
    pub state: PathBuf,
    /// Days after which exported images are removed; 0: never.
    pub keep_days: u32,
    /// Free space, in MiB, below which exported images are removed and the operator is warned.
    pub min_free_mib: u64,
    /// Free space, in MiB, below which nothing is photographed.
    pub reserve_mib: u64,
    /// Whether images that were never exported may be removed, too.
    pub remove_unexported: bool,
}

impl Default for RawStorage {
    fn default() -> Self {
        Self {
            state: PathBuf::new(),
            keep_days: 0,
            min_free_mib: 1024,
            reserve_mib: 128,
            remove_unexported: false,
        }
    }
}

/// The simulated bench.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawSim {
    /// Folder of images that the camera plays.
    pub fields: PathBuf,
    /// What stands for OLED, LEDs and button.
    pub panel: PanelKind,
}

impl Default for RawSim {
    fn default() -> Self {
        Self {
            fields: "hardware/fields".into(),
            panel: PanelKind::Auto,
        }
    }
}

/// What stands for OLED, LEDs and button of the simulated bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum PanelKind {
    /// The terminal if there is one, else lines.
    #[default]
    Auto,
    /// Drawn in the terminal; the space bar is the button.
    Terminal,
    /// Lines on standard input and output.
    Lines,
}

/// The configuration as it is used: every value is possible.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// As it was written, to be shown.
    pub raw: Raw,
    /// Which hardware.
    pub board: BoardKind,
    /// The model's folder, if one is named.
    pub model: Option<PathBuf>,
    /// Who signs models, if they must be signed.
    pub public_key: Option<PublicKey>,
    /// Which engine.
    pub engine: EngineConfig,
    /// What switches the machine off after the button was held, if anything does.
    pub switch_off: Vec<String>,
    /// The least important messages in the log.
    pub log: LevelFilter,
    /// How long things may take.
    pub timing: Timing,
    /// How large pictures may be.
    pub limits: Limits,
    /// How records are kept, if they are.
    pub storage: Option<StorageConfig>,
    /// The HTTP API, if there is one.
    pub http: Option<HttpSettings>,
    /// The broker that everything is told, if there is one.
    pub mqtt: Option<Mqtt>,
    /// The HIAS network that the appliance is part of, if it is.
    pub hias: Option<Hias>,
    /// The simulated bench.
    pub sim: RawSim,
    /// Which parts a real bench has, and how they are set up.
    pub equipment: Equipment,
    /// The Raspberry Pi's wiring.
    pub pi: PiPins,
    /// Another board's wiring.
    pub linux: LinuxLines,
}

impl Config {
    /// Folder for what is kept from start to start, if anything is.
    pub fn state(&self) -> Option<&Path> {
        self.storage.as_ref().map(|storage| &*storage.state)
    }
}

impl RawStorage {
    fn validate(self) -> Result<Option<StorageConfig>> {
        if self.keep_days > MAX_DAYS {
            bail!(
                "storage.keep_days = {} is impossible; use 0 (for ever) to {MAX_DAYS}",
                self.keep_days
            );
        }
        let least = within("storage.reserve_mib", self.reserve_mib, MAX_MIB)?;
        if !(least..=MAX_MIB).contains(&self.min_free_mib) {
            bail!(
                "storage.min_free_mib = {} is impossible; use {least} (storage.reserve_mib) to {MAX_MIB}",
                self.min_free_mib
            );
        }
        Ok(named(self.state).map(|state| StorageConfig {
            state,
            retention: Retention {
                keep_days: Some(self.keep_days).filter(|days| *days > 0),
                may_remove_unexported: self.remove_unexported,
            },
            min_free: self.min_free_mib << 20,
            reserve: self.reserve_mib << 20,
        }))
    }
}

/// A path, unless it is empty.
fn named(path: PathBuf) -> Option<PathBuf> {
    (!path.as_os_str().is_empty()).then_some(path)
}

fn within(key: &str, value: u64, max: u64) -> Result<u64> {
    if (1..=max).contains(&value) {
        Ok(value)
    } else {
        bail!("{key} = {value} is impossible; use 1 to {max}")
    }
}

impl Raw {
    /// Reads a file, and the environment's `SMEARSCOPE__SECTION__KEY` above it; the default file may be
    /// absent, a named one may not.
    ///
    /// # Errors
    /// Names the file, the line and the key or the variable, and what may have been meant.
    pub fn read(named: Option<&Path>) -> Result<Self> {
        env::apply(Self::read_file(named)?, std::env::vars_os())
    }

    fn read_file(named: Option<&Path>) -> Result<Self> {
        let path = named.unwrap_or(Path::new(DEFAULT_PATH));
        if named.is_none() && !path.exists() {
            return Ok(Self::default());
        }
        let size = path
            .metadata()
            .with_context(|| format!("{} cannot be read", path.display()))?
            .len();
        if size > MAX_BYTES {
            bail!("{}: {size} bytes are no configuration", path.display());
        }
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    /// Parses the text of a configuration.
    ///
    /// # Errors
    /// Names the line and the key, and what may have been meant.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            let line = error
                .span()
                .and_then(|span| text.get(..span.start))
                .map_or(1, |before| before.matches('\n').count() + 1);
            let hint = did_you_mean(error.message())
                .map(|known| format!("; did you mean `{known}`?"))
                .unwrap_or_default();
            anyhow::anyhow!("line {line}: {}{hint}", error.message())
        })
    }

    /// Checks every value.
    ///
    /// # Errors
    /// Names the key, the value and what is possible.
    pub fn validate(self) -> Result<Config> {
        let raw = self.clone();
        let seconds = |key: &str, value: f64, max: f64| {
            if (0.1..=max).contains(&value) {
                Ok(Duration::from_secs_f64(value))
            } else {
                bail!("timing.{key} = {value} is impossible; use 0.1 to {max} seconds")
            }
        };
        if self.model.threads > 64 {
            bail!(
                "model.threads = {} is impossible; use 0 (as many as the engine likes) to 64",
                self.model.threads
            );
        }
        if self
            .model
            .devices
            .iter()
            .any(|device| device.trim().is_empty())
        {
            bail!("model.devices has an empty name; use names such as \"CPU\"");
        }
        let public_key = Some(self.model.public_key)
            .filter(|key| !key.is_empty())
            .map(|key| key.parse().context("model.public_key"))
            .transpose()?;
        self.oled.validate()?;
        self.camera.validate()?;
        self.pi.validate()?;
        self.linux.validate()?;
        let storage = self.storage.validate()?;
        Ok(Config {
            raw,
            board: self.board,
            model: named(self.model.folder),
            public_key,
            engine: EngineConfig {
                choice: self.model.engine,
                library: named(self.model.library),
                devices: self.model.devices,
                cache_dir: named(self.model.cache),
                threads: Some(self.model.threads).filter(|threads| *threads > 0),
                stick_library: named(self.model.stick_library),
                usb_devices: named(self.model.usb_devices),
            },
            switch_off: self.switch_off,
            log: self.log.level.into(),
            timing: Timing {
                interval: match self.timing.interval_s {
                    0.0 => None,
                    interval_s => Some(seconds("interval_s", interval_s, 604_800.0)?),
                },
                slide_fields: match self.timing.slide_fields {
                    0 if self.timing.interval_s > 0.0 && self.button == Wired::None => bail!(
                        "timing.slide_fields = 0 is impossible where timing.interval_s takes pictures and no \
                         button can end a slide; say how many fields a slide has"
                    ),
                    0 => None,
                    fields => Some(fields),
                },
                capture: seconds("capture_s", self.timing.capture_s, 600.0)?,
                analysis: seconds("analysis_s", self.timing.analysis_s, 600.0)?,
                selftest: seconds("selftest_s", self.timing.selftest_s, 600.0)?,
                hold: seconds("hold_s", self.timing.hold_s, 86_400.0)?,
                refresh: seconds("refresh_s", self.timing.refresh_s, 600.0)?,
            },
            limits: Limits {
                max_bytes: within("limits.file_mib", self.limits.file_mib, 1024)? << 20,
                max_pixels: within("limits.megapixels", self.limits.megapixels, 200)? * 1_000_000,
            },
            http: self.http.validate(storage.is_some())?,
            storage,
            mqtt: self.mqtt.validate()?,
            hias: self.hias.validate()?,
            sim: self.sim,
            equipment: Equipment {
                display: self.display,
                leds: self.leds,
                button: self.button,
                oled: self.oled,
                camera: self.camera,
            },
            pi: self.pi,
            linux: self.linux,
        })
    }

    /// Takes the passwords of `other` where this was made of a text that hides them.
    #[must_use]
    pub(crate) fn with_secrets_of(mut self, other: &Self) -> Self {
        for (mine, theirs) in [
            (&mut self.mqtt.password, &other.mqtt.password),
            (&mut self.hias.password, &other.hias.password),
        ] {
            if mine.is_placeholder() {
                mine.clone_from(theirs);
            }
        }
        self
    }

    /// The file with every key and what it means; reads back as the same configuration, but for
    /// passwords, which are hidden.
    ///
    /// # Errors
    /// If a path is not UTF-8, which TOML cannot say.
    pub fn documented(&self) -> Result<String> {
        let plain = toml::to_string(self).context("the configuration cannot be written")?;
        let mut section = String::new();
        let mut text = String::new();
        for line in plain.lines() {
            let name = if line.starts_with('[') {
                section = line.trim_matches(['[', ']']).to_owned() + ".";
                Some(section.clone())
            } else {
                line.split_once(" =").map(|(key, _)| section.clone() + key)
            };
            for (_, comment) in comments().filter(|(key, _)| name.as_deref() == Some(*key)) {
                text.extend(["# ", comment, "\n"]);
            }
            text.extend([line, "\n"]);
        }
        Ok(text)
    }
}

/// What every key means.
fn comments() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    let sections = [http::COMMENTS, mqtt::COMMENTS];
    COMMENTS.iter().chain(sections.into_iter().flatten())
}

/// What each key means; a name that ends in a dot is a section.
const COMMENTS: &[(&str, &str)] = &[
    (
        "board",
        "Which hardware: \"pi\", \"linux\" for another board, or \"sim\" for a simulated bench.",
    ),
    (
        "display",
        "SSD1306 display: \"128x64\", \"128x32\", or \"none\".",
    ),
    (
        "leds",
        "The three LEDs: \"gpio\" (on the pins of the board's section), or \"none\".",
    ),
    ("button", "The push-button: \"gpio\", or \"none\"."),
    (
        "switch_off",
        "Program and arguments that switch the machine off after the button was held for 8 s, \
         such as [\"systemctl\", \"poweroff\"], which the package allows it; empty: only smearscope ends.",
    ),
    ("model.", "Which model on which engine."),
    (
        "model.folder",
        "The model's folder; empty: the one that `smearscope model install` installed, or else the \
         one that comes with the program.",
    ),
    (
        "model.public_key",
        "Minisign public key; models that its holder did not sign are refused. Empty: models need \
         no signature.",
    ),
    (
        "model.engine",
        "\"auto\" (a Neural Compute Stick 2 if one is plugged in, else OpenVINO if it is there, else embedded), \"ncs2\", \
         \"openvino\" or \"embedded\".",
    ),
    ("model.devices", "OpenVINO devices in order of preference."),
    (
        "model.library",
        "libopenvino_c or its folder; empty: the usual places.",
    ),
    (
        "model.stick_library",
        "libopenvino_c.so of OpenVINO 2022.3.1 or 2021.x, which drives a Neural Compute Stick 2, or its folder; empty: \
         the usual places.",
    ),
    (
        "model.usb_devices",
        "Where the system lists USB devices, among which the stick is looked for.",
    ),
    (
        "model.cache",
        "Folder where OpenVINO keeps compiled networks; empty: nowhere.",
    ),
    (
        "model.threads",
        "Threads of one inference; 0: as many as the engine likes.",
    ),
    ("log.", "What the log tells; it goes to standard error."),
    (
        "log.level",
        "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"; the environment's RUST_LOG stands above it.",
    ),
    ("timing.", "How long things may take, in seconds."),
    (
        "timing.interval_s",
        "From one picture to the next without anybody pressing, for a box without a button; 0: \
         only when asked.",
    ),
    (
        "timing.slide_fields",
        "Fields after which a slide is closed without anybody asking; 0: only by a long press.",
    ),
    (
        "timing.capture_s",
        "From the press to the frame; a later frame is never analysed.",
    ),
    ("timing.analysis_s", "From the frame to the verdict."),
    (
        "timing.selftest_s",
        "How long the findings of the self-test are shown.",
    ),
    ("timing.hold_s", "How long a verdict or a fault is shown."),
    (
        "timing.refresh_s",
        "After which the display is drawn again, in case it lost its power.",
    ),
    (
        "limits.",
        "How large pictures may be; larger ones are refused before they are decoded.",
    ),
    ("limits.file_mib", "Largest image file, in MiB."),
    ("limits.megapixels", "Largest picture, in megapixels."),
    ("storage.", "What is kept."),
    (
        "storage.state",
        "Folder for records, images, evidence and installed models, such as /var/lib/smearscope; empty: nothing \
         is kept.",
    ),
    (
        "storage.keep_days",
        "Days after which exported images are removed; their records stay; 0: never.",
    ),
    (
        "storage.min_free_mib",
        "Free space, in MiB, below which the oldest exported images are removed, and the operator is \
          warned if that is not enough.",
    ),
    (
        "storage.reserve_mib",
        "Free space, in MiB, below which nothing is photographed, so that nothing is lost.",
    ),
    (
        "storage.remove_unexported",
        "Whether images that were never exported may be removed, too; to make room, after those that were.",
    ),
    ("sim.", "The simulated bench."),
    ("sim.fields", "Folder of images that the camera plays."),
    (
        "sim.panel",
        "\"auto\", \"terminal\" or \"lines\" (for pipes).",
    ),
    (
        "camera.",
        "The USB camera of a real bench, whichever board.",
    ),
    (
        "camera.device",
        "/dev/videoN, its number N, or, better, its link in /dev/v4l/by-id.",
    ),
    (
        "camera.format",
        "\"auto\" (as the largest picture comes fastest), \"mjpeg\" or \"yuyv\".",
    ),
    (
        "camera.width",
        "Width and height in pixels; 0: those of the largest picture.",
    ),
    ("camera.max_megapixels", "Larger pictures are not chosen."),
    ("camera.exposure", "\"auto\", or a time in units of 100 µs."),
    ("camera.white_balance", "\"auto\", or kelvin."),
    (
        "camera.gain",
        "\"auto\", or a value; `v4l2-ctl --list-ctrls` shows the range.",
    ),
    ("camera.warm_up_frames", "Frames that are dropped first."),
    (
        "camera.settle_frames",
        "Frames within which the exposure must come to rest, else the picture is refused; 0: it is not \
         waited for.",
    ),
    ("oled.", "The display of a real bench, whichever board."),
    ("oled.bus", "N of /dev/i2c-N."),
    (
        "oled.address",
        "7-bit address: 60 (0x3C) or, on some modules, 61 (0x3D).",
    ),
    (
        "oled.rotation",
        "0, or 180 for a module that is mounted upside down.",
    ),
    ("oled.contrast", "0 (dim) to 255."),
    (
        "oled.dim_after_s",
        "Seconds without anybody after which it is dimmed, against burn-in; 0: never.",
    ),
    (
        "oled.shift_every_s",
        "Seconds after which the picture moves on by a pixel, against burn-in; 0: never.",
    ),
    (
        "pi.",
        "The Raspberry Pi's wiring; pins are BCM numbers (see hardware/wiring.svg).",
    ),
    ("pi.button_pin", "Push-button to ground."),
    ("pi.red_pin", "LEDs, each through a resistor to ground."),
    (
        "linux.",
        "Another board's wiring; a line is a name or a number that `gpioinfo` shows.",
    ),
    (
        "linux.chip",
        "gpiochipN, or a label that `gpiodetect` shows.",
    ),
    ("linux.button", "The push-button's line; it goes to ground."),
    (
        "linux.button_pull_up",
        "Whether the chip's own pull-up is used; false if you wire one.",
    ),
    ("linux.red", "The LEDs' lines."),
    (
        "linux.leds_active_low",
        "Whether the LEDs hang from the supply and are lit by a low line.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        let result = Raw::parse(text).and_then(Raw::validate);
        format!("{:#}", result.unwrap_err())
    }

    #[test]
    fn the_documented_file_reads_back_and_every_comment_is_used_once() {
        let raw = Raw {
            model: RawModel {
                folder: "/some/where".into(),
                ..RawModel::default()
            },
            ..Raw::default()
        };
        let text = raw.documented().unwrap();
        assert_eq!(Raw::parse(&text).unwrap(), raw);
        for (key, comment) in comments() {
            let lines = text
                .lines()
                .filter(|line| line.strip_prefix("# ") == Some(comment));
            assert_eq!(lines.count(), 1, "{key}");
        }
    }

    #[test]
    fn defaults_are_possible() {
        let config = Raw::parse("").unwrap().validate().unwrap();
        assert_eq!(
            config.limits,
            Limits {
                max_bytes: 32 << 20,
                max_pixels: 32_000_000,
            }
        );
        assert_eq!(config.engine.devices, ["CPU"]);
        assert_eq!(config.engine.threads, None);
        assert_eq!(config.storage, None);
    }

    #[test]
    fn unknown_keys_name_line_and_suggestion() {
        let message = error("board = \"sim\"\n[model]\nengin = \"auto\"\n");
        assert!(message.contains("line 3"), "{message}");
        assert!(message.contains("did you mean `engine`?"), "{message}");
    }

    #[test]
    fn impossible_values_name_the_key() {
        for (text, key) in [
            ("board = \"toaster\"", "toaster"),
            ("[timing]\ncapture_s = 0", "timing.capture_s"),
            ("[timing]\nhold_s = nan", "timing.hold_s"),
            ("[limits]\nfile_mib = 0", "limits.file_mib"),
            ("[limits]\nmegapixels = 100000", "limits.megapixels"),
            ("[model]\nthreads = 1000", "model.threads"),
            ("[storage]\nkeep_days = 40000", "storage.keep_days"),
            ("[storage]\nreserve_mib = 0", "storage.reserve_mib"),
            ("[storage]\nmin_free_mib = 100", "storage.min_free_mib"),
            ("[model]\ndevices = [\"\"]", "model.devices"),
        ] {
            let message = error(text);
            assert!(message.contains(key), "{text}: {message}");
        }
    }

    #[test]
    fn parts_must_be_possible() {
        assert!(error("[pi]\nred_pin = 17").contains("pi.button_pin"));
        assert!(error("[pi]\nred_pin = 28").contains("pi.red_pin = 28"));
        assert!(error("[oled]\naddress = 3").contains("0x03"));
        assert!(error("[camera]\nexposure = \"dark\"").contains("\"auto\" or a whole number"));
        assert!(error("[linux]\nred = 2.5").contains("a line's name or its number"));
        assert!(error("display = \"256x64\"").contains("128x32"));
        let endless = "button = \"none\"\n[timing]\ninterval_s = 60";
        assert!(error(endless).contains("timing.slide_fields"));
    }

    #[test]
    fn records_are_kept_as_configured() {
        let config = Raw::parse("[storage]\nstate = \"/state\"\nkeep_days = 30\n")
            .and_then(Raw::validate)
            .unwrap();
        let expected = StorageConfig {
            state: "/state".into(),
            retention: Retention {
                keep_days: Some(30),
                may_remove_unexported: false,
            },
            min_free: 1 << 30,
            reserve: 128 << 20,
        };
        assert_eq!(config.storage, Some(expected));
    }

    #[test]
    fn a_headless_bench_and_another_board_are_configured() {
        let config = Raw::parse(
            "board = \"linux\"\ndisplay = \"none\"\nleds = \"none\"\n\
             [camera]\nexposure = 156\n[linux]\nchip = \"pinctrl\"\nbutton = 5\n",
        )
        .and_then(Raw::validate)
        .unwrap();
        assert_eq!(config.equipment.display.size(), None);
        assert_eq!(config.equipment.leds, Wired::None);
        assert_eq!(config.equipment.button, Wired::Gpio);
        assert_eq!(config.linux.button.to_string(), "5");
        let config = Raw::parse("[camera]\ndevice = 2\n").unwrap();
        assert_eq!(config.camera.device.path(), Path::new("/dev/video2"));
    }
}

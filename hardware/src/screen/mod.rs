//! The monochrome display.

pub mod burn_in;
pub mod canvas;
#[cfg(all(feature = "linux", target_os = "linux"))]
pub(crate) mod i2c;
pub mod ssd1306;
pub mod text_art;
pub mod virtual_ssd1306;

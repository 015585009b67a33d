//! `[limits]`: the largest images that are accepted.

use anyhow::Result;
use smearscope_artifacts::decode::Limits;
use smearscope_hardware::settings::Settings;

smearscope_hardware::settings! {
    /// The largest images that are accepted. Larger ones are refused before they are decoded.
    pub struct RawLimits in "limits" {
        /// Largest image file, in MiB.
        file_mib: u64 = 32, valid(1..=1024, "MiB");
        /// Largest image, in megapixels.
        megapixels: u64 = 32, valid(1..=200, "megapixels");
    }
}

impl RawLimits {
    /// Checks every value.
    pub(crate) fn validate(&self) -> Result<Limits> {
        self.check_ranges()?;
        Ok(Limits {
            max_bytes: self.file_mib << 20,
            max_pixels: self.megapixels * 1_000_000,
        })
    }
}

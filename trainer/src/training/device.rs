//! The device that networks are trained on.

use burn::tensor::Device;

/// Parses a device name: `cpu`, or the first `wgpu` or `cuda` device.
///
/// # Errors
/// A message that says what to do.
pub(crate) fn parse_device(name: &str) -> Result<Device, String> {
    match name {
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        "wgpu" => first(burn::tensor::DeviceType::Wgpu, "GPU with a Vulkan driver"),
        #[cfg(not(feature = "wgpu"))]
        "wgpu" => Err(not_built_in(name)),
        #[cfg(feature = "cuda")]
        "cuda" => first(burn::tensor::DeviceType::Cuda, "NVIDIA GPU with CUDA"),
        #[cfg(not(feature = "cuda"))]
        "cuda" => Err(not_built_in(name)),
        _ => Err("must be cpu, wgpu or cuda".into()),
    }
}

pub(crate) fn device_name(device: &Device) -> &'static str {
    let is_named = |name: &&str| parse_device(name).is_ok_and(|known| known == *device);
    ["wgpu", "cuda"].into_iter().find(is_named).unwrap_or("cpu")
}

#[cfg(not(all(feature = "wgpu", feature = "cuda")))]
fn not_built_in(name: &str) -> String {
    format!(
        "this smearscope-train was built without it; rebuild it with \
         cargo build --release -p smearscope-trainer --features {name}"
    )
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn first(kind: burn::tensor::DeviceType, what: &str) -> Result<Device, String> {
    Device::enumerate(kind)
        .into_iter()
        .next()
        .ok_or_else(|| format!("no {what} was found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_available() {
        assert_eq!(parse_device("cpu"), Ok(Device::flex()));
        assert_eq!(device_name(&Device::flex()), "cpu");
        assert_eq!(parse_device("tpu"), Err("must be cpu, wgpu or cuda".into()));
    }

    #[cfg(not(feature = "wgpu"))]
    #[test]
    fn a_device_that_is_not_built_in_names_its_feature() {
        let error = parse_device("wgpu").unwrap_err();
        assert!(error.ends_with("--features wgpu"), "{error}");
    }
}

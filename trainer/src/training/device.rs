//! Where networks are trained.

use burn::tensor::Device;

/// The device of a name: `cpu`, or the first `wgpu` or `cuda` one. The message of an error says what to
/// do.
pub(crate) fn named(name: &str) -> Result<Device, String> {
    match name {
        "cpu" => Ok(Device::flex()),
        #[cfg(feature = "wgpu")]
        "wgpu" => first(burn::tensor::DeviceType::Wgpu, "GPU with a Vulkan driver"),
        #[cfg(not(feature = "wgpu"))]
        "wgpu" => Err(left_out(name)),
        #[cfg(feature = "cuda")]
        "cuda" => first(burn::tensor::DeviceType::Cuda, "NVIDIA GPU with CUDA"),
        #[cfg(not(feature = "cuda"))]
        "cuda" => Err(left_out(name)),
        _ => Err("must be cpu, wgpu or cuda".into()),
    }
}

/// The name of a device.
pub(crate) fn name_of(device: &Device) -> &'static str {
    let is_named = |name: &&str| named(name).is_ok_and(|known| known == *device);
    ["wgpu", "cuda"].into_iter().find(is_named).unwrap_or("cpu")
}

#[cfg(not(all(feature = "wgpu", feature = "cuda")))]
fn left_out(name: &str) -> String {
    format!(
        "this smearscope-train was built without it; build it with \
         cargo build --release -p smearscope-trainer --features {name}"
    )
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn first(kind: burn::tensor::DeviceType, what: &str) -> Result<Device, String> {
    Device::enumerate(kind)
        .into_iter()
        .next()
        .ok_or_else(|| format!("this machine has no {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there() {
        assert_eq!(named("cpu"), Ok(Device::flex()));
        assert_eq!(name_of(&Device::flex()), "cpu");
        assert_eq!(named("tpu"), Err("must be cpu, wgpu or cuda".into()));
    }

    #[cfg(not(feature = "wgpu"))]
    #[test]
    fn a_device_left_out_names_its_feature() {
        let error = named("wgpu").unwrap_err();
        assert!(error.ends_with("--features wgpu"), "{error}");
    }
}

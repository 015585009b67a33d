//! A test double of an OpenVINO runtime that drives a Neural Compute Stick 2: the functions of the older C interface (`ie_*`) that
//! crate `openvino` 0.6 calls, with the devices `CPU` and `MYRIAD`, on top of a newer OpenVINO.
//!
//! No registry carries a real one. This one computes on the processor in `f32`: it verifies the calls, their order and the use of
//! their answers, not the stick's arithmetic.
//!
//! Signatures and status codes are those of `openvino-sys` 0.6, which were generated from `ie_c_api.h` of OpenVINO 2022.3. An
//! environment variable sets its faults: see `fault.rs`.
#![allow(unsafe_code, reason = "a C interface is made of pointers")]
#![allow(non_snake_case, reason = "C names its functions")]

mod fault;
mod memory;
mod network;

use std::ffi::{CStr, CString, c_char};

use fault::Fault;
use memory::{Memory, OneOf};
use network::{Loaded, Network, Runtime};
use openvino_sys_06::{
    IEStatusCode, IEStatusCode_GENERAL_ERROR, IEStatusCode_NOT_FOUND, IEStatusCode_OK,
    IEStatusCode_OUT_OF_BOUNDS, IEStatusCode_REQUEST_BUSY, dimensions_t, ie_blob_buffer_t,
    ie_blob_t, ie_config_t, ie_core_t, ie_executable_network_t, ie_infer_request_t, ie_network_t,
    ie_version_t, layout_e, precision_e, tensor_desc_t,
};

/// The version of a runtime with the stick's plugin; `SMEARSCOPE_BRIDGE_VERSION` overrides it.
const VERSION: &str = "2022.3.1-9227-bridge-releases/2022/3";

/// Passes a new object to the caller, or returns the status of the failure.
///
/// # Safety
/// `place` is null or may be written to.
unsafe fn give<T, Opaque>(place: *mut *mut Opaque, made: Result<T, IEStatusCode>) -> IEStatusCode {
    match made {
        Ok(_) if place.is_null() => IEStatusCode_GENERAL_ERROR,
        Ok(made) => {
            // SAFETY: it is not null, and the caller's.
            unsafe { *place = Box::into_raw(Box::new(made)).cast() };
            IEStatusCode_OK
        }
        Err(status) => status,
    }
}

/// Frees an object that [`give`] passed, if any.
///
/// # Safety
/// `place` is null or holds an object that [`give`] put there as a `T`.
unsafe fn take_back<T, Opaque>(place: *mut *mut Opaque) {
    // SAFETY: as the caller promises.
    unsafe {
        if let Some(given) = place.as_mut().filter(|given| !given.is_null()) {
            drop(Box::from_raw(given.cast::<T>()));
            *given = std::ptr::null_mut();
        }
    }
}

/// Writes a plain value.
///
/// # Safety
/// `place` is null or may be written to.
unsafe fn write<T>(place: *mut T, value: Result<T, IEStatusCode>) -> IEStatusCode {
    match value {
        Ok(_) if place.is_null() => IEStatusCode_GENERAL_ERROR,
        Ok(value) => {
            // SAFETY: it is not null, and the caller's.
            unsafe { place.write(value) };
            IEStatusCode_OK
        }
        Err(status) => status,
    }
}

/// The object behind an opaque pointer.
///
/// # Safety
/// It is null or an object from [`give`] as a `T` without another user at the same time.
unsafe fn behind<'a, T, Opaque>(given: *const Opaque) -> Result<&'a mut T, IEStatusCode> {
    // SAFETY: as the caller promises.
    unsafe { given.cast_mut().cast::<T>().as_mut() }.ok_or(IEStatusCode_GENERAL_ERROR)
}

/// # Safety
/// It is null or ends with a NUL.
unsafe fn text<'a>(given: *const c_char) -> Result<&'a str, IEStatusCode> {
    if given.is_null() {
        return Err(IEStatusCode_GENERAL_ERROR);
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(given) }
        .to_str()
        .map_err(|_| IEStatusCode_GENERAL_ERROR)
}

/// The status of a call without a result.
fn status(result: Result<(), IEStatusCode>) -> IEStatusCode {
    result.err().unwrap_or(IEStatusCode_OK)
}

/// A text that the caller frees with [`free_text`].
fn c_text(text: &str) -> *mut c_char {
    CString::new(text).map_or(std::ptr::null_mut(), CString::into_raw)
}

/// # Safety
/// `place` is null or holds a text of [`c_text`], or null.
unsafe fn free_text(place: *mut *mut c_char) {
    // SAFETY: as the caller promises.
    unsafe {
        if let Some(given) = place.as_mut().filter(|given| !given.is_null()) {
            drop(CString::from_raw(*given));
            *given = std::ptr::null_mut();
        }
    }
}

/// The version.
#[unsafe(no_mangle)]
pub extern "C" fn ie_c_api_version() -> ie_version_t {
    let version = std::env::var("SMEARSCOPE_BRIDGE_VERSION").unwrap_or(VERSION.into());
    ie_version_t {
        api_version: c_text(&version),
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_version_free(version: *mut ie_version_t) {
    // SAFETY: it was given by `ie_c_api_version`.
    unsafe {
        if let Some(version) = version.as_mut() {
            free_text(&raw mut version.api_version);
        }
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_core_create(
    _xml_config_file: *const c_char,
    core: *mut *mut ie_core_t,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe { give(core, Runtime::start()) }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_core_free(core: *mut *mut ie_core_t) {
    // SAFETY: as in C.
    unsafe { take_back::<Runtime, _>(core) }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_core_read_network_from_memory(
    core: *mut ie_core_t,
    xml_content: *const u8,
    xml_content_size: usize,
    weight_blob: *const ie_blob_t,
    network: *mut *mut ie_network_t,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let read = || {
            if xml_content.is_null() {
                return Err(IEStatusCode_GENERAL_ERROR);
            }
            let xml = std::slice::from_raw_parts(xml_content, xml_content_size);
            let weights: &mut Memory = behind(weight_blob)?;
            behind::<Runtime, _>(core)?.read(xml, &weights.bytes())
        };
        give(network, read())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_core_load_network(
    core: *mut ie_core_t,
    network: *const ie_network_t,
    device_name: *const c_char,
    config: *const ie_config_t,
    exe_network: *mut *mut ie_executable_network_t,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let load = || {
            // The real one refuses to work without it.
            if config.is_null() {
                return Err(IEStatusCode_GENERAL_ERROR);
            }
            let is_stick = match text(device_name)? {
                "MYRIAD" => true,
                "CPU" => false,
                _ => return Err(IEStatusCode_NOT_FOUND),
            };
            let is_there = !matches!(
                fault::now(),
                Some(Fault::NoDevice | Fault::Lost | Fault::Busy)
            );
            if is_stick && !is_there {
                return Err(IEStatusCode_GENERAL_ERROR);
            }
            let network: &mut Network = behind(network)?;
            behind::<Runtime, _>(core)?.load(network)
        };
        give(exe_network, load())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_exec_network_create_infer_request(
    ie_exec_network: *mut ie_executable_network_t,
    request: *mut *mut ie_infer_request_t,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let create = || behind::<Loaded, _>(ie_exec_network)?.request();
        give(request, create())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_exec_network_free(network: *mut *mut ie_executable_network_t) {
    // SAFETY: as in C.
    unsafe { take_back::<Loaded, _>(network) }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_network_free(network: *mut *mut ie_network_t) {
    // SAFETY: as in C.
    unsafe { take_back::<Network, _>(network) }
}

macro_rules! names {
    ($count:ident, $name:ident, $which:ident) => {
        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $count(
            network: *const ie_network_t,
            size_result: *mut usize,
        ) -> IEStatusCode {
            // SAFETY: as in C.
            unsafe {
                let count = || Ok(behind::<Network, _>(network)?.$which.len());
                write(size_result, count())
            }
        }

        /// # Safety
        /// As in C.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(
            network: *const ie_network_t,
            number: usize,
            name: *mut *mut c_char,
        ) -> IEStatusCode {
            // SAFETY: as in C.
            unsafe {
                let find = || {
                    let named = behind::<Network, _>(network)?.$which.get(number);
                    Ok(c_text(&named.ok_or(IEStatusCode_OUT_OF_BOUNDS)?.name))
                };
                write(name, find())
            }
        }
    };
}

names!(
    ie_network_get_inputs_number,
    ie_network_get_input_name,
    inputs
);
names!(
    ie_network_get_outputs_number,
    ie_network_get_output_name,
    outputs
);

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_network_name_free(name: *mut *mut c_char) {
    // SAFETY: as in C.
    unsafe { free_text(name) }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_network_set_input_precision(
    network: *mut ie_network_t,
    input_name: *const c_char,
    precision: precision_e,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let set = || {
            let input = behind::<Network, _>(network)?.input(text(input_name)?)?;
            input.precision = precision;
            Ok(())
        };
        status(set())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_network_set_input_layout(
    network: *mut ie_network_t,
    input_name: *const c_char,
    layout: layout_e,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let set = || {
            let input = behind::<Network, _>(network)?.input(text(input_name)?)?;
            (layout == layout_e::NCHW && input.shape.len() == 4)
                .then_some(())
                .ok_or(IEStatusCode_GENERAL_ERROR)
        };
        status(set())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_network_set_output_precision(
    network: *mut ie_network_t,
    output_name: *const c_char,
    precision: precision_e,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let set = || {
            let output = behind::<Network, _>(network)?.output(text(output_name)?)?;
            if fault::now() != Some(Fault::WrongPrecision) {
                output.precision = precision;
            }
            Ok(())
        };
        status(set())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_infer_request_get_blob(
    request: *mut ie_infer_request_t,
    name: *const c_char,
    blob: *mut *mut ie_blob_t,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let find = || behind::<network::Request, _>(request)?.blob(text(name)?);
        give(blob, find())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_infer_request_infer(request: *mut ie_infer_request_t) -> IEStatusCode {
    // SAFETY: as in C.
    let request = unsafe { behind::<network::Request, _>(request) };
    status(request.and_then(|request| match fault::now() {
        Some(Fault::Busy) => Err(IEStatusCode_REQUEST_BUSY),
        Some(Fault::Silent) => Ok(()),
        // The stick disappears during the inference, after a part of the answer.
        Some(Fault::Lost | Fault::NoDevice) => {
            request.infer(OneOf::Half)?;
            Err(IEStatusCode_GENERAL_ERROR)
        }
        Some(Fault::WrongPrecision) | None => request.infer(OneOf::Whole),
    }))
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_infer_request_free(request: *mut *mut ie_infer_request_t) {
    // SAFETY: as in C.
    unsafe { take_back::<network::Request, _>(request) }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_blob_make_memory(
    tensorDesc: *const tensor_desc_t,
    blob: *mut *mut ie_blob_t,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let make = || {
            let description = tensorDesc.as_ref().ok_or(IEStatusCode_GENERAL_ERROR)?;
            let shape = description.dims.dims.iter().copied();
            let shape = shape.take(description.dims.ranks).collect();
            Memory::new(shape, description.precision)
        };
        give(blob, make())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_blob_free(blob: *mut *mut ie_blob_t) {
    // SAFETY: as in C.
    unsafe { take_back::<Memory, _>(blob) }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_blob_byte_size(
    blob: *mut ie_blob_t,
    bsize_result: *mut std::ffi::c_int,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let size = || {
            let bytes = behind::<Memory, _>(blob)?.byte_len();
            bytes.try_into().map_err(|_| IEStatusCode_OUT_OF_BOUNDS)
        };
        write(bsize_result, size())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_blob_get_buffer(
    blob: *const ie_blob_t,
    blob_buffer: *mut ie_blob_buffer_t,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let find = || {
            let mut buffer: ie_blob_buffer_t = std::mem::zeroed();
            buffer.__bindgen_anon_1.buffer = behind::<Memory, _>(blob)?.pointer().cast();
            Ok(buffer)
        };
        write(blob_buffer, find())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_blob_get_dims(
    blob: *const ie_blob_t,
    dims_result: *mut dimensions_t,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let find = || {
            let shape = &behind::<Memory, _>(blob)?.shape;
            let mut dims = [0; 8];
            dims.get_mut(..shape.len())
                .ok_or(IEStatusCode_OUT_OF_BOUNDS)?
                .copy_from_slice(shape);
            Ok(dimensions_t {
                ranks: shape.len(),
                dims,
            })
        };
        write(dims_result, find())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_blob_get_layout(
    blob: *const ie_blob_t,
    layout_result: *mut layout_e,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let find = || {
            Ok(match behind::<Memory, _>(blob)?.shape.len() {
                4 => layout_e::NCHW,
                2 => layout_e::NC,
                _ => layout_e::ANY,
            })
        };
        write(layout_result, find())
    }
}

/// # Safety
/// As in C.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ie_blob_get_precision(
    blob: *const ie_blob_t,
    prec_result: *mut precision_e,
) -> IEStatusCode {
    // SAFETY: as in C.
    unsafe {
        let find = || Ok(behind::<Memory, _>(blob)?.precision);
        write(prec_result, find())
    }
}

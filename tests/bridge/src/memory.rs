//! Blobs: memory with a shape, shared by a request and its callers.

use std::cell::UnsafeCell;
use std::sync::Arc;

use half::f16;
use openvino_sys_06::{IEStatusCode, IEStatusCode_GENERAL_ERROR, precision_e};

/// A blob; clones share the bytes.
#[derive(Clone)]
pub(crate) struct Memory {
    pub(crate) shape: Vec<usize>,
    pub(crate) precision: precision_e,
    bytes: Arc<[UnsafeCell<u8>]>,
}

/// How much of an answer to write.
#[derive(Clone, Copy)]
pub(crate) enum OneOf {
    Whole,
    Half,
}

impl Memory {
    pub(crate) fn new(shape: Vec<usize>, precision: precision_e) -> Result<Self, IEStatusCode> {
        let bytes = match precision {
            precision_e::FP32 => 4,
            precision_e::FP16 => 2,
            precision_e::U8 => 1,
            _ => return Err(IEStatusCode_GENERAL_ERROR),
        };
        let count: usize = shape.iter().product();
        Ok(Self {
            shape,
            precision,
            bytes: (0..count * bytes).map(|_| UnsafeCell::new(0)).collect(),
        })
    }

    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// The address of the bytes, valid while a clone exists.
    pub(crate) fn pointer(&self) -> *mut u8 {
        UnsafeCell::raw_get(self.bytes.as_ptr())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        // SAFETY: the interface is used from one thread at a time, so nothing writes to the cells meanwhile.
        self.bytes
            .iter()
            .map(|cell| unsafe { *cell.get() })
            .collect()
    }

    /// Writes `f32`s in the blob's precision.
    pub(crate) fn put(&self, values: &[f32], part: OneOf) {
        let bytes: Vec<u8> = match self.precision {
            precision_e::FP16 => values
                .iter()
                .flat_map(|value| f16::from_f32(*value).to_ne_bytes())
                .collect(),
            _ => values
                .iter()
                .flat_map(|value| value.to_ne_bytes())
                .collect(),
        };
        let count = match part {
            OneOf::Whole => bytes.len(),
            OneOf::Half => bytes.len() / 2,
        };
        for (cell, byte) in self.bytes.iter().zip(&bytes[..count]) {
            // SAFETY: as above.
            unsafe { *cell.get() = *byte };
        }
    }
}

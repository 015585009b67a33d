//! Memory that the process no longer uses.

/// Returns free memory of the process to the system, which the C library would keep for later. Returns whether there
/// was any.
#[cfg(target_env = "gnu")]
pub(crate) fn return_free() -> bool {
    #[expect(unsafe_code, reason = "no well-kept crate asks the C library")]
    // SAFETY: malloc_trim(3) takes no pointer, may be called from any thread, and moves no memory that is in use.
    let result = unsafe { libc::malloc_trim(0) };
    result == 1
}

/// Other C libraries return free memory by themselves.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn return_free() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_env = "gnu")]
    #[test]
    fn memory_between_blocks_in_use_is_returned() {
        // Small enough for the heap, and enough of them that other tests do not take all of it again.
        let blocks: Vec<_> = (0..64 << 10).map(|_| vec![1_u8; 1 << 10]).collect();
        let kept: Vec<_> = blocks.into_iter().step_by(64).collect();
        assert!(return_free());
        assert!(kept.iter().all(|block| block[7] == 1));
    }
}

//! Memory for numbers: zeroed, and aligned so that no vector straddles two cache lines.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// A block of f32 of fixed length, all 0 at first. Pages that are never written cost no memory.
#[derive(Debug)]
pub struct Buffer {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: a buffer owns its memory, as a `Vec<f32>` does.
unsafe impl Send for Buffer {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// A block of `len` zeros.
    ///
    /// # Panics
    /// When `len` values cannot be addressed.
    #[expect(clippy::cast_ptr_alignment, reason = "the layout is aligned for f32 and more")]
    pub fn new(len: usize) -> Self {
        if len == 0 {
            return Self { start: NonNull::dangling(), len };
        }
        let layout = Self::layout(len);
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) }.cast::<f32>();
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, len }
    }

    fn layout(len: usize) -> Layout {
        Layout::array::<f32>(len)
            .and_then(|layout| layout.align_to(LINE))
            .expect("a block of this size cannot be addressed")
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated in `new` with the same layout.
            unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) }
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` values were allocated and zeroed, and live as long as `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and `self` is borrowed alone.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroed_aligned_and_writable() {
        for len in [0, 1, 15, 16, 17, 100_000] {
            let mut buffer = Buffer::new(len);
            assert_eq!(buffer.len(), len);
            assert!(buffer.iter().all(|&x| x == 0.0));
            assert!(len == 0 || (buffer.as_ptr() as usize).is_multiple_of(LINE));
            buffer.fill(1.0);
            assert!(buffer.iter().all(|&x| x == 1.0));
        }
    }
}

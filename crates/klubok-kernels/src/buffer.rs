//! Memory for numbers: zeroed, aligned so that no vector straddles two cache lines, and large blocks on large pages.
//!
//! A training step walks through weights and moments in short rows that are far apart: on pages of 4 KiB nearly every row
//! would wait for a page's address to be looked up.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
};

use memmap2::MmapMut;

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;
/// Bytes of a large page, on x86 and where Arm's pages are of 4 KiB.
const PAGE: usize = 2 << 20;
/// Blocks of at least so many bytes lie on large pages.
const LARGE: usize = PAGE / 2;

/// Numbers whose bytes may all be zero.
pub trait Number: Copy + Send + Sync + private::Sealed {}
impl Number for f32 {}
impl Number for u32 {}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for u32 {}
}

/// A block of numbers of fixed length, all 0 at first. Pages that are never written cost no memory.
#[derive(Debug)]
pub struct Buffer<T: Number = f32> {
    start: NonNull<T>,
    len: usize,
    /// Where a large block lies.
    map: Option<MmapMut>,
}

// SAFETY: a buffer owns its memory, as a `Vec` of numbers does.
unsafe impl<T: Number> Send for Buffer<T> {}
// SAFETY: as above; shared access only reads.
unsafe impl<T: Number> Sync for Buffer<T> {}

impl<T: Number> Buffer<T> {
    /// A block of `len` zeros.
    ///
    /// # Panics
    /// When `len` values cannot be addressed.
    pub fn new(len: usize) -> Self {
        if len == 0 {
            return Self { start: NonNull::dangling(), len, map: None };
        }
        let layout = Self::layout(len);
        if layout.size() >= LARGE
            && let Some((start, map)) = large_pages(layout.size())
        {
            return Self { start: start.cast(), len, map: Some(map) };
        }
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start: start.cast(), len, map: None }
    }

    fn layout(len: usize) -> Layout {
        Layout::array::<T>(len)
            .and_then(|layout| layout.align_to(LINE))
            .expect("a block of this size cannot be addressed")
    }
}

/// `bytes` zeros from the start of a large page on; `None` where the system has none to give.
fn large_pages(bytes: usize) -> Option<(NonNull<u8>, MmapMut)> {
    let whole = bytes.checked_next_multiple_of(PAGE)?.checked_add(PAGE)?;
    let mut map = MmapMut::map_anon(whole).ok()?;
    // Best effort: on small pages everything works, more slowly.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    let start = map.as_mut_ptr();
    let skip = start.align_offset(PAGE);
    // SAFETY: less than a page further on, and the map has a page more than is asked for.
    NonNull::new(unsafe { start.add(skip) }).map(|start| (start, map))
}

impl<T: Number> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.len > 0 && self.map.is_none() {
            // SAFETY: allocated in `new` with the same layout.
            unsafe { dealloc(self.start.as_ptr().cast(), Self::layout(self.len)) }
        }
    }
}

impl<T: Number> Default for Buffer<T> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl<T: Number> Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `len` initialised values, borrowed as the buffer is.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T: Number> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed alone.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroed_aligned_and_writable() {
        for len in [0, 1, 15, 1000, LARGE / 4 - 1, LARGE / 4, 1_000_000] {
            let mut buffer = Buffer::<f32>::new(len);
            assert!(buffer.len() == len && buffer.iter().all(|&x| x == 0.0));
            assert!(len == 0 || (buffer.as_ptr() as usize).is_multiple_of(LINE));
            buffer.fill(1.0);
            assert_eq!(buffer.iter().sum::<f32>(), len as f32);
        }
        assert!(Buffer::<u32>::default().is_empty());
    }
}

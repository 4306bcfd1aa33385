//! Memory for numbers: zeroed, aligned so that no vector straddles two cache lines, and large
//! blocks on large pages.
//!
//! A training step walks through weights and moments in short rows that are far apart: on pages of
//! 4 KiB nearly every row would wait for a page's address to be looked up.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    error::Error,
    fmt,
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

/// The system has no memory to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory {
    /// Bytes that were wanted.
    pub bytes: usize,
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of memory cannot be had", self.bytes)
    }
}

impl Error for NoMemory {}

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
    /// # Errors
    /// When there is no memory for it, or so many values cannot be addressed.
    pub fn new(len: usize) -> Result<Self, NoMemory> {
        if len == 0 {
            return Ok(Self::default());
        }
        let none = NoMemory { bytes: len.saturating_mul(size_of::<T>()) };
        let layout = Self::layout(len).ok_or(none)?;
        if layout.size() >= LARGE
            && let Some((start, map)) = large_pages(layout.size())
        {
            return Ok(Self { start: start.cast(), len, map: Some(map) });
        }
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).ok_or(none)?;
        Ok(Self { start: start.cast(), len, map: None })
    }

    /// `None` where it is more than can be addressed.
    fn layout(len: usize) -> Option<Layout> {
        Layout::array::<T>(len).and_then(|layout| layout.align_to(LINE)).ok()
    }
}

/// `bytes` zeros from the start of a large page on; `None` where the system has none to give.
fn large_pages(bytes: usize) -> Option<(NonNull<u8>, MmapMut)> {
    let whole = bytes.checked_next_multiple_of(PAGE)?.checked_add(PAGE)?;
    let mut map = MmapMut::map_anon(whole).ok()?;
    // Best effort: on small pages everything works, more slowly.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    let skip = map.as_ptr().align_offset(PAGE);
    // The map has a page more than is asked for; where no place in it is the start of one, it is
    // not used.
    let block = map.get_mut(skip..)?.get_mut(..bytes)?;
    let start = NonNull::new(block.as_mut_ptr())?;
    Some((start, map))
}

impl<T: Number> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.len > 0
            && self.map.is_none()
            && let Some(layout) = Self::layout(self.len)
        {
            // SAFETY: allocated in `new` with the same layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) }
        }
    }
}

impl<T: Number> Default for Buffer<T> {
    fn default() -> Self {
        Self { start: NonNull::dangling(), len: 0, map: None }
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
            let mut buffer = Buffer::<f32>::new(len).unwrap();
            assert!(buffer.len() == len && buffer.iter().all(|&x| x == 0.0));
            assert!(len == 0 || (buffer.as_ptr() as usize).is_multiple_of(LINE));
            buffer.fill(1.0);
            assert_eq!(buffer.iter().sum::<f32>(), len as f32);
        }
        assert!(Buffer::<u32>::default().is_empty());
    }

    #[test]
    fn what_cannot_be_had_is_refused() {
        for len in
            [usize::MAX, usize::MAX / 4, isize::MAX as usize / 4, usize::MAX - 15, usize::MAX / 8]
        {
            let refused = Buffer::<f32>::new(len).err();
            assert_eq!(refused, Some(NoMemory { bytes: len.saturating_mul(4) }), "{len}");
        }
    }
}

//! Buffers of numbers: zeroed, aligned to cache lines so that no vector straddles two of them, and
//! on huge pages if they are large.
//!
//! A training step reads weights and moments in short rows that are far apart. On pages of 4 KiB
//! nearly every row would miss the TLB.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    error::Error,
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
};

use memmap2::MmapMut;

/// Bytes of a cache line and of the widest vector.
const CACHE_LINE: usize = 64;
/// Bytes of a huge page on x86, and on Arm with pages of 4 KiB.
const HUGE_PAGE: usize = 2 << 20;
/// Smallest buffer on huge pages, in bytes.
const MIN_HUGE: usize = HUGE_PAGE / 2;

/// The system cannot allocate the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory {
    /// Bytes requested.
    pub bytes: usize,
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes of memory cannot be had", self.bytes)
    }
}

impl Error for NoMemory {}

/// Types of numbers for which zeroed bytes are a valid value.
pub trait Number: Copy + Send + Sync + private::Sealed {}
impl Number for f32 {}
impl Number for u32 {}

mod private {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for u32 {}
}

/// Numbers of fixed count, initially 0. Pages that are never written take no memory.
#[derive(Debug)]
pub struct Buffer<T: Number = f32> {
    start: NonNull<T>,
    len: usize,
    /// Memory map of a buffer on huge pages.
    map: Option<MmapMut>,
}

// SAFETY: a buffer owns its memory, like a `Vec` of numbers.
unsafe impl<T: Number> Send for Buffer<T> {}
// SAFETY: as above; shared access only reads.
unsafe impl<T: Number> Sync for Buffer<T> {}

impl<T: Number> Buffer<T> {
    /// Allocates `len` zeros.
    ///
    /// # Errors
    /// When the memory does not suffice, or the size exceeds the address space.
    pub fn new(len: usize) -> Result<Self, NoMemory> {
        if len == 0 {
            return Ok(Self::default());
        }
        let no_memory = NoMemory { bytes: len.saturating_mul(size_of::<T>()) };
        let layout = Self::layout(len).ok_or(no_memory)?;
        if layout.size() >= MIN_HUGE
            && let Some((start, map)) = huge_pages(layout.size())
        {
            return Ok(Self { start: start.cast(), len, map: Some(map) });
        }
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc_zeroed(layout) };
        let start = NonNull::new(start).ok_or(no_memory)?;
        Ok(Self { start: start.cast(), len, map: None })
    }

    /// `None` if the size exceeds the address space.
    fn layout(len: usize) -> Option<Layout> {
        Layout::array::<T>(len).and_then(|layout| layout.align_to(CACHE_LINE)).ok()
    }
}

/// Maps `bytes` zeros, aligned to a huge page; `None` if the system refuses.
fn huge_pages(bytes: usize) -> Option<(NonNull<u8>, MmapMut)> {
    let with_margin = bytes.checked_next_multiple_of(HUGE_PAGE)?.checked_add(HUGE_PAGE)?;
    let mut map = MmapMut::map_anon(with_margin).ok()?;
    // Best effort: small pages work too, but slower.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    let skip = map.as_ptr().align_offset(HUGE_PAGE);
    // The margin of one page makes room for the alignment. If `align_offset` fails nevertheless,
    // the map is dropped.
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
    fn buffers_are_zeroed_aligned_and_writable() {
        for len in [0, 1, 15, 1000, MIN_HUGE / 4 - 1, MIN_HUGE / 4, 1_000_000] {
            let mut buffer = Buffer::<f32>::new(len).unwrap();
            assert!(buffer.len() == len && buffer.iter().all(|&x| x == 0.0));
            assert!(len == 0 || (buffer.as_ptr() as usize).is_multiple_of(CACHE_LINE));
            buffer.fill(1.0);
            assert_eq!(buffer.iter().sum::<f32>(), len as f32);
        }
        assert!(Buffer::<u32>::default().is_empty());
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for len in
            [usize::MAX, usize::MAX / 4, isize::MAX as usize / 4, usize::MAX - 15, usize::MAX / 8]
        {
            let refused = Buffer::<f32>::new(len).err();
            assert_eq!(refused, Some(NoMemory { bytes: len.saturating_mul(4) }), "{len}");
        }
    }
}

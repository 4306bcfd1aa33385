//! Mutational fuzzing of a reader: valid inputs with changed bytes, numbers, words or pieces.
//!
//! A reader may reject an input. It must not panic or take longer than five seconds, and it asserts
//! its own invariants on accepted inputs. The number of inputs is 1,500, or the variable
//! `KLUBOK_FUZZ`. An input that makes the reader fail is saved to the temporary folder and named.

mod coverage;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// Default number of inputs per reader.
const DEFAULT_COUNT: u64 = 1500;
/// Maximum time for one input: far above any normal time, far below a person's patience.
const MAX_DURATION: Duration = Duration::from_secs(5);

/// Length of a large input. A reader with quadratic time exceeds [`MAX_DURATION`].
const LARGE_BYTES: usize = 1 << 20;
/// One in this many inputs is large.
const LARGE_ONE_IN: usize = 1500;
/// Maximum length of an input that becomes a new seed.
const MAX_SEED_BYTES: usize = 1 << 14;

/// Calls `read` with each of `seeds` unchanged, then with mutated ones. `words` are tokens of the
/// format for mutations. With coverage instrumentation, an input that reaches a new branch becomes
/// a seed.
///
/// # Panics
/// When `read` panics or takes too long. The message names the input.
pub fn fuzz(name: &str, seeds: &[Vec<u8>], words: &[&[u8]], read: impl Fn(&[u8])) {
    fuzz_share(name, (0, 1), seeds, words, read);
}

/// As [`fuzz`] with a share of the inputs: number `first` and every `of`th from there. For a reader
/// that mostly waits and is called by several threads at once.
///
/// # Panics
/// As [`fuzz`].
pub fn fuzz_share(
    name: &str,
    (first, of): (u64, u64),
    seeds: &[Vec<u8>],
    words: &[&[u8]],
    read: impl Fn(&[u8]),
) {
    assert!(!seeds.is_empty(), "without a seed nothing is nearly right");
    let count =
        std::env::var("KLUBOK_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(DEFAULT_COUNT);
    let mut seeds = seeds.to_vec();
    for seed in &seeds {
        run_one(name, seed, &read);
    }
    coverage::new_branch_taken();
    for number in (first..count).step_by(of as usize) {
        let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut input = seeds[dice.below(seeds.len())].clone();
        for _ in 0..=dice.below(4) {
            mutate(&mut input, &seeds, words, &mut dice);
        }
        if dice.below(LARGE_ONE_IN) == 0 {
            grow(&mut input, &mut dice);
        }
        run_one(name, &input, &read);
        if coverage::new_branch_taken() && input.len() <= MAX_SEED_BYTES {
            seeds.push(input);
        }
    }
}

/// Creates an empty folder in memory, where the system supports it: a million inputs are a million
/// files.
///
/// # Panics
/// When it cannot be created.
#[must_use]
pub fn fast_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary folder can be made")
}

fn run_one(name: &str, input: &[u8], read: &impl Fn(&[u8])) {
    let begun = Instant::now();
    let read = catch_unwind(AssertUnwindSafe(|| read(input)));
    if read.is_err() || begun.elapsed() > MAX_DURATION {
        let path = std::env::temp_dir().join(format!("klubok-fuzz-{name}.bin"));
        fs_err::write(&path, input).expect("a temporary file can be written");
        panic!("{name} failed at `{}` in {:?}", path.display(), begun.elapsed());
    }
}

/// Makes an input large by repeating a piece of it, in some cases with a counter in each copy.
fn grow(input: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = (at + 1 + dice.below(256)).min(input.len());
    let piece = input[at..end].to_vec();
    let (before, after) = piece.split_at(dice.below(piece.len() + 1));
    let counted = dice.below(2) == 0;
    let mut large = Vec::with_capacity(LARGE_BYTES + input.len());
    for number in 0u32.. {
        if large.len() >= LARGE_BYTES {
            break;
        }
        large.extend_from_slice(before);
        if counted || piece.is_empty() {
            large.extend_from_slice(number.to_string().as_bytes());
        }
        large.extend_from_slice(after);
    }
    input.splice(at..end, large);
}

/// Applies one typical accidental or malicious change to an input.
fn mutate(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]], dice: &mut Dice) {
    /// Numbers that break arithmetic, as text.
    const NUMBERS: [&str; 16] = [
        "0",
        "-1",
        "1e-45",
        "1e308",
        "-1e39",
        "nan",
        "inf",
        "NaN",
        "null",
        "[]",
        "4294967295",
        "18446744073709551615",
        "9223372036854775807",
        "0.5",
        "\"\"",
        "{}",
    ];
    let at = dice.below(input.len() + 1);
    let end = at + dice.below(input.len() - at + 1).min(1 + dice.below(64));
    match dice.below(9) {
        0 if at < input.len() => input[at] ^= 1 << dice.below(8),
        1 if at < input.len() => input[at] = [0, 0xff, 0x80, b'\n', b'"', b' '][dice.below(6)],
        2 => input.truncate(at),
        3 => drop(input.drain(at..end)),
        4 => {
            let piece = input[at..end].to_vec();
            let to = dice.below(input.len() + 1);
            input.splice(to..to, piece);
        }
        5 => {
            let other = &seeds[dice.below(seeds.len())];
            let from = dice.below(other.len() + 1);
            let piece = &other[from..(from + 1 + dice.below(64)).min(other.len())];
            input.splice(at..end, piece.iter().copied());
        }
        6 if !words.is_empty() => {
            input.splice(at..end, words[dice.below(words.len())].iter().copied());
        }
        7 => {
            // Replaces a number in text by another.
            let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
            let from = at + input[at..].iter().position(digits).unwrap_or(0);
            let to = from + input[from..].iter().take_while(|byte| digits(byte)).count();
            input.splice(from..to, NUMBERS[dice.below(NUMBERS.len())].bytes());
        }
        _ => {
            // Writes a number of four or eight bytes in either byte order.
            let number = [0, 1, 0x7fff_ffff, 0xffff_ffff, u64::MAX, 1 << 31, 1 << 40, 1 << 63];
            let number = number[dice.below(number.len())];
            let (little, big) = (number.to_le_bytes(), number.to_be_bytes());
            let bytes = [&little[..4], &big[4..], &little, &big][dice.below(4)];
            for (to, from) in input.iter_mut().skip(at).zip(bytes) {
                *to = *from;
            }
        }
    }
}

/// Deterministic random numbers (`SplitMix64`, Steele et al. 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % n.max(1) as u64) as usize
    }
}

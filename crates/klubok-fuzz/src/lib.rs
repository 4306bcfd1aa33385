//! Drives a reader with inputs that are nearly right: good ones with some bytes, numbers, words or
//! pieces changed.
//!
//! A reader may refuse an input; it must not panic, nor take longer than five seconds. What else
//! must hold for what it accepts, it asserts itself. How many inputs: 1,500, or what the variable
//! `KLUBOK_FUZZ` says. An input that a reader fails at is left in the folder of temporary files and
//! named.

mod seen;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

/// Inputs of each reader in the plain suite.
const COUNT: u64 = 1500;
/// Longest time for one input: far above what any takes, far below what a person would wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// Length of an input that is large: time that grows with its square is longer than [`PATIENCE`].
const LARGE: usize = 1 << 20;
/// One input of so many is large.
const RARE: usize = 1500;
/// A longer input is not changed any further.
const KEPT: usize = 1 << 14;

/// Calls `read` with each of `seeds` as it is, then with changed ones. `words` are pieces of the
/// format that are worth putting in. Where the build tells which branches were taken, an input that
/// took a new one is changed in its turn.
///
/// # Panics
/// When `read` does, or takes too long: the input is named.
pub fn fuzz(name: &str, seeds: &[Vec<u8>], words: &[&[u8]], read: impl Fn(&[u8])) {
    fuzz_share(name, (0, 1), seeds, words, read);
}

/// The same with a share of the inputs, number `first` and every `of`th from there: for a reader
/// that waits more than it computes, and is asked by several threads at a time.
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
    let count = std::env::var("KLUBOK_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(COUNT);
    let mut seeds = seeds.to_vec();
    for seed in &seeds {
        one(name, seed, &read);
    }
    seen::anything_new();
    for number in (first..count).step_by(of as usize) {
        let mut dice = Dice(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut input = seeds[dice.below(seeds.len())].clone();
        for _ in 0..=dice.below(4) {
            change(&mut input, &seeds, words, &mut dice);
        }
        if dice.below(RARE) == 0 {
            grow(&mut input, &mut dice);
        }
        one(name, &input, &read);
        if seen::anything_new() && input.len() <= KEPT {
            seeds.push(input);
        }
    }
}

/// An empty folder in memory, where the system has a place for that: a million inputs are as many
/// files.
///
/// # Panics
/// When none can be made.
#[must_use]
pub fn fast_folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a temporary folder can be made")
}

fn one(name: &str, input: &[u8], read: &impl Fn(&[u8])) {
    let begun = Instant::now();
    let read = catch_unwind(AssertUnwindSafe(|| read(input)));
    if read.is_err() || begun.elapsed() > PATIENCE {
        let path = std::env::temp_dir().join(format!("klubok-fuzz-{name}.bin"));
        fs_err::write(&path, input).expect("a temporary file can be written");
        panic!("{name} failed at `{}` in {:?}", path.display(), begun.elapsed());
    }
}

/// Makes an input large: a piece of it comes again and again, at times with another number each
/// time.
fn grow(input: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let end = (at + 1 + dice.below(256)).min(input.len());
    let piece = input[at..end].to_vec();
    let (before, after) = piece.split_at(dice.below(piece.len() + 1));
    let counted = dice.below(2) == 0;
    let mut large = Vec::with_capacity(LARGE + input.len());
    for number in 0u32.. {
        if large.len() >= LARGE {
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

/// Changes an input in one of the ways in which files go wrong, or are made wrong.
fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]], dice: &mut Dice) {
    /// Numbers at which arithmetic goes wrong, as text.
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
            // A number as text gives way to another one.
            let digits = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
            let from = at + input[at..].iter().position(digits).unwrap_or(0);
            let to = from + input[from..].iter().take_while(|byte| digits(byte)).count();
            input.splice(from..to, NUMBERS[dice.below(NUMBERS.len())].bytes());
        }
        _ => {
            // A number of four or eight bytes, either end first.
            let number = [0, 1, 0x7fff_ffff, 0xffff_ffff, u64::MAX, 1 << 31, 1 << 40, 1 << 63];
            let number = number[dice.below(number.len())];
            let (least, most) = (number.to_le_bytes(), number.to_be_bytes());
            let bytes = [&least[..4], &most[4..], &least, &most][dice.below(4)];
            for (to, from) in input.iter_mut().skip(at).zip(bytes) {
                *to = *from;
            }
        }
    }
}

/// Numbers that look random and are the same every time (`SplitMix64`, Steele et al. 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % n.max(1) as u64) as usize
    }
}

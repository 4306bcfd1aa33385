//! Philox 4x32-10, a counter-based random number generator without state (Salmon et al. 2011,
//! "Parallel random numbers: as easy as 1, 2, 3").

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Key of a stream of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(pub [u32; 2]);

impl Key {
    /// Key of `stream` under `seed`, mixed by Philox itself.
    pub fn new(seed: u64, stream: u32) -> Self {
        let mixed = philox(Key([seed as u32, (seed >> 32) as u32]), [stream, 0, 0, 0]);
        Key([mixed[0], mixed[1]])
    }
}

/// 128 random bits for a key and counter.
#[inline]
pub fn philox(key: Key, counter: [u32; 4]) -> [u32; 4] {
    let [mut k0, mut k1] = key.0;
    let [mut a, mut b, mut c, mut d] = counter;
    for _ in 0..10 {
        let p = u64::from(MULTIPLIER[0]) * u64::from(a);
        let q = u64::from(MULTIPLIER[1]) * u64::from(c);
        (a, b, c, d) = ((q >> 32) as u32 ^ b ^ k0, q as u32, (p >> 32) as u32 ^ d ^ k1, p as u32);
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published test vectors of Random123 (`kat_vectors`, `philox4x32 10`).
    #[test]
    fn matches_the_published_vectors() {
        assert_eq!(
            philox(Key([0, 0]), [0; 4]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox(Key([!0, !0]), [!0; 4]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                Key([0xa409_3822, 0x299f_31d0]),
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}

//! Records of an event file: length, its checksum, bytes, their checksum; all little-endian.
//!
//! The checksum is a CRC-32C, rotated and shifted. Source: TensorFlow's `tfrecord` format.

/// Returns a record with its frame.
pub fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let sums = [masked(&length), masked(bytes)].map(u32::to_le_bytes);
    [&length[..], &sums[0], bytes, &sums[1]].concat()
}

/// Returns the checksum of the format.
pub fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masked_checksum_matches_tensorflow() {
        // The length of the version record, which TensorFlow writes first, is 24.
        let expected = u32::from_le_bytes([0xa3, 0x7f, 0x4b, 0x22]);
        assert_eq!(masked(&24u64.to_le_bytes()), expected);
    }

    #[test]
    fn a_frame_stands_around_its_bytes() {
        let record = framed(b"abc");
        assert_eq!((record.len(), record[0], &record[12..15]), (19, 3, &b"abc"[..]));
        assert_eq!(record[15..], masked(b"abc").to_le_bytes());
    }
}

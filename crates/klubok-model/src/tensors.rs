//! Writes safetensors files block by block, without a second copy in memory.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use klubok_nn::state::Numbers;
use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};
use twox_hash::{XxHash3_128, xxhash3_128::Hasher};

/// Name of the tensor with the file's checksum.
pub const SEAL: &str = "seal";
const SEAL_BYTES: usize = 16;

/// A tensor to write.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Type of its numbers.
    pub dtype: Dtype,
}

/// Returns the type of these numbers.
pub fn dtype(numbers: &Numbers) -> Dtype {
    match numbers {
        Numbers::F32(_) => Dtype::F32,
        Numbers::F64(_) => Dtype::F64,
    }
}

/// Writes a file of these tensors with one metadata key. Calls `numbers` once per tensor with its
/// index in the list. The file has the format's tensor order: the widest numbers first, then by
/// name.
///
/// # Errors
/// When `out` or `numbers` fails, numbers do not fill their tensor, or the metadata exceeds the
/// format's limit (100 MB).
pub fn write<'a>(
    out: &mut impl Write,
    (key, value): (&str, String),
    tensors: &[Tensor],
    numbers: impl FnMut(usize) -> io::Result<Cow<'a, Numbers>>,
) -> io::Result<()> {
    let order = header(out, (key, value), tensors, None)?;
    values(out, &order, tensors, numbers)
}

/// Writes a file as [`write()`] does, with a seal: a last tensor [`SEAL`] with XXH3 (128 bits) of
/// all bytes before it. Hashes the bytes while writing, so it needs each tensor once.
///
/// # Errors
/// As [`write()`].
pub fn write_sealed<'a>(
    out: &mut impl Write,
    metadata: (&str, String),
    tensors: &[Tensor],
    numbers: impl FnMut(usize) -> io::Result<Cow<'a, Numbers>>,
) -> io::Result<()> {
    let mut out = Hashed { out, hasher: Hasher::new() };
    // Bytes are the narrowest numbers, so this tensor comes last.
    let seal = TensorInfo { dtype: Dtype::U8, shape: vec![SEAL_BYTES], data_offsets: (0, 0) };
    let order = header(&mut out, metadata, tensors, Some(seal))?;
    values(&mut out, &order, tensors, numbers)?;
    out.out.write_all(&out.hasher.finish_128().to_le_bytes())
}

/// Returns a sealed file of tensors whose bytes are at hand, of any type.
///
/// # Errors
/// When bytes do not fill their tensor, or the metadata exceeds the format's limit.
pub fn sealed(metadata: (&str, String), tensors: &[(Tensor, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut out = Hashed { out: &mut bytes, hasher: Hasher::new() };
    let seal = TensorInfo { dtype: Dtype::U8, shape: vec![SEAL_BYTES], data_offsets: (0, 0) };
    let infos: Vec<Tensor> = tensors.iter().map(|(tensor, _)| tensor.clone()).collect();
    for i in header(&mut out, metadata, &infos, Some(seal))? {
        let (Tensor { name, shape, dtype }, values) = &tensors[i];
        let expected = shape.iter().product::<usize>() * dtype.bitsize() / 8;
        if values.len() != expected {
            return Err(unfilled(name, values.len(), expected));
        }
        out.write_all(values)?;
    }
    let seal = out.hasher.finish_128().to_le_bytes();
    bytes.extend(seal);
    Ok(bytes)
}

/// The error of a tensor that is not filled.
fn unfilled(name: &str, got: usize, expected: usize) -> io::Error {
    let sentence = format!("`{name}` has {got} numbers, not {expected}");
    io::Error::new(io::ErrorKind::InvalidData, sentence)
}

/// Returns true if a file's seal matches, as written by [`write_sealed`] or [`sealed`].
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes
        .split_last_chunk::<SEAL_BYTES>()
        .is_some_and(|(rest, seal)| XxHash3_128::oneshot(rest).to_le_bytes() == *seal)
}

/// A writer that hashes the bytes it passes on.
struct Hashed<'a, W> {
    out: &'a mut W,
    hasher: Hasher,
}

impl<W: Write> Write for Hashed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.write(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Maximum bytes of a header. Parsing one takes up to forty times its size in memory.
const MAX_HEADER_BYTES: usize = 8 << 20;
/// Message about a longer header.
const HEADER_TOO_LONG: &str = "its description is longer than 8 MiB";

/// Checks that a file's header is not longer than klubok writes.
///
/// # Errors
/// A sentence, when it is longer.
pub fn check_header(bytes: &[u8]) -> Result<(), &'static str> {
    let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    if length > MAX_HEADER_BYTES as u64 { Err(HEADER_TOO_LONG) } else { Ok(()) }
}

/// Writes the header and returns the order of the tensors.
fn header(
    out: &mut impl Write,
    (key, value): (&str, String),
    tensors: &[Tensor],
    seal: Option<TensorInfo>,
) -> io::Result<Vec<usize>> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(tensors[i].dtype), &tensors[i].name));
    let mut at = 0;
    let mut infos: Vec<(String, TensorInfo)> = order
        .iter()
        .map(|&i| {
            let Tensor { name, shape, dtype } = &tensors[i];
            let from = at;
            at += shape.iter().product::<usize>() * dtype.bitsize() / 8;
            let info = TensorInfo { dtype: *dtype, shape: shape.clone(), data_offsets: (from, at) };
            (name.clone(), info)
        })
        .collect();
    infos.extend(
        seal.map(|seal| {
            (SEAL.to_owned(), TensorInfo { data_offsets: (at, at + SEAL_BYTES), ..seal })
        }),
    );
    let metadata = Some([(key.to_owned(), value)].into());
    let metadata = Metadata::new(metadata, infos).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() > MAX_HEADER_BYTES {
        return Err(io::Error::other(HEADER_TOO_LONG));
    }
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    Ok(order)
}

fn values<'a>(
    out: &mut impl Write,
    order: &[usize],
    tensors: &[Tensor],
    mut numbers: impl FnMut(usize) -> io::Result<Cow<'a, Numbers>>,
) -> io::Result<()> {
    for &i in order {
        let numbers = numbers(i)?;
        let expected = tensors[i].shape.iter().product::<usize>();
        if (dtype(&numbers), numbers.len()) != (tensors[i].dtype, expected) {
            return Err(unfilled(&tensors[i].name, numbers.len(), expected));
        }
        match &*numbers {
            Numbers::F32(values) => values.iter().try_for_each(|v| out.write_all(&v.to_le_bytes())),
            Numbers::F64(values) => values.iter().try_for_each(|v| out.write_all(&v.to_le_bytes())),
        }?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use safetensors::{SafeTensors, serialize, tensor::TensorView};

    use super::*;

    #[test]
    fn writes_the_same_bytes_as_the_safetensors_library() {
        let blocks = [
            ("b.weight", vec![2, 3], Numbers::F32(vec![1.0, -2.0, 3.5, 0.0, 4.0, 5.0])),
            ("a", vec![2], Numbers::F64(vec![0.1, f64::MAX])),
            ("a.bias", vec![1], Numbers::F32(vec![7.0])),
        ];
        let tensors = blocks.clone().map(|(name, shape, numbers)| Tensor {
            name: name.to_owned(),
            shape,
            dtype: dtype(&numbers),
        });
        let (mut bytes, metadata) = (Vec::new(), ("card", "{\"x\":1}".to_owned()));
        write(&mut bytes, metadata, &tensors, |i| Ok(Cow::Borrowed(&blocks[i].2))).unwrap();

        let little = |numbers: &Numbers| match numbers {
            Numbers::F32(v) => v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>(),
            Numbers::F64(v) => v.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        let data = blocks.each_ref().map(|(.., numbers)| little(numbers));
        let views = blocks.iter().zip(&data).map(|((name, shape, numbers), data)| {
            (*name, TensorView::new(dtype(numbers), shape.clone(), data).unwrap())
        });
        let metadata = Some([("card".to_owned(), "{\"x\":1}".to_owned())].into());
        assert_eq!(bytes, serialize(views, metadata).unwrap());
        assert_eq!(SafeTensors::deserialize(&bytes).unwrap().len(), 3);
    }

    #[test]
    fn a_seal_detects_any_flipped_bit() {
        let tensor = Tensor { name: "w".to_owned(), shape: vec![3], dtype: Dtype::F64 };
        let numbers = Numbers::F64(vec![1.0, 2.0, 3.0]);
        let (mut bytes, metadata) = (Vec::new(), ("card", "{}".to_owned()));
        write_sealed(&mut bytes, metadata, &[tensor], |_| Ok(Cow::Borrowed(&numbers))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!((file.len(), file.tensor(SEAL).unwrap().data().len()), (2, SEAL_BYTES));
        assert!(is_sealed(&bytes) && !is_sealed(&bytes[..bytes.len() - 1]) && !is_sealed(b"short"));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_sealed(&damaged), "bit {bit}");
        }
    }

    #[test]
    fn a_sealed_file_of_bytes_is_the_same_file() {
        let tensor = Tensor { name: "w".to_owned(), shape: vec![2], dtype: Dtype::F32 };
        let numbers = Numbers::F32(vec![1.0, -2.0]);
        let (mut written, metadata) = (Vec::new(), || ("card", "{}".to_owned()));
        let infos = [tensor.clone()];
        write_sealed(&mut written, metadata(), &infos, |_| Ok(Cow::Borrowed(&numbers))).unwrap();
        let values = [1.0f32, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(sealed(metadata(), &[(tensor.clone(), values)]).unwrap(), written);
        assert!(sealed(metadata(), &[(tensor, vec![0; 7])]).is_err());
    }

    #[test]
    fn numbers_that_do_not_fill_their_tensor_are_an_error() {
        let tensor = Tensor { name: "w".to_owned(), shape: vec![3], dtype: Dtype::F32 };
        let short = Numbers::F32(vec![1.0, 2.0]);
        let metadata = ("card", String::new());
        let error = write(&mut Vec::new(), metadata, &[tensor], |_| Ok(Cow::Borrowed(&short)));
        assert_eq!(error.unwrap_err().to_string(), "`w` has 2 numbers, not 3");
    }
}

//! Safetensors files, written block by block: what is in memory already is not put together a second time.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};

use crate::state::Numbers;

/// A tensor to be written.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: Dtype,
}

/// What kind of numbers these are.
pub(crate) fn dtype(numbers: &Numbers) -> Dtype {
    match numbers {
        Numbers::F32(_) => Dtype::F32,
        Numbers::F64(_) => Dtype::F64,
    }
}

/// Writes a file of these tensors with one key of metadata; `numbers` is asked for those of each, by its place in the
/// list, once. Tensors stand in the order of the format: the widest numbers first, then by name.
///
/// # Errors
/// When `out` or `numbers` fails, numbers do not fill their tensor, or the metadata is larger than the format allows
/// (100 MB).
pub(crate) fn write<'a>(
    out: &mut impl Write,
    (key, value): (&str, String),
    tensors: &[Tensor],
    mut numbers: impl FnMut(usize) -> io::Result<Cow<'a, Numbers>>,
) -> io::Result<()> {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(tensors[i].dtype), &tensors[i].name));
    let mut at = 0;
    let infos = order.iter().map(|&i| {
        let Tensor { name, shape, dtype } = &tensors[i];
        let from = at;
        at += shape.iter().product::<usize>() * dtype.bitsize() / 8;
        let info = TensorInfo { dtype: *dtype, shape: shape.clone(), data_offsets: (from, at) };
        (name.clone(), info)
    });
    let metadata = Some([(key.to_owned(), value)].into());
    let metadata = Metadata::new(metadata, infos.collect()).map_err(io::Error::other)?;
    let mut header = serde_json::to_vec(&metadata)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    if header.len() > 100_000_000 {
        return Err(io::Error::other("its description is longer than 100 MB"));
    }
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for i in order {
        let numbers = numbers(i)?;
        let expected = tensors[i].shape.iter().product::<usize>();
        if (dtype(&numbers), numbers.len()) != (tensors[i].dtype, expected) {
            let got = numbers.len();
            let sentence = format!("`{}` has {got} numbers, not {expected}", tensors[i].name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, sentence));
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
    fn the_bytes_are_those_of_the_library() {
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
        let (mut bytes, card) = (Vec::new(), ("card", "{\"x\":1}".to_owned()));
        write(&mut bytes, card, &tensors, |i| Ok(Cow::Borrowed(&blocks[i].2))).unwrap();

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
    fn numbers_that_do_not_fill_their_tensor_are_an_error() {
        let tensor = Tensor { name: "w".to_owned(), shape: vec![3], dtype: Dtype::F32 };
        let short = Numbers::F32(vec![1.0, 2.0]);
        let card = ("card", String::new());
        let error = write(&mut Vec::new(), card, &[tensor], |_| Ok(Cow::Borrowed(&short)));
        assert_eq!(error.unwrap_err().to_string(), "`w` has 2 numbers, not 3");
    }
}

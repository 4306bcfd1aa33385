//! Writes a generated data set for klubok: IDX files, or folders of BMP pictures.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::draw::{Drawn, Part};

/// Paths of a data set.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// The argument of `klubok train`.
    pub(crate) data: PathBuf,
    /// The value of `--val`.
    pub(crate) val: Option<PathBuf>,
}

/// Writes a data set into `folder`, unless it exists already.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn write(drawn: &Drawn, side: usize, pictures: bool, folder: &Path) -> Result<Location> {
    let val = (!drawn.val.labels.is_empty()).then(|| folder.join("val"));
    let location = Location { data: folder.join("train"), val };
    if folder.exists() {
        return Ok(location);
    }
    // Two threads may write the same set: each fills a folder of its own, and the first rename
    // wins.
    let own = folder.with_extension(format!("{:?}", std::thread::current().id()));
    let write = if pictures { write_pictures } else { write_idx };
    write(&drawn.train, side, &own.join("train"))?;
    if location.val.is_some() {
        write(&drawn.val, side, &own.join("val"))?;
    }
    if fs_err::rename(&own, folder).is_err() {
        fs_err::remove_dir_all(&own)?;
    }
    Ok(location)
}

fn write_idx(part: &Part, side: usize, folder: &Path) -> Result<()> {
    fs_err::create_dir_all(folder)?;
    let count = part.labels.len();
    let images = idx(&[count, side, side], &part.pictures.concat());
    fs_err::write(folder.join("train-images-idx3-ubyte"), images)?;
    Ok(fs_err::write(folder.join("train-labels-idx1-ubyte"), idx(&[count], &part.labels))?)
}

/// An IDX file of bytes: 0, 0, 8 for unsigned bytes, number of dimensions, dimensions, values.
fn idx(dimensions: &[usize], values: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    dimensions.iter().for_each(|&n| file.extend((n as u32).to_be_bytes()));
    file.extend(values);
    file
}

fn write_pictures(part: &Part, side: usize, folder: &Path) -> Result<()> {
    for (number, (picture, label)) in part.pictures.iter().zip(&part.labels).enumerate() {
        let class = folder.join(format!("class{label}"));
        fs_err::create_dir_all(&class)?;
        fs_err::write(class.join(format!("{number:04}.bmp")), bmp(picture, side))?;
    }
    Ok(())
}

/// A BMP picture of 24 bits a pixel: rows from bottom to top, each padded to a multiple of 4 bytes.
fn bmp(picture: &[u8], side: usize) -> Vec<u8> {
    let row = (3 * side).next_multiple_of(4);
    let (header, size) = (54u32, (row * side) as u32);
    let mut file = b"BM".to_vec();
    for number in [header + size, 0, header, 40, side as u32, side as u32] {
        file.extend(number.to_le_bytes());
    }
    file.extend([1, 0, 24, 0]);
    for number in [0, size, 2835, 2835, 0, 0] {
        file.extend(number.to_le_bytes());
    }
    for pixels in picture.chunks_exact(side).rev() {
        file.extend(pixels.iter().flat_map(|&grey| [grey; 3]));
        file.resize(file.len() + row - 3 * side, 0);
    }
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idx_file_matches_its_bytes_by_hand() {
        assert_eq!(idx(&[2, 1], &[7, 9]), [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 9]);
    }

    #[test]
    fn a_bmp_has_padded_rows_from_bottom_to_top() {
        let file = bmp(&[1, 2, 3, 4], 2);
        assert_eq!((file.len(), &file[..2]), (54 + 16, &b"BM"[..]));
        assert_eq!(file[54..], [3, 3, 3, 4, 4, 4, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0]);
    }
}

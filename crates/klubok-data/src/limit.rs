//! Subsamples the data for a quick trial: at most `limit` samples of each split.

use std::sync::Arc;

use klubok_nn::{
    rng::{Purpose, Stream},
    rows::{Field, MemoryRows},
};

use super::{Dataset, Parts, Targets, count};
use crate::{Result, part::Part, settings::DataConfig};

/// Returns the data with at most `settings.limit` rows per split, drawn by `settings.split_seed`.
/// Class proportions stay, but every class of a split keeps at least one row, however small the
/// limit. Drops rows outside all splits.
pub(super) fn limited(data: Dataset, settings: &DataConfig) -> Result<Dataset> {
    let drawn = |part: Part, rows: &[u32]| draw(&data, rows, settings, part as u32);
    let parts = [
        drawn(Part::Train, &data.parts.train),
        drawn(Part::Val, &data.parts.val),
        drawn(Part::Test, &data.parts.test),
    ];
    let mut kept = parts.concat();
    kept.sort_unstable();
    // Ascending rows keep their order.
    let new_index = |row: &u32| kept.partition_point(|other| other < row) as u32;
    let [train, val, test] = parts.map(|part| part.iter().map(new_index).collect());
    let of = |row: &u32| *row as usize;
    Ok(Dataset {
        rows: Arc::new(copy_rows(&data, &kept)?),
        targets: data.targets.select(&kept, data.outputs.len()),
        weights: data.weights.as_ref().map(|all| kept.iter().map(|row| all[of(row)]).collect()),
        names: kept.iter().map(|row| data.names[of(row)].clone()).collect(),
        hashes: kept.iter().map(|row| data.hashes[of(row)]).collect(),
        parts: Parts { train, val, test },
        ..data
    })
}

/// Draws rows of a split, in ascending order.
fn draw(data: &Dataset, rows: &[u32], settings: &DataConfig, part: u32) -> Vec<u32> {
    let limit = settings.limit.min(rows.len());
    let (mut drawn, mut before) = (Vec::new(), 0);
    let counts = match data.targets {
        Targets::Classes(_) => count(&data.targets, rows, data.outputs.len()),
        Targets::Numbers(_) | Targets::Labels(_) => vec![rows.len()],
    };
    for (class, n) in counts.into_iter().enumerate() {
        let of_class = rows.iter().filter(|&&row| data.targets.class(row) as usize == class);
        let mut members: Vec<u32> = of_class.copied().collect();
        let stream = &mut Stream::new(settings.split_seed, Purpose::Split, 1 + part, class as u64);
        stream.shuffle(&mut members);
        // Rounded so that the class sizes sum to the limit.
        let share = |n: usize| (n as u128 * limit as u128 / rows.len().max(1) as u128) as usize;
        members.truncate((share(before + n) - share(before)).max(1));
        before += n;
        drawn.extend(members);
    }
    drawn.sort_unstable();
    drawn
}

fn copy_rows(data: &Dataset, kept: &[u32]) -> Result<MemoryRows> {
    let mut rows = MemoryRows::empty(kept.len());
    for (field, spec) in data.rows.fields().iter().enumerate() {
        let mut bytes = vec![0; spec.bytes() * kept.len()];
        data.rows.gather(Field(field), kept, &mut bytes)?;
        rows = rows.with(spec.kind, spec.width, bytes);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, open};

    fn pets(limit: usize, split_seed: u64) -> Dataset {
        let mut settings = crate::fixtures::options(8).data;
        (settings.limit, settings.split_seed) = (limit, split_seed);
        open("demo:cats-dogs-small", &OpenOptions::new(settings), &|_, _| {}).unwrap()
    }

    #[test]
    fn limits_each_split_and_keeps_class_proportions() {
        let (all, few) = (pets(0, 0), pets(50, 0));
        assert!(all.parts.train.len() > 50 && all.parts.val.len() > 50);
        for (part, rows) in [(&few.parts.train, "train"), (&few.parts.val, "val")] {
            assert_eq!(part.len(), 50, "{rows}");
            assert!(few.class_counts(part).iter().all(|&n| (24..=26).contains(&n)), "{rows}");
        }
        assert_eq!(few.rows.len(), few.names.len());
        assert_eq!(
            few.rows.len(),
            few.parts.train.len() + few.parts.val.len() + few.parts.test.len()
        );
        // Each row keeps its name, content, class and split.
        for (row, name) in few.names.iter().enumerate() {
            let before = all.names.iter().position(|other| other == name).unwrap();
            assert_eq!(few.hashes[row], all.hashes[before]);
            assert_eq!(few.target_text(row as u32), all.target_text(before as u32));
            assert_eq!(few.part_of_rows()[row], all.part_of_rows()[before]);
        }
        let mut bytes = vec![0; few.rows.fields()[0].bytes()];
        few.rows.gather(Field::X, &[7], &mut bytes).unwrap();
        assert_eq!(twox_hash::XxHash3_128::oneshot(&bytes), few.hashes[7]);
    }

    #[test]
    fn the_seed_decides_and_every_class_keeps_a_row() {
        assert_eq!(pets(50, 3).names, pets(50, 3).names);
        assert_ne!(pets(50, 3).names, pets(50, 4).names);
        let one = pets(1, 0);
        assert_eq!(one.class_counts(&one.parts.train), [1, 1]);
        let all = pets(0, 0);
        assert_eq!(pets(1_000_000, 0).names, all.names);
    }
}

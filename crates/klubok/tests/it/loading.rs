//! Reads real data, and measures the time.

use std::time::Instant;

use klubok::{
    config::{Color, DataConfig, Fit},
    data::{OpenOptions, open, preprocess},
};

fn settings(size: usize) -> DataConfig {
    DataConfig { size, color: Color::Grey, fit: Fit::Squash, ..DataConfig::default() }
}

/// Returns the folder of real data; without one, prints that the test is skipped.
#[expect(clippy::print_stdout, reason = "a skipped test prints a message")]
fn real_data() -> Option<String> {
    let folder = std::env::var("KLUBOK_DATA").ok();
    if folder.is_none() {
        println!("skipped: KLUBOK_DATA does not name a folder with `cats-dogs-64` and `mnist`");
    }
    folder
}

/// Prints the time: run with `--nocapture` and, for meaningful figures, `--release`.
#[test]
fn real_pictures_are_the_same_with_one_and_two_threads() {
    let Some(folder) = real_data() else { return };
    let load = |threads| {
        let options = OpenOptions { threads, ..OpenOptions::new(settings(64)) };
        let start = Instant::now();
        let data = open(&format!("{folder}/cats-dogs-64"), &options, &|_, _| {}).unwrap();
        println!("{threads} threads: {} pictures in {:?}", data.rows.len(), start.elapsed());
        data
    };
    let (one, two) = (load(1), load(2));
    assert_eq!((one.rows.len(), one.skipped.len()), (20_000, 0));
    assert_eq!(one.hashes, two.hashes);
    assert_eq!(one.parts, two.parts);
    assert_eq!((one.parts.train.len(), one.parts.val.len()), (16_000, 4_000));
}

/// 0.1307 and 0.3081 are the usual mean and standard deviation of MNIST.
#[test]
fn mnist_has_its_known_mean_and_deviation() {
    let Some(folder) = real_data() else { return };
    let mut data =
        open(&format!("{folder}/mnist"), &OpenOptions::new(settings(64)), &|_, _| {}).unwrap();
    assert_eq!((data.rows.len(), data.parts.test.len()), (70_000, 10_000));
    data.parts.train = (0..60_000).collect();
    let p = preprocess::measure(&data, Fit::Squash).unwrap();
    assert!((p.mean[0] / 255.0 - 0.1307).abs() < 5e-5, "{:?}", p.mean);
    assert!((p.std[0] / 255.0 - 0.3081).abs() < 5e-5, "{:?}", p.std);
}

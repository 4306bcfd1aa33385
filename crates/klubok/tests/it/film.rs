//! The film of a run: what it holds, and that recording changes no bit.

use fs_err as fs;
use klubok::{
    model::Model,
    train::{
        film::{FILM, FilmDir, is_due, kept},
        run_dir::MODEL,
    },
};

use crate::resume::{config, lines, whole};

#[test]
fn a_film_has_its_series_the_best_epoch_and_the_end_and_changes_no_bit() {
    let config = config();
    let (_kept, run) = whole(&config);
    let progress = run.progress().unwrap().unwrap();
    let best = progress.best.unwrap().epoch * progress.steps_per_epoch;
    let mut expected = [kept(54, 12), vec![best, 54]].concat();
    expected.sort_unstable();
    expected.dedup();
    let film = FilmDir::of(run.path());
    assert_eq!(film.steps(), expected);
    let start = film.read(0).unwrap();
    assert!(start.layers.iter().all(|layer| layer.grad_norm.is_none()));
    for step in expected.into_iter().skip(1).filter(|step| is_due(*step)) {
        let snapshot = film.read(step).unwrap();
        assert_eq!(snapshot.step, step);
        assert!(snapshot.layers.iter().all(|layer| layer.grad_norm > Some(0.0)), "{step}");
    }
    let model = Model::load(&run.file(MODEL)).unwrap();
    assert_eq!(film.read(best).unwrap().weights.unwrap(), model.weights);

    let mut without = config.clone();
    without.train.snapshots = 0;
    let (_kept, plain) = whole(&without);
    assert!(fs::read(plain.file(MODEL)).unwrap() == fs::read(run.file(MODEL)).unwrap());
    assert_eq!(lines(&plain, "metrics.jsonl"), lines(&run, "metrics.jsonl"));
    assert!(!plain.file(FILM).exists());
}

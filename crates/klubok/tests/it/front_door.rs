//! Training in memory, as a program uses it: every kind of target, weights, stop and go on.

use klubok::{
    Arrays, Dataset, Model, Observer, Predictor, Settings, Trainer,
    config::{Kernel, Loss, Optimizer, Precision},
    device,
    evaluation::Evaluation,
    model::Scratch,
    train::{
        Result,
        event::{Event, Metrics, Stopped},
    },
};

const ROWS: usize = 120;
const LOSSES: [Loss; 4] = [Loss::CrossEntropy, Loss::BinaryCrossEntropy, Loss::Mse, Loss::Huber];

/// Points in a square, `[count, 2]`: each pair of coordinates is a low-discrepancy sequence.
fn points(count: usize, start: usize) -> Vec<f32> {
    let coordinate = |i: usize, ratio: f64| ((i as f64 * ratio).fract() * 4.0 - 2.0) as f32;
    (start..start + count)
        .flat_map(|i| [coordinate(i, 0.754_877_666), coordinate(i, 0.569_840_291)])
        .collect()
}

/// Targets of points with this loss.
fn arrays(x: &[f32], loss: Loss) -> Arrays {
    let all = Arrays::columns(x, 2).unwrap();
    let of = |f: fn(&[f32]) -> Vec<f32>| x.chunks(2).flat_map(f).collect::<Vec<f32>>();
    let sign = |value: f32| f32::from(value > 0.0);
    match loss {
        Loss::CrossEntropy => {
            let classes: Vec<u32> = x.chunks(2).map(|x| u32::from(x[0] * x[1] > 0.0)).collect();
            all.classes(&classes)
        }
        Loss::BinaryCrossEntropy => {
            let y: Vec<f32> =
                x.chunks(2).flat_map(|x| [sign(x[0]), sign(x[0] + x[1]), sign(x[1])]).collect();
            all.labels(&y, 3)
        }
        Loss::Mse | Loss::Huber => all.numbers(&of(|x| vec![x[0] * x[1], 300.0 - 50.0 * x[0]]), 2),
    }
    .unwrap()
}

/// Weights 1, 2, 3, 1, 2, 3 …
fn weights(rows: usize) -> Vec<f32> {
    (0..rows).map(|row| (row % 3 + 1) as f32).collect()
}

/// A weighted training and validation set.
fn data(loss: Loss, start: usize) -> Dataset {
    let part = |start, rows| arrays(&points(rows, start), loss).weights(&weights(rows)).unwrap();
    Dataset::with_validation(part(start, ROWS), part(start + 1000, ROWS / 2)).unwrap()
}

fn settings(loss: Loss) -> Settings {
    let all = Settings::new().loss(loss).hidden(&[16, 8]).batch_norm(true).dropout(0.1);
    all.epochs(8).batch_size(16).learning_rate(0.01).threads(1)
}

/// The file of a model without its card, which names the settings.
fn bits(model: &Model) -> Vec<u8> {
    Model { card: None, ..model.clone() }.to_bytes().unwrap()
}

/// A history without its times.
fn figures(history: &[Metrics]) -> Vec<Metrics> {
    let timeless = |metrics: &Metrics| Metrics {
        seconds: 0.0,
        elapsed_seconds: 0.0,
        samples_per_second: None,
        ..metrics.clone()
    };
    history.iter().map(timeless).collect()
}

/// Interrupts at the first measured step from this one on.
struct InterruptAt(u64, std::sync::Arc<klubok::train::control::Control>);

impl Observer for InterruptAt {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Step(metrics) = event
            && metrics.step >= self.0
        {
            self.1.interrupt();
        }
        Ok(())
    }
}

/// The steps that were measured, and the one at which the run stopped.
struct Steps(InterruptAt, Vec<u64>);

impl Observer for Steps {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Step(metrics) => self.1.push(metrics.step),
            Event::Stopping { step, .. } => self.1.push(*step),
            _ => {}
        }
        self.0.observe(event)
    }
}

#[test]
fn every_kind_of_target_is_learnt() {
    for loss in LOSSES {
        let data = data(loss, 0);
        let settings = settings(loss).dropout(0.0).epochs(120).early_stopping(false);
        let trained = klubok::train(&data, &settings).unwrap();
        let evaluation = Predictor::new(trained.model, 1).evaluate(&data, &data.parts.val).unwrap();
        let good = match &evaluation {
            Evaluation::Numbers(numbers) => numbers.r2,
            _ => evaluation.accuracy().unwrap(),
        };
        assert!(good > 0.93, "{loss:?}: {good}");
        assert_eq!(trained.stopped, Some(Stopped::Epochs), "{loss:?}");
        let ends = trained.phases.last().map(|phase| phase.end);
        assert_eq!(ends, Some(120.0), "{loss:?}");
    }
}

#[test]
fn a_row_of_weight_three_counts_as_three_rows() {
    for loss in LOSSES {
        let x = points(ROWS, 0);
        let val_x = points(50, 1000);
        let weighted = |x: &[f32]| arrays(x, loss).weights(&weights(x.len() / 2)).unwrap();
        let repeated = |x: &[f32]| {
            let each = x.chunks(2).enumerate();
            let all: Vec<f32> = each.flat_map(|(row, x)| x.repeat(row % 3 + 1)).collect();
            arrays(&all, loss)
        };
        let settings = settings(loss)
            .dropout(0.0)
            .batch_norm(false)
            .normalize(false)
            .optimizer(Optimizer::Sgd)
            .learning_rate(1e-3)
            .batch_size(1000)
            .early_stopping(false);
        let history = |train: Arrays, val: Arrays| {
            let data = Dataset::with_validation(train, val).unwrap();
            klubok::train(&data, &settings).unwrap().history
        };
        let one = history(weighted(&x), weighted(&val_x));
        let two = history(repeated(&x), repeated(&val_x));
        let same = |one: Option<f64>, two: Option<f64>, tolerance: f64| match (one, two) {
            (Some(one), Some(two)) => (one - two).abs() <= tolerance * two.abs().max(1e-3),
            (one, two) => one == two,
        };
        for (one, two) in one.iter().zip(&two) {
            let figures = [
                (one.val_loss, two.val_loss, 1e-5),
                (one.val_accuracy, two.val_accuracy, 1e-9),
                (one.val_r2, two.val_r2, 1e-4),
                // Its prior counts samples, not weights.
                (one.val_loss_calibrated, two.val_loss_calibrated, 0.02),
            ];
            for (one, two, tolerance) in figures {
                assert!(same(one, two, tolerance), "{loss:?}: {one:?} is not {two:?}");
            }
        }
        assert!(one.last().unwrap().val_loss < one[0].val_loss, "{loss:?}");
    }
}

#[test]
fn threads_and_interruptions_change_no_bit_of_any_loss_on_any_kernel() {
    for loss in LOSSES {
        let data = data(loss, 0);
        for kernel in device::machine().kernels {
            let precision = match kernel {
                Kernel::Amx | Kernel::Avx512bf16 => Precision::Bf16,
                _ => Precision::F32,
            };
            let settings = settings(loss).kernel(kernel).precision(precision);
            let whole = klubok::train(&data, &settings).unwrap();
            let three = klubok::train(&data, &settings.clone().threads(3)).unwrap();
            assert_eq!(bits(&whole.model), bits(&three.model), "{loss:?} {kernel:?}: threads");

            let mut trainer = Trainer::new(&data, &settings).unwrap();
            // In the middle of the first epoch, and at the end of the second.
            for step in [4, 16] {
                let mut observer = InterruptAt(step, trainer.control());
                assert_eq!(trainer.run(&mut observer).unwrap(), Stopped::Interrupted);
                let bytes = trainer.to_bytes().unwrap();
                trainer = Trainer::from_bytes(&bytes, &data).unwrap();
            }
            trainer.run(&mut ()).unwrap();
            let resumed = trainer.finish().unwrap();
            assert_eq!(bits(&whole.model), bits(&resumed.model), "{loss:?} {kernel:?}: resumed");
            let (figures, again) = (figures(&whole.history), figures(&resumed.history));
            assert_eq!(figures, again, "{loss:?} {kernel:?}");
            assert_eq!(whole.best_epoch, resumed.best_epoch, "{loss:?} {kernel:?}");
        }
    }
}

#[test]
fn an_interruption_ends_the_run_within_a_step() {
    let data = data(Loss::Mse, 0);
    let mut trainer = Trainer::new(&data, &settings(Loss::Mse)).unwrap();
    let mut observer = Steps(InterruptAt(3, trainer.control()), Vec::new());
    trainer.run(&mut observer).unwrap();
    let [.., measured, stopped] = observer.1[..] else { panic!("{:?}", observer.1) };
    assert_eq!(stopped, measured, "no further step");
    assert!(stopped < 8, "in the middle of an epoch");
    // Its model and its history are there.
    let trained = trainer.finish().unwrap();
    assert_eq!(trained.stopped, Some(Stopped::Interrupted));
    assert_eq!(trained.model.predict(&[0.5, 0.5]).unwrap().len(), 2);
}

#[test]
fn training_goes_on_with_other_data() {
    for loss in [Loss::CrossEntropy, Loss::BinaryCrossEntropy, Loss::Huber] {
        let first = data(loss, 0);
        let settings = settings(loss).epochs(10).early_stopping(false);
        let mut trainer = Trainer::new(&first, &settings).unwrap();
        let mut observer = InterruptAt(16, trainer.control());
        assert_eq!(trainer.run(&mut observer).unwrap(), Stopped::Interrupted);
        let before = trainer.to_bytes().unwrap();
        let other = data(loss, 5000);
        let mut trainer = Trainer::from_bytes(&before, &other).unwrap();
        assert_eq!(trainer.run(&mut ()).unwrap(), Stopped::Epochs, "{loss:?}");
        let trained = trainer.finish().unwrap();
        let losses: Vec<f64> = trained.history.iter().filter_map(|m| m.val_loss).collect();
        assert!(losses.last().unwrap() < &(0.9 * losses[0]), "{loss:?}: {losses:?}");
        assert!(trained.best_epoch >= 2, "epoch 1 was of other data");
    }
}

#[test]
fn training_starts_from_other_weights() {
    let data = data(Loss::Mse, 0);
    let settings = settings(Loss::Mse).dropout(0.0).epochs(60).early_stopping(false);
    let trained = klubok::train(&data, &settings).unwrap();
    let best = trained.best().val_loss.unwrap();
    let mut trainer = Trainer::from_model(&trained.model, &data, &settings).unwrap();
    trainer.run(&mut ()).unwrap();
    let first = trainer.history()[0].val_loss.unwrap();
    assert!((first - best).abs() < 1e-6, "starts at {first}, ended at {best}");
    // A network of another shape is refused.
    let wider = settings.hidden(&[17, 8]);
    assert!(Trainer::from_model(&trained.model, &data, &wider).is_err());
}

#[test]
fn a_batch_whose_rows_all_weigh_nothing_changes_nothing() {
    let x = points(64, 0);
    let weights: Vec<f32> = (0..64).map(|row| f32::from(u8::from(row % 16 == 0))).collect();
    let train = arrays(&x, Loss::Mse).weights(&weights).unwrap();
    let val = arrays(&points(50, 1000), Loss::Mse).weights(&[1.0; 50]).unwrap();
    let data = Dataset::with_validation(train, val).unwrap();
    let settings = settings(Loss::Mse).batch_norm(false).batch_size(4).early_stopping(false);
    let trained = klubok::train(&data, &settings).unwrap();
    assert_eq!(trained.stopped, Some(Stopped::Epochs));
    assert!(trained.history.iter().all(|m| m.val_loss.is_some_and(f64::is_finite)));
    // Nothing to learn from at all is an error.
    let none = arrays(&x, Loss::Mse).weights(&[0.0; 64]);
    assert!(none.is_err());
}

#[test]
fn wrong_sizes_and_bytes_are_errors() {
    let data = data(Loss::BinaryCrossEntropy, 0);
    let settings = settings(Loss::BinaryCrossEntropy).epochs(1);
    let trained = klubok::train(&data, &settings).unwrap();
    let model = &trained.model;
    for x in [&[][..], &[1.0], &[1.0; 3], &[f32::NAN, 0.0], &[0.0, f32::INFINITY]] {
        assert!(model.predict(x).is_err(), "{x:?}");
    }
    let mut scratch = Scratch::default();
    assert!(model.predict_into(&[0.0; 2], &mut [0.0; 2], &mut scratch).is_err());
    model.predict_into(&[0.0; 2], &mut [0.0; 3], &mut scratch).unwrap();

    let bytes = model.to_bytes().unwrap();
    assert_eq!(
        Model::from_bytes(&bytes).unwrap().predict(&[1.0, 2.0]).unwrap(),
        model.predict(&[1.0, 2.0]).unwrap()
    );
    assert!(Model::from_bytes(&bytes[..bytes.len() / 2]).is_err());
    let mut trainer = Trainer::new(&data, &settings).unwrap();
    trainer.run(&mut ()).unwrap();
    let bytes = trainer.to_bytes().unwrap();
    assert!(Trainer::from_bytes(&bytes[..bytes.len() - 9], &data).is_err());
    assert!(Trainer::from_bytes(&[], &data).is_err());
    // Bytes of a training with other targets.
    assert!(Trainer::from_bytes(&bytes, &self::data(Loss::Mse, 0)).is_err());
    // A model of other targets than the data's.
    let predictor = Predictor::new(trained.model.clone(), 1);
    let other = self::data(Loss::Mse, 0);
    assert!(predictor.evaluate(&other, &other.parts.val).is_err());
    // A loss that does not fit the targets.
    assert!(klubok::train(&data, &settings.loss(Loss::Huber)).is_err());
}

#[test]
fn a_model_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Model>();
    shared::<Predictor>();
}

#[test]
fn sample_weights_reach_every_figure_of_an_evaluation() {
    for loss in LOSSES {
        let data = data(loss, 0);
        let trained = klubok::train(&data, &settings(loss)).unwrap();
        let best = trained.best().clone();
        let evaluation = Predictor::new(trained.model, 1).evaluate(&data, &data.parts.val).unwrap();
        // Huber's own loss is not that of an evaluation, which is the mean square.
        if loss != Loss::Huber {
            let far = (evaluation.loss() - best.val_loss.unwrap()).abs();
            assert!(far < 1e-5, "{loss:?}: {} {:?}", evaluation.loss(), best.val_loss);
        }
        if let Evaluation::Numbers(of) = &evaluation {
            let far = (of.rmse - best.val_rmse.unwrap()).abs();
            assert!(far < 1e-4 * of.rmse, "{} {:?}", of.rmse, best.val_rmse);
            assert_eq!(of.per_output.len(), 2);
        } else {
            let far = (evaluation.accuracy().unwrap() - best.val_accuracy.unwrap()).abs();
            assert!(far < 1e-6, "{loss:?}");
        }
    }
}

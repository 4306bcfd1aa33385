//! Trains from arrays, with a validation set and sample weights of one's own, and predicts.

#![expect(clippy::print_stdout, reason = "an example prints")]

use klubok::{Arrays, Dataset, Predictor, Settings, config::Optimizer};

fn main() -> klubok::Result<()> {
    let (x, y) = rings(400, 1);
    let (val_x, val_y) = rings(200, 2);
    // The second half of the samples counts twice.
    let weights: Vec<f32> = (0..400).map(|i| if i < 200 { 1.0 } else { 2.0 }).collect();

    let train =
        Arrays::columns(&x, 2)?.classes(&y)?.outputs(&["inner", "outer"])?.weights(&weights)?;
    let val = Arrays::columns(&val_x, 2)?.classes(&val_y)?.weights(&[1.0; 200])?;
    let data = Dataset::with_validation(train, val)?;

    let settings = Settings::new().hidden(&[32, 16]).optimizer(Optimizer::Adam).epochs(40);
    let trained = klubok::train(&data, &settings.batch_size(32).learning_rate(0.01))?;
    println!("epoch {}: validation accuracy {:?}", trained.best_epoch, trained.best().val_accuracy);

    for point in [[0.3, -0.2], [1.8, 0.9]] {
        let confidences = trained.model.predict(&point)?;
        println!("{point:?}: {} {:.3}", trained.model.outputs[1], confidences[1]);
    }
    let evaluation = Predictor::new(trained.model, 1).evaluate(&data, &data.parts.val)?;
    println!("loss {:.3}, accuracy {:?}", evaluation.loss(), evaluation.accuracy());
    Ok(())
}

/// Points on an inner and an outer ring: `[count, 2]`, and the class of each.
fn rings(count: u32, seed: u32) -> (Vec<f32>, Vec<u32>) {
    let classes: Vec<u32> = (0..count).map(|i| i % 2).collect();
    let point = |(i, class): (u32, &u32)| {
        let noise = ((i * 7919 + seed * 104_729) % 997) as f32 / 997.0;
        let (angle, radius) = (i as f32 * 2.4 + seed as f32, 1.0 + *class as f32 + 0.8 * noise);
        [radius * angle.cos(), radius * angle.sin()]
    };
    ((0..count).zip(&classes).flat_map(point).collect(), classes)
}

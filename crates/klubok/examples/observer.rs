//! Watches a training, interrupts it, keeps it as bytes, and goes on from them.

#![expect(clippy::print_stdout, reason = "an example prints")]

use klubok::{
    Observer, Settings, Trainer,
    train::{Result, control::Control, event::Event},
};

/// Prints each epoch, and interrupts the training after some of them.
struct Watcher {
    control: std::sync::Arc<Control>,
    epochs: f64,
}

impl Observer for Watcher {
    fn observe(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Epoch { metrics, best } = event {
            println!("{:3} {:?} {}", metrics.epoch, metrics.val_loss, if *best { "*" } else { "" });
            if metrics.epoch >= self.epochs {
                self.control.interrupt();
            }
        }
        Ok(())
    }
}

fn main() -> klubok::Result<()> {
    let settings = Settings::new().hidden(&[32, 32]).epochs(12).learning_rate(0.01).batch_size(32);
    let data = klubok::open("demo:spirals", &settings)?;
    let mut trainer = Trainer::new(&data, &settings)?;
    let control = trainer.control();
    println!("{:?}", trainer.run(&mut Watcher { control, epochs: 6.0 })?);

    let bytes = trainer.to_bytes()?; // weights, moments, counters
    let mut trainer = Trainer::from_bytes(&bytes, &data)?;
    println!("{:?}", trainer.run(&mut ())?);
    println!("best epoch {}", trainer.finish()?.best_epoch);
    Ok(())
}

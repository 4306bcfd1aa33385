//! Finds phases and verdicts in a history that any framework wrote: here losses by epoch in memory.

#![expect(clippy::print_stdout, reason = "an example prints")]

use klubok::diagnose::{Diagnosis, history::History, row::Row};

fn main() {
    // A network that begins to memorise after epoch 12.
    let epochs: Vec<Row> = (1..=40)
        .map(|epoch| {
            let x = f64::from(epoch);
            let train_loss = 0.9 * (-x / 6.0).exp() + 0.05;
            let val_loss = 0.9 * (-x / 6.0).exp() + 0.3 + 0.012 * (x - 12.0).max(0.0);
            Row {
                epoch: x,
                train_loss: Some(train_loss),
                val_loss: Some(val_loss),
                ..Row::default()
            }
        })
        .collect();
    let history = History { epochs, val_samples: Some(2000), ended: true, ..History::default() };
    let diagnosis = Diagnosis::from_history(&history);
    for phase in &diagnosis.phases {
        println!("{:?} from epoch {} to {}", phase.name, phase.start, phase.end);
    }
    for verdict in &diagnosis.verdicts {
        println!("{:?} since epoch {}: {}", verdict.name, verdict.since, verdict.meaning);
    }
}

//! A run that this process trains: the timeline records its events, the film its snapshots.

use std::sync::Arc;

use klubok::train::{
    act::RecordedAct,
    event::{Event, EventKind, EventLine, Observer as _},
};

use super::{hub::Hub, lock::lock};

impl Hub {
    /// Records an event of this process' training.
    pub(super) fn observe(self: &Arc<Self>, event: &Event<'_>) -> klubok::train::Result<()> {
        match event {
            Event::Past { events, ahead, .. } => {
                // The training repeats these acts at their steps, and reports them then.
                let is_ahead = |line: &EventLine| match line.kind {
                    EventKind::Person { act } => {
                        ahead.contains(&RecordedAct { step: line.step, act })
                    }
                    _ => false,
                };
                let events = events.iter().filter(|line| !is_ahead(line)).cloned();
                self.timeline().record_events(events.collect());
            }
            Event::Snapshot { snapshot, .. } => self.film.take(snapshot),
            _ => {}
        }
        self.timeline().observe(event)?;
        if let Event::Past { .. } | Event::Checkpoint { .. } = event {
            // Now the model in the run's folder is that of the best epoch.
            let best = self.best_step();
            *lock(&self.saved_best) = best;
        }
        Ok(())
    }
}

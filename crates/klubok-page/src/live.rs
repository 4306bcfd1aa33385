//! A run that this process trains: the timeline records its events, and the hub keeps snapshots of
//! it.

use std::{
    sync::{Arc, Weak},
    thread,
    time::Instant,
};

use klubok::{
    state::Weights,
    train::{
        act::RecordedAct,
        control::Control,
        event::{Event, EventKind, EventLine, Observer as _},
    },
};

use super::{hub::Hub, lock::lock};

/// The next snapshot comes at the earliest after 1/8 of the last snapshot's step.
const MIN_GROWTH: u64 = 8;

impl Hub {
    /// Records an event of this process' training.
    pub(super) fn observe(self: &Arc<Self>, event: &Event<'_>) -> klubok::train::Result<()> {
        if let Event::Past { events, ahead, .. } = event {
            // The training repeats these acts at their steps, and reports them then.
            let is_ahead = |line: &EventLine| match line.kind {
                EventKind::Person { act } => ahead.contains(&RecordedAct { step: line.step, act }),
                _ => false,
            };
            let events = events.iter().filter(|line| !is_ahead(line)).cloned();
            self.timeline().record_events(events.collect());
        }
        self.timeline().observe(event)?;
        if let (Event::Step(_) | Event::Epoch { .. }, Some(control)) = (event, self.control()) {
            request_snapshot(self, control);
        }
        Ok(())
    }
}

/// Requests a snapshot of the training if a browser has ever inspected it, the last snapshot is old
/// enough, and the time budget allows.
fn request_snapshot(hub: &Arc<Hub>, control: &Control) {
    let step = hub.status().step;
    let last = lock(&hub.snapshots).last_step();
    let is_early = |last: u64| step < last + (last / MIN_GROWTH).max(1);
    if last.is_none_or(is_early) || !hub.has_time(&hub.frequent) {
        return;
    }
    let hub: Weak<Hub> = Arc::downgrade(hub);
    control.inspect(Box::new(move |program, progress| {
        let (step, mut weights) = (progress.step, Weights::default());
        let Some(hub) = hub.upgrade() else { return };
        if program.store_weights(&mut weights).is_err() {
            return;
        }
        // On a thread of its own: the training goes on meanwhile.
        let keep = move || {
            let Ok(start) = hub.initial_network() else { return };
            let Ok(view) = hub.network_with(step, weights) else { return };
            let begun = Instant::now();
            hub.keep_snapshot(step, &Arc::new(view), &start);
            hub.charge(&hub.frequent, begun);
        };
        // Without a thread there is one snapshot less.
        let _ = thread::Builder::new().name("snapshot".to_owned()).spawn(keep);
    }));
}

//! A run that this process trains: its story is told what happens, and moments of it are kept as
//! they come.

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

/// A moment is kept when at least one part in so many of the steps of the last one has passed.
const LATER: u64 = 8;

impl Hub {
    /// Tells the story what happens in a training of this process.
    pub(super) fn observe(self: &Arc<Self>, event: &Event<'_>) -> klubok::train::Result<()> {
        if let Event::Past { events, ahead, .. } = event {
            // What is done again is told when it is.
            let again = |line: &EventLine| match line.kind {
                EventKind::Person { act } => ahead.contains(&RecordedAct { step: line.step, act }),
                _ => false,
            };
            let events = events.iter().filter(|line| !again(line)).cloned();
            self.story().happened(events.collect());
        }
        self.story().observe(event)?;
        if let (Event::Step(_) | Event::Epoch { .. }, Some(control)) = (event, self.control()) {
            ask_for_moment(self, control);
        }
        Ok(())
    }
}

/// Has this moment of the training kept, if somebody has ever looked at features, and it is so
/// much later than the last one that is kept, and there is time for it.
fn ask_for_moment(hub: &Arc<Hub>, control: &Control) {
    let step = hub.now().step;
    let last = lock(&hub.snapshots).last();
    if last.is_none_or(|last| step < last + (last / LATER).max(1)) || !hub.allows(&hub.frequent) {
        return;
    }
    let hub: Weak<Hub> = Arc::downgrade(hub);
    control.inspect(Box::new(move |program, progress| {
        let (step, mut weights) = (progress.step, Weights::default());
        let Some(hub) = hub.upgrade() else { return };
        if program.store_weights(&mut weights).is_err() {
            return;
        }
        // The training goes on meanwhile.
        let keep = move || {
            let Ok(start) = hub.start() else { return };
            let Ok(view) = hub.glass_of(step, weights) else { return };
            let begun = Instant::now();
            hub.keep_moment(step, &Arc::new(view), &start);
            hub.spend(&hub.frequent, begun);
        };
        // Without a thread there is one moment less.
        let _ = thread::Builder::new().name("moment".to_owned()).spawn(keep);
    }));
}

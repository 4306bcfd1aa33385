//! What others may do to a training under way: ask it to rest, to go on, to take another learning
//! rate, to stop, and look at the network between two steps.
//!
//! Any thread may ask through a [`Control`]. Before each step the training inspections at two numbers
//! that need no lock; only when something was asked it takes one. What a person did is written to
//! the run's `events.jsonl`, with its step, and synced, before it is done: a run that is killed
//! does it again when it goes on, and another training can repeat it.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
};

use klubok_nn::backend::Program;

pub use crate::act::{Act, MOST_EPOCHS, Recorded, is_rate};
use crate::progress::Progress;

/// A look at a training between two steps: at the weights, and how far it has come. It takes
/// training time, so it should be short.
pub type Inspection = Box<dyn FnOnce(&dyn Program, &Progress) + Send>;

/// How others reach a training under way.
#[derive(Default)]
pub struct Control {
    /// Something other than a look was asked.
    called: AtomicBool,
    /// Looks that wait.
    inspections: AtomicUsize,
    asked: Mutex<Asked>,
    arrived: Condvar,
}

#[derive(Default)]
struct Asked {
    interrupted: bool,
    closed: bool,
    /// Acts, each with who is told when it stands in the log.
    acts: VecDeque<(Act, mpsc::Sender<()>)>,
    /// Looks, each with the step before which it is too early for it.
    inspections: VecDeque<(u64, Inspection)>,
}

impl Control {
    /// Nothing was asked yet.
    pub const fn new() -> Self {
        Self {
            called: AtomicBool::new(false),
            inspections: AtomicUsize::new(0),
            asked: Mutex::new(Asked {
                interrupted: false,
                closed: false,
                acts: VecDeque::new(),
                inspections: VecDeque::new(),
            }),
            arrived: Condvar::new(),
        }
    }

    /// Lets the step under way finish and leaves the run to be resumed. True when it was asked for
    /// the first time.
    pub fn interrupt(&self) -> bool {
        let first = !std::mem::replace(&mut self.asked().interrupted, true);
        self.call();
        first
    }

    /// Asks for something. The answer comes when it stands in the run's log, so that no kill can
    /// take it back, and never when the training has ended.
    pub fn ask(&self, act: Act) -> mpsc::Receiver<()> {
        let (written, answer) = mpsc::channel();
        let mut asked = self.asked();
        if !asked.closed {
            asked.acts.push_back((act, written));
        }
        drop(asked);
        self.call();
        answer
    }

    /// Asks for a look. When the training has ended it is dropped.
    pub fn inspect(&self, inspection: Inspection) {
        self.inspect_from(0, inspection);
    }

    /// Asks for a look after so many updates at the earliest. A look may ask for another one.
    pub fn inspect_from(&self, step: u64, inspection: Inspection) {
        let mut asked = self.asked();
        if !asked.closed {
            asked.inspections.push_back((step, inspection));
            self.inspections.store(asked.inspections.len(), Ordering::Relaxed);
            self.arrived.notify_all();
        }
    }

    fn call(&self) {
        self.called.store(true, Ordering::Relaxed);
        self.arrived.notify_all();
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when an act or an interruption waits.
    pub(super) fn calls(&self) -> bool {
        self.called.load(Ordering::Relaxed)
    }

    /// True when somebody asks for more epochs, for which a run that has ended goes on.
    pub(super) fn extends(&self) -> bool {
        self.asked().acts.iter().any(|(act, _)| matches!(act, Act::Epochs { .. }))
    }

    /// True when a look waits.
    pub(super) fn has_inspection(&self) -> bool {
        self.inspections.load(Ordering::Relaxed) > 0
    }

    pub(super) fn interrupted(&self) -> bool {
        self.asked().interrupted
    }

    /// The next act; after the last one nothing calls any more.
    pub(super) fn next_act(&self) -> Option<(Act, mpsc::Sender<()>)> {
        let mut asked = self.asked();
        let act = asked.acts.pop_front();
        self.called.store(asked.interrupted || !asked.acts.is_empty(), Ordering::Relaxed);
        act
    }

    /// The next look for which it is not too early at this step.
    pub(super) fn next_inspection(&self, step: u64) -> Option<Inspection> {
        let mut asked = self.asked();
        let due = asked.inspections.iter().position(|(from, _)| *from <= step)?;
        let inspection = asked.inspections.remove(due);
        self.inspections.store(asked.inspections.len(), Ordering::Relaxed);
        inspection.map(|(_, inspection)| inspection)
    }

    /// Sleeps until something is asked that can be done at this step.
    pub(super) fn wait(&self, step: u64) {
        let nothing = |asked: &mut Asked| {
            let inspection = asked.inspections.iter().any(|(from, _)| *from <= step);
            !asked.interrupted && asked.acts.is_empty() && !inspection
        };
        drop(self.arrived.wait_while(self.asked(), nothing));
    }

    /// The training has ended: acts and inspections that wait are dropped, and so are those that come.
    pub(super) fn close(&self) {
        let mut asked = self.asked();
        asked.closed = true;
        asked.inspections.clear();
        asked.acts.clear();
        self.inspections.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_is_done_once_and_in_order() {
        let control = Control::new();
        assert!(!control.calls());
        control.ask(Act::Pause);
        control.ask(Act::OneStep);
        assert!(control.calls());
        let next = || control.next_act().map(|(act, _)| act);
        assert_eq!(next(), Some(Act::Pause));
        assert!(control.calls());
        assert_eq!(next(), Some(Act::OneStep));
        assert!(!control.calls() && control.next_act().is_none());
    }

    #[test]
    fn an_interruption_calls_until_it_is_heard() {
        let control = Control::new();
        assert!(control.interrupt() && !control.interrupt());
        assert!(control.next_act().is_none() && control.calls() && control.interrupted());
    }

    #[test]
    fn who_waits_is_woken_by_whatever_is_asked() {
        for ask in [
            (|control: &Control| drop(control.ask(Act::GoOn))) as fn(&Control),
            |control| control.inspect(Box::new(|_, _| {})),
            |control| assert!(control.interrupt()),
        ] {
            let control = Control::new();
            std::thread::scope(|scope| {
                scope.spawn(|| control.wait(0));
                ask(&control);
            });
        }
    }

    #[test]
    fn a_look_waits_for_its_step() {
        let control = Control::new();
        control.inspect_from(3, Box::new(|_, _| {}));
        control.inspect(Box::new(|_, _| {}));
        assert!(control.next_inspection(2).is_some() && control.next_inspection(2).is_none());
        assert!(control.has_inspection());
        // Who rests before that step is woken by something else only.
        control.ask(Act::GoOn);
        control.wait(2);
        assert!(control.next_inspection(3).is_some() && !control.has_inspection());
    }

    #[test]
    fn who_asks_learns_whether_it_was_written() {
        let control = Control::new();
        let (one, other) = (control.ask(Act::Pause), control.ask(Act::Stop));
        let (_, written) = control.next_act().unwrap();
        assert!(one.try_recv().is_err());
        written.send(()).unwrap();
        assert!(one.try_recv().is_ok());
        control.close();
        assert!(other.recv().is_err() && control.ask(Act::Stop).recv().is_err());
    }

    #[test]
    fn nobody_looks_at_a_training_that_has_ended() {
        let control = Control::new();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        for before in [true, false] {
            let sender = sender.clone();
            let inspection = Box::new(move |_: &dyn Program, _: &Progress| drop(sender));
            if before {
                control.inspect(inspection);
                control.close();
            } else {
                control.inspect(inspection);
            }
        }
        drop(sender);
        // Whoever waits for an answer learns at once that none comes.
        assert!(receiver.recv().is_err() && !control.has_inspection());
    }
}

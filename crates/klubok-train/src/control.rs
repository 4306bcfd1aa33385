//! Control of a running training from other threads: pause, continue, stop, change the learning
//! rate, and inspect the network between two steps.
//!
//! Any thread may make requests through a [`Control`]. Before each step the training reads a few
//! atomics, and locks only when a request waits. An act is written to the run's `events.jsonl`,
//! with its step, and synced before it takes effect: a killed run repeats it when it resumes, and
//! another training can replay it.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use klubok_nn::backend::Program;

use crate::{act::Act, pace::Pace, progress::Progress};

/// An inspection of a training between two steps: of its weights and its progress. It takes
/// training time, so it should be short.
pub type Inspection = Box<dyn FnOnce(&dyn Program, &Progress) + Send>;

/// A queue of requests to a running training.
#[derive(Default)]
pub struct Control {
    /// Whether an act or an interruption waits.
    has_acts: AtomicBool,
    /// Number of waiting inspections.
    inspections: AtomicUsize,
    /// Number of those among them that a person asked for.
    asked: AtomicUsize,
    /// Whether somebody waits for a snapshot.
    wants_snapshot: AtomicBool,
    /// Whether steps may have to wait.
    paced: AtomicBool,
    requests: Mutex<Requests>,
    arrived: Condvar,
}

#[derive(Default)]
struct Requests {
    interrupted: bool,
    closed: bool,
    /// Acts, each with a channel that confirms its line in the log.
    acts: VecDeque<(Act, mpsc::Sender<()>)>,
    inspections: VecDeque<Waiting>,
    pace: Option<Pace>,
    /// Until when the first step waits for somebody to look.
    held_until: Option<Instant>,
}

/// An inspection that waits.
struct Waiting {
    /// The earliest step.
    from: u64,
    /// Whether a person asked for it just now.
    asked: bool,
    inspection: Inspection,
}

impl Control {
    /// Starts without requests.
    pub const fn new() -> Self {
        Self {
            has_acts: AtomicBool::new(false),
            inspections: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            wants_snapshot: AtomicBool::new(false),
            paced: AtomicBool::new(false),
            requests: Mutex::new(Requests {
                interrupted: false,
                closed: false,
                acts: VecDeque::new(),
                inspections: VecDeque::new(),
                pace: None,
                held_until: None,
            }),
            arrived: Condvar::new(),
        }
    }

    /// Interrupts the training after the current step; the run can be resumed. Returns true for the
    /// first request.
    pub fn interrupt(&self) -> bool {
        let first = !std::mem::replace(&mut self.requests().interrupted, true);
        self.signal();
        first
    }

    /// Queues an act. The channel confirms that the act is in the run's log, where no kill can undo
    /// it. It closes without confirmation when the training has ended.
    pub fn request(&self, act: Act) -> mpsc::Receiver<()> {
        let (written, confirmation) = mpsc::channel();
        let mut requests = self.requests();
        if !requests.closed {
            requests.acts.push_back((act, written));
        }
        drop(requests);
        self.signal();
        confirmation
    }

    /// Queues an inspection at this step or later, or drops it when the training has ended. One
    /// that a person asked for comes before the next step, within a time of its own. An inspection
    /// may queue another one.
    pub fn inspect(&self, from: u64, asked: bool, inspection: Inspection) {
        let mut requests = self.requests();
        if !requests.closed {
            requests.inspections.push_back(Waiting { from, asked, inspection });
            self.count(&requests);
            self.arrived.notify_all();
        }
    }

    /// Counts the waiting inspections for those who do not take the lock.
    fn count(&self, requests: &Requests) {
        let asked = requests.inspections.iter().filter(|waiting| waiting.asked).count();
        self.inspections.store(requests.inspections.len(), Ordering::Relaxed);
        self.asked.store(asked, Ordering::Relaxed);
    }

    /// Requests a snapshot of the present state, as the film has them: the training sends it to its
    /// observers after the current step, unless it records no film.
    pub fn request_snapshot(&self) {
        let _requests = self.requests();
        self.wants_snapshot.store(true, Ordering::Relaxed);
        self.arrived.notify_all();
    }

    /// Sets the time that a whole training takes at least; none for full speed. It changes no
    /// weight.
    pub fn set_pace(&self, whole: Option<Duration>) {
        let mut requests = self.requests();
        requests.pace = whole.map(Pace::new);
        self.paced.store(whole.is_some() || requests.held_until.is_some(), Ordering::Relaxed);
        self.arrived.notify_all();
    }

    /// Makes the next step wait until [`Control::release`], for this long at most.
    pub fn hold(&self, most: Duration) {
        self.requests().held_until = Some(Instant::now() + most);
        self.paced.store(true, Ordering::Relaxed);
    }

    /// Ends [`Control::hold`].
    pub fn release(&self) {
        let mut requests = self.requests();
        requests.held_until = None;
        self.paced.store(requests.pace.is_some(), Ordering::Relaxed);
        self.arrived.notify_all();
    }

    fn signal(&self) {
        self.has_acts.store(true, Ordering::Relaxed);
        self.arrived.notify_all();
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an act or an interruption waits.
    pub(super) fn has_acts(&self) -> bool {
        self.has_acts.load(Ordering::Relaxed)
    }

    /// Whether a request for more epochs waits; it restarts a run that has ended.
    pub(super) fn extends(&self) -> bool {
        self.requests().acts.iter().any(|(act, _)| matches!(act, Act::Epochs { .. }))
    }

    /// Whether an inspection waits; with `asked`, one that a person asked for.
    pub(super) fn has_inspection(&self, asked: bool) -> bool {
        let count = if asked { &self.asked } else { &self.inspections };
        count.load(Ordering::Relaxed) > 0
    }

    /// Whether somebody waits for a snapshot.
    pub(super) fn wants_snapshot(&self) -> bool {
        self.wants_snapshot.load(Ordering::Relaxed)
    }

    /// Whether steps may have to wait.
    pub(super) fn is_paced(&self) -> bool {
        self.paced.load(Ordering::Relaxed)
    }

    /// Returns when the step after `step` of `last` is due, if that is in the future.
    pub(super) fn due(&self, step: u64, last: u64) -> Option<Instant> {
        let mut requests = self.requests();
        let held = requests.held_until;
        let due = held.or_else(|| requests.pace.as_mut().map(|pace| pace.due(step, last)));
        due.filter(|due| *due > Instant::now())
    }

    /// Takes the request for a snapshot, if there is one.
    pub(super) fn take_snapshot_request(&self) -> bool {
        self.wants_snapshot.swap(false, Ordering::Relaxed)
    }

    pub(super) fn interrupted(&self) -> bool {
        self.requests().interrupted
    }

    /// Takes the next act; after the last one, only an interruption keeps `has_acts` set.
    pub(super) fn next_act(&self) -> Option<(Act, mpsc::Sender<()>)> {
        let mut requests = self.requests();
        let act = requests.acts.pop_front();
        self.has_acts.store(requests.interrupted || !requests.acts.is_empty(), Ordering::Relaxed);
        act
    }

    /// Takes the next inspection that is due at this step; with `asked`, of those that a person
    /// asked for.
    pub(super) fn next_inspection(&self, step: u64, asked: bool) -> Option<Inspection> {
        let mut requests = self.requests();
        let is_next = |waiting: &Waiting| waiting.from <= step && (waiting.asked || !asked);
        let due = requests.inspections.iter().position(is_next)?;
        let waiting = requests.inspections.remove(due);
        self.count(&requests);
        waiting.map(|waiting| waiting.inspection)
    }

    /// Blocks until a request is due at this step.
    pub(super) fn wait(&self, step: u64) {
        drop(self.arrived.wait_while(self.requests(), |requests| self.is_idle(requests, step)));
    }

    /// Blocks until a request is due at this step, the pace changes, or this time has come.
    pub(super) fn wait_until(&self, step: u64, due: Instant) {
        let requests = self.requests();
        let held = requests.held_until;
        let left = due.saturating_duration_since(Instant::now());
        let waits = |requests: &mut Requests| {
            self.is_idle(requests, step) && self.is_paced() && requests.held_until == held
        };
        drop(self.arrived.wait_timeout_while(requests, left, waits));
    }

    /// Whether no request is due at this step.
    fn is_idle(&self, requests: &Requests, step: u64) -> bool {
        let inspection = requests.inspections.iter().any(|waiting| waiting.from <= step);
        let snapshot = self.wants_snapshot();
        !requests.interrupted && requests.acts.is_empty() && !inspection && !snapshot
    }

    /// Drops all waiting and later acts and inspections, because the training has ended.
    pub fn close(&self) {
        let mut requests = self.requests();
        requests.closed = true;
        requests.inspections.clear();
        requests.acts.clear();
        self.count(&requests);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_taken_once_and_in_order() {
        let control = Control::new();
        assert!(!control.has_acts());
        control.request(Act::Pause);
        control.request(Act::OneStep);
        assert!(control.has_acts());
        let next = || control.next_act().map(|(act, _)| act);
        assert_eq!(next(), Some(Act::Pause));
        assert!(control.has_acts());
        assert_eq!(next(), Some(Act::OneStep));
        assert!(!control.has_acts() && control.next_act().is_none());
    }

    #[test]
    fn an_interruption_stays_set() {
        let control = Control::new();
        assert!(control.interrupt() && !control.interrupt());
        assert!(control.next_act().is_none() && control.has_acts() && control.interrupted());
    }

    #[test]
    fn any_request_wakes_a_waiting_training() {
        for request in [
            (|control: &Control| drop(control.request(Act::GoOn))) as fn(&Control),
            |control| control.inspect(0, false, Box::new(|_, _| {})),
            Control::request_snapshot,
            |control| assert!(control.interrupt()),
        ] {
            let control = Control::new();
            std::thread::scope(|scope| {
                scope.spawn(|| control.wait(0));
                request(&control);
            });
        }
    }

    #[test]
    fn a_held_step_waits_for_its_release_and_a_paced_one_for_its_time() {
        let control = Control::new();
        assert!(!control.is_paced() && control.due(0, 10).is_none());
        control.hold(Duration::from_secs(60));
        let due = control.due(0, 10).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| control.wait_until(0, due));
            control.release();
        });
        assert!(!control.is_paced() && control.due(0, 10).is_none());
        control.set_pace(Some(Duration::from_millis(50)));
        let due = control.due(9, 10).unwrap_or_else(Instant::now);
        control.wait_until(9, due);
        assert!(Instant::now() >= due && control.is_paced());
        control.set_pace(None);
        assert!(!control.is_paced());
    }

    #[test]
    fn an_inspection_waits_for_its_step() {
        let control = Control::new();
        control.inspect(3, false, Box::new(|_, _| {}));
        control.inspect(0, false, Box::new(|_, _| {}));
        let next = |step| control.next_inspection(step, false);
        assert!(next(2).is_some() && next(2).is_none());
        assert!(control.has_inspection(false));
        // A training paused before that step wakes only for another request.
        control.request(Act::GoOn);
        control.wait(2);
        assert!(next(3).is_some() && !control.has_inspection(false));
    }

    #[test]
    fn what_a_person_asked_for_is_taken_apart() {
        let control = Control::new();
        control.inspect(0, false, Box::new(|_, _| {}));
        assert!(!control.has_inspection(true) && control.next_inspection(0, true).is_none());
        control.inspect(0, true, Box::new(|_, _| {}));
        assert!(control.has_inspection(true) && control.next_inspection(0, true).is_some());
        assert!(!control.has_inspection(true) && control.has_inspection(false));
        control.inspect(0, true, Box::new(|_, _| {}));
        control.close();
        assert!(!control.has_inspection(true) && !control.has_inspection(false));
    }

    #[test]
    fn the_channel_confirms_a_written_act() {
        let control = Control::new();
        let (one, other) = (control.request(Act::Pause), control.request(Act::Stop));
        let (_, written) = control.next_act().unwrap();
        assert!(one.try_recv().is_err());
        written.send(()).unwrap();
        assert!(one.try_recv().is_ok());
        control.close();
        assert!(other.recv().is_err() && control.request(Act::Stop).recv().is_err());
    }

    #[test]
    fn a_training_that_has_ended_drops_inspections() {
        let control = Control::new();
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        for before in [true, false] {
            let sender = sender.clone();
            let inspection = Box::new(move |_: &dyn Program, _: &Progress| drop(sender));
            if before {
                control.inspect(0, false, inspection);
                control.close();
            } else {
                control.inspect(0, false, inspection);
            }
        }
        drop(sender);
        // The channel closes at once.
        assert!(receiver.recv().is_err() && !control.has_inspection(false));
    }
}

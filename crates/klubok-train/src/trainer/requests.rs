//! Handles requests between two steps: acts, inspections, and acts of a replayed run.

use std::time::Instant;

use super::{Halt, Trainer};
use crate::{
    Result,
    act::Act,
    control::Control,
    event::{Event, Observer, Stopped},
    progress::Extension,
};

/// Largest share of the training time for inspections, and for those that a person asked for.
const INSPECTION_SHARES: [f64; 2] = [0.01, 0.1];
/// Additional seconds for either, for those before the first step.
const CREDIT: f64 = 0.1;

impl Trainer {
    /// Whether requests wait before the next step.
    pub(super) fn has_requests(&self, control: &Control) -> bool {
        control.has_acts()
            || control.is_paced()
            || self.is_paused()
            || self.must_replay()
            || (control.has_inspection(true) && self.may_inspect(true))
            || ((control.has_inspection(false) || control.wants_snapshot())
                && self.may_inspect(false))
    }

    /// Whether the next replayed act is due.
    pub(super) fn must_replay(&self) -> bool {
        self.replay.front().is_some_and(|next| next.step <= self.progress.step)
    }

    fn is_paused(&self) -> bool {
        self.pause_at.is_some_and(|step| self.progress.step >= step)
    }

    /// Whether there is time for an inspection; with `asked`, for one that a person asked for.
    fn may_inspect(&self, asked: bool) -> bool {
        let elapsed = self.progress.elapsed_seconds + self.lap.elapsed().as_secs_f64();
        let kind = usize::from(asked);
        let (spent, share) = (self.inspecting[kind], INSPECTION_SHARES[kind]);
        spent.as_secs_f64() <= CREDIT + share * elapsed
    }

    /// Handles the requests since the last step, and blocks while the training is paused.
    pub(super) fn handle_requests(
        &mut self,
        observer: &mut dyn Observer,
        control: &Control,
    ) -> std::result::Result<Option<Stopped>, Halt> {
        self.read(observer)?;
        while self.must_replay()
            && let Some(next) = self.replay.pop_front()
        {
            let stopped = self.act(next.act, observer)?;
            // A further act at the step of an end continued the run.
            if stopped.is_some() && !self.must_replay() {
                return Ok(stopped);
            }
        }
        loop {
            while let Some((act, written)) = control.next_act() {
                let stopped = self.act(act, observer)?;
                // The receiver may be gone.
                let _ = written.send(());
                if stopped.is_some() {
                    return Ok(stopped);
                }
            }
            if control.interrupted() {
                return Ok(Some(Stopped::Interrupted));
            }
            let paused = self.is_paused();
            let due = if paused { None } else { control.due(self.progress.step, self.last_step()) };
            // There is time for those who look.
            let rests = paused || due.is_some();
            for asked in [true, false] {
                while (rests || self.may_inspect(asked))
                    && let Some(inspect) = control.next_inspection(self.progress.step, asked)
                {
                    let start = Instant::now();
                    inspect(&*self.program, &self.progress);
                    if !rests {
                        self.inspecting[usize::from(asked)] += start.elapsed();
                    }
                }
            }
            if (rests || self.may_inspect(false)) && control.take_snapshot_request() {
                let start = Instant::now();
                self.send_snapshot(observer)?;
                if !rests {
                    self.inspecting[0] += start.elapsed();
                }
            }
            self.end_lap(false);
            if let Some(due) = due {
                control.wait_until(self.progress.step, due);
                // As a pause, waiting is no training time.
                self.lap = Instant::now();
                continue;
            }
            if !paused {
                return Ok(None);
            }
            observer.observe(&Event::Resting { step: self.progress.step })?;
            control.wait(self.progress.step);
            // A pause does not count as training time.
            self.lap = Instant::now();
        }
    }

    /// Returns the number of steps of the whole training.
    fn last_step(&self) -> u64 {
        self.progress.last_epoch(self.config.epochs) * self.progress.steps_per_epoch
    }

    /// Records an act in the log, then carries it out.
    fn act(&mut self, act: Act, observer: &mut dyn Observer) -> Result<Option<Stopped>> {
        let step = self.progress.step;
        observer.observe(&Event::Person { step, epoch: self.progress.epochs(), act })?;
        self.progress.acts += u64::from(act.changes_weights());
        match act {
            Act::Pause => self.pause_at = Some(step),
            Act::GoOn => self.pause_at = None,
            Act::OneStep => self.pause_at = Some(step + 1),
            Act::OneEpoch => {
                let epoch = self.progress.steps_per_epoch;
                self.pause_at = Some((step / epoch + 1) * epoch);
            }
            Act::LearningRate { rate } => self.set_rate(rate),
            Act::Epochs { epochs, rate } => {
                let since = self.progress.epoch;
                self.progress.extended = Some(Extension { epochs: epochs.max(since + 1), since });
                self.progress.stopped = None;
                rate.into_iter().for_each(|rate| self.set_rate(rate));
            }
            Act::Stop => {
                self.progress.stopped = Some(Stopped::Person);
                return Ok(self.progress.stopped);
            }
        }
        Ok(None)
    }

    /// Sets the learning rate of the next step.
    fn set_rate(&mut self, rate: f64) {
        let factor = rate * self.progress.rate_factor() / self.learning_rate(self.progress.step);
        // No factor raises a scheduled rate of 0: the earlier factor stays for the later steps.
        if factor.is_finite() {
            self.progress.rate_factor = Some(factor);
        }
    }
}
